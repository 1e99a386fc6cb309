// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack_watch.h"

#include "log.h"

#define ASK_NS 1000000000ull

uint64_t conntrack_watch_run(struct conntrack_watch *w, const struct pins *pins, uint64_t now_ns)
{
	__u64 *stats = pins->stats;
	uint32_t every_ms;

	if (!w->next_ns) /* a former controller's */
		stats[STAT_conntrack] = stats[STAT_refresh_ms] = 0;
	if (now_ns >= w->next_ns) {
		w->next_ns = now_ns + ASK_NS;
		if (!w->behind)
			conntrack_read(&w->seen);
	}
	every_ms = w->bypassed ? 0 : conntrack_refresh_ms(&w->seen, pins->in_force->tunables[TUN_refresh]);
	if (every_ms && every_ms != stats[STAT_refresh_ms])
		log_info("conntrack is on: every %g s one of the softswitch's own copies of a call passes in place of "
			 "siprtx's, which conntrack does not see (refresh)",
			 every_ms / 1000.0);
	else if (w->seen.on && !every_ms && (stats[STAT_refresh_ms] || !stats[STAT_conntrack]))
		log_warning("conntrack is on, and siprtx lets no copy pass to refresh it (%s): it may forget a call "
			    "before its answer comes. See siprtx check.",
			    w->bypassed ? "forward = xdp" : "refresh 0");
	stats[STAT_conntrack] = w->seen.on;
	stats[STAT_refresh_ms] = every_ms;
	return every_ms * 1000000ull;
}
