/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ends or moves a transaction: responses from the gateway, CANCEL from the softswitch. */
#ifndef BPF_MATCH_H
#define BPF_MATCH_H

#include "count.h"
#include "find.h"
#include "offender.h"
#include "parse.h"
#include "refuse.h"
#include "reply.h"
#include "slot.h"

static __always_inline __u32 stage_of(__u32 code, int body)
{
	if (code == 100)
		return STAGE_TRYING;
	if (code == 180)
		return STAGE_RINGING;
	return body ? STAGE_PROGRESS_SDP : STAGE_PROGRESS; /* an unknown 1xx is a 183 (8.1.3.2) */
}

/* Did the packet come from where the request went (rule 31)? The IP header is at SLOT_L3 of buf. */
static __always_inline int from_gateway(const struct siprtx_slot *slot, const struct siprtx_slot *buf, int v6)
{
	const __u64 *want = (void *)slot->daddr;
	const void *ip = (void *)buf + SLOT_L3;

	if (v6) {
		const __u64 *got = ip + __builtin_offsetof(struct ipv6hdr, saddr);

		return want[0] == got[0] && want[1] == got[1];
	}
	return *(__u32 *)(slot->daddr + 12) == *(__u32 *)(ip + __builtin_offsetof(struct iphdr, saddr));
}

/* Evidence (rule 47), written before the word says that the final response is there. */
static __always_inline void keep_retry_after(struct siprtx_slot *slot, __u64 word, const struct siprtx_slot *buf,
					     const struct sip_msg *m)
{
	if (m->code >= 200 && (word_state(word) == ST_CALLING || word_state(word) == ST_PROCEEDING))
		*(volatile __u32 *)&slot->retry_after = sip_retry_after(buf, m);
}

/* A response to a held request: calling -> proceeding -> completed, by compare-and-swap (RFC 3261 17.1.1.2, 17.1.2.2).
 */
static __always_inline int move(struct siprtx_slot *slot, __u64 word, const struct sip_msg *m, int body,
				const struct siprtx_key *key, __u32 index)
{
	__u32 code = m->code, stage = stage_of(code, body);
	__u64 next, seen;
	int i;

	for (i = 0; i < WORD_TRIES; i++) {
		__u32 state = word_state(word);

		if (state != ST_CALLING && state != ST_PROCEEDING)
			return CNT_response_repeat;
		if (code >= 200)
			next = word_moved(word, ST_COMPLETED, word_stage(word), code);
		else if (state == ST_CALLING || stage > word_stage(word))
			next = word_moved(word, ST_PROCEEDING, stage, code);
		else
			return CNT_response_repeat; /* rules 20 and 21: neither shortened nor restarted */
		seen = __sync_val_compare_and_swap(&slot->word, word, next);
		if (seen == word) {
			note(NOTE_MOVED, bpf_ktime_get_ns(), next, key, index, code);
			return code >= 200 ? CNT_final : CNT_provisional;
		}
		if (word_gen(seen) != word_gen(word))
			break;
		word = seen;
	}
	return CNT_word_lost;
}

/* Where the message in the CPU's buffer ends. */
static __always_inline __u32 message_end(const struct packet *p)
{
	return SLOT_L3 + (p->l4_off - p->l3_off) + sizeof(struct udphdr) + p->sip_len;
}

/* Returns the counter of what was done; it says whether the response passes (is_absorbed). */
static __always_inline int response(struct xdp_md *ctx, const struct packet *p, struct siprtx_percpu *cpu)
{
	const struct siprtx_slot *buf = &cpu->buf;
	const struct sip_msg *m = &cpu->msg;
	struct siprtx_hash_key *secret = map_one(&hash_key);
	__u32 length = message_end(p) - m->body;
	struct siprtx_slot *slot;
	__u64 txn;
	struct siprtx_key key;
	__u64 word;
	int reason;

	if (!secret || (m->method != SIP_INVITE && !has_method(methods_known(), m->method)))
		return m->method == SIP_CANCEL ? cancel_answered(buf, m, CNT_response_other) : CNT_response_other;
	if (m->content_length != ~0u && m->content_length > length)
		return CNT_short_body;
	sip_key(buf, m, m->method, secret, &key);
	txn = find_txn(&key);
	if (!txn)
		return m->method == SIP_CANCEL ? cancel_answered(buf, m, CNT_response_unknown) : CNT_response_unknown;
	if (txn & TXN_EXHAUSTED) {
		__u64 now = bpf_ktime_get_ns();

		note(NOTE_LATE, now, 0, &key, (__u32)(now / 1000000) - txn_gen(txn), m->code);
		return CNT_response_late;
	}
	slot = held_slot(txn, &word);
	if (!slot)
		return CNT_response_repeat;
	if (tunable(TUN_match_source) && !from_gateway(slot, buf, p->v6))
		return wrong_source(buf, p);
	if (is_replied(slot, word))
		return late_to_replied(ctx, p, cpu, slot, word, txn_slot(txn), &key);
	keep_retry_after(slot, word, buf, m);
	reason =
		move(slot, word, m, m->content_length != ~0u ? m->content_length > 0 : length > 0, &key, txn_slot(txn));
	/* whatever it moved, the softswitch has asked nothing */
	return slot->kind == KIND_PROBE ? CNT_probe_absorbed : reason;
}

/* CANCEL ends what it names at once; it has the INVITE's branch and CSeq number (9.1, rule 17). */
static __always_inline int cancel(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	struct found f;
	__u64 word, next, seen;
	int i;

	if (!find_held(buf, m, SIP_INVITE, &f))
		return CNT_cancel_unknown;
	word = f.word;
	if (is_refused(f.slot, word))
		return CNT_cancel_unknown; /* it gets its answer all the same, and has nothing to end at the gateway */
	for (i = 0; i < WORD_TRIES; i++) {
		if (word_state(word) != ST_CALLING && word_state(word) != ST_PROCEEDING)
			return CNT_cancel_unknown;
		next = word_moved(word, ST_TERMINATED, word_stage(word), word_code(word)) | END_CANCELLED << 12;
		seen = __sync_val_compare_and_swap(&f.slot->word, word, next);
		if (seen == word) {
			note(NOTE_MOVED, bpf_ktime_get_ns(), next, &f.key, f.index, 0);
			return CNT_cancel;
		}
		if (word_gen(seen) != word_gen(word))
			break;
		word = seen;
	}
	return CNT_word_lost;
}

#endif
