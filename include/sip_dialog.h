/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: what tells to which response an ACK or a PRACK belongs, for those who ask (RFC 3261, 13.2.2.4 and
 * 17.1.1.3; RFC 3262, 4 and 7):
 *
 *   callid    = word [ "@" word ]
 *   from-spec = ( name-addr / addr-spec ) *( SEMI ( "tag" EQUAL token / generic-param ) )
 *   RSeq      = 1*DIGIT
 *   RAck      = 1*DIGIT LWS 1*DIGIT LWS Method
 *
 * Looser than the grammar in what stands before the tag. Whatever is doubled, unreadable or too long has a verdict:
 * such a message is left alone.
 */
#ifndef SIPRTX_SIP_DIALOG_H
#define SIPRTX_SIP_DIALOG_H

#include "sip.h"

/*
 * name-addr or addr-spec from `pos` on: where its parameters begin or the value ends, 0 where it cannot be read. What
 * a quoted display name or <> holds is no parameter.
 */
SIP_FN int sip_address(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 i;

	if (!buf)
		return 0;
	pos = sip_lws(buf, pos);
	for (i = 0; i < SIP_MAX_PIECES; i++) {
		__u32 c = sip_byte(buf, pos), end;

		if (c == '<' || c == ';' || sip_value_end(buf, pos))
			break;
		end = sip_run(buf, pos, '<');
		if (!end || end == pos || end - pos > SIP_MAX_BRANCH)
			return 0;
		pos = sip_lws(buf, end);
	}
	if (sip_byte(buf, pos) == '<') {
		pos = sip_find(buf, pos + 1, SLOT_SIZE, 0, '>');
		if (sip_byte(buf, pos) != '>')
			return 0;
		pos = sip_lws(buf, pos + 1);
	}
	return sip_byte(buf, pos) == ';' || sip_value_end(buf, pos) ? pos : 0;
}

/* The tag of the From or To whose value is at `pos`; *tag is empty before, and stays so where there is none. */
SIP_FN int sip_tag(const struct siprtx_slot *buf, __u32 pos, struct sip_span *tag)
{
	__u32 i;
	int err;

	if (!buf || !tag)
		return SIP_MALFORMED;
	pos = sip_address(buf, pos);
	if (!pos)
		return SIP_MALFORMED;
	for (i = 0; i <= SIP_MAX_PIECES; i++) {
		if (sip_value_end(buf, pos)) {
			if (tag->len && sip_byte(buf, tag->at) == '"')
				return SIP_MALFORMED;
			return tag->len > SIP_MAX_TAG ? SIP_TOO_LONG : 0;
		}
		err = sip_piece(buf, &pos, SIP_WORD4('T', 'A', 'G', 0), 3, &tag->at, &tag->len);
		if (err)
			return err;
	}
	return SIP_TOO_LONG;
}

/* 0 or the verdict. */
SIP_INLINE int sip_call_id(const struct siprtx_slot *buf, const struct sip_msg *m, struct sip_dialog *out)
{
	__u32 at = sip_lws(buf, m->call_id), end = sip_find(buf, at, SIP_MAX_CALL_ID, 0, 0);

	if (end - at > SIP_MAX_CALL_ID)
		return SIP_TOO_LONG;
	out->call_id.at = at;
	out->call_id.len = end - at;
	return end != at && sip_value_end(buf, sip_lws(buf, end)) ? 0 : SIP_MALFORMED;
}

/*
 * The number at *pos, which is moved behind it: 1 to 2^32 - 1 (RFC 3262, 7.1). It begins below 2^31 and counts up (3):
 * the last one, which means none here, is not to be met. 0 or the verdict.
 */
SIP_INLINE int sip_response_number(const struct siprtx_slot *buf, __u32 *pos, struct sip_dialog *out)
{
	out->rseq = sip_digits(buf, pos, 32);
	return out->rseq && out->rseq != SIP_NO_NUMBER ? 0 : SIP_MALFORMED;
}

/* 0 or the verdict. */
SIP_INLINE int sip_rseq(const struct siprtx_slot *buf, const struct sip_msg *m, struct sip_dialog *out)
{
	__u32 pos = sip_lws(buf, m->rseq_at);

	if (m->rseq_at == SIP_UNREADABLE || sip_response_number(buf, &pos, out))
		return SIP_MALFORMED;
	return sip_value_end(buf, sip_lws(buf, pos)) ? 0 : SIP_MALFORMED;
}

/* Only an INVITE has reliable provisional responses (RFC 3262, 3). 0 or the verdict. */
SIP_INLINE int sip_rack(const struct siprtx_slot *buf, const struct sip_msg *m, struct sip_dialog *out)
{
	__u32 pos = sip_lws(buf, m->rack_at), after, method;

	if (m->rack_at <= SIP_UNREADABLE || sip_response_number(buf, &pos, out))
		return SIP_MALFORMED;
	after = sip_lws(buf, pos);
	if (after == pos || sip_cseq_value(buf, &after, &out->cseq, &method))
		return SIP_MALFORMED;
	return method == SIP_INVITE ? 0 : SIP_CSEQ_MISMATCH;
}

/*
 * Reads of `m`, a message of *buf that was SIP_OK, what its dialog is. RSeq is read in a provisional response but the
 * 100, which is never reliable (RFC 3262, 3), RAck in a PRACK, which must have one. Returns enum sip_verdict; *out is
 * whole with SIP_OK only. Of several things wrong the first of these decides: Call-ID, From, To, RSeq or RAck.
 */
SIP_FN int sip_dialog(const struct siprtx_slot *buf, const struct sip_msg *m, struct sip_dialog *out)
{
	int err;

	if (!buf || !m || !out)
		return SIP_MALFORMED;
	__builtin_memset(out, 0, sizeof(*out));
	out->cseq = m->cseq;
	err = sip_call_id(buf, m, out);
	if (!err)
		err = sip_tag(buf, m->from, &out->from_tag);
	if (!err)
		err = sip_tag(buf, m->to, &out->to_tag);
	if (err)
		return err;
	if (!m->code)
		return m->method == SIP_PRACK ? sip_rack(buf, m, out) : 0;
	return m->rseq_at && m->code > 100 && m->code < 200 ? sip_rseq(buf, m, out) : 0;
}

#endif
