// SPDX-License-Identifier: GPL-2.0-or-later
#include "made_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

#define IP_DF	 0x4000
#define TTL	 64
#define SIP_ROOM (SLOT_SIZE - 8) /* the scanner reads words past the end */

static void *at(struct siprtx_slot *s, unsigned offset)
{
	return (uint8_t *)s + offset;
}

static const void *in(const struct siprtx_slot *s, unsigned offset)
{
	return (const uint8_t *)s + offset;
}

static bool is_ipv4(const struct siprtx_slot *s)
{
	return s->frame[SLOT_L3 - SLOT_HEADER] >> 4 == 4;
}

static struct sip_writer writer_at(struct siprtx_slot *out, uint16_t sip_off)
{
	out->sip_off = sip_off;
	out->l4_off = sip_off - sizeof(struct udphdr);
	return (struct sip_writer){at(out, sip_off), SIP_ROOM - sip_off, false};
}

/* The lengths that follow from the message's. */
static int close_frame(const struct sip_writer *w, struct siprtx_slot *out)
{
	struct udphdr *udp = at(out, out->l4_off);
	uint16_t end = w->at - (char *)out;

	if (w->full)
		return -EMSGSIZE;
	out->sip_len = end - out->sip_off;
	out->frame_len = end - out->frame_off;
	udp->len = htons(end - out->l4_off);
	udp->check = 0;
	if (is_ipv4(out))
		((struct iphdr *)at(out, SLOT_L3))->tot_len = htons(end - SLOT_L3);
	else
		((struct ipv6hdr *)at(out, SLOT_L3))->payload_len = htons(end - SLOT_L3 - sizeof(struct ipv6hdr));
	return 0;
}

struct sip_writer made_reply_begin(const struct siprtx_slot *invite, struct siprtx_slot *out)
{
	unsigned ip = is_ipv4(invite) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return writer_at(out, SLOT_L3 + ip + sizeof(struct udphdr));
}

static void reply_l2(const struct siprtx_slot *invite, const uint8_t own_mac[6], struct siprtx_slot *out)
{
	unsigned tags = invite->in_tags & 3;
	struct ethhdr *eth;
	uint16_t *type;

	out->frame_off = SLOT_L3 - ETH_HLEN - 4 * tags;
	eth = at(out, out->frame_off);
	memcpy(eth->h_dest, invite->from_mac, ETH_ALEN);
	memcpy(eth->h_source, own_mac, ETH_ALEN);
	type = (uint16_t *)at(out, out->frame_off + 2 * ETH_ALEN);
	for (unsigned i = 0; i < tags; i++) {
		*type++ = htons(!i && invite->in_tags & SLOT_IN_8021AD ? ETH_P_8021AD : ETH_P_8021Q);
		*type++ = invite->in_tci[i];
	}
	*type = htons(is_ipv4(invite) ? ETH_P_IP : ETH_P_IPV6);
}

static void lifted_l2(const struct siprtx_slot *invite, struct siprtx_slot *out)
{
	const struct ethhdr *from = in(invite, invite->frame_off);
	struct ethhdr *eth;

	out->frame_off = invite->frame_off;
	eth = at(out, out->frame_off);
	memcpy(eth, from, SLOT_L3 - out->frame_off);
	memcpy(eth->h_dest, from->h_source, ETH_ALEN);
	memcpy(eth->h_source, from->h_dest, ETH_ALEN);
}

/* From the gateway's address to the softswitch's, of the same traffic class; `tag` as lift_id() wants it, 0: none. */
static void reply_l3(const struct siprtx_slot *invite, uint32_t tag, struct siprtx_slot *out)
{
	if (is_ipv4(invite)) {
		const struct iphdr *from = in(invite, SLOT_L3);

		*(struct iphdr *)at(out, SLOT_L3) = (struct iphdr){
			.version = 4,
			.ihl = sizeof(struct iphdr) / 4,
			.tos = from->tos,
			.id = htons(lift_id(tag)),
			.frag_off = htons(IP_DF),
			.ttl = TTL,
			.protocol = IPPROTO_UDP,
			.saddr = from->daddr,
			.daddr = from->saddr,
		};
	} else {
		const struct ipv6hdr *from = in(invite, SLOT_L3);
		uint32_t label = lift_flow_label(tag);

		*(struct ipv6hdr *)at(out, SLOT_L3) = (struct ipv6hdr){
			.version = 6,
			.priority = from->priority,
			.flow_lbl = {(from->flow_lbl[0] & 0xf0) | label >> 16, label >> 8, label},
			.nexthdr = IPPROTO_UDP,
			.hop_limit = TTL,
			.saddr = from->daddr,
			.daddr = from->saddr,
		};
	}
}

int made_reply_end(const struct sip_writer *w, const struct siprtx_slot *invite, uint16_t port,
		   const uint8_t own_mac[6], struct siprtx_slot *out)
{
	struct udphdr *udp = at(out, out->l4_off);

	if (own_mac)
		reply_l2(invite, own_mac, out);
	else
		lifted_l2(invite, out);
	reply_l3(invite, own_mac ? 0 : invite->reply_tag, out);
	udp->source = htons(invite->dport);
	udp->dest = htons(port);
	memcpy(out->saddr, invite->daddr, sizeof(out->saddr));
	memcpy(out->daddr, invite->saddr, sizeof(out->daddr));
	/* a neighbour's present MAC, where the softswitch is one; else whoever handed the INVITE over */
	memcpy(out->nexthop, invite->saddr, sizeof(out->nexthop));
	out->sport = invite->dport;
	out->dport = port;
	out->egress = own_mac ? invite->ingress : 0;
	out->wire = 0;
	return close_frame(w, out);
}

struct sip_writer made_request_begin(const struct siprtx_slot *invite, struct siprtx_slot *out)
{
	return writer_at(out, invite->sip_off);
}

int made_request_end(const struct sip_writer *w, const struct siprtx_slot *invite, struct siprtx_slot *out)
{
	out->frame_off = invite->frame_off;
	memcpy(at(out, out->frame_off), in(invite, out->frame_off), invite->sip_off - invite->frame_off);
	memcpy(out->saddr, invite->saddr, sizeof(out->saddr));
	memcpy(out->daddr, invite->daddr, sizeof(out->daddr));
	memcpy(out->nexthop, invite->nexthop, sizeof(out->nexthop));
	out->sport = invite->sport;
	out->dport = invite->dport;
	out->egress = invite->egress;
	out->outside = invite->outside;
	out->wire = invite->wire & WIRE_NO_MAC;
	return close_frame(w, out);
}
