/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What belongs to an answer siprtx gave in the gateway's place (rule 50). The softswitch takes the INVITE for finished
 * (RFC 3261 17.1.1.2), the gateway does not: towards it siprtx is the client now. All of it only while the controller
 * is there to do its part; else everything passes.
 */
#ifndef BPF_REPLY_H
#define BPF_REPLY_H

#include "count.h"
#include "find.h"
#include "parse.h"
#include "slot.h"

/* Has siprtx answered this INVITE, and does it still act for it? */
static __always_inline int is_replied(const struct siprtx_slot *slot, __u64 word)
{
	struct siprtx_meta *m = map_one(&meta);

	return word_state(word) == ST_TERMINATED && word & WORD_REPLIED && m &&
	       sending(m, slot->outside, bpf_ktime_get_ns());
}

/* A late 2xx has passed: the softswitch may have taken the call up after all, so nothing of its own is absorbed. */
static __always_inline int answered_late(__u64 word)
{
	return word_code(word) >= 200 && word_code(word) < 300;
}

/* The INVITE again: it gets the same reply (17.2.1), and the gateway does not see it. */
static __always_inline int repeat_of_replied(__u64 txn, __u64 word, const struct siprtx_key *key)
{
	note(NOTE_REPLY_REPEAT, bpf_ktime_get_ns(), word, key, txn_slot(txn), 0);
	count(CNT_repeat_answered);
	return XDP_DROP;
}

/* The ACK to a non-2xx has the INVITE's branch and CSeq number (17.1.1.3). True: it is for siprtx's reply. */
static __always_inline int ack_of_reply(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	struct found f;

	if (!find_held(buf, m, SIP_INVITE, &f) || !is_replied(f.slot, f.word) || answered_late(f.word))
		return 0;
	note(NOTE_REPLY_ACKED, bpf_ktime_get_ns(), f.word, &f.key, f.index, 0);
	count(CNT_reply_ack_absorbed);
	return 1;
}

/*
 * A response to a CANCEL that is not held as a request of its own: to siprtx's, or to one of the softswitch's, which is
 * counted as `other`. This and the next functions return a counter, as response().
 */
static __always_inline int cancel_answered(const struct siprtx_slot *buf, const struct sip_msg *m, int other)
{
	struct found f;

	if (!find_held(buf, m, SIP_INVITE, &f) || !(f.word & WORD_CANCELLED) || !is_replied(f.slot, f.word))
		return other;
	note(NOTE_REPLY_CANCEL_OK, bpf_ktime_get_ns(), f.word, &f.key, f.index, m->code);
	return CNT_cancel_ok_absorbed;
}

/*
 * Siprtx's own reply on its way up (user/siprtxd/lift.h): a program in generic mode sees that too. Another frame with
 * these bits, one in 65,536 or less, passes, and its gateway sends it again.
 */
static __always_inline int is_lifted(const struct packet *p, const struct siprtx_slot *slot,
				     const struct siprtx_slot *buf)
{
	const void *ip = (const void *)buf + SLOT_L3;

	if (!(slot->in_tags & SLOT_AT_EGRESS))
		return 0;
	if (p->v6)
		return lift_flow_label(slot->reply_tag) == (bpf_ntohl(*(const __be32 *)ip) & 0xfffff);
	return lift_id(slot->reply_tag) == bpf_ntohs(*(const __be16 *)(ip + offsetof(struct iphdr, id)));
}

/* The controller needs the response itself for its ACK: it goes into a slot of its own. 0: it cannot be handed over. */
static __always_inline int hand_over(void *ctx, const struct packet *p, struct siprtx_percpu *cpu, __u64 word,
				     __u32 index, const struct siprtx_key *key)
{
	struct siprtx_late_final *n;
	struct siprtx_slot *slot;

	slot = spare_slot(cpu);
	if (!slot || load_packet(ctx, p, slot))
		return 0;
	n = bpf_ringbuf_reserve(&notes, sizeof(*n), 0);
	if (!n)
		return 0;
	slot->l4_off = SLOT_L3 + p->l4_off - p->l3_off;
	slot->sip_off = slot->l4_off + sizeof(struct udphdr);
	slot->sip_len = p->sip_len;
	n->note.ns = bpf_ktime_get_ns();
	n->note.word = word;
	n->note.key = *key;
	n->note.slot = index;
	n->note.kind = NOTE_REPLY_LATE_FINAL;
	n->note.code = cpu->msg.code;
	n->response = cpu->spare - 1;
	n->pad = 0;
	spare_used(cpu);
	bpf_ringbuf_submit(n, BPF_RB_NO_WAKEUP);
	return 1;
}

/* A 1xx or 2xx passes (rule 24). Any other final the softswitch would ignore, and the gateway wants an ACK. */
static __always_inline int late_to_replied(struct xdp_md *ctx, const struct packet *p, struct siprtx_percpu *cpu,
					   struct siprtx_slot *slot, __u64 word, __u32 index,
					   const struct siprtx_key *key)
{
	__u32 code = cpu->msg.code;
	__u64 next;

	if (code >= 300 && is_lifted(p, slot, &cpu->buf))
		return CNT_own_copy;
	if (code >= 300)
		return hand_over(ctx, p, cpu, word, index, key) ? CNT_late_absorbed : CNT_response_late;
	if (code >= 200) {
		next = word_moved(word, ST_TERMINATED, word_stage(word), code) | (__u64)word_end(word) << 12;
		if (__sync_val_compare_and_swap(&slot->word, word, next) == word)
			word = next;
	}
	note(NOTE_REPLY_LATE, bpf_ktime_get_ns(), word, key, index, code);
	return CNT_response_late;
}

static __always_inline int is_absorbed(int reason)
{
	return reason == CNT_late_absorbed || reason == CNT_cancel_ok_absorbed || reason == CNT_probe_absorbed;
}

#endif
