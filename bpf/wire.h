/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kept frame as it will leave: egress interface, MACs, tags, at XDP TTL - 1; and forward = xdp. */
#ifndef BPF_WIRE_H
#define BPF_WIRE_H

#include <stddef.h>

#include "parse.h"
#include "slot.h"

#ifndef AF_INET
#define AF_INET	 2
#define AF_INET6 10
#endif

static __always_inline void map_ipv4(__u8 *to, __be32 addr)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &addr, 4);
}

/* Source, destination and ports from the packet in the slot. */
static __always_inline void keep_addresses(struct siprtx_slot *slot, const struct packet *p)
{
	if (p->v6) {
		struct ipv6hdr *ip = (void *)slot + SLOT_L3;

		__builtin_memcpy(slot->saddr, &ip->saddr, 16);
		__builtin_memcpy(slot->daddr, &ip->daddr, 16);
	} else {
		struct iphdr *ip = (void *)slot + SLOT_L3;

		map_ipv4(slot->saddr, ip->saddr);
		map_ipv4(slot->daddr, ip->daddr);
	}
	slot->sport = p->sport;
	slot->dport = p->dport;
}

/* Asks the kernel where the packet in the slot goes. Returns a bpf_fib_lookup code and fills *fib. */
static __always_inline int find_route(void *ctx, const struct packet *p, struct siprtx_slot *slot,
				      struct bpf_fib_lookup *fib, __u32 ifindex, __u32 flags)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	if (p->v6) {
		struct ipv6hdr *ip = (void *)slot + SLOT_L3;

		fib->family = AF_INET6;
		fib->flowinfo = *(__be32 *)ip & bpf_htonl(0x0fffffff);
		__builtin_memcpy(fib->ipv6_src, &ip->saddr, 16);
		__builtin_memcpy(fib->ipv6_dst, &ip->daddr, 16);
	} else {
		struct iphdr *ip = (void *)slot + SLOT_L3;

		fib->family = AF_INET;
		fib->tos = ip->tos;
		fib->ipv4_src = ip->saddr;
		fib->ipv4_dst = ip->daddr;
	}
	fib->l4_protocol = IPPROTO_UDP;
	fib->sport = bpf_htons(p->sport);
	fib->dport = bpf_htons(p->dport);
	fib->tot_len = p->ip_len;
	fib->ifindex = ifindex;
	return bpf_fib_lookup(ctx, fib, sizeof(*fib), flags);
}

/* Ethernet header and `tags` VLAN tags so that they end at SLOT_L3. `tags` is a constant where this is inlined. */
static __always_inline void write_l2(struct siprtx_slot *slot, const struct siprtx_egress *out,
				     const struct bpf_fib_lookup *fib, int v6, const int tags)
{
	void *l2 = (void *)slot + SLOT_L3 - sizeof(struct ethhdr) - 4 * tags;
	__be16 *at = l2 + 2 * ETH_ALEN;
	int i;

	__builtin_memcpy(l2, fib->dmac, ETH_ALEN);
	__builtin_memcpy(l2 + ETH_ALEN, fib->smac, ETH_ALEN);
	for (i = 0; i < tags; i++) {
		*at++ = out->tpid[i];
		*at++ = out->tci[i];
	}
	*at = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	slot->frame_off = SLOT_L3 - sizeof(struct ethhdr) - 4 * tags;
}

/* Makes the copy in the slot the frame that leaves; TTL and checksums are still those of the original. */
static __always_inline void make_frame(struct siprtx_slot *slot, const struct packet *p,
				       const struct siprtx_egress *out, const struct bpf_fib_lookup *fib,
				       int no_neighbour)
{
	if (out->tags == 0)
		write_l2(slot, out, fib, p->v6, 0);
	else if (out->tags == 1)
		write_l2(slot, out, fib, p->v6, 1);
	else
		write_l2(slot, out, fib, p->v6, 2);
	if (fib->family == AF_INET)
		map_ipv4(slot->nexthop, fib->ipv4_dst);
	else
		__builtin_memcpy(slot->nexthop, fib->ipv6_dst, 16);
	slot->egress = fib->ifindex;
	slot->outside = out->outside;
	slot->frame_len = SLOT_L3 - slot->frame_off + p->ip_len;
	slot->l4_off = SLOT_L3 + p->l4_off - p->l3_off;
	slot->sip_off = slot->l4_off + sizeof(struct udphdr);
	slot->sip_len = p->sip_len;
	slot->wire = no_neighbour ? WIRE_NO_MAC : 0;
}

/*
 * The sum of the 16-bit words at [off, end) of the slot; off is a multiple of 4. A function of its own, so that the
 * verifier walks its loop once and not once a caller.
 */
__noinline __u64 sum_words(const struct siprtx_slot *slot, __u32 off, __u32 end)
{
	__u64 sum = 0, word;
	int i;

	if (!slot)
		return 0;
	if (off & 4) {
		sum = *(__u32 *)((void *)slot + (off & (SLOT_SIZE - 4)));
		off += 4;
	}
	for (i = 0; i < SLOT_SIZE / 8 && off + 8 <= end; i++, off += 8) {
		word = *(__u64 *)((void *)slot + (off & (SLOT_SIZE - 8)));
		sum += (word & 0xffffffff) + (word >> 32);
	}
	word = *(__u64 *)((void *)slot + (off & (SLOT_SIZE - 8))) & ((1ull << 8 * ((end - off) & 7)) - 1);
	return sum + (word & 0xffffffff) + (word >> 32);
}

static __always_inline __u16 folded(__u64 sum)
{
	int i;

	for (i = 0; i < 2; i++)
		sum = (sum & 0xffffffff) + (sum >> 32);
	for (i = 0; i < 3; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Whole checksums (decision 8): what a local or veth sender left half-made, a redirect would lose. */
static __always_inline void sum_frame(struct siprtx_slot *slot, const struct packet *p)
{
	__u32 l4 = slot->l4_off, end = SLOT_L3 + p->ip_len;
	struct udphdr *udp;
	__u64 sum;

	asm volatile("%[l4] &= 0x7ff\n"
		     "if %[l4] <= 2040 goto +1\n"
		     "%[l4] = 2040\n"
		     : [l4] "+r"(l4));
	udp = (void *)slot + l4;
	udp->check = 0;
	sum = bpf_htons(IPPROTO_UDP) + (__u64)udp->len;
	if (p->v6) {
		struct ipv6hdr *ip = (void *)slot + SLOT_L3;

		sum += sum_words(slot, SLOT_L3 + offsetof(struct ipv6hdr, saddr), SLOT_L3 + sizeof(*ip));
	} else {
		struct iphdr *ip = (void *)slot + SLOT_L3;

		ip->check = 0;
		ip->check = folded(sum_words(slot, SLOT_L3, l4));
		sum += (__u64)ip->saddr + ip->daddr;
	}
	sum += sum_words(slot, l4, end);
	udp->check = folded(sum) ?: 0xffff;
	slot->wire |= WIRE_SUMMED;
}

/*
 * Sends the packet itself on as the frame in the slot. XDP_PASS when the kernel has to do it: no neighbour's
 * MAC yet, or a frame that is not in one buffer. The frame's checksums are whole (sum_frame).
 */
static __always_inline int forward(struct xdp_md *ctx, const struct packet *p, struct siprtx_slot *slot,
				   const struct siprtx_egress *out)
{
	__u32 l2 = slot->frame_off, head = SLOT_L3 - slot->frame_off + (p->l4_off - p->l3_off) + sizeof(struct udphdr);

	if (slot->wire & WIRE_NO_MAC || bpf_xdp_get_buff_len(ctx) != ctx->data_end - ctx->data)
		return pass(CNT_not_redirected);
	if (bpf_xdp_adjust_head(ctx, (int)p->l3_off - (int)(SLOT_L3 - l2)))
		return pass(CNT_not_redirected);
	asm volatile("%[l2] &= 0xff\n"
		     "%[head] &= 0x7f\n"
		     "if %[head] > 0 goto +1\n"
		     "%[head] = 1\n"
		     : [l2] "+r"(l2), [head] "+r"(head));
	if (bpf_xdp_store_bytes(ctx, 0, (void *)slot + l2, head))
		return XDP_ABORTED;
	count(CNT_redirected);
	return bpf_redirect(out->ifindex, 0);
}

#endif
