// SPDX-License-Identifier: GPL-2.0-or-later
#include "copies.h"

#define SLACK_NS 500000000ull

static uint64_t missed_after(uint64_t copy_ns, uint64_t gap_ns)
{
	return copy_ns + 2 * gap_ns + SLACK_NS;
}

uint64_t copies_missed_ns(const struct siprtx_slot *s)
{
	uint64_t copy_ns = __atomic_load_n(&s->copy_ns, __ATOMIC_ACQUIRE);

	return copy_ns ? missed_after(copy_ns, __atomic_load_n(&s->copy_gap_ns, __ATOMIC_RELAXED)) : UINT64_MAX;
}

uint64_t copies_look_ns(const struct siprtx_slot *s, uint64_t now)
{
	uint64_t missed = copies_missed_ns(s);

	return missed == UINT64_MAX ? missed_after(now, now - s->first_ns) : missed;
}
