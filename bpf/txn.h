/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys (txn_table.h) in the map `txns`. */
#ifndef BPF_TXN_H
#define BPF_TXN_H

#include "maps.h"

/* Looks for `key`: *place says what was found and, if nothing was, where it may be added. Returns 0. */
SIP_FN int txn_look(const struct siprtx_key *key, struct txn_place *place)
{
	struct siprtx_bucket *first, *second;
	__u32 index[2];

	if (!key || !place)
		return 0;
	place->at = 0;
	place->first = index[0] = txn_table_bucket(key->hash[0], txn_buckets);
	place->second = index[1] = txn_table_bucket(key->hash[1], txn_buckets);
	first = bpf_map_lookup_elem(&txns, &index[0]);
	second = bpf_map_lookup_elem(&txns, &index[1]);
	if (!first || !second)
		return 0;
	place->version = TABLE_LOAD(first->version);
	place->at = txn_table_look(first, second, key);
	return 0;
}

/* The word of `key`, 0: it is not there. One that is being added is not there yet. */
static __always_inline __u64 find_txn(const struct siprtx_key *key)
{
	struct txn_place place = {};

	txn_look(key, &place);
	return place.at & TXN_USED ? place.at : 0;
}

/* Adds `key`, which was not found at *place. Returns an enum txn_table_result. */
SIP_FN int txn_add(const struct siprtx_key *key, const struct txn_place *place, __u64 at)
{
	struct siprtx_bucket *first, *second;
	__u32 index;

	if (!key || !place)
		return TABLE_FULL;
	index = place->first;
	first = bpf_map_lookup_elem(&txns, &index);
	index = place->second;
	second = bpf_map_lookup_elem(&txns, &index);
	if (!first || !second)
		return TABLE_FULL;
	return txn_table_add(first, second, key, at, place->version);
}

#endif
