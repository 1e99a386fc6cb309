// SPDX-License-Identifier: GPL-2.0-or-later
/* forward = xdp-all: what passes leaves by XDP_REDIRECT, as the kernel would send it; and each reason why not. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "one_edge.h"
#include "ways.h"

static char message[2048];

static void refresh(void)
{
	assert_int_equal(ways_refresh(edge.pins.fd[PIN_ways], edge.pins.meta, FORWARD_XDP_ALL), 0);
}

static int up(void **state)
{
	char *more[] = {"siprtx.forward=xdp-all", NULL};

	(void)state;
	edge_up(&edge, more);
	edge_run("ip link set in0 address 02:00:00:00:01:01;"
		 "ip neigh replace " SOFTSWITCH " lladdr 02:00:00:00:01:02 dev in0;"
		 "ip neigh replace " SOFTSWITCH6 " lladdr 02:00:00:00:01:02 dev in0;"
		 "for d in s0 g0; do ethtool -K $d gro on; done");
	refresh();
	return 0;
}

/* One of the programs on a frame that comes by its interface; the kernel's turn is let go by. */
static int go(bool back, const struct frame *in, struct frame *out)
{
	uint64_t turns = counter(&edge, CNT_forward_turn);
	int verdict = run_from(back ? edge.outside : edge.inside, back ? edge.out_ifindex : edge.in_ifindex, in, out);

	if (counter(&edge, CNT_forward_turn) == turns)
		return verdict;
	assert_int_equal(verdict, PASS);
	assert_memory_equal(out->data, in->data, in->len);
	return run_from(back ? edge.outside : edge.inside, back ? edge.out_ifindex : edge.in_ifindex, in, out);
}

static struct siprtx_way way_of(const struct siprtx_way_key *key)
{
	struct siprtx_way way;

	assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_ways], key, &way), 0);
	return way;
}

static void set_way(const struct siprtx_way_key *key, const struct siprtx_way *way)
{
	assert_int_equal(bpf_map_update_elem(edge.pins.fd[PIN_ways], key, way, BPF_ANY), 0);
}

/* Frames with this many tags belong to the interface that tagged ones come by; what leaves gets `out` tags. */
static void set_tags(unsigned in, unsigned out)
{
	struct siprtx_way_key came = {.ifindex = edge.in_ifindex}, leaves = {.ifindex = edge.out_ifindex};
	struct siprtx_way inside = way_of(&came), outside = way_of(&leaves);
	static const __u16 tag[] = {0x8100, 5, 0x8100, 6};

	for (unsigned i = 0; i < in; i++) {
		came.tag[2 * i] = htons(i + 1 < in ? 0x88a8 : 0x8100);
		came.tag[2 * i + 1] = htons(100 + i);
	}
	set_way(&came, &inside);
	outside.tags = out;
	for (unsigned i = 0; i < 2 * out; i++)
		outside.tag[i] = htons(tag[i]);
	set_way(&leaves, &outside);
}

static uint16_t sum_of_udp(const struct frame *f, unsigned l3, bool v6)
{
	unsigned l4 = l3 + (v6 ? 40 : 20), len = f->data[l4 + 4] << 8 | f->data[l4 + 5];
	uint32_t pseudo = (uint16_t)~plain_sum(f->data + l3 + (v6 ? 8 : 12), v6 ? 32 : 8, 17 + len);

	return plain_sum(f->data + l4, len, pseudo);
}

/* MACs, tags, TTL, checksums; the rest as it came. `wrong`: the UDP checksum was, and stays so. */
static void check_frame(const struct frame *in, const struct frame *out, const struct shape *s, unsigned tags,
			bool wrong)
{
	unsigned came = 14 + 4 * s->tags, l3 = 14 + 4 * tags, header = s->v6 ? 40 : 20, check = header + 6;
	struct frame want = {};

	assert_int_equal(out->len, in->len - 4 * s->tags + 4 * tags);
	assert_memory_equal(out->data, "\x02\0\0\0\2\2\x02\0\0\0\2\1", 12);
	assert_memory_equal(out->data + 12, "\x81\0\0\5\x81\0\0\6", 4 * tags);
	assert_int_equal(out->data[l3 - 2] << 8 | out->data[l3 - 1], s->v6 ? 0x86dd : 0x0800);
	want.len = in->len - came;
	memcpy(want.data, in->data + came, want.len);
	want.data[s->v6 ? 7 : 8]--;
	if (!s->v6) {
		assert_int_equal(plain_sum(out->data + l3, 20, 0), 0);
		memcpy(want.data + 10, out->data + l3 + 10, 2);
	}
	assert_int_equal(sum_of_udp(out, l3, s->v6) != 0, wrong);
	if (s->half_sum)
		memcpy(want.data + check, out->data + l3 + check, 2);
	assert_memory_equal(out->data + l3, want.data, want.len);
}

static void test_invites_are_redirected(void **state)
{
	static const struct {
		struct shape shape;
		unsigned tags; /* of the egress side */
	} table[] = {
		{{0}, 0},
		{{.half_sum = true}, 0},
		{{.tags = 1, .half_sum = true}, 0},
		{{.tags = 2}, 1},
		{{.half_sum = true, .ttl = 2}, 2},
		{{.v6 = true}, 0},
		{{.v6 = true, .half_sum = true}, 0},
		{{.v6 = true, .tags = 2, .half_sum = true}, 1},
		{{.v6 = true, .tags = 1, .ttl = 2}, 2},
		{{.padding = 6}, 0},
	};
	struct frame in, out;
	char branch[32];

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct siprtx_slot *s;

		/* odd and even lengths */
		snprintf(branch, sizeof(branch), i & 1 ? "z9hG4bKfwd%u" : "z9hG4bKfwdd%u", i);
		set_tags(table[i].shape.tags, table[i].tags);
		frame_build(&in, &table[i].shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
		assert_int_equal(go(false, &in, &out), REDIRECT);
		check_frame(&in, &out, &table[i].shape, table[i].tags, false);
		/* it was captured all the same, and the controller makes the copy's checksums */
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_equal(s->wire & WIRE_SUMMED, 0);
	}
	set_tags(0, 0);
	refresh();
}

/* One that went wrong on the way is not made right; none at all stays none. */
static void test_checksums_of_the_wire_stay(void **state)
{
	struct shape s = {.sport = 30000, .dport = 40000};
	struct frame in, out;

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.v6 = v6;
		frame_build(&in, &s, message, 172);
		in.data[14 + (v6 ? 40 : 20) + 20] ^= 0x55;
		assert_int_equal(go(false, &in, &out), REDIRECT);
		check_frame(&in, &out, &s, 0, true);
	}
	s.v6 = false;
	frame_build(&in, &s, message, 172);
	memset(in.data + 14 + 26, 0, 2);
	assert_int_equal(go(false, &in, &out), REDIRECT);
	check_frame(&in, &out, &s, 0, true);
}

/* All that is no INVITE: responses both ways, ACK, keepalives, RTP; TCP's checksum stands elsewhere. */
static void test_the_rest_both_ways(void **state)
{
	static const char *const text[] = {"SIP/2.0 200 OK\r\n\r\n", "ACK sip:a@b SIP/2.0\r\n\r\n", "\r\n\r\n",
					   "BYE sip:a@b SIP/2.0\r\n"};
	struct shape back = {FROM_GATEWAY}, rtp = {.sport = 30000, .dport = 40000, .half_sum = true},
		     tcp = {.proto = 6};
	uint64_t sip = counter(&edge, CNT_redirected), other = counter(&edge, CNT_redirected_other);
	struct frame in, out;
	uint32_t pseudo;
	uint16_t half;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		frame_build(&in, &(struct shape){0}, text[i], strlen(text[i]));
		assert_int_equal(go(false, &in, &out), REDIRECT);
		check_frame(&in, &out, &(struct shape){0}, 0, false);
		frame_build(&in, &back, text[i], strlen(text[i]));
		memcpy(in.data, "\x02\0\0\0\2\1\x02\0\0\0\2\2", 12);
		assert_int_equal(go(true, &in, &out), REDIRECT);
		assert_memory_equal(out.data, "\x02\0\0\0\1\2\x02\0\0\0\1\1", 12);
		assert_int_equal(out.data[22], 63);
		assert_int_equal(sum_of_udp(&out, 14, false), 0);
	}
	assert_int_equal(counter(&edge, CNT_redirected) - sip, 8);
	frame_build(&in, &rtp, message, 172);
	assert_int_equal(go(false, &in, &out), REDIRECT);
	check_frame(&in, &out, &rtp, 0, false);
	/* 40 bytes as a TCP segment, its checksum half-made */
	memset(message, 7, 32);
	frame_build(&in, &tcp, message, 32);
	pseudo = 6 + 40;
	half = htons((uint16_t)~plain_sum(in.data + 26, 8, pseudo));
	memcpy(in.data + 34 + 16, &half, 2);
	assert_int_equal(go(false, &in, &out), REDIRECT);
	assert_int_equal(plain_sum(out.data + 34, 40, (uint16_t)~plain_sum(out.data + 26, 8, pseudo)), 0);
	assert_int_equal(counter(&edge, CNT_redirected_other) - other, 2);
}

static void expect_left(unsigned reason, const struct frame *in)
{
	uint64_t before = counter(&edge, reason),
		 redirected = counter(&edge, CNT_redirected) + counter(&edge, CNT_redirected_other);
	struct frame out;

	assert_int_equal(go(false, in, &out), PASS);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	assert_int_equal(counter(&edge, reason), before + 1);
	assert_int_equal(counter(&edge, CNT_redirected) + counter(&edge, CNT_redirected_other), redirected);
}

#define RTP .sport = 30000, .dport = 40000

static void test_what_is_left_to_the_kernel(void **state)
{
	static const uint8_t options[] = {17, 0, 1, 4, 0, 0, 0, 0};
	static const struct {
		unsigned reason;
		struct shape shape;
		unsigned len;
	} table[] = {
		{CNT_forward_limit, {.ttl = 1, RTP}, 100},
		{CNT_forward_limit, {.ttl = 1, .v6 = true, RTP}, 100},
		{CNT_forward_limit, {RTP}, 1473}, /* MTU 1500 */
		{CNT_forward_limit, {.v6 = true, RTP}, 1453},
		{CNT_forward_shape, {.frag = 0x2000, RTP}, 100},
		{CNT_forward_shape, {.frag = 1, RTP}, 100},
		{CNT_forward_shape, {.ip_options = 4, RTP}, 100},
		{CNT_forward_shape, {.v6 = true, .ext = options, .ext_len = 8, .ext_first = 60, RTP}, 100},
		{CNT_forward_shape, {.proto = 47, RTP}, 100},
		{CNT_forward_shape, {.proto = 1, RTP}, 100},
		{CNT_forward_shape, {.dport = 4789}, 100},
		{CNT_forward_shape, {.ip_len_off = 8, RTP}, 100},
		{CNT_forward_in, {.tags = 1, RTP}, 100},
		{CNT_forward_in, {.tags = 3, RTP}, 100},
		{CNT_forward_route, {.dst = "10.77.1.1", RTP}, 100}, /* the edge itself */
		{CNT_forward_route, {.dst = "10.77.2.255", RTP}, 100},
		{CNT_forward_route, {.dst = "192.0.2.1", RTP}, 100},
		{CNT_forward_route, {.dst = "224.0.0.5", RTP}, 100},
		{CNT_forward_route, {.src = "127.0.0.1", RTP}, 100},
		{CNT_forward_route, {.v6 = true, .dst = "fd77:1::1", RTP}, 100},
		{CNT_forward_route, {.v6 = true, .src = "::1", RTP}, 100},
		{CNT_forward_route, {.v6 = true, .src = "fe80::1", RTP}, 100},
		{CNT_not_redirected, {.dst = "10.77.2.99", RTP}, 100}, /* no neighbour */
		{CNT_forward_out, {.dst = "10.77.1.9", RTP}, 100},     /* back by where it came */
	};
	struct frame in;

	(void)state;
	edge_run("ip neigh add 10.77.1.9 lladdr 02:00:00:00:01:09 dev in0");
	set_tags(0, 0);
	memset(message, 0, sizeof(message));
	bpf_map_delete_elem(edge.pins.fd[PIN_ways],
			    &(struct siprtx_way_key){edge.in_ifindex, {htons(0x8100), htons(100)}});
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		frame_build(&in, &table[i].shape, message, table[i].len);
		expect_left(table[i].reason, &in);
	}
	frame_build(&in, &(struct shape){RTP}, message, 100);
	in.data[5]++; /* to another MAC */
	expect_left(CNT_forward_in, &in);
}

static void test_ways_follow_the_links(void **state)
{
	struct siprtx_way_key in_key = {.ifindex = edge.in_ifindex}, out_key = {.ifindex = edge.out_ifindex};
	__u64 alive = edge.pins.meta->alive_ns;
	struct frame in, out;

	(void)state;
	frame_build(&in, &(struct shape){RTP}, message, 100);
	assert_int_equal(way_of(&in_key).flags, WAY_IN | WAY_OUT);
	assert_memory_equal(way_of(&in_key).mac, "\x02\0\0\0\1\1", 6);
	edge_run("ethtool -K g0 gro off");
	refresh();
	assert_int_equal(way_of(&out_key).flags, WAY_IN);
	expect_left(CNT_forward_out, &in);
	edge_run("ethtool -K g0 gro on; sysctl -qw net.ipv4.conf.in0.rp_filter=2");
	refresh();
	assert_int_equal(way_of(&in_key).flags, WAY_IN | WAY_OUT | WAY_SOURCE);
	assert_int_equal(go(false, &in, &out), REDIRECT);
	edge_run("ip route add " SOFTSWITCH "/32 dev out0");
	expect_left(CNT_forward_source, &in);
	edge_run("ip route del " SOFTSWITCH "/32 dev out0; sysctl -qw net.ipv4.conf.in0.rp_filter=0;"
		 "sysctl -qw net.ipv4.conf.in0.forwarding=0");
	refresh();
	expect_left(CNT_forward_route, &in);
	edge_run("sysctl -qw net.ipv4.conf.in0.forwarding=1; ip link set in0 address 02:00:00:00:01:03");
	refresh();
	expect_left(CNT_forward_in, &in);
	edge_run("ip link set in0 address 02:00:00:00:01:01");
	edge.pins.meta->interface[1].attach = ATTACH_GENERIC;
	refresh();
	expect_left(CNT_forward_in, &in);
	edge.pins.meta->interface[1].attach = ATTACH_NATIVE;
	refresh();
	edge.pins.meta->alive_ns = 1;
	expect_left(CNT_no_controller, &in);
	edge.pins.meta->alive_ns = alive;
	assert_int_equal(go(false, &in, &out), REDIRECT);
	assert_int_equal(ways_refresh(edge.pins.fd[PIN_ways], edge.pins.meta, FORWARD_KERNEL), 0);
	expect_left(CNT_forward_in, &in);
	refresh();
}

/* One a second to each next hop is the kernel's, none more. */
static void test_the_kernel_has_its_turn(void **state)
{
	uint64_t before = counter(&edge, CNT_forward_turn);
	struct frame in, out;

	(void)state;
	frame_build(&in, &(struct shape){RTP}, message, 100);
	for (unsigned i = 0; i < 26; i++) {
		run_from(edge.inside, edge.in_ifindex, &in, &out);
		usleep(100000);
	}
	assert_in_range(counter(&edge, CNT_forward_turn) - before, 2, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invites_are_redirected), cmocka_unit_test(test_checksums_of_the_wire_stay),
		cmocka_unit_test(test_the_rest_both_ways),     cmocka_unit_test(test_what_is_left_to_the_kernel),
		cmocka_unit_test(test_ways_follow_the_links),  cmocka_unit_test(test_the_kernel_has_its_turn),
	};

	return cmocka_run_group_tests_name("prog: forward", tests, up, down);
}
