/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_CLOCK_H
#define SIPRTX_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CLOCK_MONOTONIC, as all times in the maps. */
static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* What a time of now_ns() lacks to be one of the wall clock (Unix), ns. */
static inline int64_t wall_offset_ns(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

#endif
