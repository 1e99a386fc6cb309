/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What awaits a confirmation and no response, with the tunable `confirm` on: the softswitch's final responses to an
 * INVITE until their ACK (RFC 3261, 13.3.1.4 and 17.2.1), its reliable provisional ones until their PRACK (RFC 3262,
 * 3).
 *
 * Both kinds of ACK have the Call-ID, the tags and the CSeq number of the response: the one to a 2xx by 13.2.2.4, with
 * a branch of its own, the other by 17.1.1.3. A PRACK names INVITE and RSeq in its RAck.
 */
#ifndef BPF_CONFIRM_H
#define BPF_CONFIRM_H

#include "key.h"
#include "match.h"
#include "sip_dialog.h"

/*
 * The kind of a response that leaves, -1: nothing confirms it, or nobody wants to know. RSeq alone makes a provisional
 * one reliable: it stands in no other (RFC 3262, 3 and 7.1). Where Require: 100rel is missing beside it, the gateway
 * gets a few more of a 1xx it has seen, and no harm.
 */
static __always_inline int awaited_kind(const struct sip_msg *m)
{
	if (m->method != SIP_INVITE || !tunable(TUN_confirm))
		return -1;
	if (m->code >= 200)
		return KIND_FINAL;
	return m->code > 100 && m->rseq_at ? KIND_RELIABLE : -1;
}

/* Of a response, of the ACK or the PRACK to it. A dialog has a To tag (12). 0, or -1: there is no key. */
static __always_inline int dialog_key(const struct siprtx_slot *buf, const struct sip_msg *m,
				      const struct siprtx_hash_key *secret, struct siprtx_key *key)
{
	struct sip_dialog d = {};

	if (sip_dialog(buf, m, &d) != SIP_OK || !d.to_tag.len)
		return -1;
	sip_dialog_key(buf, &d, secret, key);
	return 0;
}

/*
 * An INVITE from the gateway. Where it is a repeat, the softswitch answers it with its response (17.2.1): that is no
 * copy of its own timer, and the gateway wants it now.
 */
static __always_inline void ask(const struct siprtx_slot *buf, const struct sip_msg *m,
				const struct siprtx_hash_key *secret)
{
	__u64 now = bpf_ktime_get_ns();
	struct siprtx_key key;

	sip_key(buf, m, SIP_INVITE, secret, &key);
	bpf_map_update_elem(&asked, &key, &now, BPF_ANY);
}

/* Does a copy of the response in `slot` answer a repeat of its INVITE? Once for each repeat. */
static __always_inline int was_asked(const struct siprtx_slot *slot, const struct siprtx_slot *buf,
				     const struct sip_msg *m)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	struct siprtx_key key;
	__u64 *ns;

	if (!secret)
		return 0;
	sip_key(buf, m, SIP_INVITE, secret, &key);
	ns = bpf_map_lookup_elem(&asked, &key);
	return ns && *ns > slot->first_ns && !bpf_map_delete_elem(&asked, &key);
}

/* calling -> completed, the code stays the response's own. Returns the counter of what was done. */
static __always_inline int confirm(struct siprtx_slot *slot, __u64 word, const struct siprtx_key *key, __u32 index)
{
	__u64 next, seen;
	int i;

	for (i = 0; i < WORD_TRIES; i++) {
		if (word_state(word) != ST_CALLING)
			return CNT_confirm_unknown;
		next = word_moved(word, ST_COMPLETED, STAGE_NOTHING, word_code(word));
		seen = __sync_val_compare_and_swap(&slot->word, word, next);
		if (seen == word) {
			note(NOTE_MOVED, bpf_ktime_get_ns(), next, key, index, word_code(next));
			return CNT_confirmed;
		}
		if (word_gen(seen) != word_gen(word))
			break;
		word = seen;
	}
	return CNT_word_lost;
}

/* A request from the gateway. Returns the counter of what was done; it passes in every case. */
static __always_inline int request_in(const struct packet *p, const struct siprtx_slot *buf, const struct sip_msg *m)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	struct siprtx_slot *slot;
	__u64 txn;
	struct siprtx_key key;
	__u64 word;

	if (!tunable(TUN_confirm) || !secret)
		return CNT_request_in;
	if (m->method == SIP_INVITE)
		ask(buf, m, secret);
	if (m->method != SIP_ACK && m->method != SIP_PRACK)
		return CNT_request_in;
	if (m->content_length != ~0u && m->content_length > message_end(p) - m->body)
		return CNT_short_body;
	txn = dialog_key(buf, m, secret, &key) ? 0 : find_txn(&key);
	slot = txn ? held_slot(txn, &word) : NULL;
	if (!slot)
		return CNT_confirm_unknown;
	if (tunable(TUN_match_source) && !from_gateway(slot, buf, p->v6))
		return wrong_source(buf, p);
	return confirm(slot, word, &key, txn_slot(txn));
}

#endif
