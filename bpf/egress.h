/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The classifier at TC egress of an outside interface (decision 7): on the softswitch's own host, and on an edge that
 * translates addresses or filters. What leaves there is final but for its checksums, which the controller makes whole,
 * and for a VLAN tag that the skb carries beside the frame.
 */
#ifndef BPF_EGRESS_H
#define BPF_EGRESS_H

#include "wire.h"

/* What is made readable in place of a packet whose headers are not: no header that is looked at reaches further. */
#define HEADERS_READ 256

/*
 * parse() of an skb. Where only the first of its headers are in its linear part, those of a UDP packet are fetched
 * there. TCP, whose payload is elsewhere as a rule, is none of ours before that.
 */
static __always_inline int parse_skb(struct __sk_buff *skb, struct packet *p)
{
	__u32 len = skb->len < HEADERS_READ ? skb->len : HEADERS_READ;
	int reason = parse(skb, p);

	if (reason != CNT_truncated || len <= skb->data_end - skb->data || bpf_skb_pull_data(skb, len))
		return reason;
	*p = (struct packet){.hook = AT_EGRESS};
	return parse(skb, p);
}

/* Why a message that leaves is not looked at: 0, or the counter. */
static __always_inline int unfit_to_leave(struct __sk_buff *skb)
{
	__u32 from = skb->ingress_ifindex;

	if (skb->gso_size)
		return CNT_gso;
	/* forwarded from one gateway to another, or back (rule 28) */
	return from && bpf_map_lookup_elem(&egress, &from) ? CNT_from_outside : 0;
}

/* The tags of the frame, the skb's own one first, in *out. 0, or -1: they are more than a slot has room for. */
static __always_inline int read_tags(struct __sk_buff *skb, const struct packet *p, const __be16 *l2,
				     struct siprtx_egress *out)
{
	__u32 inside = (p->l3_off - sizeof(struct ethhdr)) / 4;

	if (!skb->vlan_present) {
		out->tags = inside;
		out->tpid[0] = l2[6];
		out->tci[0] = l2[7];
		out->tpid[1] = l2[8];
		out->tci[1] = l2[9];
		return 0;
	}
	out->tags = inside + 1;
	out->tpid[0] = skb->vlan_proto;
	out->tci[0] = bpf_htons(skb->vlan_tci);
	out->tpid[1] = l2[6];
	out->tci[1] = l2[7];
	return inside < 2 ? 0 : -1;
}

/*
 * The next hop, where the kernel's table names one with the very MACs of the frame: then a later change of its MAC is
 * followed. Else (a bridge, a tag, routing by mark, no forwarding on this interface) it stays 0, and so do the MACs.
 */
static __always_inline void keep_next_hop(struct __sk_buff *skb, const struct packet *p, struct siprtx_slot *slot,
					  struct bpf_fib_lookup *leaves, __u32 tags)
{
	const __u16 *l2 = (void *)leaves->smac;
	struct bpf_fib_lookup fib;
	const __u16 *found = (void *)fib.smac;
	int i;

	if (tags || find_route(skb, p, slot, &fib, skb->ifindex, BPF_FIB_LOOKUP_OUTPUT) != BPF_FIB_LKUP_RET_SUCCESS)
		return;
	/* smac and dmac, 12 bytes */
	for (i = 0; i < ETH_ALEN; i++)
		if (l2[i] != found[i])
			return;
	leaves->family = fib.family;
	__builtin_memcpy(leaves->ipv6_dst, fib.ipv6_dst, sizeof(leaves->ipv6_dst));
}

/* Makes the copy in the slot the frame that leaves here. 0, or the counter that says why it cannot be. */
static __always_inline int keep_as_it_leaves(struct __sk_buff *skb, const struct packet *p, struct siprtx_slot *slot)
{
	struct bpf_fib_lookup leaves = {.family = AF_INET6, .ifindex = skb->ifindex};
	__u32 ifindex = skb->ifindex, mtu = p->ip_len;
	struct siprtx_egress out = {}, *known;
	__be16 l2[10]; /* Ethernet, and where tags may be */

	known = bpf_map_lookup_elem(&egress, &ifindex);
	if (!known)
		return CNT_not_outside;
	if (bpf_check_mtu(skb, 0, &mtu, 0, 0))
		return CNT_over_mtu;
	if (bpf_skb_load_bytes(skb, 0, l2, sizeof(l2)))
		return CNT_truncated;
	out.ifindex = known->ifindex;
	out.outside = known->outside;
	if (read_tags(skb, p, l2, &out))
		return CNT_tags;
	__builtin_memcpy(leaves.dmac, l2, ETH_ALEN);
	__builtin_memcpy(leaves.smac, l2 + ETH_ALEN / 2, ETH_ALEN);
	keep_next_hop(skb, p, slot, &leaves, out.tags);
	slot->reply_tag = 0;
	slot->in_tags = SLOT_AT_EGRESS;
	slot->ingress = skb->ingress_ifindex;
	make_frame(slot, p, &out, &leaves, 0);
	return 0;
}

#endif
