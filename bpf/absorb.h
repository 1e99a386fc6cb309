/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The softswitch's own copies of a message that is held (decision 6, rules 23, 29, 30, 32). */
#ifndef BPF_ABSORB_H
#define BPF_ABSORB_H

#include "confirm.h"
#include "parse.h"
#include "refuse.h"
#include "reply.h"
#include "slot.h"

/* The controller sees by these that the copies have stopped (rule 18). One seen twice (rule 30) has no gap of its own.
 */
static __always_inline void keep_copy_time(struct siprtx_slot *slot, __u64 now)
{
	__u64 before = slot->copy_ns ?: slot->first_ns;

	if ((__s64)(now - before) < (__s64)tunable(TUN_dup_window) * 1000000)
		return;
	*(volatile __u64 *)&slot->copy_gap_ns = now - before;
	*(volatile __u64 *)&slot->copy_ns = now;
}

/*
 * What this host sent itself, come back by a bridge or a mirror (rule 29): the source MAC of the frame that is held,
 * and its TTL, one less than the softswitch's. Both, as another path may lower the TTL of a copy too. At egress the
 * softswitch's own copies have the same, but came in as the first one did, or were made here as that was; siprtx's own
 * frames pass there only where they came back by another interface.
 */
static __always_inline int sent_by_us(void *ctx, const struct packet *p, const struct siprtx_slot *slot)
{
	__u32 at = (slot->frame_off & 0xff) + ETH_ALEN;
	const __u16 *own = (const void *)slot + at;
	const __u8 *ip = (const void *)slot + SLOT_L3;
	__u16 mac[ETH_ALEN / 2];

	if (p->ttl != ip[p->v6 ? offsetof(struct ipv6hdr, hop_limit) : offsetof(struct iphdr, ttl)])
		return 0;
	if (p->hook == AT_EGRESS && ingress_of(ctx, p->hook) == slot->ingress)
		return 0;
	if (load_bytes(ctx, p->hook, ETH_ALEN, mac, sizeof(mac)))
		return 0;
	return mac[0] == own[0] && mac[1] == own[1] && mac[2] == own[2];
}

/*
 * Is it this copy's turn to stand for siprtx's own (WORD_YIELD)? A swap that is lost is not tried again: then siprtx
 * sends.
 */
static __always_inline int has_turn(struct siprtx_slot *slot, __u64 word)
{
	return word & WORD_YIELD && __sync_val_compare_and_swap(&slot->word, word, word & ~(__u64)WORD_YIELD) == word;
}

/* The INVITE again, before siprtx has answered it in the place of a gateway that is down. */
static __always_inline int copy_of_refused(const struct siprtx_meta *alive, __u64 txn, const struct siprtx_key *key,
					   struct siprtx_slot *slot, __u64 word)
{
	__u64 now = bpf_ktime_get_ns();

	if (sending(alive, slot->outside, now) || !refused_passes(slot, word))
		return drop_refused();
	keep_copy_time(slot, now);
	note(NOTE_COPY, now, word, key, txn_slot(txn), 1);
	return pass(CNT_copy_passed);
}

/* A message in `buf` whose key is known. XDP_DROP only while siprtx sends in its place. */
static __always_inline int repeated(void *ctx, const struct packet *p, __u64 txn, const struct siprtx_key *key,
				    const struct siprtx_slot *buf, const struct sip_msg *m)
{
	struct siprtx_meta *alive = map_one(&meta);
	struct siprtx_slot *slot;
	__u64 word, now;

	slot = held_slot(txn, &word);
	if (slot && is_replied(slot, word) && !answered_late(word))
		return repeat_of_replied(txn, word, key);
	if (slot && alive && is_refused(slot, word))
		return copy_of_refused(alive, txn, key, slot, word);
	if (!slot || !alive || word_state(word) == ST_TERMINATED)
		return pass(CNT_remembered);
	if (!word_sends(slot->kind, word))
		return pass(CNT_copy_answered);
	if (sent_by_us(ctx, p, slot))
		return pass(CNT_own_copy);
	now = bpf_ktime_get_ns();
	/* also where another CPU's clock was read first */
	if ((__s64)(now - slot->first_ns) < (__s64)tunable(TUN_dup_window) * 1000000)
		return pass(CNT_dup);
	if (m->code && m->code != word_code(word))
		return pass(CNT_response_unlike);
	if (m->code && was_asked(slot, buf, m)) {
		note(NOTE_COPY, now, word, key, txn_slot(txn), 0);
		return pass(CNT_response_asked);
	}
	keep_copy_time(slot, now);
	if (word & WORD_TAKEN && tunable(TUN_absorb) && sending(alive, slot->outside, now)) {
		if (!has_turn(slot, word)) {
			count(CNT_absorbed);
			return XDP_DROP;
		}
		note(NOTE_COPY, now, word, key, txn_slot(txn), 1);
		return pass(CNT_refreshed);
	}
	note(NOTE_COPY, now, word, key, txn_slot(txn), 0);
	return pass(CNT_copy_passed);
}

#endif
