// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

bool txn_is_abandoned(const struct transactions *t, const struct siprtx_slot *s, uint64_t now)
{
	uint64_t missed = copies_missed_ns(s);

	return t->env.in_force->tunables[TUN_abandon] && missed <= now &&
	       (s->step != SLOT_STEP_FINAL || missed <= s->due_ns);
}

bool txn_give_up(struct transactions *t, uint32_t slot, uint64_t word, enum siprtx_end end, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (!slot_give_up(s, word, end))
		return false;
	t->env.stats[txn_end_stat(s, end)]++;
	txn_set_overdue(t, slot, false);
	txn_tell(t, slot, EV_GIVEN_UP, end, now);
	if (s->step != SLOT_STEP_FINAL)
		s->due_ns += txn_rest(t, s);
	txn_wake_at(t, slot, s->due_ns, LOOK_WAIT(s->due_ns > now ? s->due_ns - now : 0));
	return true;
}

void txn_supersede(struct transactions *t, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &t->env.slots[slot], *o;
	uint64_t after = t->env.in_force->tunables[TUN_supersede_after] * MS, word;
	uint32_t same[CALLS_SAME];
	unsigned n = after && s->kind == KIND_INVITE ? calls_same(t->env.calls, slot, same) : 0;

	while (n--) {
		o = &t->env.slots[same[n]];
		if (o->kind != KIND_INVITE || s->first_ns < o->first_ns + after ||
		    (s->dport == o->dport && !memcmp(s->daddr, o->daddr, sizeof(s->daddr))))
			continue;
		do
			word = slot_word(o);
		while (word_state(word) == ST_CALLING && !word_end(word) &&
		       !txn_give_up(t, same[n], word, END_SUPERSEDED, now));
	}
}
