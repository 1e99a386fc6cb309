/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of transactions and the map that holds them: part of abi.h, which includes it. */
#ifndef SIPRTX_ABI_KEYS_H
#define SIPRTX_ABI_KEYS_H

#include <linux/types.h>

struct siprtx_key { /* keyed 128-bit hash, see key.h */
	__u64 hash[2];
};

/*
 * txns: BPF_F_MMAPABLE ARRAY, u32 bucket -> struct siprtx_bucket, a table of keys (txn_table.h). What an entry says of
 * its key is one word, `at`, as the slot's is; 0: the entry is empty.
 *
 *   63..32 generation | 31 exhausted | 30 ended | 29 used | 28 claimed | 27..0 slot
 *
 * A generation that is not the slot's: the key of an ended transaction, remembered. When one ends by exhaustion the
 * controller sets TXN_EXHAUSTED and puts the time of the end in the place of the generation (CLOCK_MONOTONIC, ms, cut
 * to 32 bits), so that a response that still comes is known as late (rule 24). A controller that starts puts TXN_ENDED
 * and the time into every other key it finds ended, so that the next one knows how long it has been remembered.
 */
#define TXN_EXHAUSTED 0x80000000u
#define TXN_ENDED     0x40000000u
#define TXN_USED      0x20000000u /* of every whole entry, so that none of them is 0 */
#define TXN_CLAIMED   0x10000000u /* in its place while the key is being written, or it is not sure to stay */
#define TXN_SLOT      0x0fffffffu

static inline __u32 txn_slot(__u64 at)
{
	return at & TXN_SLOT;
}
static inline __u32 txn_gen(__u64 at) /* or the time of the end, ms */
{
	return at >> 32;
}
static inline __u64 txn_at(__u32 slot, __u32 gen, __u32 flags)
{
	return (__u64)gen << 32 | slot | TXN_USED | flags;
}

#define BUCKET_ENTRIES 5

struct siprtx_entry {
	__u64 at;
	struct siprtx_key key;
};

struct siprtx_bucket { /* two cache lines */
	struct siprtx_entry entry[BUCKET_ENTRIES];
	__u64 version; /* of the keys whose first bucket it is: how many have been added */
};
_Static_assert(sizeof(struct siprtx_bucket) == 128, "bucket size");

#endif
