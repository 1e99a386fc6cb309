/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: the header section, line by line up to the empty line (RFC 3261, 7.3.1). Names are recognised,
 * values only located.
 *
 * Line ends are found 64 bytes at a time, as a bit a byte, without a branch; a line costs one step of the same loop.
 * So the loop has as many turns as there are blocks and lines, and the verifier sees it once a turn: what changes
 * from line to line is kept in *m, of whose contents it knows nothing.
 */
#ifndef SIPRTX_SIP_LINES_H
#define SIPRTX_SIP_LINES_H

#include "sip_msg.h"
#include "sip_read.h"

/* Bit n: byte n of the 64 at `pos` (a multiple of 64) is LF. */
SIP_INLINE __u64 sip_line_feeds(const struct siprtx_slot *buf, __u64 pos)
{
	__u64 low7 = ~SIP_HIGHS, feeds = '\n' * SIP_ONES, gather = 0x0002040810204081ull, others = 0;
	const sip_u64 *block;
	__u32 i;

	pos &= SLOT_SIZE - 64;
	SIP_HIDE(pos);
	block = (const sip_u64 *)((const __u8 *)buf + pos);
	/* constants the compiler knows would be loaded anew each time, and words it may reorder be spilled */
	SIP_HIDE(low7);
	SIP_HIDE(feeds);
	SIP_HIDE(gather);
	for (i = 0; i < 8; i++) {
		__u64 w = block[7 - i] ^ feeds;

		/* the high bit of each byte that is not 0 now; then the eight of them side by side */
		w |= (w & low7) + low7;
		w = (w & ~low7) * gather >> 56;
		SIP_HIDE(w);
		others = others << 8 | w;
	}
	return ~others;
}

/* Number of the lowest bit set, by a de Bruijn sequence: BPF has no instruction for it. `bits` is not 0. */
SIP_INLINE __u32 sip_lowest(__u64 bits)
{
	static const __u8 number[64] = {
		0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28, 62, 5,	39, 46, 44, 42,
		22, 9,	24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
		23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};

	return number[(bits & -bits) * 0x022fdd63cc95386dull >> 58];
}

/* White space, then the colon: the position behind it, 0 where something else is. */
SIP_FN int sip_colon_slow(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 i;

	if (!buf)
		return 0;
	for (i = 0; i < SIP_MAX_RUN; i++) {
		if (!sip_is_wsp(sip_byte(buf, pos)))
			break;
		pos++;
	}
	return sip_byte(buf, pos) == ':' ? pos + 1 : 0;
}

/* The header that begins at `pos` with the bytes `w`: notes where its value is, if it is one we want. */
SIP_INLINE int sip_header(const struct siprtx_slot *buf, __u32 pos, __u64 w, struct sip_msg *m)
{
	__u32 c, at;
	__u16 *value;

	switch (w & 0xdf) {
	case 'V':
		at = SIP_VALUE(via);
		pos += (w & 0xdfdfdf) == SIP_WORD4('V', 'I', 'A', 0) ? 3 : 1;
		break;
	case 'F':
		at = SIP_VALUE(from);
		pos += (w & 0xdfdfdfdf) == SIP_WORD4('F', 'R', 'O', 'M') ? 4 : 1;
		break;
	case 'T':
		at = SIP_VALUE(to);
		pos += (w & 0xdfdf) == SIP_WORD4('T', 'O', 0, 0) ? 2 : 1;
		break;
	case 'I':
		at = SIP_VALUE(call_id);
		pos += 1;
		break;
	case 'L':
		at = SIP_VALUE(content_length_at);
		pos += 1;
		break;
	case 'C':
		if ((w & 0xdfdfdfdf) == SIP_WORD4('C', 'S', 'E', 'Q')) {
			at = SIP_VALUE(cseq_at);
			pos += 4;
		} else if ((w & 0x00dfdfffdfdfdfdfull) == SIP_WORD8('C', 'A', 'L', 'L', '-', 'I', 'D', 0)) {
			at = SIP_VALUE(call_id);
			pos += 7;
		} else if ((w & 0xffdfdfdfdfdfdfdfull) == SIP_WORD8('C', 'O', 'N', 'T', 'E', 'N', 'T', '-') &&
			   (sip_word(buf, pos + 8) & SIP_UPPER >> 16) ==
				   SIP_WORD8('L', 'E', 'N', 'G', 'T', 'H', 0, 0)) {
			at = SIP_VALUE(content_length_at);
			pos += 14;
		} else {
			return 0;
		}
		break;
	case 'R':
		if ((w & 0xdfdfdfdf) == SIP_WORD4('R', 'S', 'E', 'Q')) {
			at = SIP_VALUE(rseq_at);
			pos += 4;
		} else if ((w & 0xdfdfdfdf) == SIP_WORD4('R', 'A', 'C', 'K')) {
			at = SIP_VALUE(rack_at);
			pos += 4;
		} else if ((w & 0xdfdfffdfdfdfdfdfull) == SIP_WORD8('R', 'E', 'T', 'R', 'Y', '-', 'A', 'F') &&
			   (sip_word(buf, pos + 8) & 0xdfdfdf) == SIP_WORD4('T', 'E', 'R', 0)) {
			at = SIP_VALUE(retry_after_at);
			pos += 11;
		} else {
			return 0;
		}
		break;
	default:
		return 0;
	}
	/* which header it is must make no difference to the verifier: it would go through the rest once for each */
	SIP_FORGET(buf, at);
	SIP_FORGET(buf, pos);
	c = sip_byte(buf, pos);
	if (c > ' ' && c != ':')
		return 0; /* a longer name */
	pos = c == ':' ? pos + 1 : (__u32)sip_colon_slow(buf, pos);
	at &= 15;
	SIP_HIDE(at);
	value = &m->via + at;
	if (pos && !*value)
		*value = pos;
	else if (at >= SIP_VALUE(rseq_at))
		*value = SIP_UNREADABLE;
	else if (!pos || at != SIP_VALUE(via))
		return SIP_MALFORMED;
	return 0;
}

/* The line that begins with the bytes `w` is the empty one: its length, else 0. */
SIP_INLINE __u32 sip_empty_line(__u64 w)
{
	if ((w & 0xff) >= ' ')
		return 0;
	return (w & 0xff) == '\n' ? 1 : (w & 0xffff) == SIP_WORD4('\r', '\n', 0, 0) ? 2 : 0;
}

/* The headers without which no message is one. */
SIP_INLINE int sip_has_all(const struct sip_msg *m)
{
	return m->via && m->call_id && m->cseq_at && m->from && m->to;
}

/* In a quote: a line begins at `line`, so the one before is whole. Where that began, 0: it was the start line. */
SIP_INLINE __u32 sip_line_before(struct sip_msg *m, __u32 line)
{
	__u32 before = m->body;

	m->body = line;
	return before;
}

/*
 * Reads the header section. `pos` is in the start line. Sets body, lines and the positions of values; returns 0 when
 * all headers that must be there are, else the verdict.
 *
 * A `quote` may be cut anywhere: only lines whose LF is before the end are read, each one when the LF is found, and
 * none must be there.
 */
SIP_INLINE int sip_header_section(const struct siprtx_slot *buf, __u32 pos, __u32 end, struct sip_msg *m,
				  const int quote)
{
	__u64 bits = 0, mask = ~0ull << (pos & 63);
	__u32 block = (pos & ~63u) - 64, i;

	for (i = 0; i < SLOT_SIZE / 64 + SIP_MAX_LINES + 2; i++) {
		__u32 line, eol;
		__u64 w;
		int err;

		if (!bits) {
			block += 64;
			if (block >= end)
				return quote ? 0 : SIP_MALFORMED;
			bits = sip_line_feeds(buf, block) & mask;
			mask = ~0ull;
			continue;
		}
		line = block + sip_lowest(bits) + 1;
		bits &= bits - 1;
		if (line >= end + !!quote)
			return quote ? 0 : SIP_MALFORMED;
		if (quote)
			line = sip_line_before(m, line);
		if (!line)
			continue; /* that was the start line */
		w = sip_word(buf, line);
		eol = sip_empty_line(w);
		if (eol && line + eol <= end) {
			m->body = line + eol;
			return quote || sip_has_all(m) ? 0 : SIP_MALFORMED;
		}
		if (++m->lines > SIP_MAX_LINES)
			return SIP_TOO_LONG;
		err = sip_header(buf, line, w, m);
		if (err)
			return err;
	}
	return SIP_TOO_LONG;
}

#endif
