// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include <string.h>

void events_call(struct events *ev, uint32_t slot, struct call *out)
{
	const struct siprtx_slot *s = &ev->pins->slots[slot];
	struct sip_span id = calls_name(ev->calls, slot)->call_id;
	size_t n = id.len < sizeof(out->call_id) ? id.len : sizeof(out->call_id) - 1;

	out->first_ns = s->first_ns;
	out->slot = slot;
	out->gen = word_gen(slot_word(s));
	out->port = s->dport;
	out->sends = s->sends;
	out->kind = s->kind;
	out->method = s->method;
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
	out->slot_kind = c->kind;
	out->method = c->method;
	out->stage = e->stage;
	out->pad = 0;
	out->retry_after = e->retry_after;
	memcpy(out->addr, c->addr, sizeof(out->addr));
	memcpy(out->call_id, c->call_id, sizeof(out->call_id));
	__atomic_store_n(&out->seq, seq, __ATOMIC_RELEASE);
	__atomic_store_n(&m->next_event, seq + 1, __ATOMIC_RELEASE);
}
