/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's connection tracking in the caller's network namespace. What siprtx sends by AF_XDP does not pass it, so
 * it forgets the flow of an unanswered call, and a rule by the state of a flow then drops the answer. Readable without
 * rights.
 */
#ifndef SIPRTX_CONNTRACK_H
#define SIPRTX_CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

struct conntrack {
	bool on;	     /* it tracks flows now */
	uint32_t flows;	     /* how many */
	uint32_t forgets_ms; /* an unanswered UDP flow, after this */
};

void conntrack_read(struct conntrack *out);
/*
 * How often a datagram of a call has to pass it, ms: as the tunable `refresh` says, or twice before the flow would be
 * forgotten. 0: never.
 */
uint32_t conntrack_refresh_ms(const struct conntrack *c, uint32_t refresh);

#endif
