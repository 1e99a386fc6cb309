// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

#define IP_DF 0x4000

/* Adds 16-bit words as they lie in memory: the sum comes out in the same order (RFC 1071 2 B). */
static uint64_t add_bytes(uint64_t sum, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t word;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void *at(struct siprtx_slot *s, unsigned offset)
{
	return (uint8_t *)s + offset;
}

static bool is_ipv4(struct siprtx_slot *s)
{
	return s->frame[SLOT_L3 - SLOT_HEADER] >> 4 == 4;
}

void frame_sum(struct siprtx_slot *s)
{
	struct udphdr *udp = at(s, s->l4_off);
	size_t n = ntohs(udp->len), room = SLOT_SIZE - s->l4_off;
	uint64_t sum = udp->len + htons(IPPROTO_UDP);

	if (s->wire & WIRE_SUMMED)
		return;
	if (is_ipv4(s)) {
		struct iphdr *ip = at(s, SLOT_L3);

		ip->check = 0;
		ip->check = ~fold(add_bytes(0, ip, 4 * ip->ihl));
		sum = add_bytes(sum, &ip->saddr, 8);
	} else {
		struct ipv6hdr *ip = at(s, SLOT_L3);

		sum = add_bytes(sum, &ip->saddr, 32);
	}
	udp->check = 0;
	udp->check = ~fold(add_bytes(sum, udp, n < room ? n : room));
	if (!udp->check)
		udp->check = 0xffff;
	s->wire |= WIRE_SUMMED;
}

void frame_renew_id(struct siprtx_slot *s, uint16_t id)
{
	struct iphdr *ip = at(s, SLOT_L3);
	uint16_t old = ip->id;

	if (!is_ipv4(s) || ip->frag_off & htons(IP_DF))
		return;
	ip->id = htons(id);
	/* RFC 1624, equation 3 */
	ip->check = ~fold((uint64_t)(uint16_t)~ip->check + (uint16_t)~old + ip->id);
}

bool frame_set_macs(struct siprtx_slot *s, const uint8_t dst[6], const uint8_t src[6])
{
	struct ethhdr *eth = at(s, s->frame_off);
	bool changed = memcmp(eth->h_dest, dst, ETH_ALEN) || memcmp(eth->h_source, src, ETH_ALEN);

	memcpy(eth->h_dest, dst, ETH_ALEN);
	memcpy(eth->h_source, src, ETH_ALEN);
	s->wire &= ~WIRE_NO_MAC;
	return changed;
}

const uint8_t *frame_dst_mac(const struct siprtx_slot *s)
{
	return (const uint8_t *)s + s->frame_off;
}
