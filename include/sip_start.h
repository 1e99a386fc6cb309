/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SIP scanner: the start line (RFC 3261, 7.1 and 7.2) and methods. */
#ifndef SIPRTX_SIP_START_H
#define SIPRTX_SIP_START_H

#include "sip_msg.h"
#include "sip_read.h"

#define SIP_MAX_LEADING 16 /* bytes skipped before the start line */
#define SIP_MIN_MESSAGE 12 /* "A b SIP/2.0\n" */
#define SIP_MIN_STUN	20 /* RFC 8489, 5: its header */
#define SIP_STUN_COOKIE SIP_WORD4(0x21, 0x12, 0xa4, 0x42)

/* The method whose first eight bytes, or all of them with zeros behind, are `w`. */
SIP_INLINE __u32 sip_method_of(__u64 w)
{
	switch (w) {
	case SIP_WORD8('I', 'N', 'V', 'I', 'T', 'E', 0, 0):
		return SIP_INVITE;
	case SIP_WORD4('A', 'C', 'K', 0):
		return SIP_ACK;
	case SIP_WORD8('C', 'A', 'N', 'C', 'E', 'L', 0, 0):
		return SIP_CANCEL;
	case SIP_WORD4('B', 'Y', 'E', 0):
		return SIP_BYE;
	case SIP_WORD8('R', 'E', 'G', 'I', 'S', 'T', 'E', 'R'):
		return SIP_REGISTER;
	case SIP_WORD8('O', 'P', 'T', 'I', 'O', 'N', 'S', 0):
		return SIP_OPTIONS;
	case SIP_WORD8('N', 'O', 'T', 'I', 'F', 'Y', 0, 0):
		return SIP_NOTIFY;
	case SIP_WORD8('R', 'E', 'F', 'E', 'R', 0, 0, 0):
		return SIP_REFER;
	case SIP_WORD4('I', 'N', 'F', 'O'):
		return SIP_INFO;
	case SIP_WORD8('U', 'P', 'D', 'A', 'T', 'E', 0, 0):
		return SIP_UPDATE;
	case SIP_WORD8('P', 'R', 'A', 'C', 'K', 0, 0, 0):
		return SIP_PRACK;
	case SIP_WORD8('M', 'E', 'S', 'S', 'A', 'G', 'E', 0):
		return SIP_MESSAGE;
	case SIP_WORD8('P', 'U', 'B', 'L', 'I', 'S', 'H', 0):
		return SIP_PUBLISH;
	case SIP_WORD8('S', 'U', 'B', 'S', 'C', 'R', 'I', 'B'):
		return SIP_SUBSCRIBE;
	default:
		return SIP_OTHER;
	}
}

/* End of the run of visible and 8-bit bytes at `pos`. */
SIP_FN int sip_visible(const struct siprtx_slot *buf, __u32 pos)
{
	if (!buf)
		return pos;
	return sip_find(buf, pos, SLOT_SIZE, 0, 0);
}

/* The method at `pos`, which is moved behind it. It ends with white space or a control. */
SIP_INLINE __u32 sip_method(const struct siprtx_slot *buf, __u32 *pos)
{
	__u64 w = sip_word(buf, *pos), name = sip_before(sip_below(w, ' ' + 1) & ~w & SIP_HIGHS);
	__u32 method = sip_method_of(w & name), end = *pos + sip_count(name);

	if (method == SIP_SUBSCRIBE)
		method = sip_byte(buf, end++) == 'E' ? SIP_SUBSCRIBE : SIP_OTHER;
	if (method == SIP_OTHER || sip_byte(buf, end) > ' ') {
		method = SIP_OTHER;
		end = sip_visible(buf, *pos);
	}
	*pos = end;
	return method;
}

/* 0 where `w` begins with "SIP/2.0", in any case (7.1), else the verdict. */
SIP_INLINE int sip_version(__u64 w)
{
	w &= 0x00ffffffffdfdfdfull;
	if (w == SIP_WORD8('S', 'I', 'P', '/', '2', '.', '0', 0))
		return 0;
	return (__u32)w == SIP_WORD4('S', 'I', 'P', '/') ? SIP_BAD_VERSION : SIP_NOT_SIP;
}

/* The rest of "SIP/2.0 200 OK". Only 100 to 699 exist; what follows them must not be a fourth digit. */
SIP_INLINE int sip_status_line(const struct siprtx_slot *buf, __u32 *pos, struct sip_msg *m)
{
	__u64 w = sip_word(buf, *pos);
	__u32 a = (w & 0xff) - '0', b = (w >> 8 & 0xff) - '0', c = (w >> 16 & 0xff) - '0';

	*pos += 3;
	if (a - 1 > 5 || b > 9 || c > 9 || !(sip_byte(buf, *pos) == ' ' || sip_eol(buf, *pos)))
		return SIP_MALFORMED;
	m->code = a * 100 + b * 10 + c;
	return 0;
}

/* "INVITE sip:bob@example.com SIP/2.0": exactly one SP between, none at the end. */
SIP_INLINE int sip_request_line(const struct siprtx_slot *buf, __u32 *pos, __u32 end, struct sip_msg *m)
{
	__u32 method = *pos, uri, eol;
	int err;

	m->method = sip_method(buf, pos);
	if (*pos == method || sip_byte(buf, *pos) != ' ')
		return SIP_NOT_SIP;
	uri = ++*pos;
	*pos = sip_find(buf, uri, SLOT_SIZE, 0, 0);
	if (*pos == uri || sip_byte(buf, *pos) != ' ' || *pos + sizeof(" SIP/2.0") > end)
		return SIP_NOT_SIP;
	err = sip_version(sip_word(buf, ++*pos));
	if (err)
		return err;
	*pos += sizeof("SIP/2.0") - 1;
	eol = sip_eol(buf, *pos);
	return eol && *pos + eol <= end ? 0 : SIP_NOT_SIP;
}

/*
 * Reads the start line at [*pos, end): sets start, code and method. Returns 0 or the verdict. Moves *pos to a
 * place from which the next LF is the line's; the caller must see to it that this LF is before the end.
 */
SIP_INLINE int sip_start_line(const struct siprtx_slot *buf, __u32 *pos, __u32 end, struct sip_msg *m)
{
	__u64 w;
	__u32 i;
	int err;

	if (end > SLOT_SIZE - 8)
		return SIP_TOO_LONG;
	w = sip_word(buf, *pos);
	if (!(w & 0xc0) && w >> 32 == SIP_STUN_COOKIE && end - *pos >= SIP_MIN_STUN)
		return SIP_STUN;
	for (i = 0; i < SIP_MAX_LEADING; i++) {
		__u32 c = sip_byte(buf, *pos);

		if (*pos >= end || (c && c != '\r' && c != '\n' && !sip_is_wsp(c)))
			break;
		++*pos;
	}
	SIP_FORGET(buf, *pos);
	if (end - *pos < SIP_MIN_MESSAGE)
		return SIP_KEEPALIVE;
	m->start = *pos;
	w = sip_word(buf, *pos);
	err = sip_version(w);
	if (err == SIP_NOT_SIP)
		return sip_request_line(buf, pos, end, m);
	if (err)
		return err;
	*pos += sizeof("SIP/2.0");
	return w >> 56 == ' ' ? sip_status_line(buf, pos, m) : SIP_NOT_SIP;
}

#endif
