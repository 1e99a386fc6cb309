// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sip.h"
#include "sip_detail.h"

/* Where the Call-ID of a slot's message is: looked for once a transaction. */
struct call_id_place {
	struct sip_span span;
	uint32_t gen;
	bool known;
};

int events_open(struct events *ev, const struct pins *pins)
{
	ev->pins = pins;
	ev->place = calloc(pins->entries[PIN_slots], sizeof(*ev->place));
	return ev->place ? 0 : -ENOMEM;
}

void events_close(struct events *ev)
{
	free(ev->place);
	ev->place = NULL;
}

static struct sip_span call_id_of(struct events *ev, uint32_t slot)
{
	const struct siprtx_slot *s = &ev->pins->slots[slot];
	struct call_id_place *place = &ev->place[slot];
	uint16_t end = s->sip_off + s->sip_len;
	struct sip_detail detail = {};
	struct sip_msg m;

	if (place->known && place->gen == word_gen(slot_word(s)))
		return place->span;
	if (s->sip_off >= SLOT_L3 + 28 && end <= SLOT_SIZE && sip_scan(s, s->sip_off, end, &m) == SIP_OK)
		sip_detail(s, end, &m, &detail);
	*place = (struct call_id_place){detail.call_id, word_gen(slot_word(s)), true};
	return place->span;
}

void events_call(struct events *ev, uint32_t slot, struct call *out)
{
	const struct siprtx_slot *s = &ev->pins->slots[slot];
	struct sip_span id = call_id_of(ev, slot);
	size_t n = id.len < sizeof(out->call_id) ? id.len : sizeof(out->call_id) - 1;

	out->first_ns = s->first_ns;
	out->slot = slot;
	out->gen = word_gen(slot_word(s));
	out->port = s->dport;
	out->sends = s->sends;
	memcpy(out->addr, s->daddr, sizeof(out->addr));
	memcpy(out->call_id, (const char *)s + id.at, n);
	memset(out->call_id + n, 0, sizeof(out->call_id) - n);
}

void events_write(struct events *ev, const struct call *c, const struct transaction_event *e)
{
	struct siprtx_meta *m = ev->pins->meta;
	struct siprtx_event *out = &ev->pins->events[m->next_event % MAX_EVENTS];
	uint64_t seq = m->next_event;

	/* a reader who sees 0, or another number after than before, has not seen an event */
	__atomic_store_n(&out->seq, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	out->ns = e->ns;
	out->slot = c->slot;
	out->gen = c->gen;
	out->kind = e->kind;
	out->code = e->code;
	out->attempt = c->sends;
	out->port = c->port;
	out->nominal_ms = e->nominal_ms;
	out->late_us = e->late_us;
	memcpy(out->addr, c->addr, sizeof(out->addr));
	memcpy(out->call_id, c->call_id, sizeof(out->call_id));
	__atomic_store_n(&out->seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&m->next_event, seq + 1, __ATOMIC_RELEASE);
}
