/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of the table of keys: a table, and keys that messages have. */
#ifndef TXN_WORLD_H
#define TXN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "key.h"
#include "txns.h"

#define MAX_BUCKETS 65536

static struct siprtx_bucket bucket[MAX_BUCKETS];
static struct txns table = {bucket, MAX_BUCKETS};

static inline void clear(uint32_t buckets)
{
	memset(bucket, 0, buckets * sizeof(*bucket));
	table.n = buckets;
}

/* The key of call `n` of a softswitch that counts its branches. */
static inline struct siprtx_key key_of_call(unsigned n)
{
	static struct siprtx_hash_key secret;
	static struct siprtx_slot slot;
	struct sip_msg m = {.host = 256, .branch = 320, .port = 5060, .cseq = 1};
	struct siprtx_key key;

	if (!secret.k[0]) {
		srandom(3261);
		for (size_t i = 0; i < KEY_WORDS; i++)
			secret.k[i] = (uint32_t)random() << 16 ^ (uint32_t)random();
	}
	m.host_len = snprintf((char *)&slot + m.host, 32, "192.0.2.10");
	m.branch_len = snprintf((char *)&slot + m.branch, 32, "z9hG4bK%08x", n);
	sip_key(&slot, &m, SIP_INVITE, &secret, &key);
	return key;
}

/* How many entries hold this key; all of them are whole. */
static inline unsigned times_there(const struct siprtx_key *key)
{
	unsigned n = 0;

	for (size_t i = 0; i < txns_entries(&table); i++) {
		const struct siprtx_entry *e = txns_entry(&table, i);

		assert_false(e->at & TXN_CLAIMED);
		n += e->at && !memcmp(&e->key, key, sizeof(*key));
	}
	return n;
}

#endif
