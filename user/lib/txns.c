// SPDX-License-Identifier: GPL-2.0-or-later
#include "txns.h"

#include <errno.h>

#include "txn_table.h"

int64_t txns_find(const struct txns *t, const struct siprtx_key *key, uint64_t *at)
{
	for (int half = 0; half < 2; half++) {
		uint32_t b = txn_table_bucket(key->hash[half], t->n);
		__u64 found;
		int i = txn_table_find(&t->bucket[b], key, &found);

		if (i < 0)
			continue;
		*at = found;
		return (int64_t)b * BUCKET_ENTRIES + i;
	}
	return -1;
}

bool txns_change(const struct txns *t, uint32_t i, uint64_t seen, uint64_t next)
{
	__u64 word = seen;

	return __atomic_compare_exchange_n(&txns_entry(t, i)->at, &word, next, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

int txns_put(const struct txns *t, const struct siprtx_key *key, uint64_t at)
{
	struct siprtx_bucket *first = &t->bucket[txn_table_bucket(key->hash[0], t->n)];
	struct siprtx_bucket *second = &t->bucket[txn_table_bucket(key->hash[1], t->n)];
	uint64_t version = __atomic_load_n(&first->version, __ATOMIC_ACQUIRE), seen;
	int64_t i = txns_find(t, key, &seen);

	if (i >= 0)
		return txns_change(t, i, seen, at) ? 0 : -EAGAIN;
	switch (txn_table_add(first, second, key, at, version)) {
	case TABLE_ADDED:
		return 0;
	case TABLE_FULL:
		return -ENOSPC;
	default:
		return -EAGAIN;
	}
}

void txns_remove(const struct txns *t, const struct siprtx_key *key)
{
	uint64_t at;
	int64_t i = txns_find(t, key, &at);

	if (i >= 0)
		txns_change(t, i, at, 0);
}
