/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP from outside that says a datagram could not be delivered, and quotes it (RFC 792, RFC 1812 4.3.2.3, RFC 4443
 * 3.1). It is evidence (rule 46): the transaction the quote names is told of to the controller, the packet passes.
 * Routers send it as well as gateways, so where it comes from says nothing; what it quotes must be ours.
 */
#ifndef BPF_ICMP_H
#define BPF_ICMP_H

#include <linux/icmpv6.h>

#include "count.h"
#include "find.h"
#include "parse.h"
#include "slot.h"

/* <linux/icmp.h> brings the C library's headers along */
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED  4
#define ICMP_HEADER	  8

/* Type << 8 | code of an error that says the destination cannot be reached, else 0. */
static __always_inline __u32 unreachable(const struct packet *p, const __u8 *icmp)
{
	if (p->v6)
		return icmp[0] == ICMPV6_DEST_UNREACH ? icmp[0] << 8 | icmp[1] : 0;
	/* too large for a link is no statement about the gateway; in IPv6 that is a type of its own */
	return icmp[0] == ICMP_DEST_UNREACH && icmp[1] != ICMP_FRAG_NEEDED ? icmp[0] << 8 | icmp[1] : 0;
}

/*
 * How much of what follows the ICMP header is the quote. A length of its own says that other objects stand behind it
 * (RFC 4884, 4): in words of 32 bits in IPv4, of 64 in IPv6.
 */
static __always_inline __u32 quoted_length(const struct packet *p, const __u8 *icmp)
{
	__u32 all = p->ip_len - (p->l4_off - p->l3_off) - ICMP_HEADER;
	__u32 said = p->v6 ? icmp[4] * 8 : icmp[5] * 4;

	return said && said < all ? said : all;
}

/* The IP packet quoted at `off` was UDP to or from a SIP port: PARSED, and *q tells of it as it was when it was whole.
 */
static __always_inline int parse_quote(struct xdp_md *ctx, const struct packet *p, __u32 off, struct packet *q)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	asm volatile("%[off] &= 0xff\n" : [off] "+r"(off));
	q->l3_off = off;
	return p->v6 ? parse_ipv6(data + off, end, q) : parse_ipv4(data + off, end, q);
}

/* Copies the quote to SLOT_L3 of `buf` and reads its message as far as it goes. SIP_OK, or the counter. */
static __always_inline int read_quote(struct xdp_md *ctx, const struct packet *q, __u32 len, struct siprtx_slot *buf,
				      struct sip_msg *m)
{
	__u32 beg = SLOT_L3 + (q->l4_off - q->l3_off) + sizeof(struct udphdr), end = beg + q->sip_len;

	if (len > SLOT_ROOM)
		len = SLOT_ROOM;
	len = loadable(len, LEAST_LOADED);
	if (bpf_xdp_load_bytes(ctx, q->l3_off, (void *)buf + SLOT_L3, len))
		return CNT_icmp_short;
	if (end > SLOT_L3 + len)
		end = SLOT_L3 + len;
	if (beg > end)
		return CNT_icmp_short;
	if (sip_scan_quote(buf, beg, end, m) == SIP_OK)
		return SIP_OK;
	return end < beg + q->sip_len ? CNT_icmp_short : CNT_icmp_unknown;
}

/* The quote was sent from and to where the slot's frame goes. The quoted IP header is at SLOT_L3 of buf. */
static __always_inline int quotes_slot(const struct siprtx_slot *slot, const struct siprtx_slot *buf,
				       const struct packet *q)
{
	const void *ip = (void *)buf + SLOT_L3;

	if (slot->sport != q->sport || slot->dport != q->dport)
		return 0;
	if (q->v6) {
		const __u64 *from = (void *)slot->saddr, *to = (void *)slot->daddr;
		const __u64 *got = ip + __builtin_offsetof(struct ipv6hdr, saddr);

		return from[0] == got[0] && from[1] == got[1] && to[0] == got[2] && to[1] == got[3];
	}
	return *(__u32 *)(slot->saddr + 12) == *(__u32 *)(ip + __builtin_offsetof(struct iphdr, saddr)) &&
	       *(__u32 *)(slot->daddr + 12) == *(__u32 *)(ip + __builtin_offsetof(struct iphdr, daddr));
}

/* Returns the counter of what was done; the packet passes in every case. `p` was not UDP but ICMP. */
static __always_inline int icmp_error(struct xdp_md *ctx, const struct packet *p, struct siprtx_percpu *cpu)
{
	struct packet q = {};
	struct found f;
	__u8 icmp[ICMP_HEADER];
	__u32 what;
	int reason;

	if (bpf_xdp_load_bytes(ctx, p->l4_off, icmp, sizeof(icmp)))
		return CNT_not_udp;
	what = unreachable(p, icmp);
	if (!what || p->ip_len < p->l4_off - p->l3_off + ICMP_HEADER)
		return CNT_not_udp;
	if (parse_quote(ctx, p, p->l4_off + ICMP_HEADER, &q) != PARSED)
		return CNT_not_udp;
	reason = read_quote(ctx, &q, quoted_length(p, icmp), &cpu->buf, &cpu->msg);
	if (reason != SIP_OK)
		return reason;
	if (cpu->msg.code)
		return CNT_icmp_unknown;
	if (!find_held(&cpu->buf, &cpu->msg, cpu->msg.method, &f) || !quotes_slot(f.slot, &cpu->buf, &q))
		return CNT_icmp_unknown;
	if (word_state(f.word) != ST_CALLING && word_state(f.word) != ST_PROCEEDING)
		return CNT_icmp_unknown;
	note(NOTE_ICMP, bpf_ktime_get_ns(), f.word, &f.key, f.index, what);
	return CNT_icmp;
}

#endif
