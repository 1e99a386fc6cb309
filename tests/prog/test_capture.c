// SPDX-License-Identifier: GPL-2.0-or-later
/* New INVITEs: what is kept, how the kept frame looks, and what is left alone. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "frame.h"
#include "slot.h"
#include "txns.h"
#include "sip.h"
#include "key.h"

static char message[2048];

static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	return 0;
}

/* Runs an INVITE of this branch through the inside program, expects it to pass untouched, gives its slot. */
static struct siprtx_slot *captured(const struct shape *shape, const char *branch, struct frame *in)
{
	struct frame out;
	int len = make_invite(message, sizeof(message), branch, 1, NULL);

	frame_build(in, shape, message, len);
	assert_int_equal(run(edge.inside, in, &out), PASS);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	return last_captured(&edge);
}

/* The frame in the slot is the original from the IP header on, but for TTL and header checksum; tags as given. */
static void check_frame(const struct siprtx_slot *s, const struct frame *in, unsigned l3, unsigned tags, bool v6)
{
	unsigned ttl = v6 ? 7 : 8, ip_len = in->len - l3;
	uint8_t want[4096];
	const uint8_t *got = (const uint8_t *)s;

	assert_non_null(s);
	memcpy(want, in->data + l3, ip_len);
	want[ttl]--;
	if (!v6)
		memcpy(want + 10, got + SLOT_L3 + 10, 2);
	assert_int_equal(s->frame_off, SLOT_L3 - 14 - 4 * tags);
	assert_int_equal(s->frame_len, 14 + 4 * tags + ip_len);
	assert_memory_equal(got + SLOT_L3, want, ip_len);
	assert_memory_equal(got + s->frame_off, "\x02\0\0\0\2\2\x02\0\0\0\2\1", 12);
	assert_int_equal(got[SLOT_L3 - 2] << 8 | got[SLOT_L3 - 1], v6 ? ETH_P_IPV6 : ETH_P_IP);
	assert_memory_equal(got + s->sip_off, message, s->sip_len);
	assert_int_equal(s->sip_len, strlen(message));
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(s->egress, edge.out_ifindex);
}

static void test_ipv4(void **state)
{
	struct siprtx_hash_key secret;
	uint64_t at;
	struct siprtx_key key;
	struct siprtx_slot *s;
	struct sip_msg m;
	struct frame in;
	__u32 zero = 0;

	(void)state;
	counters_clear(&edge);
	s = captured(&(struct shape){0}, "z9hG4bKfour", &in);
	check_frame(s, &in, 14, 0, false);
	assert_int_equal(counter(&edge, CNT_captured), 1);
	assert_int_equal(s->cseq, 1);
	assert_int_equal(s->sport, 5060);
	assert_int_equal(s->wire, 0);
	assert_memory_equal(s->nexthop, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\x02\x02", 16);
	assert_memory_equal(s->saddr + 12, "\x0a\x4d\x01\x02", 4);
	assert_true(now_ns() - s->first_ns < 1000000000);
	/* the same scanner and hash, compiled for user space, find the same key */
	assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_hash_key], &zero, &secret), 0);
	assert_int_equal(sip_scan(s, s->sip_off, s->sip_off + s->sip_len, &m), SIP_OK);
	sip_key(s, &m, SIP_INVITE, &secret, &key);
	assert_memory_equal(&key, &s->key, sizeof(key));
	assert_true(txns_find(&(struct txns){edge.pins.txns, edge.pins.entries[PIN_txns]}, &key, &at) >= 0);
	assert_ptr_equal(&edge.pins.slots[txn_slot(at)], s);
	assert_int_equal(txn_gen(at), word_gen(s->word));
	/* after the controller's checksums it is a frame a receiver takes */
	frame_sum(s);
	assert_int_equal(plain_sum((uint8_t *)s + SLOT_L3, 20, 0), 0);
}

static void rule_39_shapes(void **state)
{
	static const uint8_t hop_by_hop[] = {17, 0, 1, 4, 0, 0, 0, 0};
	static const struct {
		const char *branch;
		struct shape shape;
		unsigned l3;
	} table[] = {
		{"z9hG4bKtag1", {.tags = 1}, 18},
		{"z9hG4bKtag2", {.tags = 2}, 22},
		{"z9hG4bKopts", {.ip_options = 12}, 14},
		{"z9hG4bKsix", {.v6 = true}, 14},
		{"z9hG4bKsixtag", {.v6 = true, .tags = 1}, 18},
		{"z9hG4bKhbh", {.v6 = true, .ext = hop_by_hop, .ext_len = 8, .ext_first = 0}, 14},
		{"z9hG4bKhalf", {.half_sum = true}, 14},
		{"z9hG4bKport", {.sport = 5062}, 14},
	};
	struct frame in;

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct siprtx_slot *s = captured(&table[i].shape, table[i].branch, &in);

		check_frame(s, &in, table[i].l3, 0, table[i].shape.v6);
		frame_sum(s);
		assert_int_equal(s->l4_off - SLOT_L3, in.len - table[i].l3 - strlen(message) - 8);
	}
}

static void test_padding_is_left_out(void **state)
{
	struct frame in;
	struct siprtx_slot *s = captured(&(struct shape){.padding = 9}, "z9hG4bKpad", &in);

	(void)state;
	in.len -= 9;
	check_frame(s, &in, 14, 0, false);
}

static void test_egress_tags(void **state)
{
	struct siprtx_egress one = {.ifindex = edge.out_ifindex, .tags = 1, .tpid = {htons(0x8100)}, .tci = {htons(7)}},
			     plain;
	struct siprtx_egress two = {.ifindex = edge.out_ifindex,
				    .tags = 2,
				    .tpid = {htons(0x88a8), htons(0x8100)},
				    .tci = {htons(9), htons(10)}};
	int fd = edge.pins.fd[PIN_egress];
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	assert_int_equal(bpf_map_lookup_elem(fd, &edge.out_ifindex, &plain), 0);
	assert_int_equal(bpf_map_update_elem(fd, &edge.out_ifindex, &one, BPF_ANY), 0);
	s = captured(&(struct shape){.tags = 2}, "z9hG4bKegress1", &in);
	check_frame(s, &in, 22, 1, false);
	assert_memory_equal((uint8_t *)s + s->frame_off + 12, "\x81\x00\x00\x07\x08\x00", 6);
	assert_int_equal(bpf_map_update_elem(fd, &edge.out_ifindex, &two, BPF_ANY), 0);
	s = captured(&(struct shape){0}, "z9hG4bKegress2", &in);
	check_frame(s, &in, 14, 2, false);
	assert_memory_equal((uint8_t *)s + s->frame_off + 12, "\x88\xa8\x00\x09\x81\x00\x00\x0a\x08\x00", 10);
	assert_int_equal(bpf_map_update_elem(fd, &edge.out_ifindex, &plain, BPF_ANY), 0);
}

static void test_no_neighbour(void **state)
{
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	edge_run("ip neigh del " GATEWAY " dev out0");
	s = captured(&(struct shape){0}, "z9hG4bKneigh", &in);
	edge_run("ip neigh add " GATEWAY " lladdr 02:00:00:00:02:02 dev out0");
	assert_non_null(s);
	assert_int_equal(s->wire, WIRE_NO_MAC);
	assert_memory_equal(s->nexthop + 12, "\x0a\x4d\x02\x02", 4);
	assert_int_equal(s->egress, edge.out_ifindex);
}

static void test_profiles(void **state)
{
	struct siprtx_prefix prefix = {.prefixlen = 96 + 24};
	struct siprtx_gateway_key key = {.port = 5060};
	struct siprtx_gateway gateway = {.profile = 5};
	struct siprtx_slot *s;
	struct frame in;
	__u32 profile = 3;

	(void)state;
	memcpy(prefix.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\x02\x00", 16);
	memcpy(key.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x4d\x02\x02", 16);
	s = captured(&(struct shape){0}, "z9hG4bKprof1", &in);
	assert_int_equal(s->profile, 0);
	bpf_map_update_elem(edge.pins.fd[PIN_gw_profile], &prefix, &profile, BPF_ANY);
	s = captured(&(struct shape){0}, "z9hG4bKprof2", &in);
	assert_int_equal(s->profile, 3);
	bpf_map_update_elem(edge.pins.fd[PIN_gateways], &key, &gateway, BPF_ANY);
	s = captured(&(struct shape){0}, "z9hG4bKprof3", &in);
	assert_int_equal(s->profile, 5);
	/* a number of no profile counts as none; what this gateway had last stays */
	counters_clear(&edge);
	gateway.profile = 31;
	gateway.last_profile = 4;
	profile = 16;
	bpf_map_update_elem(edge.pins.fd[PIN_gw_profile], &prefix, &profile, BPF_ANY);
	bpf_map_update_elem(edge.pins.fd[PIN_gateways], &key, &gateway, BPF_ANY);
	s = captured(&(struct shape){0}, "z9hG4bKprof5", &in);
	assert_int_equal(s->profile, 4);
	assert_int_equal(counter(&edge, CNT_bad_profile), 1);
	profile = 3;
	bpf_map_update_elem(edge.pins.fd[PIN_gw_profile], &prefix, &profile, BPF_ANY);
	gateway.profile = NO_PROFILE; /* made by the controller to count in: says nothing */
	bpf_map_update_elem(edge.pins.fd[PIN_gateways], &key, &gateway, BPF_ANY);
	s = captured(&(struct shape){0}, "z9hG4bKprof4", &in);
	assert_int_equal(s->profile, 3);
	bpf_map_delete_elem(edge.pins.fd[PIN_gateways], &key);
	bpf_map_delete_elem(edge.pins.fd[PIN_gw_profile], &prefix);
}

/* An INVITE that is not helped passes untouched, keeps no slot, and is counted. */
static void expect_unhelped(const struct shape *shape, const char *branch, unsigned reason)
{
	struct frame in;
	uint64_t before = counter(&edge, reason);

	if (captured(shape, branch, &in))
		fail_msg("%s was captured", branch);
	if (counter(&edge, reason) != before + 1)
		fail_msg("%s passed under another reason than %u", branch, reason);
}

static void test_unhelped(void **state)
{
	__u64 alive = edge.pins.meta->alive_ns;

	(void)state;
	expect_unhelped(&(struct shape){.ttl = 1}, "z9hG4bKu1", CNT_ttl);
	expect_unhelped(&(struct shape){.dst = "10.99.0.1"}, "z9hG4bKu2", CNT_no_route);
	expect_unhelped(&(struct shape){.dst = "10.77.1.1"}, "z9hG4bKu3", CNT_no_route); /* to the edge itself */
	edge_run("ip neigh add 10.77.1.9 lladdr 02:00:00:00:01:09 dev in0");
	expect_unhelped(&(struct shape){.dst = "10.77.1.9"}, "z9hG4bKu4", CNT_not_outside);
	edge.pins.meta->alive_ns = now_ns() - ALIVE_NS - 1;
	expect_unhelped(&(struct shape){0}, "z9hG4bKu6", CNT_no_controller);
	edge.pins.meta->alive_ns = alive;
	edge.pins.in_force->tunables[TUN_capture] = 0;
	expect_unhelped(&(struct shape){0}, "z9hG4bKu7", CNT_no_controller);
	edge.pins.in_force->tunables[TUN_capture] = 1;
}

static void test_over_mtu(void **state)
{
	char filler[1000] = "X-Filler: ";
	struct frame in;

	(void)state;
	memset(filler + 10, 'x', sizeof(filler) - 13);
	strcpy(filler + sizeof(filler) - 3, "\r\n");
	counters_clear(&edge);
	edge_run("ip link set out0 mtu 1280");
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), "z9hG4bKmtu", 1, filler));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_over_mtu), 1);
	assert_null(last_captured(&edge));
	edge_run("ip link set out0 mtu 1500");
}

/* The kernel's answer serves the next captures, but of the same way only, and for a moment only. */
static void test_route_kept(void **state)
{
	const struct siprtx_slot *first, *next;
	struct frame in;

	(void)state;
	/* 32 apart: where the one answer is kept, the other would be too */
	edge_run("ip rule add ipproto udp sport 5092 blackhole");
	first = captured(&(struct shape){0}, "z9hG4bKkept1", &in);
	next = captured(&(struct shape){0}, "z9hG4bKkept2", &in);
	check_frame(next, &in, 14, 0, false);
	assert_memory_equal(first->nexthop, next->nexthop, sizeof(next->nexthop));
	assert_int_equal(first->egress, next->egress);
	assert_memory_equal(next->from_mac, in.data + 6, 6);
	expect_unhelped(&(struct shape){.sport = 5092}, "z9hG4bKkept3", CNT_no_route);
	edge_run("ip rule del ipproto udp sport 5092 blackhole");
	edge_run("ip neigh replace " GATEWAY " lladdr 02:00:00:00:02:77 dev out0");
	next = captured(&(struct shape){0}, "z9hG4bKkept4", &in);
	assert_int_equal(((const uint8_t *)next)[next->frame_off + 5], 0x77);
	edge_run("ip neigh replace " GATEWAY " lladdr 02:00:00:00:02:02 dev out0");
	assert_non_null(captured(&(struct shape){.sport = 5092}, "z9hG4bKkept5", &in));
}

/* 64 transactions and one slot in each CPU's hand: then calls pass unhelped and nothing of the first is touched. */
static void test_slots_full(void **state)
{
	struct siprtx_slot *s;
	struct frame in;
	const struct free_list list = {edge.pins.free_slots, edge.pins.free_head};
	unsigned held = 0, free_before = 0;
	uint64_t before = counter(&edge, CNT_no_slot);
	char branch[32];

	(void)state;
	for (int64_t at = free_list_below(&list, -1); at >= 0; at = free_list_below(&list, at))
		free_before++;
	for (unsigned i = 0; i < free_before + 8; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bKfull%u", i);
		s = captured(&(struct shape){0}, branch, &in);
		held += s != NULL;
	}
	assert_in_range(held, free_before, free_before + 1); /* the one in hand */
	assert_int_equal(counter(&edge, CNT_no_slot) - before, free_before + 8 - held);
	for (unsigned i = 0; i < edge.pins.meta->slots; i++)
		if (word_state(edge.pins.slots[i].word) == ST_CALLING)
			assert_memory_equal((char *)&edge.pins.slots[i] + edge.pins.slots[i].sip_off, "INVITE ", 7);
	/* one given back serves the next call */
	s = &edge.pins.slots[0];
	slot_free(&list, edge.pins.slots, 0);
	assert_ptr_equal(captured(&(struct shape){0}, "z9hG4bKagain", &in), s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(rule_39_shapes),
		cmocka_unit_test(test_padding_is_left_out),
		cmocka_unit_test(test_egress_tags),
		cmocka_unit_test(test_no_neighbour),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_unhelped),
		cmocka_unit_test(test_over_mtu),
		cmocka_unit_test(test_route_kept),
		cmocka_unit_test(test_slots_full),
	};

	return cmocka_run_group_tests_name("prog: capture", tests, up, down);
}
