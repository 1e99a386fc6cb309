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
#include "sip_param.h"
#include "sip_read.h"

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
	return sip_stop(buf, *pos) ? 0 : SIP_MALFORMED;
}

/* The branch begins with the magic cookie, in any case, and something follows it (rules 7 and 14). */
SIP_INLINE int sip_has_cookie(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	return m->branch_len > 7 &&
	       (sip_word(buf, m->branch) & 0x00dfdfffdfdfffdfull) == SIP_WORD8('Z', '9', 'H', 'G', '4', 'B', 'K', 0);
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
		err = sip_piece(buf, &pos, SIP_WORD8('B', 'R', 'A', 'N', 'C', 'H', 0, 0), 6, &m->branch,
				&m->branch_len);
	}
	return err ? err : SIP_TOO_LONG;
}

#endif
