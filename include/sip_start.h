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

/* The method of `len` bytes at `pos`. */
SIP_FN int sip_method(const struct siprtx_slot *buf, __u32 pos, __u32 len)
{
	__u64 w;

	if (!buf || len - 1 > 8)
		return SIP_OTHER;
	w = sip_word(buf, pos);
	if (len == 9)
		return w == SIP_WORD8('S', 'U', 'B', 'S', 'C', 'R', 'I', 'B') && sip_byte(buf, pos + 8) == 'E' ?
			       SIP_SUBSCRIBE : SIP_OTHER;
	switch (w & ~0ull >> (64 - 8 * len)) {
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
	default:
		return SIP_OTHER;
	}
}

/* 0 where `w` begins with "SIP/2.0", in any case (7.1). */
static inline int sip_version(__u64 w)
{
	w &= 0x00ffffffffdfdfdfull;
	if (w == SIP_WORD8('S', 'I', 'P', '/', '2', '.', '0', 0))
		return 0;
	return (__u32)w == SIP_WORD4('S', 'I', 'P', '/') ? -SIP_BAD_VERSION : -SIP_NOT_SIP;
}

/* "SIP/2.0 200 OK": `pos` of "200". Only 100 to 699 exist; what follows them must not be a fourth digit. */
static inline int sip_status_line(const struct siprtx_slot *buf, __u32 pos, struct sip_msg *m)
{
	__u32 a = sip_byte(buf, pos) - '0', b = sip_byte(buf, pos + 1) - '0', c = sip_byte(buf, pos + 2) - '0';

	if (a - 1 > 5 || b > 9 || c > 9)
		return -SIP_MALFORMED;
	pos += 3;
	if (sip_byte(buf, pos) != ' ' && !sip_eol(buf, pos))
		return -SIP_MALFORMED;
	m->code = a * 100 + b * 10 + c;
	return pos;
}

/* "INVITE sip:bob@example.com SIP/2.0": exactly one SP between, none at the end. */
static inline int sip_request_line(const struct siprtx_slot *buf, __u32 pos, struct sip_msg *m)
{
	__u32 sp = sip_visible(buf, pos), uri = sp + 1;
	int err;

	if (sp == pos || sip_byte(buf, sp) != ' ')
		return -SIP_NOT_SIP;
	m->method = sip_method(buf, pos, sp - pos);
	sp = sip_visible(buf, uri);
	if (sp == uri || sip_byte(buf, sp) != ' ')
		return -SIP_NOT_SIP;
	err = sip_version(sip_word(buf, sp + 1));
	if (err)
		return err;
	pos = sp + sizeof("SIP/2.0");
	return sip_eol(buf, pos) ? (int)pos : -SIP_NOT_SIP;
}

/*
 * Reads the start line: sets start, code and method. Returns a position in that line, or at its end, from which the
 * next LF is the line's; or minus the verdict. The caller must see to it that this LF is before the end.
 */
SIP_FN int sip_start_line(const struct siprtx_slot *buf, __u32 beg, __u32 end, struct sip_msg *m)
{
	__u32 pos = beg, i;
	__u64 w;
	int err;

	if (!buf || !m)
		return -SIP_MALFORMED;
	if (end > SLOT_SIZE - 8)
		return -SIP_TOO_LONG;
	w = sip_word(buf, beg);
	if (end - beg >= SIP_MIN_STUN && !(w & 0xc0) && w >> 32 == SIP_STUN_COOKIE)
		return -SIP_STUN;
	for (i = 0; i < SIP_MAX_LEADING; i++) {
		__u32 c = sip_byte(buf, pos);

		if (c > ' ' || pos >= end || (c && c != '\t' && c != '\n' && c != '\r' && c != ' '))
			break;
		pos++;
	}
	if (end - pos < SIP_MIN_MESSAGE)
		return -SIP_KEEPALIVE;
	m->start = pos;
	w = sip_word(buf, pos);
	err = sip_version(w);
	if (!err)
		return w >> 56 == ' ' ? sip_status_line(buf, pos + 8, m) : -SIP_NOT_SIP;
	return err == -SIP_BAD_VERSION ? err : sip_request_line(buf, pos, m);
}

#endif
