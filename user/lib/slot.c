// SPDX-License-Identifier: GPL-2.0-or-later
#include "slot.h"

static bool swap(struct siprtx_slot *s, uint64_t *seen, uint64_t next)
{
	return __atomic_compare_exchange_n(&s->word, seen, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* A word of one that is still sent, without its end, is one that nobody has given up. */
static bool change_flag(struct siprtx_slot *s, uint32_t gen, bool taken)
{
	uint64_t word = slot_word(s);

	while (word_gen(word) == gen && word_sends(s->kind, word)) {
		uint64_t next = word_moved(word, word_state(word), word_stage(word), word_code(word));

		next = taken ? next | WORD_TAKEN : next & ~(uint64_t)(WORD_TAKEN | WORD_YIELD);
		if (next == word || swap(s, &word, next))
			return true;
	}
	return false;
}

bool slot_take(struct siprtx_slot *s, uint32_t gen)
{
	return change_flag(s, gen, true);
}

bool slot_give_back(struct siprtx_slot *s, uint32_t gen)
{
	return change_flag(s, gen, false);
}

bool slot_yield(struct siprtx_slot *s, uint32_t gen)
{
	uint64_t word = slot_word(s);

	while (word_gen(word) == gen && word_sends(s->kind, word) && word & WORD_TAKEN)
		if (swap(s, &word, word | WORD_YIELD))
			return true;
	return false;
}

bool slot_yield_over(struct siprtx_slot *s, uint32_t gen)
{
	uint64_t word = slot_word(s);

	while (word_gen(word) == gen && word & WORD_YIELD)
		if (swap(s, &word, word & ~(uint64_t)WORD_YIELD))
			return true;
	return false;
}

bool slot_give_up(struct siprtx_slot *s, uint64_t seen, enum siprtx_end end)
{
	return swap(s, &seen, (seen & ~(uint64_t)(WORD_TAKEN | WORD_YIELD)) | (uint64_t)end << 12);
}

bool slot_terminate(struct siprtx_slot *s, uint64_t seen, enum siprtx_end end)
{
	uint64_t next = word_moved(seen, ST_TERMINATED, word_stage(seen), word_code(seen));

	return swap(s, &seen, next | (uint64_t)end << 12);
}

bool slot_revive(struct siprtx_slot *s, uint32_t gen)
{
	uint64_t word = slot_word(s);

	while (word_gen(word) == gen && word_state(word) == ST_TERMINATED)
		if (swap(s, &word, (uint64_t)gen << 32 | ST_CALLING))
			return true;
	return false;
}

bool slot_flag(struct siprtx_slot *s, uint32_t gen, uint32_t set, uint32_t clear)
{
	uint64_t word = slot_word(s);

	while (word_gen(word) == gen && word_state(word) == ST_TERMINATED)
		if (swap(s, &word, (word & ~(uint64_t)clear) | set))
			return true;
	return false;
}

uint32_t slot_call(struct siprtx_slot *s)
{
	uint64_t word = slot_word(s), next;

	do
		next = (uint64_t)(word_gen(word) + 1) << 32 | ST_CALLING;
	while (!swap(s, &word, next));
	return word_gen(next);
}

static void push(const struct free_list *f, uint32_t slot)
{
	uint64_t head = __atomic_load_n(f->head, __ATOMIC_ACQUIRE);

	do
		__atomic_store_n(&f->below[2 * (size_t)slot], (uint32_t)head, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(f->head, &head, free_head_moved(head, slot + 1), false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE));
}

void slot_free(const struct free_list *f, struct siprtx_slot *slots, uint32_t slot)
{
	struct siprtx_slot *s = &slots[slot];

	/* the word first: a controller killed in between must not take the cleared fields for a live transaction's */
	__atomic_store_n(&s->word, (uint64_t)(word_gen(slot_word(s)) + 1) << 32 | ST_FREE, __ATOMIC_RELEASE);
	s->resp_ns = s->due_ns = s->last_send_ns = s->record_seq = 0;
	s->late_us_max = 0;
	s->icmp_type = s->icmp_code = 0;
	s->sends = s->step = 0;
	push(f, slot);
}

int64_t slot_obtain(const struct free_list *f)
{
	uint64_t head = __atomic_load_n(f->head, __ATOMIC_ACQUIRE);

	while ((uint32_t)head) {
		uint32_t slot = (uint32_t)head - 1;
		uint32_t below = __atomic_load_n(&f->below[2 * (size_t)slot], __ATOMIC_RELAXED);

		if (__atomic_compare_exchange_n(f->head, &head, free_head_moved(head, below), false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return slot;
	}
	return -1;
}

int64_t free_list_below(const struct free_list *f, int64_t slot)
{
	uint32_t below = slot < 0 ? (uint32_t)*f->head : f->below[2 * slot];

	return (int64_t)below - 1;
}
