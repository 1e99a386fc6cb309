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

struct schedule_wait txn_next(const struct transactions *t, const struct siprtx_slot *s, unsigned step,
			      uint64_t from_ns)
{
	const uint32_t *profile = txn_profile(t, s);
	uint32_t elapsed_ms = ms_between(s->first_ns, from_ns);

	/* a 1xx may come before the note of the capture, but not before the first wait began */
	if (s->kind != KIND_INVITE)
		return schedule_next_request(profile, step, elapsed_ms,
					     step && word_state(slot_word(s)) == ST_PROCEEDING);
	return schedule_next(profile, s->bypass, step, elapsed_ms);
}

static void wait_for(struct transactions *t, uint32_t slot, unsigned step, struct schedule_wait next, uint64_t from_ns,
		     uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t wait = next.wait_ms * MS, at;

	txn_end_turn(t, slot);
	/* a request that is proceeding may be sent more often than its list is long */
	s->step = next.action != SCHEDULE_SEND ? SLOT_STEP_FINAL : step < MAX_INTERVALS ? step : MAX_INTERVALS;
	s->due_ns = from_ns + wait;
	t->held[slot].from_ns = from_ns;
	at = txn_turn_ns(t, slot);
	txn_wake_at(t, slot, at, at > now ? wait - (s->due_ns - at) : 0);
	txn_look_before(t, slot, now);
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
	if (late && next.action == SCHEDULE_SEND) {
		from_ns = now;
		next = txn_next(t, s, step, now); /* its end may be nearer */
	}
	wait_for(t, slot, step, next, from_ns, now);
}

void txn_begin_wait_at_copy(struct transactions *t, uint32_t slot, unsigned step, uint64_t ns, uint64_t now)
{
	wait_for(t, slot, step, txn_next(t, &t->env.slots[slot], step, ns), ns, now);
}

uint64_t txn_following_wait(const struct transactions *t, const struct siprtx_slot *s)
{
	return txn_next(t, s, s->step + 1, s->due_ns).wait_ms * MS;
}

uint64_t txn_rest(const struct transactions *t, const struct siprtx_slot *s)
{
	unsigned step = s->step;
	uint64_t at = s->due_ns;
	struct schedule_wait next;

	do {
		next = txn_next(t, s, ++step, at);
		at += next.wait_ms * MS;
	} while (next.action == SCHEDULE_SEND);
	return at - s->due_ns;
}
