/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slot word changed by compare-and-swap, and the free list given back to. Shared with the XDP programs. */
#ifndef SIPRTX_SLOT_H
#define SIPRTX_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

static inline uint64_t slot_word(const struct siprtx_slot *s)
{
	return __atomic_load_n(&s->word, __ATOMIC_ACQUIRE);
}

/*
 * Sets or clears WORD_TAKEN while the slot is of this generation and still sent (word_sends), given up or not; it is
 * not given up then. False: it is not sent any more.
 */
bool slot_take(struct siprtx_slot *s, uint32_t gen);
bool slot_give_back(struct siprtx_slot *s, uint32_t gen);

/*
 * Sets WORD_YIELD on one that is taken and still sent. False: it is not. Takes it away again; false: it is not there,
 * a copy of the softswitch has passed by it or the transaction has ended.
 */
bool slot_yield(struct siprtx_slot *s, uint32_t gen);
bool slot_yield_over(struct siprtx_slot *s, uint32_t gen);

/* From a word last looked at, of one still sent, to one that was given up (abi.h). False: as below. */
bool slot_give_up(struct siprtx_slot *s, uint64_t seen, enum siprtx_end end);
/* From the word last looked at to ST_TERMINATED. False: the word is another by now, nothing changed; look again. */
bool slot_terminate(struct siprtx_slot *s, uint64_t seen, enum siprtx_end end);

/*
 * From a terminated slot of this generation back to ST_CALLING, without flags, code and end: of one that was to be
 * answered and could not be. False: it is another by now.
 */
bool slot_revive(struct siprtx_slot *s, uint32_t gen);

/*
 * Sets or clears flags of a terminated slot of this generation (WORD_REPLIED, WORD_CANCELLED). False: it is another by
 * now.
 */
bool slot_flag(struct siprtx_slot *s, uint32_t gen, uint32_t set, uint32_t clear);

/*
 * A request of the controller's own is sent anew in this slot (KIND_PROBE): ST_CALLING and the next generation, which
 * is returned. Whatever the XDP programs do to the word meanwhile was of the one before.
 */
uint32_t slot_call(struct siprtx_slot *s);

/* The stack of free slots (abi.h). One thread of one process gives back; it and the XDP programs take. */
struct free_list {
	__u32 *below; /* 8 bytes an entry, as a mapped u32 array has it */
	__u64 *head;
};

/*
 * Frees a slot that nobody sends from any more: the next generation, ST_FREE, what the controller wrote is cleared;
 * then onto the free list. From here on a {slot, generation} of `txns` that was its own matches nothing.
 */
void slot_free(const struct free_list *f, struct siprtx_slot *slots, uint32_t slot);
/* Takes the top one for the controller's own use, -1: none is free. Its word stays ST_FREE; slot_free() gives it back.
 */
int64_t slot_obtain(const struct free_list *f);
/* The slot below `slot`, -1: the last; of -1 the top one. For a walk while nothing is taken. */
int64_t free_list_below(const struct free_list *f, int64_t slot);

#endif
