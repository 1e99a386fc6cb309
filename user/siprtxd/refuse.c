// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * INVITEs that were not let through to a gateway that is down (on_down = reply-503): each is answered at once, as one
 * exhausted without ever having been sent. Where that cannot be, it is sent on, as if it had been captured then.
 */
#include "transaction_private.h"

/* Its copies pass from the second on in which nobody answers; one of this age is a call that waits for its gateway. */
#define ANSWER_WITHIN_NS (2000 * MS)

/*
 * Retry-After, s: the gateway is probed again by then. With probes off there is no telling; then what `probe` is as
 * shipped, for a softswitch that heeds it leaves the gateway alone for as long (RFC 3261 21.5.4), be it up again or
 * not.
 */
#define RETRY_AFTER_UNPROBED 5

static uint32_t retry_after(const struct transactions *t)
{
	uint32_t probe_ms = t->env.in_force->tunables[TUN_probe];

	return probe_ms ? (probe_ms + 999) / 1000 : RETRY_AFTER_UNPROBED;
}

bool txn_is_refused(const struct siprtx_slot *s, uint64_t word)
{
	if (s->bypass != BYPASS_REFUSED || word & WORD_YIELD)
		return false;
	return word_state(word) == ST_CALLING ||
	       (word_state(word) == ST_TERMINATED && word_end(word) == END_GATEWAY_DOWN);
}

uint64_t txn_let_through(struct siprtx_slot *s, uint64_t word)
{
	uint64_t copy_ns = __atomic_load_n(&s->copy_ns, __ATOMIC_ACQUIRE);

	s->bypass = BYPASS_NONE;
	s->first_ns = copy_ns ?: s->first_ns;
	slot_yield_over(s, word_gen(word));
	if (word_end(word) == END_GATEWAY_DOWN)
		slot_revive(s, word_gen(word));
	return slot_word(s);
}

/* Nobody waits for it any more: its copies have stopped, or its schedule would be over. */
static bool is_too_late(const struct transactions *t, const struct siprtx_slot *s, uint64_t now)
{
	return (t->env.in_force->tunables[TUN_abandon] && copies_missed_ns(s) <= now) ||
	       now >= s->first_ns + schedule_window_ms(txn_profile(t, s)) * MS;
}

static void give_up(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	uint64_t word = slot_word(s);

	if (word_state(word) == ST_CALLING && slot_terminate(s, word, END_ABANDONED)) {
		t->env.stats[STAT_abandoned]++;
		txn_tell(t, slot, EV_GIVEN_UP, END_ABANDONED, now);
	}
	word = slot_word(s);
	txn_look(t, slot, word, word_code(word), now);
}

/* It cannot be answered: the gateway has it after all. */
static void send_on(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint32_t gen = t->held[slot].gen;
	uint64_t word;

	s->bypass = BYPASS_NONE;
	s->retry_after = NO_RETRY_AFTER;
	s->record_seq = 0;
	slot_revive(s, gen);
	t->env.stats[STAT_not_replied]++;
	if (is_too_late(t, s, now))
		return give_up(t, slot, now);
	s->first_ns = now;
	t->env.ops->prepare(t->env.ctx, slot);
	txn_send_first(t, slot, now);
	word = slot_word(s);
	txn_look(t, slot, word, word_code(word), now);
}

/* False: it is not to be answered, or cannot be. */
static bool begin_answer(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	struct held *h = &t->held[slot];

	if (!t->env.ops->refuse || now >= s->first_ns + ANSWER_WITHIN_NS)
		return false;
	/* who loses this swap sees that a copy of it has just passed */
	if (word_state(word) == ST_CALLING && !slot_terminate(s, word, END_GATEWAY_DOWN))
		return false;
	s->retry_after = retry_after(t);
	h->phase = KEPT;
	if (t->env.ops->refuse(t->env.ctx, slot))
		return true;
	h->phase = HELD;
	return false;
}

void txn_refuse(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	txn_hold(t, slot, word);
	if (word_state(word) == ST_CALLING)
		s->record_seq = 0; /* else a former controller may have recorded it */
	s->icmp_type = s->icmp_code = 0;
	s->last_send_ns = 0;
	s->sends = 0;
	t->env.stats[STAT_taken]++;
	txn_tell(t, slot, EV_NEW, 0, s->first_ns);
	txn_supersede(t, slot, now);
	if (!begin_answer(t, slot, word, now))
		return send_on(t, slot, now);
	t->env.stats[STAT_pending]--;
	calls_remove(t->env.calls, slot);
}

void transactions_refused(struct transactions *t, uint32_t slot, bool sent)
{
	uint64_t now = txn_now(t);

	if (sent) {
		t->env.stats[STAT_refused]++;
		txn_tell(t, slot, EV_EXHAUSTED, END_GATEWAY_DOWN, now);
		t->env.ops->ended(t->env.ctx, slot, END_GATEWAY_DOWN);
		return;
	}
	t->n_held--;
	txn_hold(t, slot, slot_word(&t->env.slots[slot]));
	send_on(t, slot, now);
}
