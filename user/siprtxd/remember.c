// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* tdestroy */
#include "remember.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "map_batch.h"
#include "slot.h"

#define BATCH	 256 /* keys one syscall takes away */
#define BATCHES	 4   /* a call: some hundred us at most */
#define ROOM_MIN 1024
#define MS	 1000000ull

struct tombstone {
	struct siprtx_key key;
	uint64_t ns;
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
	size_t room = r->room ? 2 * r->room : ROOM_MIN, n = remember_count(r);
	struct tombstone *ring = malloc(room * sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ring[i] = r->ring[(r->head + i) & (r->room - 1)];
	free(r->ring);
	*r = (struct remembered){.pins = r->pins, .ring = ring, .tail = n, .room = room, .tree = r->tree};
	return 0;
}

static int push(struct remembered *r, const struct siprtx_key *key, uint64_t now_ns)
{
	if (remember_count(r) == r->room && grow(r))
		return -ENOMEM;
	r->ring[r->tail++ & (r->room - 1)] = (struct tombstone){*key, now_ns};
	return 0;
}

/* With its slot free still, it is about to be captured: the generation rises when a slot goes free. */
static bool is_live(const struct pins *pins, const struct siprtx_txn *txn)
{
	return txn->slot < pins->entries[PIN_slots] && word_gen(slot_word(&pins->slots[txn->slot])) == txn->gen;
}

/* When the transaction of a dead key ended: as it is marked, or now, and so it is marked. */
static uint64_t ended_ns(const struct pins *pins, const struct siprtx_key *key, const struct siprtx_txn *txn,
			 uint64_t now_ns)
{
	const struct siprtx_txn ended = {.slot = TXN_ENDED, .gen = now_ns / MS};
	int32_t age_ms = ended.gen - txn->gen;

	if (txn->slot & (TXN_EXHAUSTED | TXN_ENDED))
		return age_ms > 0 && now_ns > age_ms * MS ? now_ns - age_ms * MS : now_ns;
	/* where it fails, the time begins anew with the next controller */
	bpf_map_update_elem(pins->fd[PIN_txns], key, &ended, BPF_EXIST);
	return now_ns;
}

static int by_time(const void *a, const void *b)
{
	const struct tombstone *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

int remember_open(struct remembered *r, const struct pins *pins, uint64_t now_ns)
{
	struct siprtx_key key, *from = NULL;
	struct siprtx_txn txn;
	int err;

	*r = (struct remembered){.pins = pins};
	while (!bpf_map_get_next_key(pins->fd[PIN_txns], from, &key)) {
		from = &key;
		/* the same call before the slot is looked at: what is captured meanwhile is live */
		if (bpf_map_lookup_elem(pins->fd[PIN_txns], &key, &txn) || is_live(pins, &txn))
			continue;
		if (push(r, &key, ended_ns(pins, &key, &txn, now_ns)))
			return -ENOMEM;
	}
	err = errno;
	if (r->ring)
		qsort(r->ring, remember_count(r), sizeof(*r->ring), by_time);
	return err == ENOENT ? 0 : -err;
}

void remember_close(struct remembered *r)
{
	tdestroy(r->tree, free);
	free(r->ring);
	*r = (struct remembered){};
}

/* Tells the XDP programs, and keeps what an event of a late response names. */
static void mark_exhausted(struct remembered *r, const struct siprtx_key *key, uint64_t now_ns, const struct call *call,
			   uint64_t record_seq)
{
	struct siprtx_txn txn = {.slot = call->slot | TXN_EXHAUSTED, .gen = now_ns / MS};
	struct exhausted_call *new = malloc(sizeof(*new));

	/* where it fails the response is merely counted as unknown */
	bpf_map_update_elem(r->pins->fd[PIN_txns], key, &txn, BPF_EXIST);
	if (!new)
		return;
	*new = (struct exhausted_call){.key = *key, .call = *call, .record_seq = record_seq};
	if (!tsearch(new, &r->tree, by_key))
		free(new);
}

void remember_add(struct remembered *r, const struct siprtx_key *key, uint64_t now_ns, const struct call *exhausted,
		  uint64_t record_seq)
{
	if (push(r, key, now_ns))
		bpf_map_delete_elem(r->pins->fd[PIN_txns], key);
	else if (exhausted)
		mark_exhausted(r, key, now_ns, exhausted, record_seq);
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
	struct siprtx_key keys[BATCH];
	__u32 n = BATCH;

	for (int i = 0; i < BATCHES && n == BATCH; i++) {
		for (n = 0; n < BATCH && r->head != r->tail; n++) {
			const struct tombstone *t = &r->ring[r->head & (r->room - 1)];

			if (t->ns + keep_ms * MS > now_ns)
				break;
			keys[n] = t->key;
			forget_call(r, &t->key);
			r->head++;
		}
		if (n)
			map_delete_keys(r->pins->fd[PIN_txns], keys, sizeof(*keys), n);
	}
}
