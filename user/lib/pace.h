/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many copies leave in one round of the sending loop. Many that are due on one moment, calls captured in one burst
 * or all that fell due while the loop stood still, are spread over PACE_ROUNDS rounds; up to PACE_FREE in a round go at
 * once, so that calls as they come are not delayed at all. Pure.
 *
 * Who is served in the order of their due times waits PACE_ROUNDS rounds at most: the number is never lowered before
 * all that was due is gone. Only `most` can make that longer.
 */
#ifndef SIPRTX_PACE_H
#define SIPRTX_PACE_H

#include <stdint.h>

#define PACE_ROUNDS 32
#define PACE_FREE   32

struct pace {
	uint64_t per_round; /* while some are left from the round before, else 0 */
};

/* `due`: how many are due now; `most`: the tunable tick_sends, 0: no limit. How many may go in this round, 1 at least.
 */
static inline uint64_t pace_round(struct pace *p, uint64_t due, uint32_t most)
{
	uint64_t n = (due + PACE_ROUNDS - 1) / PACE_ROUNDS;

	if (n < p->per_round)
		n = p->per_round;
	if (n < PACE_FREE)
		n = PACE_FREE;
	if (most && n > most)
		n = most;
	p->per_round = due > n ? n : 0;
	return n;
}

#endif
