/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connection tracking may be switched on and off while siprtxd runs: a firewall is loaded, a rule added. */
#ifndef SIPRTXD_CONNTRACK_WATCH_H
#define SIPRTXD_CONNTRACK_WATCH_H

#include "conntrack.h"
#include "pins.h"

struct conntrack_watch {
	uint64_t next_ns; /* not asked before then again */
	struct conntrack seen;
	bool bypassed; /* by the calls themselves: forward = xdp */
	bool behind;   /* the hook at which copies are absorbed is behind it: it has seen them */
};

/* How often a datagram of a call has to pass conntrack, ns; 0: never. Tells the log and stats of a change. */
uint64_t conntrack_watch_run(struct conntrack_watch *w, const struct pins *pins, uint64_t now_ns);

#endif
