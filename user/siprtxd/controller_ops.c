// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller_private.h"

#include <errno.h>

#include "bucket.h"
#include "txns.h"

/* transaction_ops */

static uint64_t op_now(void *ctx)
{
	(void)ctx;
	return now_ns();
}

static void op_prepare(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	sender_prepare(&c->sender, slot);
}

static int op_send(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	return sender_send(&c->sender, slot, now_ns());
}

/* What is taken half a tick early (transactions_run) is taken at its time. */
static uint64_t taken_ns(const struct controller *c, uint32_t slot, uint64_t now)
{
	uint64_t due = c->pins.slots[slot].due_ns, early = c->pins.in_force->tunables[TUN_tick] * 1000ull / 2;

	return due > now && due - now <= early ? due : now;
}

/* transaction_ops.send: a retransmission, within its gateway's budget */
static int op_retransmit(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;
	uint32_t rate = c->pins.in_force->tunables[TUN_rate_gateway];
	struct gateway *g = rate ? ledger_gateway(&c->ledger, slot) : NULL;
	uint64_t now = now_ns(), full_ns = 0;
	int err;

	if (g) {
		full_ns = bucket_taken(g->full_ns, BUCKET_NS / rate, now);
		if (!full_ns) {
			/* one tried ahead of its time is tried again */
			g->value.over_budget += taken_ns(c, slot, now) >= c->pins.slots[slot].due_ns;
			g->changed = true;
			return -EDQUOT;
		}
	}
	err = sender_send(&c->sender, slot, now);
	if (g && !err)
		g->full_ns = full_ns;
	return err;
}

static bool op_in_flight(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	return sender_in_flight(&c->sender, slot) || ledger_holds(&c->ledger, slot);
}

static void op_event(void *ctx, uint32_t slot, const struct transaction_event *e)
{
	struct controller *c = ctx;

	ledger_event(&c->ledger, slot, e);
}

static void op_ended(void *ctx, uint32_t slot, enum siprtx_end end)
{
	struct controller *c = ctx;

	ledger_ended(&c->ledger, slot, end, replies_code(c->replies, slot), taken_ns(c, slot, now_ns()));
}

static bool op_keeps(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;
	uint16_t code = ledger_reply(&c->ledger, slot);

	/* whatever is to be done with one that was sent in vain */
	if (word_end(slot_word(&c->pins.slots[slot])) == END_GATEWAY_DOWN)
		code = 503;
	return code && replies_begin(c->replies, slot, code, now_ns());
}

static bool op_refuse(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	return replies_refuse(c->replies, slot, now_ns());
}

const struct transaction_ops controller_transaction_ops = {
	.now = op_now,
	.prepare = op_prepare,
	.send = op_retransmit,
	.in_flight = op_in_flight,
	.event = op_event,
	.ended = op_ended,
	.keeps = op_keeps,
	.refuse = op_refuse,
};

/* reply_ops */

static void op_made(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	sender_made(&c->sender, slot);
}

/* reply_ops.send: what goes up leaves by no port */
static int op_send_made(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;
	struct siprtx_slot *frame = &c->pins.slots[slot];

	if (!(frame->outside & LIFT_OUTSIDE))
		return op_send(ctx, slot);
	return lift_send(&c->lift, frame, sender_outside(&c->sender, frame->outside & ~LIFT_OUTSIDE));
}

static int op_way_back(void *ctx, const struct siprtx_slot *invite, const uint8_t **mac)
{
	struct controller *c = ctx;

	*mac = NULL;
	if (invite->in_tags & SLOT_AT_EGRESS)
		return LIFT_OUTSIDE | invite->outside;
	return sender_inside(&c->sender, invite->ingress, mac);
}

static void op_late(void *ctx, uint32_t slot, uint16_t code, uint64_t now, uint64_t delay_ns)
{
	ledger_late_replied(&((struct controller *)ctx)->ledger, slot, code, now, delay_ns);
}

static void op_over(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	ledger_forget(&c->ledger, slot, now_ns());
	transactions_release(c->transactions, slot);
}

static void op_refused(void *ctx, uint32_t slot, bool sent)
{
	transactions_refused(((struct controller *)ctx)->transactions, slot, sent);
}

const struct reply_ops controller_reply_ops = {
	.send = op_send_made,
	.in_flight = op_in_flight,
	.event = op_event,
	.made = op_made,
	.way_back = op_way_back,
	.late = op_late,
	.over = op_over,
	.refused = op_refused,
};

/* ledger.settled */
void controller_settled(void *ctx, uint32_t slot)
{
	transactions_sent(((struct controller *)ctx)->transactions, slot);
}

/* probe_ops */

static int op_add_key(void *ctx, const struct siprtx_key *key, uint32_t slot, uint32_t gen)
{
	const struct txns t = txns_of(&((struct controller *)ctx)->pins);

	return txns_put(&t, key, txn_at(slot, gen, 0));
}

static void op_remove_key(void *ctx, const struct siprtx_key *key)
{
	const struct txns t = txns_of(&((struct controller *)ctx)->pins);

	txns_remove(&t, key);
}

/* What comes of a probe is a matter of the gateway's state. */

static struct ledger *ledger_of(void *ctx)
{
	return &((struct controller *)ctx)->ledger;
}

static void op_probe_sent(void *ctx, const struct siprtx_gateway_key *gateway)
{
	ledger_probe_sent(ledger_of(ctx), gateway);
}

static void op_probe_answered(void *ctx, const struct siprtx_gateway_key *gateway, uint16_t code, uint64_t now)
{
	ledger_probe(ledger_of(ctx), gateway, code, now);
}

static void op_probe_missed(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now)
{
	ledger_probe(ledger_of(ctx), gateway, 0, now);
}

static void op_probe_lost(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now)
{
	ledger_probe_lost(ledger_of(ctx), gateway, now);
}

bool controller_probes_on(void *ctx, const struct siprtx_gateway_key *gateway)
{
	return ledger_probe_found(ledger_of(ctx), gateway);
}

int controller_probe_begin(void *ctx, uint32_t slot, uint64_t now)
{
	return probes_begin(((struct controller *)ctx)->probes, slot, now);
}

void controller_probe_end(void *ctx, const struct siprtx_gateway_key *gateway)
{
	probes_end(((struct controller *)ctx)->probes, gateway);
}

const struct probe_ops controller_probe_ops = {
	.send = op_send,
	.in_flight = op_in_flight,
	.made = op_made,
	.add_key = op_add_key,
	.remove_key = op_remove_key,
	.sent = op_probe_sent,
	.answered = op_probe_answered,
	.missed = op_probe_missed,
	.lost = op_probe_lost,
};
