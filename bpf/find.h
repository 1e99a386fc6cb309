/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transaction that a message names by its key. */
#ifndef BPF_FIND_H
#define BPF_FIND_H

#include "key.h"
#include "slot.h"
#include "txn.h"

struct found {
	struct siprtx_slot *slot;
	__u64 word; /* of the slot, when it was found */
	struct siprtx_key key;
	__u32 index; /* of the slot */
};

/* The one held of the message in `buf` with `method` in place of its own. 0: there is none, or it is remembered only.
 */
static __always_inline int find_held(const struct siprtx_slot *buf, const struct sip_msg *m, __u32 method,
				     struct found *f)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	__u64 txn;

	if (!secret)
		return 0;
	sip_key(buf, m, method, secret, &f->key);
	txn = find_txn(&f->key);
	if (!txn)
		return 0;
	f->index = txn_slot(txn);
	f->slot = held_slot(txn, &f->word);
	return !!f->slot;
}

#endif
