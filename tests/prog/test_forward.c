// SPDX-License-Identifier: GPL-2.0-or-later
/* forward = xdp: the INVITE itself leaves by XDP_REDIRECT, with whole checksums and TTL - 1. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"

static char message[2048];

static int up(void **state)
{
	char *more[] = {"siprtx.forward=xdp", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

static void check_ipv4(const struct frame *out, unsigned l3)
{
	unsigned ihl = (out->data[l3] & 15) * 4, udp = l3 + ihl, len = out->data[l3 + 2] << 8 | out->data[l3 + 3];
	uint32_t pseudo = (uint16_t)~plain_sum(out->data + l3 + 12, 8, 17 + len - ihl);

	assert_int_equal(out->data[l3 + 8], 63);
	assert_int_equal(plain_sum(out->data + l3, ihl, 0), 0);
	assert_int_equal(plain_sum(out->data + udp, len - ihl, pseudo), 0);
	assert_memory_equal(out->data + udp + 8, message, strlen(message));
}

static void check_ipv6(const struct frame *out, unsigned l3)
{
	unsigned len = out->data[l3 + 4] << 8 | out->data[l3 + 5];
	uint32_t pseudo = (uint16_t)~plain_sum(out->data + l3 + 8, 32, 17 + len);

	assert_int_equal(out->data[l3 + 7], 63);
	assert_int_equal(plain_sum(out->data + l3 + 40, len, pseudo), 0);
	assert_memory_equal(out->data + l3 + 48, message, strlen(message));
}

static void test_redirect(void **state)
{
	static const struct {
		struct shape shape;
		unsigned tags; /* of the egress side */
	} table[] = {
		{{.half_sum = true}, 0}, {{.tags = 1, .half_sum = true}, 0},	    {{.tags = 2}, 1},
		{{.half_sum = true}, 2}, {{.v6 = true, .half_sum = true}, 0},	    {{.v6 = true, .tags = 2}, 1},
		{{.ip_options = 4}, 0},	 {{.ip_options = 40, .half_sum = true}, 1},
	};
	struct siprtx_egress egress = {
		.ifindex = edge.out_ifindex, .tpid = {htons(0x8100), htons(0x8100)}, .tci = {htons(5), htons(6)}};
	struct frame in, out;
	char branch[32];

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct siprtx_slot *s;
		unsigned l3 = 14 + 4 * table[i].tags;

		/* odd and even lengths */
		snprintf(branch, sizeof(branch), i & 1 ? "z9hG4bKfwd%u" : "z9hG4bKfwdd%u", i);
		egress.tags = table[i].tags;
		bpf_map_update_elem(edge.pins.fd[PIN_egress], &edge.out_ifindex, &egress, BPF_ANY);
		frame_build(&in, &table[i].shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
		assert_int_equal(run(edge.inside, &in, &out), REDIRECT);
		assert_int_equal(out.len, in.len - 4 * table[i].shape.tags + 4 * table[i].tags);
		assert_memory_equal(out.data, "\x02\0\0\0\2\2\x02\0\0\0\2\1", 12);
		if (table[i].shape.v6)
			check_ipv6(&out, l3);
		else
			check_ipv4(&out, l3);
		/* the copy kept is the very frame that left */
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_equal(s->frame_len, out.len);
		assert_memory_equal((uint8_t *)s + s->frame_off, out.data, out.len);
		assert_int_equal(s->wire, WIRE_SUMMED);
	}
}

static void test_no_neighbour_is_left_to_the_kernel(void **state)
{
	struct frame in, out;

	(void)state;
	edge_run("ip neigh del " GATEWAY " dev out0");
	frame_build(&in, &(struct shape){0}, message,
		    make_invite(message, sizeof(message), "z9hG4bKfwdneigh", 1, NULL));
	assert_int_equal(run(edge.inside, &in, &out), PASS);
	assert_memory_equal(out.data, in.data, in.len);
	assert_int_equal(counter(&edge, CNT_not_redirected), 1);
	assert_non_null(last_captured(&edge));
	edge_run("ip neigh add " GATEWAY " lladdr 02:00:00:00:02:02 dev out0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_no_neighbour_is_left_to_the_kernel),
	};

	return cmocka_run_group_tests_name("prog: forward", tests, up, down);
}
