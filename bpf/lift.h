/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reply of siprtx's own goes up into this host's network stack, as a frame that comes in from the gateway. */
#ifndef BPF_LIFT_H
#define BPF_LIFT_H

#include "maps.h"

/*
 * Run by the controller, and by no packet: `skb` is the frame, its ifindex the outside interface's. 0; NET_RX_DROP, 1:
 * the CPU's backlog is full, or the interface is down; -errno.
 */
static __always_inline int lift(struct __sk_buff *skb)
{
	return bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
}

#endif
