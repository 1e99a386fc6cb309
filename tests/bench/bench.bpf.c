// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs themselves, given another branch at each run: so a repeated BPF_PROG_TEST_RUN captures as many
 * INVITEs, or answers as many calls, as it repeats. bench_base does only the renewing: what it costs is taken off.
 * inside_* and outside_* end behind one of their steps (steps.h), slot_alone and note_alone do only that one.
 */
#include "steps.h"

__u32 branch_off; /* of eight hexadecimal digits in the frame */

static __always_inline void next_branch(__u8 digits[8])
{
	__u32 n = run_number++ % (calls ?: 1);
	int i;

	for (i = 0; i < 8; i++)
		digits[i] = "0123456789abcdef"[n >> 4 * i & 15];
}

static __always_inline void renew_branch(struct xdp_md *ctx)
{
	__u8 digits[8];

	next_branch(digits);
	bpf_xdp_store_bytes(ctx, branch_off, digits, sizeof(digits));
}

static __always_inline void renew_branch_of(struct __sk_buff *skb)
{
	__u8 digits[8];

	next_branch(digits);
	bpf_skb_store_bytes(skb, branch_off, digits, sizeof(digits), 0);
}

SEC("tc")
int empty_egress(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int base_egress(struct __sk_buff *skb)
{
	renew_branch_of(skb);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bench_egress(struct __sk_buff *skb)
{
	renew_branch_of(skb);
	return leaving(skb);
}

SEC("xdp.frags")
int bench_base(struct xdp_md *ctx)
{
	renew_branch(ctx);
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_inside(struct xdp_md *ctx)
{
	renew_branch(ctx);
	return inside(ctx);
}

SEC("xdp.frags")
int bench_outside(struct xdp_md *ctx)
{
	renew_branch(ctx);
	return outside(ctx);
}

STEP_PROGRAM(inside, headers, STEP_HEADERS)
STEP_PROGRAM(inside, copy, STEP_COPY)
STEP_PROGRAM(inside, scan, STEP_SCAN)
STEP_PROGRAM(inside, hash, STEP_HASH)
STEP_PROGRAM(inside, lookup, STEP_LOOKUP)
STEP_PROGRAM(inside, route, STEP_ROUTE)
STEP_PROGRAM(inside, profile, STEP_PROFILE)
STEP_PROGRAM(outside, headers, STEP_HEADERS)
STEP_PROGRAM(outside, copy, STEP_COPY)
STEP_PROGRAM(outside, scan, STEP_SCAN)
STEP_PROGRAM(outside, hash, STEP_HASH)
STEP_PROGRAM(outside, lookup, STEP_LOOKUP)

SEC("xdp.frags")
int slot_alone(struct xdp_md *ctx)
{
	struct siprtx_percpu *cpu = map_one(&percpu);

	renew_branch(ctx);
	if (cpu && spare_slot(cpu))
		spare_used(cpu);
	return XDP_PASS;
}

SEC("xdp.frags")
int note_alone(struct xdp_md *ctx)
{
	struct siprtx_key key = {};

	renew_branch(ctx);
	note(0, bpf_ktime_get_ns(), 0, &key, 0, 0);
	return XDP_PASS;
}
