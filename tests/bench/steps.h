/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a packet through a program, cut off behind each of its steps. What a step costs is the difference to the
 * one before: such a program changes no table, so it may be run as often as one likes.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "../../bpf/siprtx.bpf.c"

enum step { STEP_HEADERS, STEP_COPY, STEP_SCAN, STEP_HASH, STEP_LOOKUP, STEP_ROUTE, STEP_PROFILE };

__u32 run_number;
__u32 calls; /* so many branches there are; steps write the first slots of that number, one after the other */

/* The first steps are one way for both directions. `buf`: where the message is read. 0: go on. */
static __always_inline int read_steps(struct xdp_md *ctx, struct packet *p, struct siprtx_percpu *cpu,
				      struct siprtx_slot *buf, const int from_inside, struct siprtx_key *key,
				      const enum step upto)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	__u32 beg;

	if (load_packet(ctx, p, buf) || !secret || upto == STEP_COPY)
		return -1;
	beg = SLOT_L3 + (p->l4_off - p->l3_off) + sizeof(struct udphdr);
	if (sip_scan(buf, beg, beg + p->sip_len, &cpu->msg) != SIP_OK || upto == STEP_SCAN)
		return -1;
	sip_key(buf, &cpu->msg, cpu->msg.method, secret, key);
	if (upto == STEP_HASH)
		return -1;
	return !find_txn(key) == !from_inside ? -1 : 0;
}

static __always_inline int inside_steps(struct xdp_md *ctx, const enum step upto)
{
	struct siprtx_percpu *cpu = map_one(&percpu);
	struct packet p = {.hook = AT_XDP};
	__u32 index = run_number % (calls ?: 1), bypass;
	struct siprtx_slot *slot;
	struct siprtx_key key;

	if (parse(ctx, &p) != PARSED || !cpu || upto == STEP_HEADERS)
		return XDP_PASS;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot || read_steps(ctx, &p, cpu, slot, 1, &key, upto) || upto == STEP_LOOKUP)
		return XDP_PASS;
	keep_addresses(slot, &p);
	if (keep_as_routed(ctx, &p, cpu, slot, bpf_ktime_get_ns()) || upto == STEP_ROUTE)
		return XDP_PASS;
	slot->profile = profile_of(slot, &bypass);
	return XDP_PASS;
}

static __always_inline int outside_steps(struct xdp_md *ctx, const enum step upto)
{
	struct siprtx_percpu *cpu = map_one(&percpu);
	struct packet p = {.hook = AT_XDP};
	struct siprtx_key key;

	if (parse(ctx, &p) != PARSED || !cpu || upto == STEP_HEADERS)
		return XDP_PASS;
	read_steps(ctx, &p, cpu, &cpu->buf, 0, &key, upto);
	return XDP_PASS;
}

#define STEP_PROGRAM(side, name, upto)                                                                                 \
	SEC("xdp.frags")                                                                                               \
	int side##_##name(struct xdp_md *ctx)                                                                          \
	{                                                                                                              \
		renew_branch(ctx);                                                                                     \
		return side##_steps(ctx, upto);                                                                        \
	}

#endif
