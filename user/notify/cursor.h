/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From which record a consumer goes on. Pure. */
#ifndef SIPRTX_NOTIFY_CURSOR_H
#define SIPRTX_NOTIFY_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor_facts {
	uint64_t kept;	/* what this process has from before the maps went, 0: nothing */
	uint64_t place; /* what the map `notify` says, 0: nothing */
	uint64_t state; /* what the file beside the journal says, 0: nothing */
	uint64_t next;	/* the number of the next record */
};

/*
 * The number to begin with. *first: nobody knows this consumer, it is told of what comes from now on. One ahead of what
 * is being numbered lived with another journal: it goes on with the next record.
 */
static inline uint64_t cursor_start(const struct cursor_facts *f, bool *first)
{
	uint64_t known = f->kept ? f->kept : f->place ? f->place : f->state;

	*first = !known;
	return known && known < f->next ? known : f->next;
}

/* How many of the oldest a consumer gives up that may lag `queue` records behind; 0: no limit. */
static inline uint64_t cursor_too_many(uint64_t cursor, uint64_t next, uint64_t queue)
{
	return queue && cursor < next && next - cursor > queue ? next - cursor - queue : 0;
}

#endif
