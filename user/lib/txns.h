/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys (abi.h, txn_table.h) as the controller sees it, in the mapped memory of `txns`. */
#ifndef SIPRTX_TXNS_H
#define SIPRTX_TXNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pins.h"

struct txns {
	struct siprtx_bucket *bucket;
	uint32_t n; /* buckets */
};

/* Of pins opened for writing, and valid as long as they are. */
static inline struct txns txns_of(const struct pins *p)
{
	return (struct txns){p->txns, p->entries[PIN_txns]};
}

static inline size_t txns_entries(const struct txns *t)
{
	return (size_t)t->n * BUCKET_ENTRIES;
}

/* Entry `i` of txns_entries(). It keeps its place for as long as it holds its key. */
static inline struct siprtx_entry *txns_entry(const struct txns *t, uint32_t i)
{
	return &t->bucket[i / BUCKET_ENTRIES].entry[i % BUCKET_ENTRIES];
}

static inline uint64_t entry_at(const struct siprtx_entry *e)
{
	return __atomic_load_n(&e->at, __ATOMIC_ACQUIRE);
}

/* The number of the entry that holds `key`, -1: none does. *at: its word. One that is only claimed is none. */
int64_t txns_find(const struct txns *t, const struct siprtx_key *key, uint64_t *at);
/* From the word last looked at to another one; 0 empties the entry. False: it is another by now, nothing changed. */
bool txns_change(const struct txns *t, uint32_t i, uint64_t seen, uint64_t next);
/* `key` says `at` (txn_at) from now on, whether it was there or not. 0; -ENOSPC: no room; -EAGAIN: try again. */
int txns_put(const struct txns *t, const struct siprtx_key *key, uint64_t at);
void txns_remove(const struct txns *t, const struct siprtx_key *key);

#endif
