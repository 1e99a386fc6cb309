/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the kernel find a next hop's MAC, without any right: it does so for whatever is sent there. */
#ifndef SIPRTXD_RESOLVE_H
#define SIPRTXD_RESOLVE_H

#include <stdint.h>

struct resolve {
	int ipv4, ipv6; /* sockets, -1: none */
	/* what was asked last, and when */
	uint32_t ifindex;
	uint8_t addr[16];
	uint64_t ns;
};

/* A family this kernel lacks is left out: nothing of it is captured either. */
void resolve_open(struct resolve *r);
void resolve_close(struct resolve *r);
/*
 * Sends `addr` (network order, IPv4-mapped) an empty datagram on the link `ifindex`, to the discard port (RFC 863) and
 * with a TTL of 1, without waiting; netlink tells what comes of it. Not more often than is good for the link.
 */
void resolve_ask(struct resolve *r, uint32_t ifindex, const uint8_t addr[16], uint64_t now_ns);

#endif
