// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where conntrack is on, what siprtx sends does not pass it, and it would forget the flow before the call ends. So now
 * and then one of the softswitch's own copies passes in place of siprtx's: the two would come at about the same time,
 * and the gateway is to see one of them.
 */
#include "transaction_private.h"

/* A copy is waited for this share of the wait longer than it is expected. */
#define COPY_LATE 8

static uint64_t wait_of(const struct siprtx_slot *s)
{
	return s->due_ns > s->last_send_ns ? s->due_ns - s->last_send_ns : 0;
}

/* Was the last datagram that passed conntrack too long ago by then? */
static bool is_stale(const struct transactions *t, uint32_t slot, uint64_t at_ns)
{
	return t->refresh_ns && t->env.in_force->tunables[TUN_absorb] &&
	       at_ns >= t->held[slot].passed_ns + t->refresh_ns;
}

/* When the softswitch's next copy is to be there at the latest, 0: none is on its way, or too far off. */
static uint64_t expected_by(const struct transactions *t, const struct siprtx_slot *s, uint64_t now)
{
	uint64_t end = s->first_ns + schedule_rest_ms(txn_profile(t, s), s->bypass, 0, 0) * MS;
	uint64_t next = copies_next_ns(s, now), wait = wait_of(s), by;

	if (next > s->due_ns + wait)
		return 0;
	by = next + wait / COPY_LATE;
	return by <= end ? by : 0;
}

void transactions_refresh(struct transactions *t, uint64_t refresh_ns)
{
	t->refresh_ns = refresh_ns;
}

uint64_t txn_turn_ns(const struct transactions *t, uint32_t slot)
{
	const struct siprtx_slot *s = &t->env.slots[slot];

	if (s->step == SLOT_STEP_FINAL || !is_stale(t, slot, s->due_ns))
		return s->due_ns;
	return s->due_ns - wait_of(s) / NEAR_SHARE;
}

void txn_end_turn(struct transactions *t, uint32_t slot)
{
	struct held *h = &t->held[slot];

	if (h->yields)
		slot_yield_over(&t->env.slots[slot], h->gen);
	h->yields = false;
}

/* Its copy has not come, or the note of it has not. */
static bool waited_for(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (slot_yield_over(s, word_gen(word))) {
		t->held[slot].yields = false;
		t->env.stats[STAT_refresh_missed]++;
		return false;
	}
	txn_count_copy(t, slot, word, now, now);
	return true;
}

bool txn_yields(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	struct held *h = &t->held[slot];
	uint64_t until;

	if (h->yields)
		return waited_for(t, slot, word, now);
	if (!(word & WORD_TAKEN)) /* given back: its copies pass */
		return false;
	until = !h->overdue && is_stale(t, slot, s->due_ns) ? expected_by(t, s, now) : 0;
	h->yields = until > now && slot_yield(s, word_gen(word));
	if (h->yields) {
		s->due_ns = until > s->due_ns ? until : s->due_ns;
		txn_wake_at(t, slot, s->due_ns, LOOK_WAIT(s->due_ns - now));
	} else if (now < s->due_ns) {
		txn_wake_at(t, slot, s->due_ns, wait_of(s) / NEAR_SHARE);
	} else {
		return false;
	}
	return true;
}

bool txn_is_counted(const struct transactions *t, const struct siprtx_note *n)
{
	return n->code && n->ns <= t->env.slots[n->slot].last_send_ns;
}
