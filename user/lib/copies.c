// SPDX-License-Identifier: GPL-2.0-or-later
#include "copies.h"

#define SLACK_NS 500000000ull
#define T2_NS	 4000000000ull /* RFC 3261 17.1.2.2 */

/* After a provisional response the copies of a request come at T2, whatever their gap was. */
static uint64_t missed_after(const struct siprtx_slot *s, uint64_t copy_ns, uint64_t gap_ns)
{
	if (word_state(__atomic_load_n(&s->word, __ATOMIC_RELAXED)) == ST_PROCEEDING && gap_ns < T2_NS)
		gap_ns = T2_NS;
	return copy_ns + 2 * gap_ns + SLACK_NS;
}

uint64_t copies_missed_ns(const struct siprtx_slot *s)
{
	uint64_t copy_ns = __atomic_load_n(&s->copy_ns, __ATOMIC_ACQUIRE);

	return copy_ns ? missed_after(s, copy_ns, __atomic_load_n(&s->copy_gap_ns, __ATOMIC_RELAXED)) : UINT64_MAX;
}

uint64_t copies_next_ns(const struct siprtx_slot *s, uint64_t from)
{
	uint64_t copy_ns = __atomic_load_n(&s->copy_ns, __ATOMIC_ACQUIRE);
	uint64_t gap_ns = __atomic_load_n(&s->copy_gap_ns, __ATOMIC_RELAXED);

	if (!copy_ns || copy_ns + 2 * gap_ns < from)
		return UINT64_MAX;
	return copy_ns + gap_ns < from ? copy_ns + 2 * gap_ns : copy_ns + gap_ns;
}

uint64_t copies_look_ns(const struct siprtx_slot *s, uint64_t now)
{
	uint64_t missed = copies_missed_ns(s);

	return missed == UINT64_MAX ? missed_after(s, now, now - s->first_ns) : missed;
}
