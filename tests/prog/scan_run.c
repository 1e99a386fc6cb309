// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan_run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "scan.skel.h"

void scan_up(struct scan_run *s, int hash_key_fd, const struct siprtx_hash_key *secret, const uint64_t *ports)
{
	struct bpf_map *map;
	__u32 zero = 0;

	memset(s, 0, sizeof(*s));
	s->skel = scan_bpf__open();
	assert_non_null(s->skel);
	/* of the product's maps it wants the secret alone */
	bpf_object__for_each_map(map, s->skel->obj) if (map != s->skel->maps.hash_key && !bpf_map__is_internal(map))
		assert_int_equal(bpf_map__set_autocreate(map, false), 0);
	if (hash_key_fd >= 0)
		assert_int_equal(bpf_map__reuse_fd(s->skel->maps.hash_key, hash_key_fd), 0);
	if (ports)
		memcpy((void *)s->skel->rodata->sip_ports, ports, sizeof(s->skel->rodata->sip_ports));
	else
		memset((void *)s->skel->rodata->sip_ports, 0xff, sizeof(s->skel->rodata->sip_ports));
	if (scan_bpf__load(s->skel))
		fail_msg("scan.bpf.o does not load: %m");
	if (hash_key_fd < 0)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(s->skel->maps.hash_key), &zero, secret, BPF_ANY), 0);
	s->prog = bpf_program__fd(s->skel->progs.scan);
	s->buf = &s->skel->bss->buf;
	s->result = &s->skel->bss->result;
}

void scan_down(struct scan_run *s)
{
	scan_bpf__destroy(s->skel);
}

void scan_frame(struct scan_run *s, const struct frame *f)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len, .repeat = 1);

	if (bpf_prog_test_run_opts(s->prog, &opts))
		fail_msg("BPF_PROG_TEST_RUN: %m");
	assert_int_equal(opts.retval, 2 /* XDP_PASS */);
}
