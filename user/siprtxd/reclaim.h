/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots that a controller killed in the middle neither freed whole nor left in use. */
#ifndef SIPRTXD_RECLAIM_H
#define SIPRTXD_RECLAIM_H

#include "pins.h"
#include "slot.h"

/*
 * Gives back each slot that is in use nowhere: free by its word, not on the free list, in no CPU's hand. While it
 * looks, a few ms where there are any, nothing is captured. Returns how many, or -errno.
 */
int reclaim_slots(const struct pins *pins, struct free_list *list);

#endif
