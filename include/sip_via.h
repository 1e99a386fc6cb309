/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: the top Via, its first element (RFC 3261, 20.42 and 25.1):
 *
 *   via-parm      = sent-protocol LWS sent-by *( SEMI via-params )
 *   sent-protocol = "SIP" SLASH "2.0" SLASH "UDP"
 *   sent-by       = host [ COLON port ]
 *   via-params    = token [ EQUAL ( token / host / quoted-string ) ]
 *
 * Looser than the grammar in what a token or host may consist of: every visible or 8-bit byte but the separators.
 */
#ifndef SIPRTX_SIP_VIA_H
#define SIPRTX_SIP_VIA_H

#include "sip_msg.h"
#include "sip_read.h"

/* The quoted string that begins at `pos`: the position behind it, 0 where it is not closed. */
SIP_FN int sip_quoted(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 i;

	if (!buf)
		return 0;
	for (i = 0; i < SIP_MAX_RUN; i++) {
		__u32 c, eol;

		pos++;
		c = sip_byte(buf, pos);
		if (c == '"')
			return pos + 1;
		if (c == '\\')
			c = sip_byte(buf, ++pos);
		/* a line end is part of it only where it is folded, and never after a backslash */
		eol = sip_eol(buf, pos);
		if (eol && (!sip_is_wsp(sip_byte(buf, pos + eol)) || sip_byte(buf, pos - 1) == '\\'))
			return 0;
		/* one way back only: kernel 6.1 refuses a loop head that is fallen into from below */
		SIP_HIDE(pos);
	}
	return 0;
}

/* SLASH: the position behind it, 0 where there is none. */
static inline __u32 sip_slash(const struct siprtx_slot *buf, __u32 pos)
{
	pos = sip_lws(buf, pos);
	return sip_byte(buf, pos) == '/' ? sip_lws(buf, pos + 1) : 0;
}

/* "SIP/2.0/UDP " from `pos` on, with white space where it may be: where sent-by begins, 0 where it is not that. */
static inline __u32 sip_sent_protocol(const struct siprtx_slot *buf, __u32 pos)
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

/* host [ COLON port ] at `pos`: the position behind it, or minus the verdict. */
static inline int sip_sent_by(const struct siprtx_slot *buf, __u32 pos, struct sip_msg *m)
{
	__u32 host = pos, len;

	if (sip_byte(buf, pos) == '[') {
		pos = sip_token(buf, pos, ']');
		if (sip_byte(buf, pos) != ']')
			return -SIP_MALFORMED;
		pos++;
	} else {
		pos = sip_token(buf, pos, ':');
	}
	len = pos - host;
	if (!len)
		return -SIP_MALFORMED;
	if (len > SIP_MAX_HOST)
		return -SIP_TOO_LONG;
	m->host = host;
	m->host_len = len;
	m->port = 5060;
	pos = sip_lws(buf, pos);
	if (sip_byte(buf, pos) == ':') {
		__u64 number = sip_number(buf, sip_lws(buf, pos + 1));

		if ((__u32)number - 1 > 65534)
			return -SIP_MALFORMED;
		m->port = number;
		pos = sip_lws(buf, number >> 32);
	}
	return pos;
}

/* The parameter at `pos`: the position behind it and white space, or minus the verdict. */
static inline int sip_via_param(const struct siprtx_slot *buf, __u32 pos, struct sip_msg *m)
{
	__u32 name = pos, value, len;
	int branch;

	pos = sip_token(buf, name, '=');
	if (pos == name)
		return -SIP_MALFORMED;
	branch = pos - name == 6 &&
		 (sip_word(buf, name) & SIP_UPPER >> 16) == SIP_WORD8('B', 'R', 'A', 'N', 'C', 'H', 0, 0);
	pos = sip_lws(buf, pos);
	if (sip_byte(buf, pos) != '=')
		return branch ? -SIP_MALFORMED : (int)pos;
	value = sip_lws(buf, pos + 1);
	if (sip_byte(buf, value) == '"') {
		pos = sip_quoted(buf, value);
		return branch || !pos ? -SIP_MALFORMED : (int)sip_lws(buf, pos);
	}
	pos = sip_token(buf, value, ';');
	len = pos - value;
	if (!len)
		return -SIP_MALFORMED;
	if (branch) {
		if (m->branch)
			return -SIP_MALFORMED;
		if (len > SIP_MAX_BRANCH)
			return -SIP_TOO_LONG;
		m->branch = value;
		m->branch_len = len;
	}
	return sip_lws(buf, pos);
}

/* The branch begins with the magic cookie, in any case, and something follows it (rules 7 and 14). */
static inline int sip_has_cookie(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	return m->branch_len > 7 && (sip_word(buf, m->branch) & 0x00dfdfffdfdfffdfull) ==
					    SIP_WORD8('Z', '9', 'H', 'G', '4', 'B', 'K', 0);
}

/* Reads the top Via: sets host, port and branch. Returns 0 or minus the verdict. */
SIP_FN int sip_top_via(const struct siprtx_slot *buf, struct sip_msg *m)
{
	__u32 i;
	int pos;

	if (!buf || !m)
		return -SIP_MALFORMED;
	pos = sip_sent_protocol(buf, m->via);
	if (!pos)
		return -SIP_MALFORMED;
	pos = sip_sent_by(buf, pos, m);
	if (pos < 0)
		return pos;
	for (i = 0; i <= SIP_MAX_PARAMS; i++) {
		__u32 c = sip_byte(buf, pos);

		if (c == ',' || sip_eol(buf, pos))
			return sip_has_cookie(buf, m) ? 0 : -SIP_LEGACY;
		if (c != ';')
			return -SIP_MALFORMED;
		pos = sip_via_param(buf, sip_lws(buf, pos + 1), m);
		if (pos < 0)
			return pos;
	}
	return -SIP_TOO_LONG;
}

#endif
