/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many deliveries a second a consumer gets. Pure. */
#ifndef SIPRTX_NOTIFY_RATE_H
#define SIPRTX_NOTIFY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bucket.h"

/* Takes one out of the bucket `full_ns` (0 at first). False: not now. rate: a second, 0: no limit. */
static inline bool rate_take(uint64_t *full_ns, uint32_t rate, uint64_t now)
{
	uint64_t taken;

	if (!rate)
		return true;
	taken = bucket_taken(*full_ns, BUCKET_NS / rate, now);
	if (taken)
		*full_ns = taken;
	return taken;
}

#endif
