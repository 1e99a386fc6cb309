// SPDX-License-Identifier: GPL-2.0-or-later
/* What the ledger does about gateways that are judged: whom they are asked of, where their changes are told. */
#include <string.h>

#include "clock.h"
#include "gateway_tell.h"
#include "ledger.h"
#include "log.h"

/* All gateways are looked at in as many turns, for what the operator wrote. */
#define LOOK_TURNS 25

static struct gateway *op_gateway(void *ctx, uint32_t slot)
{
	return ledger_gateway(ctx, slot);
}

static bool op_in_dialog(void *ctx, uint32_t slot)
{
	const struct ledger *l = ctx;

	return calls_name(l->events.calls, slot)->in_dialog;
}

static void op_write(void *ctx, struct gateway *gw)
{
	struct ledger *l = ctx;

	gateways_write(&l->gateways, gw);
}

static void write_event(struct ledger *l, const struct gateway *gw, uint64_t now)
{
	struct call none = {.port = gw->key.port, .sends = gw->value.state_why};
	const struct transaction_event e = {
		.kind = EV_GATEWAY,
		.code = gw->value.state,
		.ns = now,
		.retry_after = NO_RETRY_AFTER,
	};

	memcpy(none.addr, gw->key.addr, sizeof(none.addr));
	events_write(&l->events, &none, &e);
}

static void op_changed(void *ctx, struct gateway *gw, uint32_t in_a_row, uint64_t now)
{
	struct ledger *l = ctx;
	const struct record_context context = {
		.seq = recorder_next_seq(l->recorder),
		.now_ns = now,
		.wall_offset_ns = wall_offset_ns(),
		.node = l->node,
		.boot_id = l->pins->meta->boot_id,
		.gateway_name = gw->value.name,
	};
	struct siprtx_record r;
	char sentence[320];

	record_build_gateway(&gw->key, &gw->value, in_a_row, &context, &r);
	recorder_add(l->recorder, &r);
	write_event(l, gw, now);
	gateway_sentence(gw, in_a_row, l->pins->in_force, sentence, sizeof(sentence));
	log_line(gw->value.state == GATEWAY_DOWN ? LOG_WARNING : LOG_INFO, "%s.", sentence);
}

static int op_probe_begin(void *ctx, uint32_t slot, uint64_t now)
{
	const struct ledger *l = ctx;

	return l->probes.begin ? l->probes.begin(l->probes.ctx, slot, now) : -1;
}

static void op_probe_end(void *ctx, const struct siprtx_gateway_key *gateway)
{
	const struct ledger *l = ctx;

	if (l->probes.end)
		l->probes.end(l->probes.ctx, gateway);
}

struct gateway_health *ledger_new_health(struct ledger *l)
{
	static const struct gateway_health_ops ops = {
		.gateway = op_gateway,
		.in_dialog = op_in_dialog,
		.write = op_write,
		.changed = op_changed,
		.probe_begin = op_probe_begin,
		.probe_end = op_probe_end,
	};
	const struct gateway_health_env env = {
		.slots = l->pins->slots,
		.n_slots = l->pins->entries[PIN_slots],
		.in_force = l->pins->in_force,
		.gateways = &l->gateways,
		.stats = l->pins->stats,
		.ops = &ops,
		.ctx = l,
	};

	return gateway_health_new(&env);
}

void ledger_adopt_gateways(struct ledger *l, uint64_t now_ns)
{
	gateway_health_adopt(l->health, now_ns);
}

int ledger_adopt_calls(struct ledger *l, uint64_t now_ns)
{
	return gateway_health_adopt_calls(l->health, now_ns);
}

/* NULL: there is no room for it. */
static struct gateway *find(struct ledger *l, const struct siprtx_gateway_key *key)
{
	return gateways_judged(&l->gateways, gateways_find(&l->gateways, key->addr, key->port));
}

bool ledger_probe_found(struct ledger *l, const struct siprtx_gateway_key *gateway)
{
	struct gateway *gw = find(l, gateway);

	if (!gw || gw->value.state == GATEWAY_UP)
		return false;
	gateway_health_probed(gw);
	return true;
}

void ledger_probe(struct ledger *l, const struct siprtx_gateway_key *gateway, uint16_t code, uint64_t now_ns)
{
	struct gateway *gw = find(l, gateway);

	if (gw)
		gateway_health_probe(l->health, gw, code, now_ns);
}

void ledger_probe_lost(struct ledger *l, const struct siprtx_gateway_key *gateway, uint64_t now_ns)
{
	struct gateway *gw = find(l, gateway);

	if (gw)
		gateway_health_probe_lost(l->health, gw, now_ns);
}

void ledger_probe_sent(struct ledger *l, const struct siprtx_gateway_key *gateway)
{
	struct gateway *gw = find(l, gateway);

	if (!gw)
		return;
	gw->value.probes++;
	gw->changed = true;
}

void ledger_judge(struct ledger *l, uint32_t slot, const struct transaction_event *e)
{
	struct gateway *gw = ledger_gateway(l, slot);

	if (!gw)
		return;
	if (e->kind == EV_NEW && l->pins->slots[slot].kind == KIND_INVITE)
		gateway_health_call(l->health, gw, slot, now_ns());
	else if (e->kind == EV_RESPONSE)
		gateway_health_response(l->health, gw, slot, e->code, e->ns, now_ns());
}

void ledger_reply_note(struct ledger *l, const struct siprtx_note *n)
{
	struct gateway *gw;
	uint16_t code;

	switch (n->kind) {
	case NOTE_REPLY_LATE:
	case NOTE_REPLY_LATE_FINAL:
		code = n->code;
		break;
	case NOTE_REPLY_CANCEL_OK:
		code = 200; /* whatever it was: bad codes are those to an INVITE */
		break;
	default:
		return;
	}
	if (n->slot >= l->pins->entries[PIN_slots] ||
	    word_gen(slot_word(&l->pins->slots[n->slot])) != word_gen(n->word))
		return;
	gw = ledger_gateway(l, n->slot);
	if (gw)
		gateway_health_late(l->health, gw, code, n->ns, now_ns());
}

void ledger_look(struct ledger *l, uint64_t now_ns)
{
	for (uint32_t n = l->gateways.n / LOOK_TURNS + 1; n; n--) {
		struct gateway *gw = gateways_look(&l->gateways);

		if (gw)
			gateway_health_operator(l->health, gw, now_ns);
	}
}

int ledger_run(struct ledger *l, uint64_t now_ns)
{
	return gateway_health_run(l->health, now_ns);
}
