// SPDX-License-Identifier: GPL-2.0-or-later
#include "calls.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sip.h"
#include "slot.h"

/* Neighbours in a chain looked at, of one call or not: INVITEs made to collide must not cost more than their number. */
#define WALK_MAX 64

#define PRIME ((1ull << 61) - 1)

struct place {
	struct call_name name;
	uint32_t gen;
	bool known, linked;
	uint32_t bucket;
	uint32_t next, before; /* slot + 1, 0: none */
};

struct calls {
	const struct siprtx_slot *slots;
	struct place *place; /* by slot */
	uint32_t *bucket;    /* slot + 1, 0: none */
	uint32_t mask;
	uint64_t secret; /* under PRIME */
};

struct calls *calls_new(const struct siprtx_slot *slots, uint32_t n_slots)
{
	struct calls *c = calloc(1, sizeof(*c));
	uint32_t buckets = 1;

	if (!c)
		return NULL;
	while (buckets < n_slots)
		buckets *= 2;
	c->slots = slots;
	c->mask = buckets - 1;
	c->place = calloc(n_slots, sizeof(*c->place));
	c->bucket = calloc(buckets, sizeof(*c->bucket));
	if (c->place && c->bucket && getrandom(&c->secret, sizeof(c->secret), 0) == sizeof(c->secret)) {
		c->secret %= PRIME;
		return c;
	}
	calls_free(c);
	return NULL;
}

void calls_free(struct calls *c)
{
	if (!c)
		return;
	free(c->place);
	free(c->bucket);
	free(c);
}

const struct call_name *calls_name(struct calls *c, uint32_t slot)
{
	const struct siprtx_slot *s = &c->slots[slot];
	struct place *p = &c->place[slot];
	uint32_t gen = word_gen(slot_word(s));
	uint16_t end = s->sip_off + s->sip_len;
	struct sip_detail detail = {};
	struct sip_msg m = {};

	if (p->known && p->gen == gen)
		return &p->name;
	/* nothing says that what is in the map was written by this version of the data path */
	if (s->sip_off >= SLOT_L3 + 28 && end <= SLOT_SIZE && sip_scan(s, s->sip_off, end, &m) == SIP_OK)
		sip_detail(s, end, &m, &detail);
	p->name = (struct call_name){detail.call_id, detail.from_tag, {m.branch, m.branch_len}, detail.to_tag.len > 0};
	p->gen = gen;
	p->known = true;
	return &p->name;
}

/* A polynomial over the secret, modulo a prime: who does not know it finds no collisions but by chance. */
static uint64_t hash_more(const struct calls *c, uint64_t hash, const void *data, size_t n)
{
	const char *at = data;
	uint32_t word;

	for (size_t i = 0; i <= n; i += sizeof(word)) {
		unsigned __int128 x = (unsigned __int128)hash * c->secret;

		word = 1; /* where no byte is left */
		memcpy(&word, at + i, n - i < sizeof(word) ? n - i : sizeof(word));
		x += word;
		hash = (uint64_t)(x & PRIME) + (uint64_t)(x >> 61);
		hash = hash >= PRIME ? hash - PRIME : hash;
	}
	return hash;
}

static const char *bytes_of(const struct calls *c, uint32_t slot, struct sip_span span)
{
	return (const char *)&c->slots[slot] + span.at;
}

static uint32_t bucket_of(const struct calls *c, uint32_t slot, const struct call_name *name)
{
	uint64_t hash = hash_more(c, 1, bytes_of(c, slot, name->call_id), name->call_id.len);

	return hash_more(c, hash, bytes_of(c, slot, name->from_tag), name->from_tag.len) & c->mask;
}

void calls_add(struct calls *c, uint32_t slot)
{
	const struct call_name *name = calls_name(c, slot);
	struct place *p = &c->place[slot];
	uint32_t *first;

	if (p->linked || !name->call_id.len || !name->from_tag.len)
		return;
	p->bucket = bucket_of(c, slot, name);
	first = &c->bucket[p->bucket];
	p->before = 0;
	p->next = *first;
	if (p->next)
		c->place[p->next - 1].before = slot + 1;
	*first = slot + 1;
	p->linked = true;
}

void calls_remove(struct calls *c, uint32_t slot)
{
	struct place *p = &c->place[slot];

	if (!p->linked)
		return;
	p->linked = false;
	if (p->next)
		c->place[p->next - 1].before = p->before;
	if (p->before)
		c->place[p->before - 1].next = p->next;
	else
		c->bucket[p->bucket] = p->next;
}

static bool equal(const struct calls *c, uint32_t a, struct sip_span x, uint32_t b, struct sip_span y)
{
	return x.len == y.len && !memcmp(bytes_of(c, a, x), bytes_of(c, b, y), x.len);
}

static unsigned find_same(struct calls *c, uint32_t slot, bool same_branch, uint32_t out[CALLS_SAME])
{
	const struct place *p = &c->place[slot];
	uint32_t at = p->linked ? c->bucket[p->bucket] : 0;
	unsigned n = 0;

	for (unsigned walked = 0; at && walked < WALK_MAX && n < CALLS_SAME; walked++) {
		const struct place *o = &c->place[at - 1];

		if (at - 1 != slot && equal(c, slot, p->name.call_id, at - 1, o->name.call_id) &&
		    equal(c, slot, p->name.from_tag, at - 1, o->name.from_tag) &&
		    equal(c, slot, p->name.branch, at - 1, o->name.branch) == same_branch)
			out[n++] = at - 1;
		at = o->next;
	}
	return n;
}

unsigned calls_same(struct calls *c, uint32_t slot, uint32_t out[CALLS_SAME])
{
	return find_same(c, slot, false, out);
}

unsigned calls_same_branch(struct calls *c, uint32_t slot, uint32_t out[CALLS_SAME])
{
	return find_same(c, slot, true, out);
}
