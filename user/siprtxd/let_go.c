// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

bool txn_is_switched_off(const struct transactions *t, const struct siprtx_slot *s)
{
	return kind_is_response(s->kind) && !t->env.in_force->tunables[TUN_confirm];
}

void txn_let_go(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t word;

	do
		word = slot_word(s);
	while (word_state(word) == ST_CALLING && !slot_terminate(s, word, END_LET_GO));
	word = slot_word(s);
	txn_look(t, slot, word, word_code(word), now);
}

void txn_answer(struct transactions *t, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &t->env.slots[slot], *o;
	uint32_t same[CALLS_SAME];
	unsigned n = s->kind == KIND_FINAL ? calls_same_branch(t->env.calls, slot, same) : 0;

	while (n--) {
		o = &t->env.slots[same[n]];
		if (o->kind == KIND_RELIABLE && o->cseq == s->cseq)
			txn_let_go(t, same[n], now);
	}
}
