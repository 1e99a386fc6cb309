/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From Ethernet to UDP: up to two VLAN tags, IPv4 options, IPv6 extension headers (rules 38, 39). */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "count.h"
#include "hook.h"

struct packet {
	__u16 l3_off, l4_off; /* from the frame's start */
	__u16 ip_len;	      /* IP header to the end of the IP packet: padding of the frame left out */
	__u16 sip_len;
	__u16 sport, dport; /* host order */
	__u16 first;	    /* byte of the message; FIRST_UNREAD: it is not where it can be read in place */
	__u8 v6;
	__u8 proto; /* where it is not UDP: IPPROTO_ICMP or _ICMPV6, 0 */
	__u8 ttl;
	__u8 tos;
	__u8 hook; /* enum hook: where it is seen */
};

#define PARSED	       -1
#define FIRST_UNREAD   0x100
#define MAX_EXTENSIONS 4

static __always_inline int is_sip_port(__u16 port)
{
	return sip_ports[port >> 6] >> (port & 63) & 1;
}

/* Returns PARSED for UDP to or from a SIP port, else the counter that says why not. */
static __always_inline int parse_udp(void *l4, void *end, struct packet *p)
{
	struct udphdr *udp = l4;
	__u16 len;

	if ((void *)(udp + 1) > end)
		return CNT_truncated;
	p->sport = bpf_ntohs(udp->source);
	p->dport = bpf_ntohs(udp->dest);
	if (!is_sip_port(p->dport) && !is_sip_port(p->sport))
		return CNT_other_port;
	len = bpf_ntohs(udp->len);
	if (len < sizeof(*udp) || p->l4_off - p->l3_off + len > p->ip_len)
		return CNT_truncated;
	p->sip_len = len - sizeof(*udp);
	p->first = l4 + sizeof(*udp) + 1 > end ? FIRST_UNREAD : *((__u8 *)l4 + sizeof(*udp));
	return PARSED;
}

static __always_inline int parse_ipv4(void *l3, void *end, struct packet *p)
{
	struct iphdr *ip = l3;
	__u32 ihl;

	if ((void *)(ip + 1) > end)
		return CNT_truncated;
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_ICMP)
		return CNT_not_udp;
	if (ip->frag_off & bpf_htons(0x3fff)) /* more fragments, or an offset */
		return ip->protocol == IPPROTO_UDP ? CNT_fragment : CNT_not_udp;
	ihl = ip->ihl * 4;
	if (ihl < sizeof(*ip))
		return CNT_truncated;
	p->l4_off = p->l3_off + ihl;
	p->ip_len = bpf_ntohs(ip->tot_len);
	if (ip->protocol == IPPROTO_ICMP) {
		p->proto = IPPROTO_ICMP;
		return CNT_not_udp;
	}
	p->ttl = ip->ttl;
	p->tos = ip->tos;
	return parse_udp(l3 + ihl, end, p);
}

static __always_inline int parse_ipv6(void *l3, void *end, struct packet *p)
{
	struct ipv6hdr *ip = l3;
	void *at = ip + 1;
	__u32 off = sizeof(*ip);
	__u8 next;
	int i;

	if (at > end)
		return CNT_truncated;
	next = ip->nexthdr;
	for (i = 0; i < MAX_EXTENSIONS && next != IPPROTO_UDP; i++) {
		__u8 *ext = at;
		__u32 len;

		if (next == IPPROTO_FRAGMENT)
			return CNT_fragment;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		if (ext + 2 > (__u8 *)end)
			return CNT_truncated;
		next = ext[0];
		len = (ext[1] + 1) * 8;
		off += len;
		at += len;
	}
	p->v6 = 1;
	p->l4_off = p->l3_off + off;
	p->ip_len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (next == IPPROTO_ICMPV6 && !i)
		p->proto = IPPROTO_ICMPV6;
	if (next != IPPROTO_UDP)
		return i || next == IPPROTO_AH || next == IPPROTO_ESP ? CNT_ipv6_ext : CNT_not_udp;
	p->ttl = ip->hop_limit;
	p->tos = bpf_ntohs(*(__be16 *)ip) >> 4;
	return parse_udp(at, end, p);
}

/* Returns PARSED, or the counter that says why the frame is none of ours. */
static __always_inline int parse(void *ctx, struct packet *p)
{
	void *data = data_of(ctx, p->hook), *end = data_end_of(ctx, p->hook);
	struct ethhdr *eth = data;
	__be16 *tpid = data + 2 * ETH_ALEN;
	__be16 proto;
	int i;

	if ((void *)(eth + 1) > end)
		return CNT_not_ip;
	proto = *tpid;
	p->l3_off = sizeof(*eth);
	for (i = 0; i < 2; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		tpid += 2;
		if ((void *)(tpid + 1) > end)
			return CNT_not_ip;
		proto = *tpid;
		p->l3_off += 4;
	}
	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(tpid + 1, end, p);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(tpid + 1, end, p);
	return CNT_not_ip;
}

#define LEAST_LOADED 28 /* IPv4 and UDP: nothing shorter is read */
#define COPY_PIECE   64 /* bytes of a packet copied at a time */

/* `len`, `least` where it is less than that or over SLOT_ROOM: so that the verifier takes it for a length to copy. */
static __always_inline __u32 loadable(__u32 len, const __u32 least)
{
	/* that of 6.1 wants the bounds where it can see them: in one register, not before a mask */
	asm volatile("%[len] &= 0x7ff\n"
		     "if %[len] < %[least] goto +1\n"
		     "if %[len] <= %[room] goto +1\n"
		     "%[len] = %[least]\n"
		     : [len] "+r"(len)
		     : [room] "i"(SLOT_ROOM), [least] "i"(least));
	return len;
}

static __always_inline void copy_piece(__u64 *to, const __u64 *from)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < COPY_PIECE / 8; i++)
		to[i] = from[i];
}

/*
 * load_packet() where the packet can be read in place: a call of the kernel costs as much as the copy, and the scanner
 * can read at once what was written in words. -1: a part of it is elsewhere, or there is less than a piece.
 */
static __always_inline int copy_packet(struct xdp_md *ctx, const struct packet *p, struct siprtx_slot *buf)
{
	void *end = (void *)(long)ctx->data_end, *from = (void *)(long)ctx->data;
	__u32 len = loadable(p->ip_len, COPY_PIECE), off = p->l3_off, back, i;
	void *to = (void *)buf + SLOT_L3;

	if (p->ip_len < COPY_PIECE)
		return -1;
	asm volatile("%[off] &= 0x1f\n" : [off] "+r"(off));
	from += off;
	/* the last piece, whole; that of 6.1 would know nonsense of `len` behind the loop */
	back = len - COPY_PIECE;
	asm volatile("" : "+r"(back));
	if (from + back + COPY_PIECE > end)
		return -1;
	copy_piece(to + back, from + back);
	for (i = 0; i + COPY_PIECE <= SLOT_ROOM; i += COPY_PIECE) {
		if (i + COPY_PIECE > len)
			break;
		if (from + i + COPY_PIECE > end)
			return -1;
		copy_piece(to + i, from + i);
	}
	return 0;
}

/* Copies the IP packet, of SLOT_ROOM bytes at most, into `buf` at SLOT_L3. */
static __always_inline long load_packet(void *ctx, const struct packet *p, struct siprtx_slot *buf)
{
	if (p->hook == AT_XDP && !copy_packet(ctx, p, buf))
		return 0;
	return load_bytes(ctx, p->hook, p->l3_off, (void *)buf + SLOT_L3, loadable(p->ip_len, LEAST_LOADED));
}

/*
 * Copies the IP packet into `buf` and lets the scanner read it. Returns SIP_OK and *m filled in, or -1 when the packet
 * was counted already and only has to pass.
 */
static __always_inline int read_message(void *ctx, const struct packet *p, struct siprtx_slot *buf, struct sip_msg *m)
{
	__u32 beg, verdict;

	if (p->ip_len > SLOT_ROOM) {
		count(CNT_too_long);
		return -1;
	}
	if (load_packet(ctx, p, buf)) {
		count(CNT_truncated);
		return -1;
	}
	beg = SLOT_L3 + (p->l4_off - p->l3_off) + sizeof(struct udphdr);
	verdict = sip_scan(buf, beg, beg + p->sip_len, m);
	if (verdict == SIP_OK)
		return SIP_OK;
	pass_unread(verdict);
	return -1;
}

#endif
