/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A count that rises, told of no more than once in a while. Pure. */
#ifndef SIPRTX_RISING_H
#define SIPRTX_RISING_H

#include <stdint.h>

struct rising {
	uint64_t told;	   /* the count up to which it was told of */
	uint64_t quiet_ns; /* not before then again */
};

/* How many are to be told of now, 0: none, or not yet. A first one is told of at once. */
static inline uint64_t rising_news(struct rising *r, uint64_t count, uint64_t now_ns, uint64_t every_ns)
{
	uint64_t news = count - r->told;

	if (!news || now_ns < r->quiet_ns)
		return 0;
	r->told = count;
	r->quiet_ns = now_ns + every_ns;
	return news;
}

#endif
