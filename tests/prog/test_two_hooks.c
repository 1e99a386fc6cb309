// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One classifier, two hooks: every message there is, the first time and as a copy of one that is held, at XDP of the
 * inside and at TC egress. Verdict, reason and slot must be the same, but for what routing changes: TTL, IP checksum
 * and Ethernet.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge.h"
#include "messages.h"
#include "sip_msg.h"

#define IP_TTL	 8
#define IP_CHECK 10

struct outcome {
	const char *name;
	bool dropped, kept;
	uint8_t reason[CNT_COUNT]; /* how often each was counted */
	struct siprtx_slot slot;
};

struct outcomes {
	struct edge edge;
	bool egress;
	struct outcome *list; /* two a message: first, again */
	unsigned n;
};

static void count_into(const struct edge *e, uint64_t sum[CNT_COUNT])
{
	for (unsigned i = 0; i < CNT_COUNT; i++)
		sum[i] = counter(e, i);
}

static struct siprtx_slot *pass_one(struct outcomes *all, const char *name, const struct frame *f)
{
	struct __sk_buff skb = {.ifindex = all->edge.out_ifindex, .ingress_ifindex = all->edge.in_ifindex};
	uint64_t before[CNT_COUNT], after[CNT_COUNT];
	struct siprtx_slot *s;
	struct frame out;
	struct outcome *o;
	int verdict;

	all->list = reallocarray(all->list, all->n + 1, sizeof(*all->list));
	assert_non_null(all->list);
	o = &all->list[all->n++];
	*o = (struct outcome){.name = name};
	count_into(&all->edge, before);
	verdict = all->egress ? run_skb(all->edge.egress, f, &out, &skb) : run(all->edge.inside, f, &out);
	count_into(&all->edge, after);
	o->dropped = verdict == (all->egress ? TC_ACT_STOLEN : XDP_DROP);
	if (!o->dropped)
		assert_int_equal(verdict, all->egress ? TC_ACT_UNSPEC : XDP_PASS);
	assert_int_equal(out.len, f->len);
	assert_memory_equal(out.data, f->data, f->len);
	for (unsigned i = 0; i < CNT_COUNT; i++)
		o->reason[i] = after[i] - before[i];
	s = last_captured(&all->edge);
	o->kept = s;
	if (s)
		o->slot = *s;
	return s;
}

static void pass_message(void *ctx, const char *name, const uint8_t *data, size_t len)
{
	struct outcomes *all = ctx;
	struct siprtx_slot *s;
	struct frame f;

	frame_build(&f, &(struct shape){0}, data, len);
	s = pass_one(all, strdup(name), &f);
	if (s) {
		s->first_ns -= 1000000000;
		s->word |= WORD_TAKEN;
	}
	pass_one(all, all->list[all->n - 1].name, &f);
}

static void own(struct outcomes *all, const char *name, const char *text)
{
	pass_message(all, name, (const uint8_t *)text, strlen(text));
}

static void pass_all(struct outcomes *all, char *capture)
{
	char *more[] = {capture, "siprtx.max_transactions=8192", NULL};

	edge_up(&all->edge, more);
	all->edge.pins.in_force->tunables[TUN_methods] = METHODS_ALL;
	all->edge.pins.in_force->tunables[TUN_confirm] = 1;
	own(all, "own INVITE", own_invite);
	own(all, "own response", own_response);
	own(all, "own PRACK", own_prack);
	corpus_messages(pass_message, all);
	capture_messages(pass_message, all);
	kept_messages(pass_message, all);
	edge_down(&all->edge);
}

/* What may differ is made equal. */
static void level(struct siprtx_slot *s)
{
	uint8_t *ip = (uint8_t *)s + SLOT_L3;

	ip[IP_TTL] = ip[IP_CHECK] = ip[IP_CHECK + 1] = 0;
	memset((uint8_t *)s + s->frame_off, 0, SLOT_L3 - s->frame_off - 2);
	memset(s->nexthop, 0, sizeof(s->nexthop));
	s->word &= 0xffffffff; /* how often the slot was used: as the free list has it */
	s->first_ns = 0;
	s->key = (struct siprtx_key){};
	s->ingress = s->egress = 0; /* of two namespaces */
	memset(s->from_mac, 0, sizeof(s->from_mac));
	memset(s->in_tci, 0, sizeof(s->in_tci));
	s->in_tags &= ~SLOT_AT_EGRESS;
}

static void both_hooks_agree(void **state)
{
	struct outcomes xdp = {.egress = false}, egress = {.egress = true};
	unsigned kept = 0, dropped = 0;

	(void)state;
	pass_all(&xdp, "siprtx.capture=xdp");
	pass_all(&egress, "siprtx.capture=egress");
	assert_int_equal(xdp.n, egress.n);
	for (unsigned i = 0; i < xdp.n; i++) {
		struct outcome *a = &xdp.list[i], *b = &egress.list[i];
		unsigned end = SLOT_L3;

		assert_string_equal(a->name, b->name);
		for (unsigned c = 0; c < CNT_COUNT; c++)
			if (a->reason[c] != b->reason[c])
				fail_msg("%s, %s: counter %u rises by %u at XDP, by %u at egress", a->name,
					 i & 1 ? "again" : "first", c, a->reason[c], b->reason[c]);
		if (a->dropped != b->dropped || a->kept != b->kept)
			fail_msg("%s: kept %d, dropped %d at XDP, %d, %d at egress", a->name, a->kept, a->dropped,
				 b->kept, b->dropped);
		kept += a->kept;
		dropped += a->dropped;
		if (!a->kept)
			continue;
		level(&a->slot);
		level(&b->slot);
		end = a->slot.frame_off + a->slot.frame_len;
		if (memcmp(&a->slot, &b->slot, offsetof(struct siprtx_slot, frame)) ||
		    memcmp((uint8_t *)&a->slot + SLOT_L3, (uint8_t *)&b->slot + SLOT_L3, end - SLOT_L3))
			fail_msg("%s: the slots differ", a->name);
	}
	print_message("%u messages, %u kept, %u copies absorbed\n", xdp.n / 2, kept, dropped);
	assert_true(kept > 20 && dropped > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_hooks_agree),
	};

	return cmocka_run_group_tests_name("prog: two hooks", tests, NULL, NULL);
}
