/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deadline queues: one FIFO per distinct wait. Every entry of a FIFO waits equally long, so appending keeps it
 * sorted and the head is the next to expire: O(1) to add and to expire. Nothing is ever taken out of the
 * middle: who cancels changes the slot word, and the entry is found stale at its expiry.
 */
#ifndef SIPRTX_DEADLINE_H
#define SIPRTX_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t due_ns;
	uint32_t slot;
	uint32_t gen;
};

struct deadlines; /* opaque */

struct deadlines *deadlines_new(void); /* NULL: no memory */
void deadlines_free(struct deadlines *d);
/* Entries of one wait come in the order of due_ns; one that does not expires late by the disorder. 0 or -ENOMEM. */
int deadlines_add(struct deadlines *d, uint64_t wait_ns, struct deadline entry);
/* Takes out the earliest entry due at or before now_ns, of all queues. False: none. */
bool deadlines_pop(struct deadlines *d, uint64_t now_ns, struct deadline *out);
/*
 * The slot of the entry that is `n` behind the next one to expire, if it waits in the same queue; -1: there is none. A
 * guess at what comes soon, for prefetching.
 */
int64_t deadlines_ahead(const struct deadlines *d, unsigned n);
/* When the next one is due, UINT64_MAX: none. */
uint64_t deadlines_next(const struct deadlines *d);
/* Entries due at or before now_ns, stale ones included: O(log n) for each queue that has one. */
uint64_t deadlines_due(const struct deadlines *d, uint64_t now_ns);
/* Entries held, stale ones included. */
uint64_t deadlines_count(const struct deadlines *d);

#endif
