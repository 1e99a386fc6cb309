/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a frame captured at XDP goes, and how it came. The kernel's answer is kept a moment (ROUTE_KEPT_NS): asking is
 * the dearest step of a capture, and calls to one gateway take one way. A route that changes meanwhile is followed by
 * the controller before it sends (user/siprtxd/route.h), and the packet itself goes by the kernel's own look.
 */
#ifndef BPF_ROUTE_H
#define BPF_ROUTE_H

#include "wire.h"

/* How the packet came, for a reply to go the way back. What cannot be read stays 0, and there is no reply. */
static __always_inline void keep_way_back(struct xdp_md *ctx, struct siprtx_slot *slot, const struct packet *p,
					  __u32 ingress)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *from = data + ETH_ALEN;
	const __be16 *at = data + 2 * ETH_ALEN;

	slot->reply_tag = 0;
	slot->in_tags = (p->l3_off - sizeof(struct ethhdr)) / 4;
	slot->ingress = 0;
	/* Ethernet and two tags: where there are none, an IP header is there at least as long */
	if (data + sizeof(struct ethhdr) + 8 > end)
		return;
	slot->ingress = ingress;
	__builtin_memcpy(slot->from_mac, from, ETH_ALEN);
	slot->in_tci[0] = at[1];
	slot->in_tci[1] = at[3];
	if (slot->in_tags && at[0] == bpf_htons(ETH_P_8021AD))
		slot->in_tags |= SLOT_IN_8021AD;
}

/* All that routing may go by, but for the addresses: ports, interface, TOS or traffic class and flow label. */
static __always_inline void way_of(const struct packet *p, const struct siprtx_slot *slot, __u32 ingress, __u64 way[2])
{
	__u32 first = *(const __u32 *)((const void *)slot + SLOT_L3);

	way[0] = (__u64)ingress << 32 | p->sport << 16 | p->dport;
	/* of IPv6 the first word is version, class and label; of IPv4 the second byte is TOS */
	way[1] = p->v6 ? first : (__u64)p->tos << 32 | 4;
}

static __always_inline int same_way(const struct kept_route *k, const struct siprtx_slot *slot, const __u64 way[2])
{
	const __u64 *saddr = (const void *)slot->saddr, *daddr = (const void *)slot->daddr;
	const __u64 *from = (const void *)k->saddr, *to = (const void *)k->daddr;

	return !((way[0] ^ k->way[0]) | (way[1] ^ k->way[1]) | (saddr[0] ^ from[0]) | (saddr[1] ^ from[1]) |
		 (daddr[0] ^ to[0]) | (daddr[1] ^ to[1]));
}

/* Asks the kernel and keeps the answer, if it has one, in *k. Returns a bpf_fib_lookup code. */
static __always_inline int ask_route(struct xdp_md *ctx, const struct packet *p, struct siprtx_slot *slot,
				     struct kept_route *k, const __u64 way[2], __u32 ingress, __u64 now)
{
	int answer;

	k->ns = 0;
	answer = find_route(ctx, p, slot, &k->fib, ingress, 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS)
		return answer;
	k->way[0] = way[0];
	k->way[1] = way[1];
	__builtin_memcpy(k->saddr, slot->saddr, sizeof(k->saddr));
	__builtin_memcpy(k->daddr, slot->daddr, sizeof(k->daddr));
	k->ns = now;
	return answer;
}

/*
 * The frame in the slot as the kernel will forward it; its addresses are kept already. 0, or the counter that says why
 * it does not.
 */
static __always_inline int keep_as_routed(struct xdp_md *ctx, const struct packet *p, struct siprtx_percpu *cpu,
					  struct siprtx_slot *slot, __u64 now)
{
	__u32 ingress = ctx->ingress_ifindex, at;
	int answer = BPF_FIB_LKUP_RET_SUCCESS;
	const struct siprtx_egress *out;
	struct kept_route *k;
	__u64 way[2];

	way_of(p, slot, ingress, way);
	at = *(__u32 *)(slot->daddr + 12) ^ *(__u32 *)(slot->saddr + 12);
	at = (at ^ at >> 24 ^ at >> 16 ^ p->sport) & (ROUTES_PER_CPU - 1);
	k = &cpu->routes[at];
	/* an answer has the path's MTU in tot_len */
	if (now - k->ns >= ROUTE_KEPT_NS || !same_way(k, slot, way) || p->ip_len > k->fib.tot_len) {
		answer = ask_route(ctx, p, slot, k, way, ingress, now);
		if (answer == BPF_FIB_LKUP_RET_FRAG_NEEDED)
			return CNT_over_mtu;
		if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH)
			return CNT_no_route;
	}
	out = bpf_map_lookup_elem(&egress, &k->fib.ifindex);
	if (!out)
		return CNT_not_outside;
	keep_way_back(ctx, slot, p, ingress);
	make_frame(slot, p, out, &k->fib, answer == BPF_FIB_LKUP_RET_NO_NEIGH);
	if (p->v6)
		((struct ipv6hdr *)((void *)slot + SLOT_L3))->hop_limit--;
	else
		((struct iphdr *)((void *)slot + SLOT_L3))->ttl--;
	return 0;
}

#endif
