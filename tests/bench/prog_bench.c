// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the programs, ns net of an empty XDP_PASS program, by BPF_PROG_TEST_RUN on one CPU, in so
 * many rounds as the argument says (5). Prints one line of JSON. Each INVITE is a new call and each response ends the
 * wait of another one (bench.bpf.c, step_bench.h).
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rule_bench.h"
#include "samples.h"
#include "step_bench.h"

#define REPEAT 1000000 /* runs of a packet that changes nothing */

static struct bench bench;

void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

static int load_empty(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", pass, 2, NULL);

	if (fd < 0)
		give_up("an empty XDP program");
	return fd;
}

/* The bench's programs over the very maps the product has pinned. */
static void load_bench(void)
{
	struct bench_bpf *p = bench_bpf__open();
	char path[PATH_MAX];

	if (!p)
		give_up("bench.bpf.o");
	for (int id = 0; id < PIN_COUNT; id++) {
		struct bpf_map *map = bpf_object__find_map_by_name(p->obj, pin_name(id));

		snprintf(path, sizeof(path), "%s/%s", bench.edge.pin_path, pin_name(id));
		if (!map || bpf_map__reuse_fd(map, bench.edge.pins.fd[id]))
			give_up("map %s", pin_name(id));
	}
	p->rodata->sip_ports[5060 >> 6] = 1ull << (5060 & 63);
	p->rodata->txn_buckets = bench.edge.pins.entries[PIN_txns];
	bpf_program__set_autoload(p->progs.siprtx_inside, false);
	bpf_program__set_autoload(p->progs.siprtx_outside, false);
	if (bench_bpf__load(p))
		give_up("loading bench.bpf.o");
	bench.programs = p;
}

double cost(struct bench *b, int prog_fd, const struct frame *f, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len, .repeat = repeat);
	struct __sk_buff skb = {.ifindex = b->edge.out_ifindex};
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(prog_fd, &info, &size) && info.type == BPF_PROG_TYPE_SCHED_CLS) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	b->programs->bss->run_number = 0;
	if (bpf_prog_test_run_opts(prog_fd, &opts))
		give_up("BPF_PROG_TEST_RUN");
	return opts.duration;
}

static void tax(const char *figure, int prog, int nothing)
{
	char payload[172] = {(char)0x80};
	struct frame rtp;

	frame_build(&rtp, &(struct shape){.sport = 30000, .dport = 40000}, payload, sizeof(payload));
	sample(figure, cost(&bench, prog, &rtp, REPEAT) - cost(&bench, nothing, &rtp, REPEAT));
}

int main(int argc, char **argv)
{
	char *more[] = {"siprtx.max_transactions=65536", NULL};
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	edge_up(&bench.edge, more);
	bench.empty = load_empty();
	load_bench();
	while (rounds-- > 0) {
		tax("non_sip_tax_ns", bench.edge.inside, bench.empty);
		tax("non_sip_tax_egress_ns", bpf_program__fd(bench.programs->progs.siprtx_egress),
		    bpf_program__fd(bench.programs->progs.empty_egress));
		rule_bench(&bench);
		step_bench(&bench);
	}
	samples_print();
	bench_bpf__destroy(bench.programs);
	edge_down(&bench.edge);
	return 0;
}
