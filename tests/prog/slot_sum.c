// SPDX-License-Identifier: GPL-2.0-or-later
#include "slot_sum.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "slot.h"
#include "txns.h"

enum place { NOWHERE, ON_LIST, IN_HAND, HELD, FOUND };

static void put(uint8_t *place, const struct edge *e, int64_t slot, enum place where)
{
	if (slot < 0 || slot >= e->pins.meta->slots)
		fail_msg("slot %ld is none of %u", slot, e->pins.meta->slots);
	if (place[slot] != NOWHERE)
		fail_msg("slot %ld is in two places, %u and %u", slot, place[slot], where);
	place[slot] = where;
}

/* struct siprtx_percpu (bpf/maps.h) begins with the number of the spare slot + 1. */
static unsigned put_spares(uint8_t *place, const struct edge *e)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0, spare;
	int cpus = libbpf_num_possible_cpus();
	unsigned n = 0;
	char *values;

	assert_int_equal(bpf_obj_get_info_by_fd(e->pins.fd[PIN_percpu], &info, &size), 0);
	size = (info.value_size + 7) & ~7u;
	values = calloc(cpus, size);
	assert_non_null(values);
	assert_int_equal(bpf_map_lookup_elem(e->pins.fd[PIN_percpu], &zero, values), 0);
	for (int cpu = 0; cpu < cpus; cpu++) {
		memcpy(&spare, values + (size_t)cpu * size, sizeof(spare));
		if (spare) {
			put(place, e, (int64_t)spare - 1, IN_HAND);
			n++;
		}
	}
	free(values);
	return n;
}

/*
 * Each key that is not merely remembered leads to a held slot of its own, which says the same key; each key is found
 * where it stands, and so stands there once; nobody is adding one.
 */
static void find_held(uint8_t *place, const struct edge *e)
{
	const struct txns t = txns_of(&e->pins);

	for (size_t i = 0; i < txns_entries(&t); i++) {
		const struct siprtx_entry *entry = txns_entry(&t, i);
		const struct siprtx_slot *s;
		uint64_t at;

		if (!entry->at)
			continue;
		assert_int_equal(txns_find(&t, &entry->key, &at), i);
		assert_int_equal(at, entry->at);
		if (at & TXN_EXHAUSTED)
			continue;
		assert_true(txn_slot(at) < e->pins.meta->slots);
		s = &e->pins.slots[txn_slot(at)];
		if (txn_gen(at) != word_gen(s->word))
			continue;
		assert_int_equal(place[txn_slot(at)], HELD);
		assert_memory_equal(&s->key, &entry->key, sizeof(s->key));
		place[txn_slot(at)] = FOUND;
	}
}

struct slot_sum slot_sum(const struct edge *e)
{
	const struct free_list list = {e->pins.free_slots, e->pins.free_head};
	unsigned slots = e->pins.meta->slots;
	uint8_t *place = calloc(slots, 1);
	struct slot_sum sum = {};

	assert_non_null(place);
	for (int64_t at = free_list_below(&list, -1); at >= 0; at = free_list_below(&list, at)) {
		put(place, e, at, ON_LIST); /* a list that runs in a circle comes to a slot twice */
		sum.free++;
	}
	sum.spare = put_spares(place, e);
	for (unsigned i = 0; i < slots; i++) {
		if (word_state(e->pins.slots[i].word) == ST_FREE)
			continue;
		put(place, e, i, HELD);
		sum.held++;
	}
	find_held(place, e);
	for (unsigned i = 0; i < slots; i++) {
		if (place[i] == NOWHERE)
			fail_msg("slot %u of %u is lost", i, slots);
		if (place[i] == HELD)
			fail_msg("slot %u is held, and no key leads to it", i);
	}
	assert_int_equal(sum.free + sum.held + sum.spare, slots);
	free(place);
	return sum;
}

void free_all(const struct edge *e)
{
	const struct free_list list = {e->pins.free_slots, e->pins.free_head};
	const struct txns t = txns_of(&e->pins);

	for (size_t i = 0; i < txns_entries(&t); i++)
		txns_entry(&t, i)->at = 0;
	for (unsigned i = 0; i < e->pins.meta->slots; i++)
		if (word_state(e->pins.slots[i].word) != ST_FREE)
			slot_free(&list, e->pins.slots, i);
}
