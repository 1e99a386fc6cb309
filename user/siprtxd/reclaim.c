// SPDX-License-Identifier: GPL-2.0-or-later
#include "reclaim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Longer than a packet is ever in the hands of an XDP program. */
#define CAPTURE_NS 10000000

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

/* used[slot]: a live transaction, on the free list, or a CPU's spare. Returns how many are not, or -errno. */
static int find_lost(const struct pins *pins, const struct free_list *list, bool *used)
{
	uint32_t slots = pins->entries[PIN_slots], n = 0;
	int lost = 0, err;

	for (uint32_t i = 0; i < slots; i++)
		used[i] = word_state(slot_word(&pins->slots[i])) != ST_FREE;
	for (int64_t at = free_list_below(list, -1); at >= 0 && at < slots && n < slots;
	     at = free_list_below(list, at)) {
		used[at] = true;
		n++;
	}
	err = mark_spares(pins, used);
	if (err)
		return err;
	for (uint32_t i = 0; i < slots; i++)
		lost += !used[i];
	return lost;
}

int reclaim_slots(const struct pins *pins, struct free_list *list)
{
	__u32 *capture = &pins->in_force->tunables[TUN_capture], before;
	bool *used = calloc(pins->entries[PIN_slots], sizeof(*used));
	int lost;

	if (!used)
		return -ENOMEM;
	lost = find_lost(pins, list, used);
	if (lost > 0) {
		/* some may only be in the hands of a capture under way: look again when there can be none */
		before = __atomic_exchange_n(capture, 0, __ATOMIC_ACQ_REL);
		nanosleep(&(struct timespec){.tv_nsec = CAPTURE_NS}, NULL);
		lost = find_lost(pins, list, used);
		for (uint32_t i = 0; i < pins->entries[PIN_slots] && lost > 0; i++)
			if (!used[i])
				slot_free(list, pins->slots, i);
		__atomic_store_n(capture, before, __ATOMIC_RELEASE);
	}
	free(used);
	return lost;
}
