/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots that a killed controller took from their transaction and had no time to put onto the free list. They are looked
 * for twice, some time apart, so that one in the hands of a capture under way is not taken for lost; captures go on.
 */
#ifndef SIPRTXD_RECLAIM_H
#define SIPRTXD_RECLAIM_H

#include "pins.h"
#include "slot.h"

struct lost_slot {
	uint32_t slot, gen;
};

struct reclaim {
	struct lost_slot *lost; /* of the first look, by slot */
	unsigned n;
};

/* Between the looks: far longer than a packet is ever in the hands of an XDP program. */
#define RECLAIM_NS 1000000000ull

/* The first look. Returns how many seem lost, or -errno. */
int reclaim_look(struct reclaim *r, const struct pins *pins, const struct free_list *free_list);
/* The second look: those that were lost in the first one too are free again. Returns how many, or -errno. */
int reclaim_take(struct reclaim *r, const struct pins *pins, struct free_list *free_list);
void reclaim_forget(struct reclaim *r);

#endif
