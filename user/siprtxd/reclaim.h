/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots that a killed controller took from their transaction and had no time to put onto the free list. They are looked
 * for twice, some time apart, so that one in the hands of a capture under way is not taken for lost; captures go on.
 * The first look leaves a mark in the slot, so that the second one may be another controller's.
 */
#ifndef SIPRTXD_RECLAIM_H
#define SIPRTXD_RECLAIM_H

#include "pins.h"
#include "slot.h"

/* Between the looks: far longer than a packet is ever in the hands of an XDP program. */
#define RECLAIM_NS 1000000000ull

/*
 * Slots marked RECLAIM_NS ago and lost still are free again. Returns how many, or -errno. With `marked`, before the
 * controller takes any slot itself, the others that seem lost are marked, and *marked says how many wait for a further
 * look.
 */
int reclaim(const struct pins *pins, const struct free_list *free_list, uint64_t now_ns, unsigned *marked);

#endif
