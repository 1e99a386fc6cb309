// SPDX-License-Identifier: GPL-2.0-or-later
#include "event_read.h"

/* After being overtaken, begin so much behind the oldest: the writer goes on meanwhile. */
#define HEAD_START (MAX_EVENTS / 8)

uint64_t event_start(const __u64 *next_event, uint64_t back)
{
	uint64_t next = __atomic_load_n(next_event, __ATOMIC_ACQUIRE);

	if (back > MAX_EVENTS)
		back = MAX_EVENTS;
	return next > back ? next - back : 1;
}

bool event_next(const struct siprtx_event *ring, const __u64 *next_event, uint64_t *pos, struct siprtx_event *out,
		uint64_t *missed)
{
	struct siprtx_event copy;

	for (;;) {
		uint64_t next = __atomic_load_n(next_event, __ATOMIC_ACQUIRE), oldest;
		const struct siprtx_event *e;

		if (*pos >= next)
			return false;
		if (next - *pos > MAX_EVENTS) {
			oldest = next - MAX_EVENTS + HEAD_START;
			*missed += oldest - *pos;
			*pos = oldest;
		}
		e = &ring[*pos % MAX_EVENTS];
		if (__atomic_load_n(&e->seq, __ATOMIC_ACQUIRE) == *pos) {
			copy = *e;
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (__atomic_load_n(&e->seq, __ATOMIC_RELAXED) == *pos) {
				(*pos)++;
				*out = copy;
				return true;
			}
		} else if (*pos + 1 == next) {
			return false; /* being written */
		}
		(*pos)++;
		(*missed)++;
	}
}
