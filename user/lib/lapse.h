/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the heartbeat of an outside interface rested for so long that absorption ended there (HEARTBEAT_NS). Pure. */
#ifndef SIPRTX_LAPSE_H
#define SIPRTX_LAPSE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

/* Of lapses that follow each other closely only the first is told. */
#define LAPSE_QUIET_NS 10000000000ull

struct lapse {
	uint64_t well_ns;  /* the last round that was well, 0: none yet */
	uint64_t quiet_ns; /* no new lapse is told before then */
	bool told;
};

enum lapse_news { LAPSE_NOTHING, LAPSE_BEGAN, LAPSE_ENDED };

/*
 * After each round: was it well? *for_ns: how long it was not. A loop that stood still tells only that it ended, for
 * there was no round to begin it.
 */
static inline enum lapse_news lapse_round(struct lapse *l, bool well, uint64_t now_ns, uint64_t *for_ns)
{
	bool lapsed = l->well_ns && now_ns >= l->well_ns + HEARTBEAT_NS;
	bool tell = lapsed && (l->told || now_ns >= l->quiet_ns);
	bool told = l->told;

	*for_ns = now_ns - l->well_ns;
	if (tell)
		l->quiet_ns = now_ns + LAPSE_QUIET_NS;
	if (well) {
		l->well_ns = now_ns;
		l->told = false;
		return tell ? LAPSE_ENDED : LAPSE_NOTHING;
	}
	l->told = tell;
	return tell && !told ? LAPSE_BEGAN : LAPSE_NOTHING;
}

/* Nothing is wrong with the round: its link is down, and that is told elsewhere. */
static inline void lapse_excused(struct lapse *l)
{
	l->well_ns = 0;
	l->told = false;
}

#endif
