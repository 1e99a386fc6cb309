// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

/* A copy that found no room or no MAC is tried again this much later. */
#define NO_ROOM_NS (1 * MS)
#define NO_MAC_NS  (10 * MS)

/* One sent later than this share of the wait that follows: that wait begins when it went, so that no two come close. */
#define LATE_SHARE 16

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
	uint64_t late_us = (now - s->due_ns) / 1000;
	struct transaction_event e = {
		.kind = EV_SEND,
		.code = word_code(word),
		.ns = now,
		.nominal_ms = ms_between(s->first_ns, s->due_ns),
		.late_us = late_us < INT32_MAX ? late_us : INT32_MAX,
		.retry_after = NO_RETRY_AFTER,
	};

	s->sends++;
	s->last_send_ns = now;
	t->env.stats[STAT_sends]++;
	count_lateness(t, s, e.late_us);
	txn_set_overdue(t, slot, false);
	t->env.ops->event(t->env.ctx, slot, &e);
	if (!(word & WORD_TAKEN))
		slot_take(s, word_gen(word));
	txn_begin_wait(t, slot, s->step + 1, now - s->due_ns > txn_following_wait(t, s) / LATE_SHARE ? now : s->due_ns,
		       now);
}

void txn_leave_out(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	slot_give_back(s, t->held[slot].gen);
	txn_set_overdue(t, slot, false);
	txn_begin_wait(t, slot, s->step + 1, s->due_ns, now);
}

void txn_retransmit(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool first_try = t->held[slot].wake_ns == s->due_ns;
	int err;

	if (now >= s->due_ns + txn_following_wait(t, s))
		return txn_leave_out(t, slot, now);
	err = t->env.ops->send(t->env.ctx, slot);
	if (!err) {
		sent(t, slot, word, now);
	} else if (err == -EAGAIN) {
		t->env.stats[STAT_ring_full] += first_try;
		txn_set_overdue(t, slot, true);
		txn_wake_at(t, slot, now + NO_ROOM_NS, NO_ROOM_NS);
	} else if (err == -EHOSTUNREACH) {
		t->env.stats[STAT_no_neighbour] += first_try;
		slot_give_back(s, word_gen(word));
		txn_wake_at(t, slot, now + NO_MAC_NS, NO_MAC_NS);
	} else {
		t->env.stats[err == -EMSGSIZE ? STAT_over_mtu : err == -ENETUNREACH ? STAT_rerouted : STAT_link_down]++;
		txn_leave_out(t, slot, now);
	}
}

void txn_count_copy(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (word_end(word) && slot_take(s, word_gen(word)))
		t->env.stats[STAT_taken_up_again]++;
	s->sends++;
	s->last_send_ns = ns;
	t->env.stats[STAT_copies_counted]++;
	txn_tell(t, slot, EV_COPY, word_code(word), ns);
	if (s->step == SLOT_STEP_FINAL)
		return txn_look_before(t, slot, now);
	txn_set_overdue(t, slot, false);
	txn_begin_wait(t, slot, s->step + 1, ns, now);
}
