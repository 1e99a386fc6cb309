/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A token bucket that is one time: when it will be full again. Whoever takes from it moves that time on by what one
 * costs, a second / rate; it is empty where the time lies more than a second ahead. So there is nothing to refill, and
 * a rate changed live keeps its bucket as full as it was. Times are CLOCK_MONOTONIC, ns.
 */
#ifndef SIPRTX_BUCKET_H
#define SIPRTX_BUCKET_H

#include <linux/types.h>

#define BUCKET_NS 1000000000ull /* the burst: one second's worth */

/* What it becomes when one is taken out, 0: it is empty. */
static inline __u64 bucket_taken(__u64 full_ns, __u64 cost_ns, __u64 now)
{
	__u64 next = (full_ns > now ? full_ns : now) + cost_ns;

	return next - now > BUCKET_NS ? 0 : next;
}

#endif
