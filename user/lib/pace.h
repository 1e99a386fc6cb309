/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many copies leave in one round of the sending loop. No more than a limit go in any ms, or in a tick where that is
 * longer: what calls as they come need, so that they are not delayed at all, and half as much again as the gateways
 * were sent of late, by siprtx and, first datagrams, by the softswitch itself. Many that are due on one moment, calls
 * captured in one burst or all that fell due while the loop stood still, are spread over PACE_SPREAD_MS. Pure.
 *
 * Who is served in the order of their due times waits that long and the time between two rounds at most: the limit is
 * never lowered before all that was due is gone, and where rounds come seldom, for want of a CPU, one makes up for the
 * time before it. Only `most` can make that longer.
 */
#ifndef SIPRTX_PACE_H
#define SIPRTX_PACE_H

#include <stdint.h>

#define PACE_MS	       1000000ull
#define PACE_SPREAD_MS 25
#define PACE_FREE      18 /* a ms, at any time: 1,000 silent calls a second on the default list make 10 */
#define PACE_USUAL_MS  64 /* what was sent of late is an average over about so long */
#define PACE_ROUNDS    32 /* more than there are in a ms, at the shortest tick */

struct pace {
	uint64_t per_ms;    /* while some are left from the round before, else 0 */
	uint64_t round_ns;  /* when that was */
	uint64_t usual;	    /* copies and first datagrams a ms, in 1/65536 */
	uint64_t most_a_ms; /* that went in any ms, since somebody looked */
	unsigned last;	    /* of `sent` */
	struct {
		uint64_t ns, n;
	} sent[PACE_ROUNDS]; /* in a circle: the rounds last gone by */
};

/* How many went in the time `span_ns` that ends now. */
static inline uint64_t pace_of_last(const struct pace *p, uint64_t span_ns, uint64_t now_ns)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PACE_ROUNDS; i++) {
		unsigned at = (p->last - i) % PACE_ROUNDS;

		if (p->sent[at].ns + span_ns <= now_ns)
			break;
		n += p->sent[at].n;
	}
	return n;
}

/*
 * `due`: how many are due now; `most`: the tunable tick_sends, 0: no limit; `tick_ns`: the shortest time between two
 * rounds. How many may go in this round; 0: enough have gone in this ms. pace_sent() tells how many did.
 */
static inline uint64_t pace_round(struct pace *p, uint64_t due, uint32_t most, uint64_t now_ns, uint64_t tick_ns)
{
	uint64_t per_ms = (due + PACE_SPREAD_MS - 1) / PACE_SPREAD_MS, usual = (p->usual + p->usual / 2) >> 16;
	/* whole ticks, a ms of them or just one */
	uint64_t span = tick_ns < PACE_MS && tick_ns ? PACE_MS / tick_ns * tick_ns : tick_ns, gone, n;

	if (per_ms < p->per_ms)
		per_ms = p->per_ms;
	if (per_ms < usual)
		per_ms = usual;
	if (per_ms < PACE_FREE)
		per_ms = PACE_FREE;
	/* after a pause nobody knows yet how soon the next round is: the first one is never more than a tick's */
	if (p->per_ms && now_ns > p->round_ns + span)
		span = now_ns - p->round_ns;
	n = (per_ms * span + PACE_MS - 1) / PACE_MS;
	/* a round that came a little late must not be counted against the next one that comes in time */
	gone = pace_of_last(p, span - (tick_ns < span ? tick_ns : span) / 4, now_ns);
	n = n > gone ? n - gone : 0;
	if (most && n > most)
		n = most;
	p->per_ms = due > n ? per_ms : 0;
	return n;
}

/* The softswitch has sent `n` first datagrams since the round before: as many copies may follow each interval later. */
static inline void pace_passed(struct pace *p, uint64_t n)
{
	p->usual += (n << 16) / PACE_USUAL_MS;
}

/* After each pace_round(): `n` went. */
static inline void pace_sent(struct pace *p, uint64_t n, uint64_t now_ns)
{
	uint64_t passed = now_ns - p->round_ns, in_a_ms;

	if (passed > PACE_USUAL_MS * PACE_MS)
		passed = PACE_USUAL_MS * PACE_MS;
	p->usual -= p->usual * passed / (PACE_USUAL_MS * PACE_MS);
	p->usual += (n << 16) / PACE_USUAL_MS;
	p->round_ns = now_ns;
	if (!n)
		return;
	p->last = (p->last + 1) % PACE_ROUNDS;
	p->sent[p->last].ns = now_ns;
	p->sent[p->last].n = n;
	in_a_ms = pace_of_last(p, PACE_MS, now_ns);
	if (in_a_ms > p->most_a_ms)
		p->most_a_ms = in_a_ms;
}

#endif
