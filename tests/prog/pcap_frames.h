/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames of a capture file, as Ethernet has them, and the UDP datagrams in them. */
#ifndef TEST_PCAP_FRAMES_H
#define TEST_PCAP_FRAMES_H

#include "edge.h"

struct datagram { /* data NULL: no whole UDP datagram */
	const uint8_t *data;
	size_t len;
	char src[46], dst[46]; /* addresses as text */
	uint16_t sport, dport;
};

typedef void frame_fn(void *ctx, const struct frame *f, const struct datagram *d);

/*
 * Calls fn for each packet of the file, in its order. Ethernet as it stands; Linux cooked and raw IP get an Ethernet
 * header. Packets that struct frame does not hold, or that were cut when captured, are left out and counted in
 * *left_out. Returns 0, or -1 with a sentence in why.
 */
int pcap_frames(const char *path, frame_fn *fn, void *ctx, unsigned *left_out, char *why, size_t size);

#endif
