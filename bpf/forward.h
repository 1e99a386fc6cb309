/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward = xdp: what passes and the kernel would route on is redirected instead, as the kernel would have sent it (RFC
 * 1812 5.3: TTL less one, the IP checksum moved along). Whatever is in doubt is left to the kernel, untouched and
 * counted: it may deliver, answer with ICMP, ask for a neighbour or drop.
 */
#ifndef BPF_FORWARD_H
#define BPF_FORWARD_H

#include <linux/tcp.h>
#include <stddef.h>

#include "parse.h"
#include "slot.h"
#include "wire.h"

/* A neighbour nobody but XDP uses grows stale, and the kernel never asks whether it is there: every so often it sends.
 */
#define TURN_NS 1000000000ull

/* Tunnels, whose inner checksum a local sender may leave half-made, where it is not looked for: RFC 7348 (and Linux's
 * own port), RFC 8926. */
#define PORT_VXLAN	 4789
#define PORT_VXLAN_LINUX 8472
#define PORT_GENEVE	 6081

struct hop {
	__u32 ifindex;
	__be32 addr[4];
};

/* When the kernel last sent to a next hop, or the first packet went there. Not pinned: a new one waits anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct hop);
	__type(value, __u64);
} hops SEC(".maps");

/* What is asked of the kernel's routes: too much for the stack, below that of the program itself. */
struct asking {
	struct bpf_fib_lookup on, back;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct asking);
} asking SEC(".maps");

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

/* Ethernet and its tags: the key of `ways` in *key, and where IP begins. 0, or the counter. */
static __always_inline int read_l2(struct xdp_md *ctx, struct packet *p, struct siprtx_way_key *key)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *at = data + 2 * ETH_ALEN;
	int i;

	key->ifindex = ctx->ingress_ifindex;
	if (at + 1 > (__be16 *)end)
		return CNT_not_ip;
	p->l3_off = sizeof(struct ethhdr);
	for (i = 0; i < 2; i++) {
		if (*at != bpf_htons(ETH_P_8021Q) && *at != bpf_htons(ETH_P_8021AD))
			break;
		if (at + 3 > (__be16 *)end)
			return CNT_not_ip;
		key->tag[2 * i] = at[0];
		key->tag[2 * i + 1] = at[1] & bpf_htons(0x0fff);
		at += 2;
		p->l3_off += 4;
	}
	p->v6 = *at == bpf_htons(ETH_P_IPV6);
	return p->v6 || *at == bpf_htons(ETH_P_IP) ? 0 : CNT_not_ip;
}

/* Is it an address that stands for one host, and not for this one or none (RFC 1812 5.3.7)? */
static __always_inline int is_unicast(__be32 addr)
{
	__u8 first = bpf_ntohl(addr) >> 24;

	return first && first != 127 && first < 224;
}

/* Fills *fib with what the kernel routes by, as far as it is in the IP header. 0, or the counter. */
static __always_inline int read_l3(void *l3, void *end, struct packet *p, struct bpf_fib_lookup *fib)
{
	if (p->v6) {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end || ip->version != 6)
			return CNT_forward_shape;
		p->l4_off = p->l3_off + sizeof(*ip);
		p->ip_len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
		p->proto = ip->nexthdr;
		p->ttl = ip->hop_limit;
		/* none, ::1 and IPv4-mapped ones; the lookup itself refuses link-local and multicast ones */
		if (!ip->saddr.s6_addr32[0] && !ip->saddr.s6_addr32[1])
			return CNT_forward_route;
		fib->family = AF_INET6;
		fib->flowinfo = *(__be32 *)ip & bpf_htonl(0x0fffffff);
		__builtin_memcpy(fib->ipv6_src, &ip->saddr, 16);
		__builtin_memcpy(fib->ipv6_dst, &ip->daddr, 16);
	} else {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
			return CNT_forward_shape;
		p->l4_off = p->l3_off + sizeof(*ip);
		p->ip_len = bpf_ntohs(ip->tot_len);
		p->proto = ip->protocol;
		p->ttl = ip->ttl;
		if (!is_unicast(ip->saddr) || !is_unicast(ip->daddr))
			return CNT_forward_route;
		fib->family = AF_INET;
		fib->tos = ip->tos;
		fib->ipv4_src = ip->saddr;
		fib->ipv4_dst = ip->daddr;
	}
	fib->tot_len = p->ip_len;
	fib->l4_protocol = p->proto;
	return 0;
}

/* Ports, and *check: the checksum as it stands, 0: none that may be half-made. 0, or the counter. */
static __always_inline int read_l4(void *l4, void *end, struct packet *p, struct bpf_fib_lookup *fib, __u16 *check)
{
	__u32 len = p->ip_len - (p->l4_off - p->l3_off);
	struct udphdr *udp = l4;

	if ((void *)(udp + 1) > end || p->ip_len < p->l4_off - p->l3_off + sizeof(*udp))
		return CNT_forward_shape;
	p->sport = bpf_ntohs(udp->source);
	p->dport = bpf_ntohs(udp->dest);
	fib->sport = udp->source;
	fib->dport = udp->dest;
	if (p->proto == IPPROTO_UDP) {
		/* whoever left it half-made has set both lengths */
		*check = bpf_ntohs(udp->len) == len ? udp->check : 0;
		return p->dport == PORT_VXLAN || p->dport == PORT_VXLAN_LINUX || p->dport == PORT_GENEVE
			       ? CNT_forward_shape
			       : 0;
	}
	if (p->proto != IPPROTO_TCP || l4 + sizeof(struct tcphdr) > end || len < sizeof(struct tcphdr))
		return CNT_forward_shape;
	*check = ((struct tcphdr *)l4)->check;
	return 0;
}

/*
 * A local or veth sender leaves the checksum to the device (CHECKSUM_PARTIAL): what stands there is the sum of the
 * pseudo header alone, and a redirect would forget who was to finish it. Whole ones are not looked at, so one that went
 * wrong on the wire stays wrong, but where it went wrong into just this value, one in 65,536.
 */
static __always_inline int is_half_made(const struct packet *p, const struct bpf_fib_lookup *fib, __u16 check)
{
	__u64 sum = bpf_htons(p->proto) + (__u64)bpf_htons(p->ip_len - (p->l4_off - p->l3_off));
	int i;

	if (p->v6) {
		for (i = 0; i < 4; i++)
			sum += (__u64)fib->ipv6_src[i] + fib->ipv6_dst[i];
	} else {
		sum += (__u64)fib->ipv4_src + fib->ipv4_dst;
	}
	return check == (__u16)~folded(sum);
}

/* The checksum made whole: the half that stands there is the pseudo header's part. 0: it cannot be. */
static __always_inline __u16 made_whole(struct xdp_md *ctx, const struct packet *p)
{
	struct siprtx_percpu *cpu = map_one(&percpu);

	if (!cpu || p->ip_len > SLOT_ROOM || load_packet(ctx, p, &cpu->buf))
		return 0;
	return folded(sum_words(&cpu->buf, SLOT_L3 + p->l4_off - p->l3_off, SLOT_L3 + p->ip_len)) ?: 0xffff;
}

/* rp_filter, strict or loose: the way back must be the way it came. Else the kernel is to judge. */
static __always_inline int comes_from_there(struct xdp_md *ctx, const struct iphdr *ip, struct asking *ask,
					    __u32 came_by)
{
	struct bpf_fib_lookup *back = &ask->back;
	int answer;

	__builtin_memset(back, 0, sizeof(*back));
	back->family = AF_INET;
	back->l4_protocol = ip->protocol;
	back->sport = ask->on.dport;
	back->dport = ask->on.sport;
	back->tos = ip->tos;
	back->ipv4_src = ip->daddr;
	back->ipv4_dst = ip->saddr;
	back->ifindex = ask->on.ifindex;
	answer = bpf_fib_lookup(ctx, back, sizeof(*back), 0);
	return (answer == BPF_FIB_LKUP_RET_SUCCESS || answer == BPF_FIB_LKUP_RET_NO_NEIGH) && back->ifindex == came_by;
}

/* Is it the kernel's turn to send to this next hop? */
static __always_inline int kernels_turn(const struct bpf_fib_lookup *fib, __u64 now)
{
	struct hop to = {.ifindex = fib->ifindex};
	__u64 *last;

	if (fib->family == AF_INET)
		to.addr[0] = fib->ipv4_dst;
	else
		__builtin_memcpy(to.addr, fib->ipv6_dst, sizeof(to.addr));
	last = bpf_map_lookup_elem(&hops, &to);
	if (!last) {
		bpf_map_update_elem(&hops, &to, &now, BPF_ANY);
		return 0;
	}
	if ((__s64)(now - *last) < (__s64)TURN_NS)
		return 0;
	*last = now;
	return 1;
}

/* The frame as it leaves, with `tags`, a constant, for which there is room; `check` 0: that of the packet. 0, or -1. */
static __always_inline int write_frame(struct xdp_md *ctx, const struct siprtx_way *out,
				       const struct bpf_fib_lookup *fib, const struct packet *p, __u16 check,
				       const int tags)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *at = data + 2 * ETH_ALEN;
	void *l3 = data + sizeof(struct ethhdr) + 4 * tags, *l4 = l3 + sizeof(struct iphdr);
	struct ipv6hdr *ip6 = l3;
	struct iphdr *ip = l3;
	__u32 sum;
	int i;

	if (l4 + sizeof(struct udphdr) > end)
		return -1;
	__builtin_memcpy(data, fib->dmac, ETH_ALEN);
	__builtin_memcpy(data + ETH_ALEN, fib->smac, ETH_ALEN);
	for (i = 0; i < 2 * tags; i++)
		*at++ = out->tag[i];
	*at = p->v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	if (p->v6) {
		ip6->hop_limit--;
		l4 = l3 + sizeof(*ip6);
	} else {
		/* RFC 1624, as the kernel does it */
		sum = ip->check + bpf_htons(0x0100);
		ip->check = sum + (sum >= 0xffff);
		ip->ttl--;
	}
	if (!check)
		return 0;
	l4 += p->proto == IPPROTO_UDP ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check);
	if (l4 + 2 > end)
		return -1;
	*(__u16 *)l4 = check;
	return 0;
}

/* By which way the packet leaves; ask->on is filled in, `now` and `in` are when and how it came. 0, or the counter. */
static __always_inline int find_way(struct xdp_md *ctx, void *l3, struct packet *p, const struct siprtx_way *in,
				    struct asking *ask, struct siprtx_way **out, __u64 now)
{
	struct bpf_fib_lookup *fib = &ask->on;
	struct siprtx_way_key leaves = {};
	int answer;

	fib->ifindex = in->ifindex;
	answer = bpf_fib_lookup(ctx, fib, sizeof(*fib), 0);
	if (answer == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return CNT_forward_limit;
	if (answer == BPF_FIB_LKUP_RET_NO_NEIGH)
		return CNT_not_redirected;
	if (answer != BPF_FIB_LKUP_RET_SUCCESS)
		return CNT_forward_route;
	leaves.ifindex = fib->ifindex;
	*out = bpf_map_lookup_elem(&ways, &leaves);
	/* back by where it came the kernel tells the sender of the shorter way */
	if (!*out || !((*out)->flags & WAY_OUT) || fib->ifindex == in->ifindex)
		return CNT_forward_out;
	if (in->flags & WAY_SOURCE && !p->v6 && !comes_from_there(ctx, l3, ask, in->ifindex))
		return CNT_forward_source;
	return kernels_turn(fib, now) ? CNT_forward_turn : 0;
}

/* Was the frame meant for the device it came by? */
static __always_inline int is_to(const struct siprtx_way *in, const void *data)
{
	const __u16 *mac = (const void *)in->mac, *to = data;

	return in->flags & WAY_IN && mac[0] == to[0] && mac[1] == to[1] && mac[2] == to[2];
}

/*
 * Forwards the packet that was to pass. A function of its own, so that the verifier walks it once and not once for each
 * way a packet may come to it. Returns the verdict.
 */
__noinline int forward_packet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet p = {.hook = AT_XDP};
	struct siprtx_way_key came = {};
	struct siprtx_way *in, *out = NULL;
	struct siprtx_meta *m = map_one(&meta);
	struct asking *ask = map_one(&asking);
	__u64 now = bpf_ktime_get_ns();
	__u16 check = 0;
	int reason, room, half;

	if (read_l2(ctx, &p, &came))
		return XDP_PASS;
	if (bpf_xdp_get_buff_len(ctx) != end - data)
		return pass(CNT_forward_shape);
	in = bpf_map_lookup_elem(&ways, &came);
	if (!in || data + sizeof(struct ethhdr) > end || !is_to(in, data))
		return pass(CNT_forward_in);
	/* links may have changed since it was there */
	if (!m || !ask || !controller_alive(m, now))
		return pass(CNT_no_controller);
	__builtin_memset(&ask->on, 0, sizeof(ask->on));
	data += p.l3_off & 0x1f;
	reason = read_l3(data, end, &p, &ask->on);
	if (!reason)
		reason = read_l4(data + (p.v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)), end, &p, &ask->on,
				 &check);
	if (!reason && p.ttl <= 1)
		reason = CNT_forward_limit;
	if (!reason && p.l3_off + p.ip_len > bpf_xdp_get_buff_len(ctx))
		reason = CNT_forward_shape;
	if (reason)
		return pass(reason);
	half = check && is_half_made(&p, &ask->on, check);
	reason = find_way(ctx, data, &p, in, ask, &out, now);
	if (reason || !out)
		return pass(reason);
	check = half ? made_whole(ctx, &p) : 0;
	if (half && !check)
		return pass(CNT_forward_shape);
	room = sizeof(struct ethhdr) + 4 * out->tags;
	if (room != p.l3_off && bpf_xdp_adjust_head(ctx, p.l3_off - room))
		return pass(CNT_not_redirected);
	if (out->tags == 0)
		reason = write_frame(ctx, out, &ask->on, &p, check, 0);
	else if (out->tags == 1)
		reason = write_frame(ctx, out, &ask->on, &p, check, 1);
	else
		reason = write_frame(ctx, out, &ask->on, &p, check, 2);
	if (reason)
		return XDP_ABORTED;
	count(p.proto == IPPROTO_UDP && (is_sip_port(p.dport) || is_sip_port(p.sport)) ? CNT_redirected
										       : CNT_redirected_other);
	return bpf_redirect(out->ifindex, 0);
}

/* What becomes of a packet that was read with `reason` (parse()) and judged with `verdict`. */
static __always_inline int onward(struct xdp_md *ctx, int reason, int verdict)
{
	if (forward_by == FORWARD_KERNEL || verdict != XDP_PASS)
		return verdict;
	return reason == PARSED || forward_by == FORWARD_XDP_ALL ? forward_packet(ctx) : XDP_PASS;
}

#endif
