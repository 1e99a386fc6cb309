// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "methods.h"
#include "schedule.h"

int ledger_open(struct ledger *l, const struct pins *pins, struct calls *calls, const struct config *c, uint64_t now_ns)
{
	int err;

	*l = (struct ledger){.pins = pins, .events = {pins, calls}};
	l->first_seq = pins->meta->next_seq;
	gethostname(l->node, sizeof(l->node) - 1);
	for (__u32 i = 0; i < MAX_PROFILES; i++)
		bpf_map_lookup_elem(pins->fd[PIN_profile_names], &i, &l->profile[i]);
	l->gateway = calloc(pins->entries[PIN_slots], sizeof(struct gateway *));
	err = l->gateway ? gateways_open(&l->gateways, pins, c) : -ENOMEM;
	if (!err) {
		l->health = ledger_new_health(l);
		err = l->health ? 0 : -ENOMEM;
	}
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
	gateway_health_free(l->health);
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

struct gateway *ledger_gateway(struct ledger *l, uint32_t slot)
{
	return gateways_judged(&l->gateways, gateway_of(l, slot));
}

/* Nothing came of the gateway's own. */
static bool is_silence(enum siprtx_end end)
{
	return end == END_NO_RESPONSE || end == END_UNREACHABLE;
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
		v->shortened += s->bypass == BYPASS_FAST;
		break;
	case EV_SEND:
		v->sends++;
		break;
	case EV_RESPONSE:
		v->answered += !s->resp_ns;
		v->last_response_ns = e->ns;
		v->last_code = e->code;
		if (e->code >= 200)
			v->last_retry_after = e->retry_after;
		break;
	case EV_CANCEL:
		v->cancelled++;
		break;
	case EV_EXHAUSTED:
		v->refused += e->code == END_GATEWAY_DOWN;
		v->exhausted += is_silence(e->code);
		v->timeouts += !is_silence(e->code) && e->code != END_HELD_TOO_LONG && e->code != END_GATEWAY_DOWN;
		break;
	case EV_ICMP:
		v->icmp++;
		break;
	case EV_COPY:
	case EV_LATE:
	case EV_GIVEN_UP:
	case EV_CONFIRMED:
	case EV_REPLIED:
	case EV_GATEWAY:
		break;
	}
}

static void say_response_ended(struct ledger *l, uint32_t slot, const char *how)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];
	char gateway[64];

	log_debug("the %u of the softswitch to %s %s, after %u sends in %llu ms (slot %u).", word_code(slot_word(s)),
		  format_endpoint(s->daddr, s->dport, gateway, sizeof(gateway)), how, s->sends,
		  (unsigned long long)(s->last_send_ns - s->first_ns) / 1000000, slot);
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
	ledger_judge(l, slot, e);
	events_call(&l->events, slot, &call);
	events_write(&l->events, &call, e);
	if (e->kind == EV_EXHAUSTED && kind_is_response(l->pins->slots[slot].kind))
		say_response_ended(l, slot, "got no ACK or PRACK");
	else if (e->kind == EV_GIVEN_UP && e->code == END_LET_GO)
		say_response_ended(l, slot, "is let go");
	else if (e->kind == EV_GIVEN_UP)
		say_given_up(l, slot, e->code);
	else if (e->kind == EV_EXHAUSTED && call.kind == KIND_REQUEST)
		say_unanswered(&call);
}

bool ledger_holds(const struct ledger *l, uint32_t slot)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];

	return s->record_seq && recorder_is_waiting(l->recorder, s->record_seq);
}

void ledger_settle(struct ledger *l)
{
	unsigned n = l->n_recorded;

	recorder_flush(l->recorder);
	l->n_recorded = 0;
	for (unsigned i = 0; i < n; i++)
		l->settled(l->ctx, l->recorded[i]);
}

static void record(struct ledger *l, uint32_t slot, enum siprtx_end end, uint16_t reply, uint64_t now_ns)
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
		.reply = reply,
	};
	struct siprtx_record r;

	/* a controller was killed after it wrote the record, before it freed the slot */
	if (s->record_seq && s->record_seq < l->first_seq)
		return;
	if (l->n_recorded == LEDGER_RECORDED)
		ledger_settle(l);
	l->recorded[l->n_recorded++] = slot;
	s->record_seq = seq;
	record_build(s, &context, &r);
	recorder_add(l->recorder, &r);
	if (end == END_NO_RESPONSE && ledger_gateway(l, slot))
		gateway_health_exhausted(l->health, l->gateway[slot], slot, now_ns);
}

/* From now on its key alone is there. */
static void forget(struct ledger *l, uint32_t slot, bool exhausted, uint64_t now_ns)
{
	struct call call;

	if (exhausted)
		events_call(&l->events, slot, &call);
	remember_add(&l->remembered, &l->pins->slots[slot].key, now_ns, exhausted ? &call : NULL,
		     l->pins->slots[slot].record_seq);
	l->gateway[slot] = NULL;
}

void ledger_ended(struct ledger *l, uint32_t slot, enum siprtx_end end, uint16_t reply, uint64_t now_ns)
{
	const struct siprtx_slot *s = &l->pins->slots[slot];
	bool exhausted = end_is_exhaustion(end) && s->kind == KIND_INVITE;

	if (exhausted)
		record(l, slot, end, reply, now_ns);
	if (!reply)
		forget(l, slot, exhausted, now_ns);
}

void ledger_forget(struct ledger *l, uint32_t slot, uint64_t now_ns)
{
	forget(l, slot, true, now_ns);
}

uint16_t ledger_reply(struct ledger *l, uint32_t slot)
{
	if (l->pins->slots[slot].kind != KIND_INVITE)
		return 0;
	switch (gateway_of(l, slot)->value.on_exhausted) {
	case ON_EXHAUSTED_REPLY_408:
		return 408;
	case ON_EXHAUSTED_REPLY_503:
		return 503;
	default:
		return 0;
	}
}

/* A record of its own, after the exhausted one `seq`. */
static void record_late(struct ledger *l, uint64_t seq, uint16_t code, uint64_t ns, uint32_t delay_ms)
{
	struct siprtx_record r;

	ledger_settle(l);
	/* one that is not there any more was over MAX_RECORDS ago: the journal has it */
	if (bpf_map_lookup_elem(l->pins->fd[PIN_exhausted], &seq, &r))
		return;
	record_make_late(&r, recorder_next_seq(l->recorder), (ns + wall_offset_ns()) / 1000000, code, delay_ms);
	recorder_add(l->recorder, &r);
}

void ledger_late_replied(struct ledger *l, uint32_t slot, uint16_t code, uint64_t now_ns, uint64_t delay_ns)
{
	record_late(l, l->pins->slots[slot].record_seq, code, now_ns, delay_ns / 1000000);
}

void ledger_late(struct ledger *l, const struct siprtx_note *n)
{
	struct exhausted_call *c = remember_exhausted(&l->remembered, &n->key);
	struct transaction_event e = {.kind = EV_LATE, .code = n->code, .ns = n->ns, .retry_after = NO_RETRY_AFTER};
	struct gateway *gw;
	bool *recorded = !c ? NULL : n->code < 200 ? &c->late_provisional : &c->late_final;

	l->pins->stats[STAT_late_responses]++;
	if (!c)
		return;
	gw = gateways_judged(&l->gateways, gateways_find(&l->gateways, c->call.addr, c->call.port));
	if (gw)
		gateway_health_late(l->health, gw, n->code, n->ns, now_ns());
	e.nominal_ms = (n->ns - c->call.first_ns) / 1000000;
	events_write(&l->events, &c->call, &e);
	/* the first 1xx and the first final: a 200 is repeated until its ACK (13.3.1.4) */
	if (!*recorded)
		record_late(l, c->record_seq, n->code, n->ns, n->slot);
	*recorded = true;
}
