// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

/*
 * A name is read in each message, a microsecond each: of a large table only the first ones have theirs before the loop
 * begins, the others some in each round. Until then a call is not seen to have gone to another gateway.
 */
#define NAMED_AT_ONCE 65536
#define NAMED_A_ROUND 512
#define AHEAD	      8 /* slots, asked for before they are needed */
#define HEADER_LINES  3 /* 64 bytes each */
#define MESSAGE_LINES 12

struct waiting {
	uint64_t due_ns;
	uint32_t slot;
};

static int by_due(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return x->due_ns < y->due_ns ? -1 : x->due_ns > y->due_ns;
}

/* True when the slot has a deadline of its own to be waited for. */
static bool adopt(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	t->env.stats[STAT_adopted]++;
	if (word_state(word) == ST_TERMINATED && word & WORD_REPLIED) {
		t->held[slot] = (struct held){.gen = word_gen(word)};
		t->n_held++;
		txn_end(t, slot, word_end(word));
		return false;
	}
	/* nobody's yet, or killed at its beginning, or to be answered */
	if (!s->due_ns || s->bypass == BYPASS_REFUSED) {
		txn_begin(t, slot, word, now);
		return false;
	}
	txn_hold(t, slot, word);
	if (word_sends(s->kind, word)) {
		if (word_state(word) == ST_PROCEEDING && !s->resp_ns)
			txn_look(t, slot, word, word_code(word), now);
		if (s->step == SLOT_STEP_FINAL || word_end(word) || now < s->due_ns + txn_following_wait(t, s))
			return true;
		txn_leave_out(t, slot, STAT_left_out, now);
		return false;
	}
	if (word_state(word) == ST_PROCEEDING && s->resp_ns)
		return true;
	txn_look(t, slot, word, word_code(word), now);
	return false;
}

static void fetch(const struct transactions *t, uint32_t slot, unsigned lines)
{
	if (slot >= t->env.n_slots)
		return;
	for (unsigned i = 0; i < lines; i++)
		__builtin_prefetch((const char *)&t->env.slots[slot] + 64 * i);
}

void txn_name_more(struct transactions *t)
{
	for (unsigned i = 0; i < NAMED_A_ROUND && t->unnamed < t->env.n_slots; i++, t->unnamed++) {
		fetch(t, t->unnamed + AHEAD, MESSAGE_LINES);
		if (t->held[t->unnamed].phase == HELD && t->env.slots[t->unnamed].kind != KIND_REQUEST)
			calls_add(t->env.calls, t->unnamed);
	}
}

int transactions_adopt(struct transactions *t)
{
	struct waiting *waiting = calloc(t->env.n_slots, sizeof(*waiting));
	uint64_t now = txn_now(t);
	uint32_t n = 0;

	if (!waiting)
		return -ENOMEM;
	t->env.stats[STAT_pending] = t->env.stats[STAT_proceeding] = t->env.stats[STAT_late_us_max] = 0;
	if (t->unnamed > NAMED_AT_ONCE)
		t->unnamed = NAMED_AT_ONCE;
	for (uint32_t slot = 0; slot < t->env.n_slots; slot++) {
		uint64_t word = slot_word(&t->env.slots[slot]);

		fetch(t, slot + AHEAD, slot + AHEAD < t->unnamed ? MESSAGE_LINES : HEADER_LINES);
		if (word_state(word) == ST_FREE || t->env.slots[slot].kind == KIND_PROBE)
			continue;
		if (adopt(t, slot, word, now))
			waiting[n++] = (struct waiting){t->env.slots[slot].due_ns, slot};
	}
	/* their waits are of all lengths by now: sorted, one queue holds them all */
	qsort(waiting, n, sizeof(*waiting), by_due);
	for (uint32_t i = 0; i < n; i++)
		txn_wake_at(t, waiting[i].slot, waiting[i].due_ns, UINT64_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (word_sends(t->env.slots[waiting[i].slot].kind, slot_word(&t->env.slots[waiting[i].slot])))
			txn_look_before(t, waiting[i].slot, now);
	free(waiting);
	return t->error;
}
