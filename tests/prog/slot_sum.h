/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where every slot is: none may be lost, none in two places. */
#ifndef TEST_SLOT_SUM_H
#define TEST_SLOT_SUM_H

#include "edge.h"

struct slot_sum {
	unsigned free;	/* on the free list */
	unsigned held;	/* a transaction's, found by its key */
	unsigned spare; /* in a CPU's hand for the next INVITE */
};

/*
 * Counts them while no program runs. Fails the test where a slot is lost or in two places, where a held one is not
 * found by exactly its own key, and where the three do not make up all slots.
 */
struct slot_sum slot_sum(const struct edge *e);

/* Ends every transaction as the controller does in the end: the slot goes free, the key is forgotten. */
void free_all(const struct edge *e);

#endif
