// SPDX-License-Identifier: GPL-2.0-or-later
/* The classifier at TC egress: the same verdicts and slots as at XDP, on what leaves. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <limits.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "frame.h"
#include "tagged.skel.h"

static char message[2048];
static struct tagged_bpf *tagged;

/* MACs of a frame on its way to the gateway, by the kernel's own table. */
static const uint8_t final_macs[12] = {2, 0, 0, 0, 2, 2, 2, 0, 0, 0, 2, 1};

static void load_tagged(void)
{
	char path[PATH_MAX];

	tagged = tagged_bpf__open();
	assert_non_null(tagged);
	for (int id = 0; id < PIN_COUNT; id++) {
		struct bpf_map *map = bpf_object__find_map_by_name(tagged->obj, pin_name(id));

		snprintf(path, sizeof(path), "%s/%s", edge.pin_path, pin_name(id));
		assert_int_equal(bpf_map__reuse_fd(map, edge.pins.fd[id]), 0);
	}
	tagged->rodata->sip_ports[5060 >> 6] = 1ull << (5060 & 63);
	bpf_program__set_autoload(tagged->progs.siprtx_inside, false);
	bpf_program__set_autoload(tagged->progs.siprtx_outside, false);
	bpf_program__set_autoload(tagged->progs.siprtx_egress, false);
	assert_int_equal(tagged_bpf__load(tagged), 0);
}

static int up(void **state)
{
	char *more[] = {"siprtx.capture=egress", NULL};

	(void)state;
	edge_up(&edge, more);
	/* two runs may be some ms apart on a busy machine */
	edge.pins.in_force->tunables[TUN_dup_window] = 500;
	load_tagged();
	return 0;
}

static int down_too(void **state)
{
	tagged_bpf__destroy(tagged);
	return down(state);
}

/* Sends it by out0, as made on this host (ingress 0) or come in elsewhere; expects its bytes untouched. */
static int leave(int prog, const struct frame *in, unsigned ingress)
{
	struct __sk_buff skb = {.ifindex = edge.out_ifindex, .ingress_ifindex = ingress};
	struct frame out;
	int verdict = run_skb(prog, in, &out, &skb);

	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	return verdict;
}

static void build(struct frame *f, const struct shape *shape, const char *branch)
{
	frame_build(f, shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
	memcpy(f->data, final_macs, sizeof(final_macs));
}

/* The frame in the slot is the one that left, to the byte; `tags` are those beside it, ahead of its own. */
static void check_frame(const struct siprtx_slot *s, const struct frame *in, const void *tags, unsigned len)
{
	const uint8_t *got = (const uint8_t *)s;

	assert_non_null(s);
	assert_int_equal(s->frame_len, in->len + len);
	assert_memory_equal(got + s->frame_off, in->data, 12);
	assert_memory_equal(got + s->frame_off + 12, tags, len);
	assert_memory_equal(got + s->frame_off + 12 + len, in->data + 12, in->len - 12);
	assert_int_equal(s->frame_off + s->frame_len, SLOT_L3 + in->len + len - (SLOT_L3 - s->frame_off));
	assert_memory_equal(got + s->sip_off, message, strlen(message));
	assert_int_equal(s->sip_len, strlen(message));
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(s->egress, edge.out_ifindex);
	assert_int_equal(s->outside, 0);
	assert_int_equal(s->wire, 0);
	assert_int_equal(s->in_tags, SLOT_AT_EGRESS);
}

static void what_leaves_is_kept(void **state)
{
	static const uint8_t hop_by_hop[] = {17, 0, 1, 4, 0, 0, 0, 0};
	static const struct {
		const char *branch;
		struct shape shape;
	} table[] = {
		{"z9hG4bKout4", {0}},
		{"z9hG4bKout4h", {.half_sum = true}},
		{"z9hG4bKout4o", {.ip_options = 12}},
		{"z9hG4bKout4l", {.ttl = 1}},
		{"z9hG4bKout41", {.tags = 1}},
		{"z9hG4bKout42", {.tags = 2}},
		{"z9hG4bKout6", {.v6 = true}},
		{"z9hG4bKout6t", {.v6 = true, .tags = 1, .half_sum = true}},
		{"z9hG4bKout6x", {.v6 = true, .ext = hop_by_hop, .ext_len = 8, .ext_first = 0}},
	};
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	counters_clear(&edge);
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		build(&in, &table[i].shape, table[i].branch);
		assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
		s = last_captured(&edge);
		check_frame(s, &in, "", 0);
		/* after the controller's checksums it is a frame a receiver takes, whatever they were */
		frame_sum(s);
		if (!table[i].shape.v6)
			assert_int_equal(plain_sum((uint8_t *)s + SLOT_L3, 20 + table[i].shape.ip_options, 0), 0);
	}
	assert_int_equal(counter(&edge, CNT_captured), sizeof(table) / sizeof(*table));
}

static void a_tag_beside_the_frame_is_in_the_copy(void **state)
{
	static const uint8_t tag[] = {0x88, 0xa8, 0x20, 0x64};
	int prog = bpf_program__fd(tagged->progs.tagged_egress);
	struct frame in;

	(void)state;
	build(&in, &(struct shape){0}, "z9hG4bKtag0");
	assert_int_equal(leave(prog, &in, 0), TC_ACT_UNSPEC);
	check_frame(last_captured(&edge), &in, tag, 4);
	build(&in, &(struct shape){.v6 = true, .tags = 1}, "z9hG4bKtag1");
	assert_int_equal(leave(prog, &in, 0), TC_ACT_UNSPEC);
	check_frame(last_captured(&edge), &in, tag, 4);
	/* a slot has room for two */
	counters_clear(&edge);
	build(&in, &(struct shape){.tags = 2}, "z9hG4bKtag2");
	assert_int_equal(leave(prog, &in, 0), TC_ACT_UNSPEC);
	assert_null(last_captured(&edge));
	assert_int_equal(counter(&edge, CNT_tags), 1);
}

/* Its own copies, taken over and long ago, whatever interface the first one came in by. */
static void copies_are_stolen(void **state)
{
	static const unsigned ingress[] = {0, 1};
	struct siprtx_slot *s;
	struct frame in;
	char branch[32];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned from = ingress[i] ? edge.in_ifindex : 0;

		counters_clear(&edge);
		snprintf(branch, sizeof(branch), "z9hG4bKsteal%u", i);
		build(&in, &(struct shape){.v6 = i == 1}, branch);
		assert_int_equal(leave(edge.egress, &in, from), TC_ACT_UNSPEC);
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_equal(leave(edge.egress, &in, from), TC_ACT_UNSPEC);
		assert_int_equal(counter(&edge, CNT_dup), 1);
		s->first_ns -= 1000000000;
		assert_int_equal(leave(edge.egress, &in, from), TC_ACT_UNSPEC); /* not taken over yet */
		assert_int_equal(counter(&edge, CNT_copy_passed), 1);
		s->word |= WORD_TAKEN;
		assert_int_equal(leave(edge.egress, &in, from), TC_ACT_STOLEN);
		assert_int_equal(counter(&edge, CNT_absorbed), 1);
		assert_true(s->copy_ns != 0);
	}
}

/* siprtx's frames pass no TC; what a bridge brings back in by another interface than the softswitch's is one of them.
 */
static void rule_29_own_frames_come_back(void **state)
{
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	counters_clear(&edge);
	build(&in, &(struct shape){0}, "z9hG4bKback");
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	s = last_captured(&edge);
	s->first_ns -= 1000000000;
	s->word |= WORD_TAKEN;
	assert_int_equal(leave(edge.egress, &in, edge.in_ifindex), TC_ACT_UNSPEC);
	assert_int_equal(counter(&edge, CNT_own_copy), 1);
	assert_int_equal(s->copy_ns, 0);
	/* another MAC, as that of a softswitch behind a bridge: its own copy by another port */
	in.data[11] ^= 1;
	assert_int_equal(leave(edge.egress, &in, edge.in_ifindex), TC_ACT_STOLEN);
}

static void rule_28_from_outside_to_outside(void **state)
{
	struct frame in;

	(void)state;
	counters_clear(&edge);
	build(&in, &(struct shape){0}, "z9hG4bKhairpin");
	assert_int_equal(leave(edge.egress, &in, edge.out_ifindex), TC_ACT_UNSPEC);
	assert_null(last_captured(&edge));
	assert_int_equal(counter(&edge, CNT_from_outside), 1);
}

static void the_rest_passes(void **state)
{
	struct __sk_buff bundle = {.ifindex = edge.out_ifindex, .gso_size = 400, .gso_segs = 2};
	struct __sk_buff elsewhere = {.ifindex = edge.in_ifindex};
	static const struct {
		struct shape shape;
		unsigned reason;
	} table[] = {
		{{.proto = IPPROTO_TCP}, CNT_not_udp},
		{{.sport = 9, .dport = 9}, CNT_other_port},
		{{.frag = 0x2000}, CNT_fragment},
		{{.udp_len_off = 40}, CNT_truncated},
		{{.tags = 3}, CNT_not_ip},
	};
	struct frame in, out;

	(void)state;
	counters_clear(&edge);
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		build(&in, &table[i].shape, "z9hG4bKrest");
		assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
		assert_int_equal(counter(&edge, table[i].reason), 1);
	}
	build(&in, &(struct shape){0}, "z9hG4bKgso");
	assert_int_equal(run_skb(edge.egress, &in, &out, &bundle), TC_ACT_UNSPEC);
	assert_memory_equal(out.data, in.data, in.len);
	assert_int_equal(counter(&edge, CNT_gso), 1);
	assert_int_equal(run_skb(edge.egress, &in, &out, &elsewhere), TC_ACT_UNSPEC);
	assert_int_equal(counter(&edge, CNT_not_outside), 1);
	edge_run("ip link set out0 mtu 400");
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	assert_int_equal(counter(&edge, CNT_over_mtu), 1);
	edge_run("ip link set out0 mtu 1500");
	assert_null(last_captured(&edge));
}

/* The table's next hop counts only where it has the frame's own MACs. */
static void next_hop(void **state)
{
	static const uint8_t none[16], gateway[16] = {[10] = 0xff, [11] = 0xff, 10, 77, 2, 2};
	struct frame in;

	(void)state;
	/* the address change took them along; IPv6 of an mtu of 400 too */
	edge_run("ip neigh replace " GATEWAY " lladdr 02:00:00:00:02:02 dev out0");
	build(&in, &(struct shape){0}, "z9hG4bKhop1");
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	assert_memory_equal(last_captured(&edge)->nexthop, gateway, 16);
	build(&in, &(struct shape){0}, "z9hG4bKhop2");
	in.data[5] = 9;
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	assert_memory_equal(last_captured(&edge)->nexthop, none, 16);
	build(&in, &(struct shape){.tags = 1}, "z9hG4bKhop3");
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	assert_memory_equal(last_captured(&edge)->nexthop, none, 16);
	edge_run("sysctl -qw net.ipv4.conf.out0.forwarding=0");
	build(&in, &(struct shape){0}, "z9hG4bKhop4");
	assert_int_equal(leave(edge.egress, &in, 0), TC_ACT_UNSPEC);
	assert_memory_equal(last_captured(&edge)->nexthop, none, 16);
	edge_run("sysctl -qw net.ipv4.conf.out0.forwarding=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_leaves_is_kept),
		cmocka_unit_test(a_tag_beside_the_frame_is_in_the_copy),
		cmocka_unit_test(copies_are_stolen),
		cmocka_unit_test(rule_29_own_frames_come_back),
		cmocka_unit_test(rule_28_from_outside_to_outside),
		cmocka_unit_test(the_rest_passes),
		cmocka_unit_test(next_hop),
	};

	return cmocka_run_group_tests_name("prog: egress", tests, up, down_too);
}
