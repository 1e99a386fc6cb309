/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transaction key: a keyed 128-bit hash of sent-by host (in small letters) and port, branch bytes, CSeq number
 * and method (RFC 3261 17.1.3, 17.2.3 and the CSeq number). And the dialog key: the same hash of Call-ID, From tag and
 * To tag bytes, CSeq and RSeq numbers.
 *
 * The hash is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO '99; RFC 4418, 5.2.2), twice, the second
 * time with the key shifted by one pair of words ("Toeplitz"):
 *
 *   NH(M) = sum over i of ((M[2i] + K[2i]) mod 2^32) * ((M[2i+1] + K[2i+1]) mod 2^32)  mod 2^64
 *
 * NH, because who sends the messages chooses them: for any two that differ, made without knowledge of the key, the
 * two sums agree with probability 2^-64 at most, and that is proven, not hoped. It costs two multiplications a word
 * of eight bytes and needs no rotation, of which BPF has none. It is no MAC: hashes must not be shown to strangers.
 *
 * The bound holds for messages of one length only. So each field has key words of its own, whatever the length of
 * the others; only the words in use are summed; and the lengths are part of the message, in its last pair. Two
 * messages of the same lengths are then one case of the theorem. Of two with different lengths the last pair differs;
 * its key words are fresh in both passes, whatever the other sums are: 2^-32 each. So they are for a transaction and a
 * dialog, both with the same last pair: its second word is two lengths, or SIP_KEY_IS_DIALOG. The pair behind it is no
 * field's: it gives the second pass its key words for the last pair.
 */
#ifndef SIPRTX_KEY_H
#define SIPRTX_KEY_H

#include "abi.h"
#include "sip_msg.h"
#include "sip_read.h"

/* Where the fields' key words begin, in pairs of u32. */
#define SIP_KEY_HOST   0
#define SIP_KEY_BRANCH (SIP_KEY_HOST + SIP_MAX_HOST / 8)
#define SIP_KEY_FIXED  (SIP_KEY_BRANCH + SIP_MAX_BRANCH / 8)
/* of a dialog; the pairs from SIP_KEY_FIXED on are its own too */
#define SIP_KEY_CALL_ID	 (SIP_KEY_FIXED + 2 + 1)
#define SIP_KEY_FROM_TAG (SIP_KEY_CALL_ID + SIP_MAX_CALL_ID / 8)
#define SIP_KEY_TO_TAG	 (SIP_KEY_FROM_TAG + SIP_MAX_TAG / 8)
#define SIP_KEY_END	 (SIP_KEY_TO_TAG + SIP_MAX_TAG / 8)
_Static_assert(2 * (SIP_KEY_END + 1) <= KEY_WORDS, "hash key too short");

#define SIP_KEY_IS_DIALOG 0x80000000u

/* Adds the pair of words in `w` to both sums; `pair` names its key words. */
static inline void sip_key_add(const struct siprtx_hash_key *hk, __u32 pair, __u64 w, __u64 *sum)
{
	const __u32 *k = hk->k + 2 * pair;
	__u32 lo = w, hi = w >> 32;

	sum[0] += (__u64)(__u32)(lo + k[0]) * (__u32)(hi + k[1]);
	sum[1] += (__u64)(__u32)(lo + k[2]) * (__u32)(hi + k[3]);
}

/* Capital letters A to Z made small, all other bytes as they are. */
static inline __u64 sip_small(__u64 w)
{
	__u64 low7 = w & ~SIP_HIGHS;
	__u64 from_a = low7 + (0x80 - 'A') * SIP_ONES, after_z = low7 + (0x7f - 'Z') * SIP_ONES;

	return w | ((from_a ^ after_z) & ~w & SIP_HIGHS) >> 2;
}

SIP_INLINE void sip_key_bytes(const struct siprtx_slot *buf, __u32 pos, __u32 len, __u32 max, int small,
			      const struct siprtx_hash_key *hk, __u32 pair, __u64 *sum)
{
	__u32 i;

	for (i = 0; i < max; i += 8) {
		__u64 w;

		if (i >= len)
			break;
		w = sip_word(buf, pos + i);
		if (len - i < 8)
			w &= (1ull << 8 * (len & 7)) - 1;
		SIP_FORGET(buf, len);
		sip_key_add(hk, pair + i / 8, small ? sip_small(w) : w, sum);
	}
}

/*
 * Makes the key of `m`, a message of *buf that was SIP_OK, with `method` in place of its own: a CANCEL, or the ACK
 * to a non-2xx, finds the INVITE so. Returns 0 (a global BPF function must return a number).
 */
SIP_FN int sip_key(const struct siprtx_slot *buf, const struct sip_msg *m, __u32 method,
		   const struct siprtx_hash_key *hk, struct siprtx_key *out)
{
	__u64 sum[2] = {0, 0};

	if (!buf || !m || !hk || !out)
		return 0;
	sip_key_bytes(buf, m->host, m->host_len, SIP_MAX_HOST, 1, hk, SIP_KEY_HOST, sum);
	sip_key_bytes(buf, m->branch, m->branch_len, SIP_MAX_BRANCH, 0, hk, SIP_KEY_BRANCH, sum);
	sip_key_add(hk, SIP_KEY_FIXED, m->cseq | (__u64)m->port << 32, sum);
	sip_key_add(hk, SIP_KEY_FIXED + 1, method | (__u64)(m->host_len << 16 | m->branch_len) << 32, sum);
	out->hash[0] = sum[0];
	out->hash[1] = sum[1];
	return 0;
}

/* Makes the key of `d`, which sip_dialog() found in the message of *buf. Returns 0. */
SIP_FN int sip_dialog_key(const struct siprtx_slot *buf, const struct sip_dialog *d, const struct siprtx_hash_key *hk,
			  struct siprtx_key *out)
{
	__u32 lengths;
	__u64 sum[2] = {0, 0};

	if (!buf || !d || !hk || !out)
		return 0;
	lengths = d->call_id.len << 16 | d->from_tag.len << 8 | d->to_tag.len;
	sip_key_bytes(buf, d->call_id.at, d->call_id.len, SIP_MAX_CALL_ID, 0, hk, SIP_KEY_CALL_ID, sum);
	sip_key_bytes(buf, d->from_tag.at, d->from_tag.len, SIP_MAX_TAG, 0, hk, SIP_KEY_FROM_TAG, sum);
	sip_key_bytes(buf, d->to_tag.at, d->to_tag.len, SIP_MAX_TAG, 0, hk, SIP_KEY_TO_TAG, sum);
	sip_key_add(hk, SIP_KEY_FIXED, d->cseq | (__u64)d->rseq << 32, sum);
	sip_key_add(hk, SIP_KEY_FIXED + 1, lengths | (__u64)SIP_KEY_IS_DIALOG << 32, sum);
	out->hash[0] = sum[0];
	out->hash[1] = sum[1];
	return 0;
}

#endif
