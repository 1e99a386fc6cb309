/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot's frame sent as an XDP frame of the kernel's own: run by the controller, and by no packet. */
#ifndef BPF_LIVE_H
#define BPF_LIVE_H

#include "maps.h"

#define LOOPBACK 1 /* ifindex of lo in every network namespace: what BPF_PROG_RUN says a frame came in by */

/* First byte of a frame with two VLAN tags; one with fewer begins 4 or 8 bytes later. */
#define FRAME_FIRST (SLOT_L3 - 22)
#define FRAME_MOST  (SLOT_SIZE - FRAME_FIRST - 8)

/*
 * Is this no packet, but a frame of BPF_PROG_RUN with BPF_F_TEST_XDP_LIVE_FRAMES? It has metadata in front, and was
 * received by lo, where siprtx is not.
 */
static __always_inline int is_live(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *meta = (void *)(long)ctx->data_meta;

	return meta + LIVE_META <= data && ctx->ingress_ifindex == LOOPBACK;
}

/*
 * Makes it the next frame of live_batch and sends it. The kernel's page holds what an earlier frame left there. What is
 * not counted as made was not sent; whether the driver takes what was is not told to a program.
 */
static __always_inline int live_frame(struct xdp_md *ctx)
{
	struct siprtx_live *batch = map_one(&live_batch);
	struct siprtx_live_frame *f;
	struct siprtx_slot *slot;
	__u32 at, off, len;

	if (!batch)
		return XDP_DROP;
	at = batch->next;
	if (at >= LIVE_BATCH)
		return XDP_DROP;
	batch->next = at + 1;
	f = &batch->frame[at];
	slot = bpf_map_lookup_elem(&slots, &f->slot);
	off = f->frame_off - FRAME_FIRST;
	len = f->frame_len;
	if (!slot || off > 8 || !len || len > FRAME_MOST || bpf_xdp_adjust_meta(ctx, LIVE_META) ||
	    bpf_xdp_adjust_tail(ctx, (int)len - LIVE_FIRST))
		return XDP_DROP;
	/* again, where the verifier of 6.1 can see it */
	asm volatile("%[off] &= 15\n"
		     "if %[off] <= 8 goto +1\n"
		     "%[off] = 0\n"
		     "%[len] &= 2047\n"
		     "if %[len] > 0 goto +1\n"
		     "%[len] = 1\n"
		     "if %[len] <= %[most] goto +1\n"
		     "%[len] = 1\n"
		     : [off] "+r"(off), [len] "+r"(len)
		     : [most] "i"(FRAME_MOST));
	if (bpf_xdp_store_bytes(ctx, 0, (char *)slot + FRAME_FIRST + off, len))
		return XDP_DROP;
	batch->made++;
	return bpf_redirect(f->ifindex, 0);
}

#endif
