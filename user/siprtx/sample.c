// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "counter_sum.h"

/* Gateways without a name come last. */
static int compare(const void *a, const void *b)
{
	const struct gateway *x = a, *y = b;
	int order = !*x->value.name - !*y->value.name;

	if (!order)
		order = strncmp(x->value.name, y->value.name, NAME_LEN);
	if (!order)
		order = memcmp(x->key.addr, y->key.addr, sizeof(x->key.addr));
	return order ? order : x->key.port - y->key.port;
}

int gateways_read(const struct pins *pins, struct gateway **list, unsigned *n)
{
	int fd = pins->fd[PIN_gateways];
	unsigned room = pins->entries[PIN_gateways], count = 0, turn, i;
	struct gateway *all = malloc(room * sizeof(*all));
	struct siprtx_gateway_key *last = NULL;

	if (!all)
		return -ENOMEM;
	for (turn = 0; turn < 2 * room && count < room; turn++) {
		if (bpf_map_get_next_key(fd, last, &all[count].key))
			break;
		last = &all[count].key;
		if (!bpf_map_lookup_elem(fd, last, &all[count].value))
			count++;
	}
	qsort(all, count, sizeof(*all), compare);
	/* one taken out in the middle of the walk makes it begin anew */
	for (i = 0, turn = 0; turn < count; turn++)
		if (!i || memcmp(&all[i - 1].key, &all[turn].key, sizeof(all->key)))
			all[i++] = all[turn];
	*list = all;
	*n = i;
	return 0;
}

int sample_take(const struct pins *pins, struct sample *s)
{
	struct sample taken = {.ns = now_ns(), .loaded_ns = pins->meta->loaded_ns};
	struct gateway *list;
	unsigned i, n;
	int err;

	err = counter_sum(pins, 0, CNT_COUNT, taken.counters);
	if (err)
		return err;
	for (i = 0; i < STAT_COUNT; i++)
		taken.stats[i] = pins->stats[i];
	err = gateways_read(pins, &list, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		taken.answered += list[i].value.answered;
	free(list);
	*s = taken;
	return 0;
}

void held_count(const struct pins *pins, struct held *held)
{
	unsigned i;

	*held = (struct held){0};
	for (i = 0; i < pins->entries[PIN_slots]; i++) {
		const struct siprtx_slot *s = &pins->slots[i];
		uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

		if (word_state(word) != ST_FREE && s->kind == KIND_PROBE) {
			held->probes++;
			continue;
		}
		held->in_state[word_state(word)]++;
		/* one just captured was not taken over yet */
		held->given_back += word_sends(s->kind, word) && !(word & WORD_TAKEN) && !word_end(word) && s->sends;
	}
	held->replies = pins->stats[STAT_reply_slots];
	held->slots = pins->entries[PIN_slots] - held->in_state[ST_FREE] - held->probes + held->replies;
}
