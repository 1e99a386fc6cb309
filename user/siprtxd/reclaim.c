// SPDX-License-Identifier: GPL-2.0-or-later
#include "reclaim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
 * Slots that are nobody's: free by their word, not on the free list and no CPU's spare. What is taken meanwhile shows
 * in one of the three, for they are looked at in the order in which a slot passes through them; but for the moment
 * between taking it off the list and naming it as spare. Returns how many are in *list, or -errno.
 */
static int find_lost(const struct pins *pins, const struct free_list *free_list, struct lost_slot **list)
{
	uint32_t slots = pins->entries[PIN_slots], n = 0;
	bool *used = calloc(slots, sizeof(*used));
	uint64_t *word = calloc(slots, sizeof(*word));
	struct lost_slot *lost = NULL, *more;
	int err = used && word ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < slots && !err; i++)
		word[i] = slot_word(&pins->slots[i]);
	for (int64_t at = err ? -1 : free_list_below(free_list, -1); at >= 0 && at < slots && n < slots;
	     at = free_list_below(free_list, at)) {
		used[at] = true;
		n++;
	}
	if (!err)
		err = mark_spares(pins, used);
	n = 0;
	for (uint32_t i = 0; i < slots && !err; i++) {
		if (used[i] || word_state(word[i]) != ST_FREE || slot_word(&pins->slots[i]) != word[i])
			continue;
		more = realloc(lost, (n + 1) * sizeof(*lost));
		if (!more) {
			err = -ENOMEM;
			break;
		}
		lost = more;
		lost[n++] = (struct lost_slot){i, word_gen(word[i])};
	}
	free(used);
	free(word);
	if (err) {
		free(lost);
		return err;
	}
	*list = lost;
	return n;
}

int reclaim_look(struct reclaim *r, const struct pins *pins, const struct free_list *free_list)
{
	int n;

	reclaim_forget(r);
	n = find_lost(pins, free_list, &r->lost);
	if (n > 0)
		r->n = n;
	return n;
}

int reclaim_take(struct reclaim *r, const struct pins *pins, struct free_list *free_list)
{
	struct lost_slot *still = NULL;
	unsigned at = 0;
	int n = find_lost(pins, free_list, &still), taken = 0;

	/* both lists are in the order of the slots */
	for (int i = 0; still && i < n; i++) {
		while (at < r->n && r->lost[at].slot < still[i].slot)
			at++;
		if (at == r->n || r->lost[at].slot != still[i].slot || r->lost[at].gen != still[i].gen)
			continue;
		slot_free(free_list, pins->slots, still[i].slot);
		taken++;
	}
	free(still);
	reclaim_forget(r);
	return n < 0 ? n : taken;
}

void reclaim_forget(struct reclaim *r)
{
	free(r->lost);
	*r = (struct reclaim){};
}
