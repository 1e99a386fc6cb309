// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "methods.h"
#include "schedule.h"

int ledger_open(struct ledger *l, const struct pins *pins, struct calls *calls, const struct config *c, uint64_t now_ns)
{
	int err;

	*l = (struct ledger){.pins = pins, .events = {pins, calls}};
	gethostname(l->node, sizeof(l->node) - 1);
	for (__u32 i = 0; i < MAX_PROFILES; i++)
		bpf_map_lookup_elem(pins->fd[PIN_profile_names], &i, &l->profile[i]);
	l->gateway = calloc(pins->entries[PIN_slots], sizeof(struct gateway *));
	err = l->gateway ? gateways_open(&l->gateways, pins, c) : -ENOMEM;
	if (!err)
		err = remember_open(&l->remembered, pins, now_ns);
	if (err) {
		log_error("cannot read the maps under %s: %s", c->pin_path, strerror(-err));
		return err;
	}
	return recorder_start(&l->recorder, pins, c->journal);
}

void ledger_close(struct ledger *l)
{
	recorder_stop(l->recorder);
	if (l->gateways.list)
		gateways_flush(&l->gateways);
	remember_close(&l->remembered);
	gateways_close(&l->gateways);
	free(l->gateway);
	*l = (struct ledger){};
}

static struct gateway *gateway_of(struct ledger *l, uint32_t slot)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];

	if (!l->gateway[slot])
		l->gateway[slot] = gateways_find(&l->gateways, s->daddr, s->dport);
	return l->gateway[slot];
}

static void count(struct gateway *g, const struct siprtx_slot *s, const struct transaction_event *e)
{
	struct siprtx_gateway *v = &g->value;

	if (s->kind != KIND_INVITE)
		return; /* a route is judged by its calls */
	g->changed = true;
	switch (e->kind) {
	case EV_NEW:
		v->invites++;
		v->last_invite_ns = e->ns;
		v->last_profile = s->profile;
		break;
	case EV_SEND:
		v->sends++;
		break;
	case EV_RESPONSE:
		v->answered += !s->resp_ns;
		v->silent = 0;
		v->last_response_ns = e->ns;
		v->last_code = e->code;
		break;
	case EV_CANCEL:
		v->cancelled++;
		break;
	case EV_EXHAUSTED:
		v->exhausted += e->code == END_NO_RESPONSE;
		v->timeouts += e->code != END_NO_RESPONSE && e->code != END_HELD_TOO_LONG;
		break;
	case EV_COPY:
	case EV_LATE:
	case EV_GIVEN_UP:
		break;
	}
}

static void say_given_up(struct ledger *l, uint32_t slot, enum siprtx_end end)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];
	char gateway[64];

	log_debug("the softswitch seems to have given up its %s to %s: %s, after %u sends in %llu ms (slot %u).",
		  method_name(s->method), format_endpoint(s->daddr, s->dport, gateway, sizeof(gateway)),
		  record_reason_name(end), s->sends, (unsigned long long)(s->last_send_ns - s->first_ns) / 1000000,
		  slot);
}

/* A request other than INVITE leaves no record (rule 48). */
static void say_unanswered(const struct call *call)
{
	char gateway[64];

	log_debug("gateway %s: no final response to %s, call-id %s, after %u sends (slot %u).",
		  format_endpoint(call->addr, call->port, gateway, sizeof(gateway)), method_name(call->method),
		  call->call_id, call->sends, call->slot);
}

void ledger_event(struct ledger *l, uint32_t slot, const struct transaction_event *e)
{
	struct call call;

	count(gateway_of(l, slot), &l->pins->slots[slot], e);
	events_call(&l->events, slot, &call);
	events_write(&l->events, &call, e);
	if (e->kind == EV_GIVEN_UP)
		say_given_up(l, slot, e->code);
	else if (e->kind == EV_EXHAUSTED && call.kind == KIND_REQUEST)
		say_unanswered(&call);
}

static int64_t wall_offset_ns(void)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (wall.tv_sec - mono.tv_sec) * 1000000000ll + wall.tv_nsec - mono.tv_nsec;
}

static void record(struct ledger *l, uint32_t slot, enum siprtx_end end, uint64_t now_ns)
{
	struct siprtx_slot *s = &l->pins->slots[slot];
	uint64_t seq = recorder_next_seq(l->recorder);
	const struct record_context context = {
		.seq = seq,
		.now_ns = now_ns,
		.wall_offset_ns = wall_offset_ns(),
		.node = l->node,
		.boot_id = l->pins->meta->boot_id,
		.gateway_name = gateway_of(l, slot)->value.name,
		.profile = l->profile[s->profile % MAX_PROFILES].name,
		.reason = end,
	};
	struct siprtx_record r;

	/* a controller was killed after it wrote the record, before it freed the slot */
	if (s->record_seq && s->record_seq < seq)
		return;
	s->record_seq = seq;
	record_build(s, &context, &r);
	recorder_add(l->recorder, &r);
	/* a call that stands is no route's failure (rule 27) */
	if (end == END_NO_RESPONSE && !r.in_dialog)
		gateway_of(l, slot)->value.silent++;
}

void ledger_ended(struct ledger *l, uint32_t slot, enum siprtx_end end, uint64_t now_ns)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];
	bool exhausted = end_is_exhaustion(end) && s->kind == KIND_INVITE;
	struct call call;

	if (exhausted) {
		record(l, slot, end, now_ns);
		events_call(&l->events, slot, &call);
	}
	remember_add(&l->remembered, &s->key, now_ns, exhausted ? &call : NULL);
	l->gateway[slot] = NULL;
}

void ledger_late(struct ledger *l, const struct siprtx_note *n)
{
	const struct call *call = remember_call(&l->remembered, &n->key);
	struct transaction_event e = {.kind = EV_LATE, .code = n->code, .ns = n->ns};

	l->pins->stats[STAT_late_responses]++;
	if (!call)
		return;
	e.nominal_ms = (n->ns - call->first_ns) / 1000000;
	events_write(&l->events, call, &e);
}
