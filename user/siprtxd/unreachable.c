// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

void txn_unreachable(struct transactions *t, uint32_t slot, uint64_t word, uint16_t icmp, uint64_t ns)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	s->icmp_type = icmp >> 8;
	s->icmp_code = icmp;
	txn_tell(t, slot, EV_ICMP, icmp, ns);
	if (!t->env.in_force->tunables[TUN_icmp_ends])
		return;
	/* a lost swap may mean that a response came: then it is not for ICMP to end it any more */
	while (word_state(word) == ST_CALLING && !word_end(word)) {
		if (slot_terminate(s, word, END_UNREACHABLE))
			return txn_look(t, slot, slot_word(s), 0, ns);
		word = slot_word(s);
	}
}
