// SPDX-License-Identifier: GPL-2.0-or-later
#include "first.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "record.h"

static unsigned event_of(uint32_t state)
{
	return state == GATEWAY_DOWN ? RECORD_GATEWAY_DOWN : RECORD_GATEWAY_SUSPECT;
}

/* A record of its state as the map `gateways` tells it. */
static void make(const struct feed *feed, const struct siprtx_gateway_key *key, const struct siprtx_gateway *g,
		 struct siprtx_record *out)
{
	*out = (struct siprtx_record){
		.ts_ms = ((g->state_ns ? g->state_ns : now_ns()) + wall_offset_ns()) / 1000000,
		.event = event_of(g->state),
		.reason = g->state_why,
		.dport = key->port,
		.sends = g->state == GATEWAY_DOWN ? g->silent : g->unanswered,
	};
	memcpy(out->daddr, key->addr, sizeof(out->daddr));
	gethostname(out->node, sizeof(out->node) - 1);
	snprintf(out->boot_id, sizeof(out->boot_id), "%s", feed->pins.meta->boot_id);
	snprintf(out->gateway_name, sizeof(out->gateway_name), "%s", g->name);
}

static bool is_about(const struct siprtx_record *r, const struct siprtx_record *gateway)
{
	return r->event == gateway->event && r->dport == gateway->dport &&
	       !memcmp(r->daddr, gateway->daddr, sizeof(r->daddr));
}

/* Puts the newest record of each in place of the one made. */
static void find_records(struct first *first, const struct feed *feed)
{
	uint64_t next = feed_next(feed), oldest = next > MAX_RECORDS ? next - MAX_RECORDS : 1;
	unsigned missing = first->n;
	struct siprtx_record r;

	for (uint64_t seq = next - 1; seq >= oldest && missing; seq--) {
		if (!feed_peek(feed, seq, &r) || !record_is_of_gateway(&r))
			continue;
		for (unsigned i = 0; i < first->n; i++) {
			if (first->record[i].seq || !is_about(&r, &first->record[i]))
				continue;
			first->record[i] = r;
			missing--;
		}
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct siprtx_record *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void first_collect(struct first *first, const struct feed *feed, uint32_t events)
{
	struct siprtx_gateway_key key, *from = NULL;
	struct siprtx_record *longer;
	struct siprtx_gateway g;

	for (; !bpf_map_get_next_key(feed->pins.fd[PIN_gateways], from, &key); from = &key) {
		if (bpf_map_lookup_elem(feed->pins.fd[PIN_gateways], &key, &g) || g.state == GATEWAY_UP ||
		    !(events & 1u << event_of(g.state)))
			continue;
		longer = realloc(first->record, (first->n + 1) * sizeof(*longer));
		if (!longer)
			break;
		first->record = longer;
		make(feed, &key, &g, &first->record[first->n++]);
	}
	if (!first->n)
		return;
	find_records(first, feed);
	qsort(first->record, first->n, sizeof(*first->record), by_seq);
}

bool first_keep(struct first *first, const struct siprtx_record *r)
{
	struct siprtx_record *longer;
	unsigned i;

	if (!record_is_of_gateway(r))
		return false;
	for (i = first->at; i < first->n; i++)
		if (first->record[i].dport == r->dport && !memcmp(first->record[i].daddr, r->daddr, sizeof(r->daddr)))
			break;
	/* the order stays that of the numbers */
	if (i < first->n) {
		memmove(&first->record[i], &first->record[i + 1], (first->n - i - 1) * sizeof(*r));
		first->record[first->n - 1] = *r;
		return true;
	}
	if (first->n - first->at >= FIRST_KEPT)
		return false;
	if (first->at)
		memmove(first->record, first->record + first->at, (first->n - first->at) * sizeof(*r));
	first->n -= first->at;
	first->at = 0;
	longer = realloc(first->record, (first->n + 1) * sizeof(*r));
	if (!longer)
		return false;
	first->record = longer;
	first->record[first->n++] = *r;
	return true;
}

struct siprtx_record *first_peek(struct first *first)
{
	return first->at < first->n ? &first->record[first->at] : NULL;
}

void first_pop(struct first *first)
{
	if (++first->at >= first->n)
		first_free(first);
}

void first_free(struct first *first)
{
	free(first->record);
	*first = (struct first){0};
}
