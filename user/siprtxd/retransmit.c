// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

/* A copy that found no room or no MAC is tried again this much later. */
#define NO_ROOM_NS (1 * MS)
#define NO_MAC_NS  (10 * MS)

/* And the first datagram of a call for so long; then its schedule begins without it. */
#define FIRST_PATIENCE_NS (500 * MS)

/* A copy of the softswitch that passed as lately as this may not have been told of yet. No interval is shorter. */
#define JUST_NS (INTERVAL_MIN_MS * MS)

static void count_lateness(struct transactions *t, struct siprtx_slot *s, uint32_t late_us)
{
	uint32_t v = late_us > 16 ? late_us - 1 : 16;
	uint32_t octave = 31 - __builtin_clz(v) - 4;
	uint32_t bucket = 4 * octave + ((v >> (octave + 2)) & 3);

	t->env.lateness[bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1]++;
	if (late_us > s->late_us_max)
		s->late_us_max = late_us;
	if (late_us > t->env.stats[STAT_late_us_max])
		t->env.stats[STAT_late_us_max] = late_us;
}

static void sent(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t late = now > s->due_ns ? now - s->due_ns : 0;
	struct transaction_event e = {
		.kind = EV_SEND,
		.code = word_code(word),
		.ns = now,
		.nominal_ms = ms_between(s->first_ns, s->due_ns),
		.late_us = late / 1000 < INT32_MAX ? late / 1000 : INT32_MAX,
		.retry_after = NO_RETRY_AFTER,
	};

	s->sends++;
	s->last_send_ns = now;
	t->room -= t->room > 0;
	t->env.stats[STAT_sends]++;
	count_lateness(t, s, e.late_us);
	txn_set_overdue(t, slot, false);
	t->env.ops->event(t->env.ctx, slot, &e);
	txn_begin_wait(t, slot, s->step + 1, late > txn_following_wait(t, s) / NEAR_SHARE ? now : s->due_ns, now);
}

void txn_leave_out(struct transactions *t, uint32_t slot, enum siprtx_stat why, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	t->env.stats[why]++;
	slot_give_back(s, t->held[slot].gen);
	txn_set_overdue(t, slot, false);
	txn_begin_wait(t, slot, s->step + 1, s->due_ns, now);
}

/*
 * One that was given back is taken over again with the copy that is sent: absorbed from before it leaves, so that the
 * softswitch's own does not follow at its heels. -EBUSY: that one has just passed, or an answer came; a note will tell.
 */
static int hand_over(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool given_back = !(word & WORD_TAKEN);
	int err;

	if (given_back &&
	    (!slot_take(s, word_gen(word)) || __atomic_load_n(&s->copy_ns, __ATOMIC_ACQUIRE) + JUST_NS > now))
		err = -EBUSY;
	else
		err = t->env.ops->send(t->env.ctx, slot);
	if (err && given_back)
		slot_give_back(s, word_gen(word));
	return err;
}

static uint64_t ahead(const struct transactions *t, uint32_t slot)
{
	return (t->env.slots[slot].due_ns - t->held[slot].from_ns) / NEAR_SHARE;
}

/* What a copy that cannot be sent is counted as. */
static enum siprtx_stat stat_of(int err)
{
	switch (err) {
	case -EAGAIN:
		return STAT_ring_full;
	case -EHOSTUNREACH:
		return STAT_no_neighbour;
	case -EDQUOT:
		return STAT_over_budget;
	case -EMSGSIZE:
		return STAT_over_mtu;
	case -ENETUNREACH:
		return STAT_rerouted;
	default:
		return STAT_link_down;
	}
}

void txn_retransmit(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool first_try = t->held[slot].wake_ns == s->due_ns, early = now < s->due_ns;
	int err;

	if (txn_yields(t, slot, word, now))
		return;
	if (now >= s->due_ns + txn_following_wait(t, s))
		return txn_leave_out(t, slot, STAT_left_out, now);
	err = hand_over(t, slot, word, now);
	if (!err) {
		sent(t, slot, word, now);
	} else if (early) {
		txn_wake_at(t, slot, s->due_ns, ahead(t, slot));
	} else if (err == -EAGAIN) {
		t->env.stats[STAT_ring_full] += first_try;
		txn_set_overdue(t, slot, true);
		txn_wake_at(t, slot, now + NO_ROOM_NS, NO_ROOM_NS);
	} else if (err == -EHOSTUNREACH) {
		t->env.stats[STAT_no_neighbour] += first_try;
		slot_give_back(s, word_gen(word));
		txn_wake_at(t, slot, now + NO_MAC_NS, NO_MAC_NS);
	} else if (err == -EBUSY) {
		txn_wake_at(t, slot, now + NO_ROOM_NS, NO_ROOM_NS);
	} else {
		txn_leave_out(t, slot, stat_of(err), now);
	}
}

void txn_send_first(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t word = slot_word(s), wait;
	int err;

	s->due_ns = now;
	err = hand_over(t, slot, word, now);
	if ((err == -EAGAIN || err == -EHOSTUNREACH) && now < s->first_ns + FIRST_PATIENCE_NS) {
		wait = err == -EAGAIN ? NO_ROOM_NS : NO_MAC_NS;
		s->due_ns = now + wait;
		return txn_wake_at(t, slot, s->due_ns, wait);
	}
	if (!err) {
		s->first_ns = s->last_send_ns = now;
		s->sends++;
		t->room -= t->room > 0;
		t->env.stats[STAT_sends]++;
		txn_tell(t, slot, EV_SEND, word_code(word), now);
	} else if (err != -EBUSY) {
		t->env.stats[stat_of(err)]++;
	}
	txn_begin_wait(t, slot, 0, now, now);
}

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * How many retransmissions are done once a copy of the softswitch went through at `ns`. In the first quarter of the
 * wait it stands for the one before that, left out or sent by us too; else for the one waited for, or one after it that
 * is nearer, where the loop stood still.
 */
static unsigned step_after_copy(const struct transactions *t, uint32_t slot, uint64_t ns)
{
	const struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t from = t->held[slot].from_ns, due = s->due_ns;
	unsigned step = s->step;
	struct schedule_wait next;

	if (step && from && 4 * apart(ns, from) < due - from)
		return step;
	for (;;) {
		next = txn_next(t, s, ++step, due);
		if (next.action != SCHEDULE_SEND || apart(ns, due) <= apart(ns, due + next.wait_ms * MS))
			return step;
		due += next.wait_ms * MS;
	}
}

void txn_count_copy(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool first = !s->sends;
	unsigned step;

	if (word_end(word) && slot_take(s, word_gen(word)))
		t->env.stats[STAT_taken_up_again]++;
	s->sends++;
	s->last_send_ns = ns;
	t->held[slot].passed_ns = ns;
	t->env.stats[STAT_copies_counted]++;
	txn_tell(t, slot, EV_COPY, word_code(word), ns);
	if (s->step == SLOT_STEP_FINAL)
		return txn_look_before(t, slot, now);
	txn_set_overdue(t, slot, false);
	/* of one given up due_ns is the end; and one that was waited for is that one */
	if (first)
		step = 0;
	else if (word_end(word) || t->held[slot].yields)
		step = s->step + 1u;
	else
		step = step_after_copy(t, slot, ns);
	txn_begin_wait_at_copy(t, slot, step, ns, now);
	/* its next one will come when ours is due: who is to send is settled before */
	if (s->step != SLOT_STEP_FINAL && !(slot_word(s) & WORD_TAKEN) && now < s->due_ns - ahead(t, slot))
		txn_wake_at(t, slot, s->due_ns - ahead(t, slot), s->due_ns - ns - ahead(t, slot));
}
