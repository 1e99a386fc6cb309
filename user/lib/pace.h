/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many copies leave in one round of the sending loop. Many that are due on one moment, calls captured in one burst
 * or all that fell due while the loop stood still, are spread over PACE_TICKS ticks; up to PACE_FREE in a tick go at
 * once, so that calls as they come are not delayed at all. Pure.
 *
 * Who is served in the order of their due times waits PACE_TICKS ticks and the time between two rounds at most: the
 * number is never lowered before all that was due is gone, and where rounds come seldom, for want of a CPU, one makes
 * up for the ticks before it. Only `most` can make that longer.
 */
#ifndef SIPRTX_PACE_H
#define SIPRTX_PACE_H

#include <stdint.h>

#define PACE_TICKS 32
#define PACE_FREE  32

struct pace {
	uint64_t per_tick; /* while some are left from the round before, else 0 */
	uint64_t round_ns; /* when that was */
};

/*
 * `due`: how many are due now; `most`: the tunable tick_sends, 0: no limit; `tick_ns`: the shortest time between two
 * rounds. How many may go in this round, 1 at least.
 */
static inline uint64_t pace_round(struct pace *p, uint64_t due, uint32_t most, uint64_t now_ns, uint64_t tick_ns)
{
	uint64_t per_tick = (due + PACE_TICKS - 1) / PACE_TICKS, n;

	if (per_tick < p->per_tick)
		per_tick = p->per_tick;
	if (per_tick < PACE_FREE)
		per_tick = PACE_FREE;
	n = per_tick;
	/* after a pause nobody knows yet how soon the next round is: the first one is never more than a tick's */
	if (p->per_tick && tick_ns && now_ns > p->round_ns + tick_ns)
		n *= (now_ns - p->round_ns) / tick_ns;
	if (most && n > most)
		n = most;
	p->per_tick = due > n ? per_tick : 0;
	p->round_ns = now_ns;
	return n;
}

#endif
