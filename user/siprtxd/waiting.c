// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

static void add_deadline(struct transactions *t, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	if (deadlines_add(t->deadlines, wait_ns, (struct deadline){at_ns, slot, t->held[slot].gen}))
		t->error = -ENOMEM;
}

void txn_wake_at(struct transactions *t, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	t->held[slot].wake_ns = at_ns;
	add_deadline(t, slot, at_ns, wait_ns);
}

void txn_look_before(struct transactions *t, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t at = copies_look_ns(s, now);

	if (!t->env.in_force->tunables[TUN_abandon] || at >= s->due_ns || at == t->held[slot].look_ns)
		return;
	t->held[slot].look_ns = at;
	add_deadline(t, slot, at, LOOK_WAIT(at > now ? at - now : 0));
}

void txn_set_overdue(struct transactions *t, uint32_t slot, bool overdue)
{
	struct held *h = &t->held[slot];
	uint32_t *n = &t->overdue[t->env.slots[slot].outside % MAX_OUTSIDE];

	if (h->overdue == overdue)
		return;
	h->overdue = overdue;
	*n += overdue ? 1 : -1;
}

void txn_begin_wait(struct transactions *t, uint32_t slot, unsigned step, uint64_t from_ns, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	struct schedule_wait next;
	bool late = false;
	uint64_t wait;

	for (;; step++) {
		next = txn_next(t, s, step, from_ns);
		wait = next.wait_ms * MS;
		if (from_ns + wait > now || next.action == SCHEDULE_EXHAUSTED)
			break;
		from_ns += wait;
		late = true;
	}
	if (late && next.action == SCHEDULE_SEND)
		from_ns = now;
	s->step = next.action == SCHEDULE_SEND ? step : SLOT_STEP_FINAL;
	s->due_ns = from_ns + wait;
	txn_wake_at(t, slot, s->due_ns, s->due_ns > now ? wait : 0);
	txn_look_before(t, slot, now);
}

uint64_t txn_following_wait(const struct transactions *t, const struct siprtx_slot *s)
{
	return txn_next(t, s, s->step + 1, s->due_ns).wait_ms * MS;
}

uint64_t txn_rest(const struct transactions *t, const struct siprtx_slot *s)
{
	uint64_t end_ns = s->due_ns;
	unsigned step = s->step;
	struct schedule_wait next;

	if (step == SLOT_STEP_FINAL)
		return 0;
	do {
		next = txn_next(t, s, ++step, end_ns);
		end_ns += next.wait_ms * MS;
	} while (next.action == SCHEDULE_SEND);
	return end_ns - s->due_ns;
}
