/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two hooks a message of the softswitch is taken at, and what reading a packet differs in between them. The hook is
 * a constant in each program: what belongs to the other one is left out of it.
 */
#ifndef BPF_HOOK_H
#define BPF_HOOK_H

#include "maps.h"

enum hook {
	AT_XDP,	   /* ctx is a struct xdp_md; the packet comes in */
	AT_EGRESS, /* a struct __sk_buff; the packet leaves */
};

static __always_inline void *data_of(void *ctx, enum hook hook)
{
	if (hook == AT_EGRESS)
		return (void *)(long)((struct __sk_buff *)ctx)->data;
	return (void *)(long)((struct xdp_md *)ctx)->data;
}

/* The end of what can be read in place: the rest of a packet may be elsewhere. */
static __always_inline void *data_end_of(void *ctx, enum hook hook)
{
	if (hook == AT_EGRESS)
		return (void *)(long)((struct __sk_buff *)ctx)->data_end;
	return (void *)(long)((struct xdp_md *)ctx)->data_end;
}

/* From anywhere in the packet; `len` is not 0. 0 or -errno. */
static __always_inline long load_bytes(void *ctx, enum hook hook, __u32 off, void *to, __u32 len)
{
	if (hook == AT_EGRESS)
		return bpf_skb_load_bytes(ctx, off, to, len);
	return bpf_xdp_load_bytes(ctx, off, to, len);
}

/* The interface it came in by; 0: this host made it. */
static __always_inline __u32 ingress_of(void *ctx, enum hook hook)
{
	if (hook == AT_EGRESS)
		return ((struct __sk_buff *)ctx)->ingress_ifindex;
	return ((struct xdp_md *)ctx)->ingress_ifindex;
}

#endif
