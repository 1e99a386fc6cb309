/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: the parameters of a header value (RFC 3261, 25.1), of which one is wanted:
 *
 *   generic-param = token [ EQUAL ( token / host / quoted-string ) ]
 *
 * Looser than the grammar in what a token may consist of, and in how the parameters not wanted are made of them.
 */
#ifndef SIPRTX_SIP_PARAM_H
#define SIPRTX_SIP_PARAM_H

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

/* What ends sent-by and a parameter is at `pos`: another parameter, another element, or the end of the value. */
SIP_INLINE int sip_stop(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 c = sip_byte(buf, pos);

	return c == ';' || c == ',' || sip_value_end(buf, pos);
}

/* End of the quoted string at `pos`, 0 where it is not closed, or of the run of bytes there, up to SIP_MAX_BRANCH. */
SIP_INLINE __u32 sip_run(const struct siprtx_slot *buf, __u32 pos, __u64 more)
{
	if (sip_byte(buf, pos) == '"')
		return sip_quoted(buf, pos);
	return sip_find(buf, pos, SIP_MAX_BRANCH, 1, more);
}

/* `pos` is a parameter's: its value, if it is named `name` (in capitals, of `n` letters) and has one, else `pos`. */
SIP_INLINE __u32 sip_param(const struct siprtx_slot *buf, __u32 pos, __u64 name, __u32 n)
{
	__u32 equal;

	if ((sip_word(buf, pos) & SIP_UPPER >> (64 - 8 * n)) != name)
		return pos;
	equal = sip_lws(buf, pos + n);
	return sip_byte(buf, equal) == '=' ? sip_lws(buf, equal + 1) : pos;
}

/*
 * A piece of the parameters at *pos, which is moved behind it and white space: a run of bytes or a quoted string, with
 * the `;` before it. Of the grammar inside a parameter only that of the one named is asked for: a run up to the next
 * stop, which *at and *len are set to; *at is 0 before. Returns 0 or the verdict.
 */
SIP_INLINE int sip_piece(const struct siprtx_slot *buf, __u32 *pos, __u64 name, __u32 n, __u16 *at, __u16 *len)
{
	__u32 begin = *pos, end, bytes;

	if (sip_byte(buf, begin) == ';') {
		__u32 param = sip_lws(buf, begin + 1);

		begin = sip_param(buf, param, name, n);
		if (begin != param) {
			if (*at)
				return SIP_MALFORMED;
			*at = begin;
		}
	}
	end = sip_run(buf, begin, ';');
	bytes = end - begin;
	if (!bytes || !end)
		return SIP_MALFORMED;
	if (bytes > SIP_MAX_BRANCH)
		return SIP_TOO_LONG;
	*pos = sip_lws(buf, end);
	if (*at != begin)
		return 0;
	*len = bytes;
	return sip_stop(buf, *pos) ? 0 : SIP_MALFORMED;
}

#endif
