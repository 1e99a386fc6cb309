/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: the top Via, its first element (RFC 3261, 20.42 and 25.1):
 *
 *   via-parm      = sent-protocol LWS sent-by *( SEMI via-params )
 *   sent-protocol = "SIP" SLASH "2.0" SLASH "UDP"
 *   sent-by       = host [ COLON port ]
 *   via-params    = token [ EQUAL ( token / host / quoted-string ) ]
 *
 * Looser than the grammar in what a token or host may consist of, every visible or 8-bit byte but the separators, and
 * in how other parameters than the branch are made of them.
 */
#ifndef SIPRTX_SIP_VIA_H
#define SIPRTX_SIP_VIA_H

#include "sip_msg.h"
#include "sip_read.h"

/* The quoted string that begins at `pos`: the position behind it, 0 where it is not closed before the value ends. */
SIP_FN int sip_quoted(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 i;

	if (!buf)
		return 0;
	for (i = 0; i < SIP_MAX_RUN; i++) {
		__u32 c = sip_byte(buf, pos + 1);

		if (c == '"')
			return pos + 2;
		pos += c == '\\' ? 2 : 1;
		/* a line end is part of it only where it is folded, and never behind a backslash */
		if (sip_byte(buf, pos) == '\n' && (c != '\n' || !sip_is_wsp(sip_byte(buf, pos + 1))))
			return 0;
	}
	return 0;
}

/* SLASH: the position behind it, 0 where there is none. */
SIP_INLINE __u32 sip_slash(const struct siprtx_slot *buf, __u32 pos)
{
	pos = sip_lws(buf, pos);
	return sip_byte(buf, pos) == '/' ? sip_lws(buf, pos + 1) : 0;
}

/* "SIP/2.0/UDP " from `pos` on, with white space where it may be: where sent-by begins, 0 where it is not that. */
SIP_INLINE __u32 sip_sent_protocol(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 after;
	__u64 w;

	pos = sip_lws(buf, pos);
	w = sip_word(buf, pos);
	if ((w & 0xffffffffffdfdfdfull) == SIP_WORD8('S', 'I', 'P', '/', '2', '.', '0', '/')) {
		pos = sip_lws(buf, pos + 8);
	} else {
		if ((w & 0xdfdfdf) != SIP_WORD4('S', 'I', 'P', 0))
			return 0;
		pos = sip_slash(buf, pos + 3);
		if (!pos || (sip_word(buf, pos) & 0xffffff) != SIP_WORD4('2', '.', '0', 0))
			return 0;
		pos = sip_slash(buf, pos + 3);
		if (!pos)
			return 0;
	}
	if ((sip_word(buf, pos) & 0xdfdfdf) != SIP_WORD4('U', 'D', 'P', 0))
		return 0;
	pos += 3;
	after = sip_lws(buf, pos);
	return after == pos ? 0 : after;
}

/* What ends sent-by and a parameter is at `pos`: another parameter, another Via, or the end of the value. */
SIP_INLINE int sip_via_stop(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 c = sip_byte(buf, pos);

	return c == ';' || c == ',' || sip_value_end(buf, pos);
}

/* host [ COLON port ] at *pos, which is moved behind it and white space. Returns 0 or the verdict. */
SIP_INLINE int sip_sent_by(const struct siprtx_slot *buf, __u32 *pos, struct sip_msg *m)
{
	__u32 host = *pos, bracket = sip_byte(buf, host) == '[';
	__u32 end = sip_find(buf, host, SIP_MAX_HOST, 1, bracket ? ']' : ':'), len = end + bracket - host, port;

	if (!len)
		return SIP_MALFORMED;
	if (len > SIP_MAX_HOST)
		return SIP_TOO_LONG;
	if (bracket && sip_byte(buf, end) != ']')
		return SIP_MALFORMED;
	m->host = host;
	m->host_len = len;
	m->port = 5060;
	*pos = sip_lws(buf, host + len);
	if (sip_byte(buf, *pos) == ':') {
		*pos = sip_lws(buf, *pos + 1);
		port = sip_number(buf, pos);
		if (port - 1 > 65534)
			return SIP_MALFORMED;
		m->port = port;
		*pos = sip_lws(buf, *pos);
	}
	return sip_via_stop(buf, *pos) ? 0 : SIP_MALFORMED;
}

/* `pos` is a parameter's: its value, if it is a branch that has one, else `pos`. */
SIP_INLINE __u32 sip_branch(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 equal;

	if ((sip_word(buf, pos) & SIP_UPPER >> 16) != SIP_WORD8('B', 'R', 'A', 'N', 'C', 'H', 0, 0))
		return pos;
	equal = sip_lws(buf, pos + 6);
	return sip_byte(buf, equal) == '=' ? sip_lws(buf, equal + 1) : pos;
}

/* The branch begins with the magic cookie, in any case, and something follows it (rules 7 and 14). */
SIP_INLINE int sip_has_cookie(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	return m->branch_len > 7 &&
	       (sip_word(buf, m->branch) & 0x00dfdfffdfdfffdfull) == SIP_WORD8('Z', '9', 'H', 'G', '4', 'B', 'K', 0);
}

/*
 * A piece of the parameters at *pos, which is moved behind it and white space: a run of bytes or a quoted string, with
 * the `;` before it. Of the grammar inside a parameter only a branch's is asked for: a run up to the next stop.
 * Returns 0 or the verdict.
 */
SIP_INLINE int sip_via_piece(const struct siprtx_slot *buf, __u32 *pos, struct sip_msg *m)
{
	__u32 begin = *pos, end, len;

	if (sip_byte(buf, begin) == ';') {
		__u32 param = sip_lws(buf, begin + 1);

		begin = sip_branch(buf, param);
		if (begin != param) {
			if (m->branch)
				return SIP_MALFORMED;
			m->branch = begin;
		}
	}
	if (sip_byte(buf, begin) == '"')
		end = sip_quoted(buf, begin);
	else
		end = sip_find(buf, begin, SIP_MAX_BRANCH, 1, ';');
	len = end - begin;
	if (!len || !end)
		return SIP_MALFORMED;
	if (len > SIP_MAX_BRANCH)
		return SIP_TOO_LONG;
	*pos = sip_lws(buf, end);
	if (m->branch != begin)
		return 0;
	m->branch_len = len;
	return sip_via_stop(buf, *pos) ? 0 : SIP_MALFORMED;
}

/* Reads the top Via: sets host, port, branch and via_end. Returns 0 or the verdict. */
SIP_INLINE int sip_top_via(const struct siprtx_slot *buf, struct sip_msg *m)
{
	__u32 pos = sip_sent_protocol(buf, m->via), i;
	int err;

	if (!pos)
		return SIP_MALFORMED;
	err = sip_sent_by(buf, &pos, m);
	for (i = 0; !err && i <= SIP_MAX_PIECES; i++) {
		if (sip_byte(buf, pos) == ',' || sip_value_end(buf, pos)) {
			m->via_end = pos;
			return sip_has_cookie(buf, m) ? 0 : SIP_LEGACY;
		}
		err = sip_via_piece(buf, &pos, m);
	}
	return err ? err : SIP_TOO_LONG;
}

#endif
