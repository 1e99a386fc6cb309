// SPDX-License-Identifier: GPL-2.0-or-later
#include "pcap_frames.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

static unsigned be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* UDP at [at, end), which is the IP packet's end. */
static void read_udp(const uint8_t *at, const uint8_t *end, struct datagram *d)
{
	unsigned len;

	if (end - at < 8)
		return;
	len = be16(at + 4);
	if (len < 8 || len > (size_t)(end - at))
		return;
	d->sport = be16(at);
	d->dport = be16(at + 2);
	d->data = at + 8;
	d->len = len - 8;
}

static void read_ipv4(const uint8_t *ip, const uint8_t *end, struct datagram *d)
{
	unsigned header = (ip[0] & 15) * 4, len = be16(ip + 2);

	if (header < 20 || len < header || len > (size_t)(end - ip) || ip[9] != IPPROTO_UDP || be16(ip + 6) & 0x3fff)
		return;
	inet_ntop(AF_INET, ip + 12, d->src, sizeof(d->src));
	inet_ntop(AF_INET, ip + 16, d->dst, sizeof(d->dst));
	read_udp(ip + header, ip + len, d);
}

static void read_ipv6(const uint8_t *ip, const uint8_t *end, struct datagram *d)
{
	unsigned len = 40 + be16(ip + 4);

	if (len > (size_t)(end - ip) || ip[6] != IPPROTO_UDP)
		return;
	inet_ntop(AF_INET6, ip + 8, d->src, sizeof(d->src));
	inet_ntop(AF_INET6, ip + 24, d->dst, sizeof(d->dst));
	read_udp(ip + 40, ip + len, d);
}

static void read_datagram(const struct frame *f, struct datagram *d)
{
	const uint8_t *at = f->data + 12, *end = f->data + f->len;

	memset(d, 0, sizeof(*d));
	while (end - at >= 6 && (be16(at) == ETH_P_8021Q || be16(at) == ETH_P_8021AD))
		at += 4;
	if (end - at >= 22 && be16(at) == ETH_P_IP)
		read_ipv4(at + 2, end, d);
	else if (end - at >= 42 && be16(at) == ETH_P_IPV6)
		read_ipv6(at + 2, end, d);
}

/* Bytes before the IP header and where the EtherType is; EtherType from the IP version where there is none. */
static int link_header(int type, unsigned *skip, unsigned *proto_at)
{
	switch (type) {
	case DLT_EN10MB:
		*skip = 0;
		return 0;
	case DLT_LINUX_SLL:
		*skip = 16;
		*proto_at = 14;
		return 0;
	case DLT_LINUX_SLL2:
		*skip = 20;
		*proto_at = 0;
		return 0;
	case DLT_RAW:
		*skip = 0;
		*proto_at = ~0u;
		return 0;
	default:
		return -1;
	}
}

static bool make_frame(int type, const struct pcap_pkthdr *h, const uint8_t *bytes, struct frame *f)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2};
	unsigned skip = 0, proto_at = 0, proto;

	if (link_header(type, &skip, &proto_at) || h->caplen < h->len || h->caplen < skip + 1 ||
	    h->caplen + 14 > sizeof(f->data))
		return false;
	if (type == DLT_EN10MB) {
		memcpy(f->data, bytes, f->len = h->caplen);
		return f->len >= 14;
	}
	proto = proto_at != ~0u ? be16(bytes + proto_at) : bytes[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	memcpy(f->data, macs, 12);
	f->data[12] = proto >> 8;
	f->data[13] = proto;
	memcpy(f->data + 14, bytes + skip, h->caplen - skip);
	f->len = 14 + h->caplen - skip;
	return true;
}

int pcap_frames(const char *path, frame_fn *fn, void *ctx, unsigned *left_out, char *why, size_t size)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_open_offline(path, error);
	unsigned skip = 0, proto_at = 0;
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int type, got;

	*left_out = 0;
	if (!pcap) {
		snprintf(why, size, "%s cannot be read: %s", path, error);
		return -1;
	}
	type = pcap_datalink(pcap);
	if (link_header(type, &skip, &proto_at)) {
		snprintf(why, size, "%s has link type %d; Ethernet, Linux cooked and raw IP can be played", path, type);
		pcap_close(pcap);
		return -1;
	}
	while ((got = pcap_next_ex(pcap, &h, &bytes)) == 1) {
		struct frame f = {.len = 0};
		struct datagram d;

		if (!make_frame(type, h, bytes, &f)) {
			++*left_out;
			continue;
		}
		read_datagram(&f, &d);
		fn(ctx, &f, &d);
	}
	if (got == PCAP_ERROR)
		snprintf(why, size, "%s breaks off: %s", path, pcap_geterr(pcap));
	pcap_close(pcap);
	return got == PCAP_ERROR ? -1 : 0;
}
