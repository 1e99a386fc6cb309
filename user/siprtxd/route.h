/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the kernel would send a held frame now. A frame knows its next hop from its capture; only one captured before
 * the routes last changed, or so shortly after that XDP may have gone by an older answer, is asked about, and what the
 * kernel answers is kept until they change again.
 */
#ifndef SIPRTXD_ROUTE_H
#define SIPRTXD_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

#define ROUTES_KEPT 256 /* a power of two */

struct route {
	uint32_t oif;
	uint8_t nexthop[16];
};

struct routes {
	int news, ask;	     /* netlink sockets, -1: none */
	uint64_t changed_ns; /* CLOCK_MONOTONIC; frames captured ROUTE_KEPT_NS later need no question */
	uint32_t epoch, sequence;
	struct kept_route *kept;
};

/* What has changed until now is not known: all frames captured before `now_ns` are asked about once. */
void routes_open(struct routes *r, uint64_t now_ns);
void routes_close(struct routes *r);
/* Have the routes, or the rules that choose among them, changed since it was asked last? */
bool routes_changed(struct routes *r, uint64_t now_ns);
/* Where this frame of the softswitch would go. 0; -EAGAIN: cannot be told; else the kernel's error: nowhere. */
int routes_find(struct routes *r, const struct siprtx_slot *frame, struct route *out);

#endif
