// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* tdestroy */
#include "remember.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "slot.h"
#include "txn_table.h"
#include "txns.h"

#define RUN_MAX	    1024 /* keys a call takes away: some hundred us at most */
#define ROOM_MIN    1024
#define FETCH_AHEAD 8 /* buckets */
#define MS	    1000000ull

struct tombstone {
	uint64_t at;	/* of the entry; where it is another by now, the key has gone already */
	uint32_t entry; /* of `txns` */
	uint32_t ms;	/* when it ended, cut to 32 bits */
};

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct siprtx_key)); /* the key comes first in an exhausted_call */
}

size_t remember_count(const struct remembered *r)
{
	return r->tail - r->head;
}

static int grow(struct remembered *r)
{
	size_t room = r->room ? 2 * r->room : ROOM_MIN, n = remember_count(r),
	       head = r->room ? r->head & (r->room - 1) : 0;
	struct tombstone *ring = realloc(r->ring, room * sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	/* what had gone on at the ring's beginning goes on where it ended */
	if (head + n > r->room)
		memcpy(ring + r->room, ring, (head + n - r->room) * sizeof(*ring));
	r->ring = ring;
	r->head = head;
	r->tail = head + n;
	r->room = room;
	return 0;
}

static int push(struct remembered *r, uint32_t entry, uint64_t at, uint32_t ms)
{
	if (remember_count(r) == r->room && grow(r))
		return -ENOMEM;
	r->ring[r->tail++ & (r->room - 1)] = (struct tombstone){at, entry, ms};
	return 0;
}

/* With its slot free still, it is about to be captured: the generation rises when a slot goes free. */
static bool is_live(const struct pins *pins, uint64_t at)
{
	return !(at & (TXN_EXHAUSTED | TXN_ENDED)) && txn_slot(at) < pins->entries[PIN_slots] &&
	       word_gen(slot_word(&pins->slots[txn_slot(at)])) == txn_gen(at);
}

/* When the transaction of a dead key ended, ms: as it is marked, or now, and so it is marked. */
static uint32_t ended_ms(const struct txns *t, uint32_t entry, uint64_t *at, uint32_t now_ms)
{
	const uint64_t ended = txn_at(txn_slot(*at), now_ms, TXN_ENDED);

	if (*at & (TXN_EXHAUSTED | TXN_ENDED))
		return (int32_t)(now_ms - txn_gen(*at)) > 0 ? txn_gen(*at) : now_ms;
	if (txns_change(t, entry, *at, ended))
		*at = ended;
	return now_ms;
}

/* The times of one ring lie less than half of what 32 bits hold from each other. */
static int by_time(const void *a, const void *b)
{
	const struct tombstone *x = a, *y = b;

	return (int32_t)(x->ms - y->ms);
}

static int find_ended(struct remembered *r, const struct txns *t, uint32_t entry, uint64_t now_ns)
{
	/* the entry before the slot is looked at: what is captured meanwhile is live */
	uint64_t at = entry_at(txns_entry(t, entry));
	uint32_t ms;

	if (at & TXN_CLAIMED) {
		if (txn_slot(at) >= r->pins->entries[PIN_slots] ||
		    txn_table_is_abandoned(at, slot_word(&r->pins->slots[txn_slot(at)])))
			txns_change(t, entry, at, 0);
		return 0;
	}
	if (!at || is_live(r->pins, at))
		return 0;
	ms = ended_ms(t, entry, &at, now_ns / MS);
	return push(r, entry, at, ms);
}

/* The slots that the keys of this bucket name are far from each other: they are asked for some time before the look. */
static void fetch_slots(const struct pins *pins, uint32_t bucket)
{
	for (unsigned i = 0; i < BUCKET_ENTRIES && bucket < pins->entries[PIN_txns]; i++) {
		uint64_t at = pins->txns[bucket].entry[i].at;

		if (at && txn_slot(at) < pins->entries[PIN_slots])
			__builtin_prefetch(&pins->slots[txn_slot(at)].word);
	}
}

int remember_open(struct remembered *r, const struct pins *pins, uint64_t now_ns)
{
	const struct txns t = txns_of(pins);

	*r = (struct remembered){.pins = pins};
	for (uint32_t b = 0; b < t.n; b++) {
		fetch_slots(pins, b + FETCH_AHEAD);
		for (unsigned i = 0; i < BUCKET_ENTRIES; i++)
			if (find_ended(r, &t, b * BUCKET_ENTRIES + i, now_ns))
				return -ENOMEM;
	}
	if (r->ring)
		qsort(r->ring, remember_count(r), sizeof(*r->ring), by_time);
	return 0;
}

void remember_close(struct remembered *r)
{
	tdestroy(r->tree, free);
	free(r->ring);
	*r = (struct remembered){};
}

/* Keeps what an event of a late response names; without memory, it is none. */
static void keep_call(struct remembered *r, const struct siprtx_key *key, const struct call *call, uint64_t record_seq)
{
	struct exhausted_call *new = malloc(sizeof(*new));

	if (!new)
		return;
	*new = (struct exhausted_call){.key = *key, .call = *call, .record_seq = record_seq};
	if (!tsearch(new, &r->tree, by_key))
		free(new);
}

void remember_add(struct remembered *r, const struct siprtx_key *key, uint64_t now_ns, const struct call *exhausted,
		  uint64_t record_seq)
{
	const struct txns t = txns_of(r->pins);
	uint64_t at, marked;
	int64_t entry = txns_find(&t, key, &at);

	if (entry < 0)
		return;
	/* tells the XDP programs */
	marked = exhausted ? txn_at(exhausted->slot, now_ns / MS, TXN_EXHAUSTED) : at;
	txns_change(&t, entry, at, marked);
	if (push(r, entry, marked, now_ns / MS))
		txns_change(&t, entry, marked, 0);
	else if (exhausted)
		keep_call(r, key, exhausted, record_seq);
}

struct exhausted_call *remember_exhausted(const struct remembered *r, const struct siprtx_key *key)
{
	struct exhausted_call **found = tfind(key, &r->tree, by_key);

	return found ? *found : NULL;
}

static void forget_call(struct remembered *r, const struct siprtx_key *key)
{
	struct exhausted_call **found = tfind(key, &r->tree, by_key), *e;

	if (!found)
		return;
	e = *found;
	tdelete(e, &r->tree, by_key);
	free(e);
}

void remember_run(struct remembered *r, uint64_t now_ns, uint32_t keep_ms)
{
	const struct txns t = txns_of(r->pins);

	for (int i = 0; i < RUN_MAX && r->head != r->tail; i++) {
		const struct tombstone *tomb = &r->ring[r->head & (r->room - 1)];

		if ((int32_t)((uint32_t)(now_ns / MS) - tomb->ms) < (int64_t)keep_ms)
			break;
		if (tomb->at & TXN_EXHAUSTED)
			forget_call(r, &txns_entry(&t, tomb->entry)->key);
		txns_change(&t, tomb->entry, tomb->at, 0);
		r->head++;
	}
}
