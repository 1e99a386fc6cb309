/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of keys (abi.h): looking one up and adding one, in the XDP programs, the controller and the tests alike.
 *
 * A key stands in one of two buckets, each named by one half of it, and never moves; it is added to the one with more
 * room. That keeps all buckets about equally full: the first key that finds no room comes when 53 to 57 entries of a
 * hundred are taken, and at 60 of a hundred it is one key in some thousand. The key is a keyed hash (key.h): nobody
 * outside can choose a bucket.
 *
 * Nobody waits for anybody. Any CPU and the controller add keys; the controller alone takes them away and changes what
 * is said of them. What holds, and why (loads and stores are seen in the program's order, as x86 does it):
 *
 * - A key is never added twice. Who adds one reads the version of the key's first bucket, then looks for the key, then
 *   writes it into an entry it has claimed, and last raises the version by compare-and-swap from what it read. Of two
 *   who add the same key one swaps later; if that swap succeeds, its version was read after the other's swap, and so it
 *   has looked after the other's entry was written, and has found it. Who fails takes the entry back and looks again.
 * - A reader never takes the word of one key for another's. It reads `at` before and after the key. While `at` says
 *   TXN_USED and is the same, the key is the same too: {slot, generation} is that of one transaction, which has one
 * key, and a claimed entry that is taken back was never TXN_USED. A time in the place of the generation names no slot.
 * - A controller killed half way leaves at most a claimed entry, txn_table_is_abandoned(). A BPF program always ends.
 */
#ifndef SIPRTX_TXN_TABLE_H
#define SIPRTX_TXN_TABLE_H

#include "abi.h"

#define TABLE_INLINE static inline __attribute__((always_inline))

/* Before each look at what others may change: the unit tests let others in there. */
#ifndef TABLE_STEP
#define TABLE_STEP() ((void)0)
#endif

#ifdef __bpf__
#define TABLE_LOAD(p)	  (*(volatile const __u64 *)&(p))
#define TABLE_STORE(p, v) (*(volatile __u64 *)&(p) = (v))
#else
#define TABLE_LOAD(p)	  (TABLE_STEP(), __atomic_load_n(&(p), __ATOMIC_ACQUIRE))
#define TABLE_STORE(p, v) (TABLE_STEP(), __atomic_store_n(&(p), v, __ATOMIC_RELEASE))
#endif
#define TABLE_SWAP(p, old, new) (TABLE_STEP(), __sync_val_compare_and_swap(&(p), old, new) == (old))

/* Swaps of a version that are tried. */
#define TABLE_TRIES 4
/* `at` changes less often than this while an entry holds one key: claimed, used, and ended in a way that is marked. */
#define AT_CHANGES 4

enum txn_table_result {
	TABLE_ADDED = 0,
	TABLE_THERE, /* somebody else has added it meanwhile */
	TABLE_FULL,  /* no room in either bucket */
	TABLE_LOST,  /* the version changed under TABLE_TRIES compare-and-swaps */
};

/*
 * The bucket, of `n`, that one half of a key names. All of its bits have a say: two messages that differ in a digit
 * have sums (key.h) that differ in few.
 */
TABLE_INLINE __u32 txn_table_bucket(__u64 half, __u32 n)
{
	half = (half ^ half >> 32) * 0x9e3779b97f4a7c15ull;
	half = (half ^ half >> 32) * 0x9e3779b97f4a7c15ull;
	return (half >> 32) * n >> 32;
}

/* What *e says of `key`, 0: it is not there. */
TABLE_INLINE __u64 txn_table_at(const struct siprtx_entry *e, const struct siprtx_key *key)
{
	__u64 at;
	int i;

	/* a word that changes under the look is looked at again: the key may be the same all the time */
	for (i = 0; i < AT_CHANGES; i++) {
		at = TABLE_LOAD(e->at);
		if (TABLE_LOAD(e->key.hash[0]) != key->hash[0] || TABLE_LOAD(e->key.hash[1]) != key->hash[1])
			break;
		if (TABLE_LOAD(e->at) == at)
			return at;
	}
	return 0;
}

/*
 * The entry of *b that holds `key`, and its word in *at. -1: none does; then *at may be set to that of an entry with
 * TXN_CLAIMED, whose key it seems to be; else it stays.
 */
TABLE_INLINE int txn_table_find(const struct siprtx_bucket *b, const struct siprtx_key *key, __u64 *at)
{
	int i;

	for (i = 0; i < BUCKET_ENTRIES; i++) {
		__u64 found = txn_table_at(&b->entry[i], key);

		if (found)
			*at = found;
		if (found & TXN_USED)
			return i;
	}
	return -1;
}

/* Looks in both buckets of `key`. Its word, or one that is claimed, or 0. */
TABLE_INLINE __u64 txn_table_look(const struct siprtx_bucket *first, const struct siprtx_bucket *second,
				  const struct siprtx_key *key)
{
	__u64 at = 0;

	if (txn_table_find(first, key, &at) < 0)
		txn_table_find(second, key, &at);
	return at;
}

TABLE_INLINE int txn_table_load(const struct siprtx_bucket *b)
{
	int n = 0, i;

	for (i = 0; i < BUCKET_ENTRIES; i++)
		n += !!TABLE_LOAD(b->entry[i].at);
	return n;
}

/* Writes `key` into an empty entry of *b, marked as claimed with `at`. NULL: there is none. */
TABLE_INLINE struct siprtx_entry *txn_table_claim(struct siprtx_bucket *b, const struct siprtx_key *key, __u64 at)
{
	__u64 claim = at ^ (TXN_USED | TXN_CLAIMED);
	int i;

	for (i = 0; i < BUCKET_ENTRIES; i++) {
		struct siprtx_entry *e = &b->entry[i];

		if (TABLE_LOAD(e->at) || !TABLE_SWAP(e->at, 0, claim))
			continue;
		TABLE_STORE(e->key.hash[0], key->hash[0]);
		TABLE_STORE(e->key.hash[1], key->hash[1]);
		return e;
	}
	return NULL;
}

/*
 * Adds `key` with the word `at` (txn_at), after it was looked for in its two buckets and not found. `version` is that
 * of *first, read before that. Returns an enum txn_table_result.
 */
TABLE_INLINE int txn_table_add(struct siprtx_bucket *first, struct siprtx_bucket *second, const struct siprtx_key *key,
			       __u64 at, __u64 version)
{
	struct siprtx_entry *e;
	int i;

	for (i = 0; i < TABLE_TRIES; i++) {
		e = txn_table_claim(txn_table_load(second) < txn_table_load(first) ? second : first, key, at);
		if (!e)
			return TABLE_FULL;
		if (TABLE_SWAP(first->version, version, version + 1)) {
			TABLE_STORE(e->at, at);
			return TABLE_ADDED;
		}
		TABLE_STORE(e->at, 0);
		version = TABLE_LOAD(first->version);
		if (txn_table_look(first, second, key))
			return TABLE_THERE;
	}
	return TABLE_LOST;
}

/*
 * Was this entry claimed by a controller that is no more? `word` is that of the slot it names, read after it. A claim
 * of an XDP program is of the free slot in its CPU's hand, and a controller's of one it has made ready to be sent.
 */
TABLE_INLINE int txn_table_is_abandoned(__u64 at, __u64 word)
{
	return at & TXN_CLAIMED && (word_gen(word) != txn_gen(at) || word_state(word) != ST_FREE);
}

#endif
