// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs themselves, given another branch at each run: so a repeated BPF_PROG_TEST_RUN captures as many
 * INVITEs, or answers as many calls, as it repeats. bench_base does only the renewing: what it costs is taken off.
 */
#include "../../bpf/siprtx.bpf.c"

__u32 branch_off; /* of eight hexadecimal digits in the frame */
__u32 run_number;

static __always_inline void next_branch(__u8 digits[8])
{
	__u32 n = run_number++;
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
