/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of ended transactions: they stay in `txns` for the time `remember` says (rule 23), then go. */
#ifndef SIPRTXD_REMEMBER_H
#define SIPRTXD_REMEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "pins.h"

/* What is told of a response that still comes to an exhausted transaction (rule 24). */
struct exhausted_call {
	struct siprtx_key key;
	struct call call;
	uint64_t record_seq;
	bool late_provisional, late_final; /* recorded */
};

struct remembered {
	const struct pins *pins;
	struct tombstone *ring; /* a FIFO: all are kept equally long */
	size_t head, tail, room;
	void *tree; /* the exhausted ones, by key */
};

/*
 * Finds every key in `txns` that is no live transaction's. One that ended while nobody kept the time begins it now, and
 * is marked with it (TXN_ENDED). What a killed controller was adding goes. `pins` must stay. 0 or -ENOMEM.
 */
int remember_open(struct remembered *r, const struct pins *pins, uint64_t now_ns);
void remember_close(struct remembered *r);
/*
 * From now on the key is only remembered. With `exhausted` a response that still comes is late (rule 24), and
 * remember_exhausted() finds the call. Without memory the key goes at once: a copy still under way may then arm anew.
 */
void remember_add(struct remembered *r, const struct siprtx_key *key, uint64_t now_ns, const struct call *exhausted,
		  uint64_t record_seq);
/* NULL: not known, or no longer. */
struct exhausted_call *remember_exhausted(const struct remembered *r, const struct siprtx_key *key);
/* Takes away the keys that have been kept `keep_ms`, a bounded number a call. */
void remember_run(struct remembered *r, uint64_t now_ns, uint32_t keep_ms);
size_t remember_count(const struct remembered *r);

#endif
