/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots: taken from the free list without a syscall, their word changed by compare-and-swap. */
#ifndef BPF_SLOT_H
#define BPF_SLOT_H

#include "maps.h"

/* A compare-and-swap lost this often is given up: the packet passes. */
#define WORD_TRIES 8

/* The slot this CPU reads the next request into, or NULL when none is free. It stays the CPU's until spare_used(). */
static __always_inline struct siprtx_slot *spare_slot(struct siprtx_percpu *cpu)
{
	__u64 *head = map_one(&free_head), top;
	__u32 index, *below;
	int i;

	for (i = 0; i < WORD_TRIES && head && !cpu->spare; i++) {
		top = *(volatile __u64 *)head;
		index = (__u32)top - 1;
		below = bpf_map_lookup_elem(&free_slots, &index);
		if (!below)
			return NULL;
		if (__sync_val_compare_and_swap(head, top, free_head_moved(top, *(volatile __u32 *)below)) == top)
			cpu->spare = index + 1;
	}
	if (!cpu->spare)
		return NULL;
	index = cpu->spare - 1;
	return bpf_map_lookup_elem(&slots, &index);
}

static __always_inline void spare_used(struct siprtx_percpu *cpu)
{
	cpu->spare = 0;
}

/* The slot of a transaction that is still held; *word is its word. NULL: ended, the key is only remembered. */
static __always_inline struct siprtx_slot *held_slot(__u64 txn, __u64 *word)
{
	struct siprtx_slot *slot;
	__u32 index = txn_slot(txn);

	if (txn & (TXN_EXHAUSTED | TXN_ENDED))
		return NULL;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot)
		return NULL;
	*word = *(volatile __u64 *)&slot->word;
	if (word_gen(*word) != txn_gen(txn) || word_state(*word) == ST_FREE)
		return NULL;
	return slot;
}

/* Tells the controller; without a wake-up, it looks each round. A full ring costs nothing but its promptness. */
static __always_inline void note(__u16 kind, __u64 ns, __u64 word, const struct siprtx_key *key, __u32 slot, __u16 code)
{
	struct siprtx_note n = {.ns = ns, .word = word, .key = *key, .slot = slot, .kind = kind, .code = code};

	bpf_ringbuf_output(&notes, &n, sizeof(n), BPF_RB_NO_WAKEUP);
}

/* Is the controller there to act on what is captured? */
static __always_inline int controller_alive(const struct siprtx_meta *m, __u64 now)
{
	return now - m->alive_ns < ALIVE_NS || m->alive_ns > now;
}

/* Are due copies reaching this outside interface? */
static __always_inline int sending(const struct siprtx_meta *m, __u32 outside, __u64 now)
{
	__u64 beat;

	if (outside >= MAX_OUTSIDE)
		return 0;
	beat = *(volatile __u64 *)&m->heartbeat[outside & (MAX_OUTSIDE - 1)];
	return beat && (now - beat < HEARTBEAT_NS || beat > now);
}

#endif
