// SPDX-License-Identifier: GPL-2.0-or-later
#include "reclaim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

/* Marks the slot each CPU took and did not use: struct siprtx_percpu begins with its number + 1. */
static int mark_spares(const struct pins *pins, bool *used)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), zero = 0;
	int cpus = libbpf_num_possible_cpus(), err = 0;
	char *values;

	if (cpus < 0)
		return cpus;
	if (bpf_obj_get_info_by_fd(pins->fd[PIN_percpu], &info, &size))
		return -errno;
	size = (info.value_size + 7) & ~7u;
	values = calloc(cpus, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(pins->fd[PIN_percpu], &zero, values))
		err = -errno;
	for (int cpu = 0; cpu < cpus && !err; cpu++) {
		__u32 spare;

		memcpy(&spare, values + (size_t)cpu * size, sizeof(spare));
		if (spare && spare <= pins->entries[PIN_slots])
			used[spare - 1] = true;
	}
	free(values);
	return err;
}

/*
 * A slot in the free list has no record_seq, and no record has this bit: when the slot was found lost, ms. It goes with
 * the next slot_free().
 */
#define LOST (1ull << 63)

/* True: it has been lost long enough. */
static bool look_at(struct siprtx_slot *s, uint64_t now_ns, unsigned *marked)
{
	if (s->record_seq & LOST && now_ns / MS >= (s->record_seq & ~LOST) + RECLAIM_NS / MS)
		return true;
	if (!marked)
		return false;
	if (!(s->record_seq & LOST))
		s->record_seq = LOST | now_ns / MS;
	++*marked;
	return false;
}

/*
 * Slots that are nobody's: free by their word, not on the free list and no CPU's spare. What is taken meanwhile shows
 * in one of the three, for they are looked at in the order in which a slot passes through them; but for the moment
 * between taking it off the list and naming it as spare.
 */
int reclaim(const struct pins *pins, const struct free_list *free_list, uint64_t now_ns, unsigned *marked)
{
	uint32_t slots = pins->entries[PIN_slots], n = 0;
	bool *used = calloc(slots, sizeof(*used));
	uint64_t *word = calloc(slots, sizeof(*word));
	int err = used && word ? 0 : -ENOMEM, freed = 0;

	for (uint32_t i = 0; i < slots && !err; i++)
		word[i] = slot_word(&pins->slots[i]);
	for (int64_t at = err ? -1 : free_list_below(free_list, -1); at >= 0 && at < slots && n < slots;
	     at = free_list_below(free_list, at)) {
		used[at] = true;
		n++;
	}
	if (!err)
		err = mark_spares(pins, used);
	for (uint32_t i = 0; i < slots && !err; i++) {
		if (used[i] || word_state(word[i]) != ST_FREE || slot_word(&pins->slots[i]) != word[i])
			continue;
		if (!look_at(&pins->slots[i], now_ns, marked))
			continue;
		slot_free(free_list, pins->slots, i);
		freed++;
	}
	free(used);
	free(word);
	return err ?: freed;
}
