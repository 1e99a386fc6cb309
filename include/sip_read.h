/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the SIP scanner reads its buffer: bytes, words of eight bytes, and the few runs the grammar is made of.
 *
 * An offset is masked or compared right before the load, in a way the compiler cannot take apart, so that every
 * verifier since 6.1 sees the bound. A SIP_FN is a global function in BPF: verified once, whatever calls it, and
 * its result is a number the verifier knows nothing of. It takes no NULL, but must check for it to be loaded.
 *
 * Nothing here looks at the message's end. The line pass (sip_lines.h) has seen the empty line before a value is
 * read, and a value ends with the first line end that is not folded: a run cannot leave it.
 */
#ifndef SIPRTX_SIP_READ_H
#define SIPRTX_SIP_READ_H

#include "abi.h"

#ifdef __bpf__
#define SIP_FN __attribute__((noinline))
#define SIP_HIDE(x) asm volatile("" : "+r"(x))
#else
#define SIP_FN static inline
#define SIP_HIDE(x) ((void)(x))
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the first byte of a word must be its lowest: only little-endian machines"
#endif

#define SIP_ONES  0x0101010101010101ull
#define SIP_HIGHS 0x8080808080808080ull
/* Clears the bit in which a capital and a small letter differ, so that only a letter's two cases are equal. */
#define SIP_UPPER 0xdfdfdfdfdfdfdfdfull

#define SIP_WORD4(a, b, c, d) ((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24)
#define SIP_WORD8(a, b, c, d, e, f, g, h) (SIP_WORD4(a, b, c, d) | SIP_WORD4(e, f, g, h) << 32)

typedef __u64 __attribute__((may_alias)) sip_u64;

static inline __u32 sip_byte(const struct siprtx_slot *buf, __u64 pos)
{
	pos &= SLOT_SIZE - 1;
	SIP_HIDE(pos);
	return ((const __u8 *)buf)[pos];
}

/* The aligned word `pos` lies in. */
static inline __u64 sip_aligned(const struct siprtx_slot *buf, __u64 pos)
{
	pos &= SLOT_SIZE - 8;
	SIP_HIDE(pos);
	return *(const sip_u64 *)((const __u8 *)buf + pos);
}

/* The eight bytes from `pos` on. 0 in the last seven bytes of the buffer, where no message may be. */
static inline __u64 sip_word(const struct siprtx_slot *buf, __u64 pos)
{
	__u64 w;

	SIP_HIDE(pos);
	if (pos > SLOT_SIZE - 8)
		return 0;
#ifdef __bpf__
	w = *(const __u64 *)((const __u8 *)buf + pos);
#else
	__builtin_memcpy(&w, (const __u8 *)buf + pos, sizeof(w));
#endif
	return w;
}

/*
 * The high bit of each byte of `w` that is below n, or equal to c: only the lowest bit set can be trusted (a borrow
 * may set others above it), and a byte of 0x80 or more needs `& ~w`. n and c are below 0x80.
 */
static inline __u64 sip_below(__u64 w, __u64 n) { return w - n * SIP_ONES; }
static inline __u64 sip_equal(__u64 w, __u64 c) { return (w ^ c * SIP_ONES) - SIP_ONES; }

/* The bytes below the lowest one marked; all of them where none is. */
static inline __u64 sip_before(__u64 marks) { return ((marks & -marks) >> 7) - 1; }
/* How many bytes sip_before() covers. */
static inline __u32 sip_count(__u64 before) { return (before & SIP_ONES) * SIP_ONES >> 56; }

/* First byte from `pos` on that is a control, SP, `more`, or, where `separators`, one of `,` `;` `"`. */
static inline __attribute__((always_inline)) __u32 sip_find(const struct siprtx_slot *buf, __u32 pos, __u64 more,
							    int separators)
{
	/* the bytes before `pos` are made to be found by nothing */
	__u64 skip = (1ull << (pos & 7) * 8) - 1;
	__u32 i;

	for (i = 0; i < SLOT_SIZE / 8; i++) {
		__u64 w = sip_aligned(buf, pos) | skip;
		__u64 found = sip_below(w, ' ' + 1);

		if (separators)
			found |= sip_equal(w, ',') | sip_equal(w, ';') | sip_equal(w, '"') | sip_equal(w, more);
		found &= ~w & SIP_HIGHS;
		pos &= ~7u;
		if (found)
			return pos + sip_count(sip_before(found));
		pos += 8;
		skip = 0;
	}
	return pos;
}

/* End of the run of visible and 8-bit bytes at `pos`. */
SIP_FN int sip_visible(const struct siprtx_slot *buf, __u32 pos)
{
	if (!buf)
		return pos;
	return sip_find(buf, pos, 0, 0);
}

/* End of the token at `pos`: a control, SP, `,` `;` `"` or `more` is behind it. */
SIP_FN int sip_token(const struct siprtx_slot *buf, __u32 pos, __u32 more)
{
	if (!buf)
		return pos;
	return sip_find(buf, pos, more, 1);
}

/* `pos` is a line end, CR LF or LF: its length, else 0. */
static inline __u32 sip_eol(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 c = sip_byte(buf, pos);

	if (c == '\n')
		return 1;
	return c == '\r' && sip_byte(buf, pos + 1) == '\n' ? 2 : 0;
}

/*
 * White space, digits and quoted strings are read a byte a turn, and the verifier keeps 8192 branches in mind at most:
 * a run of more than this many is read no further. What stands there then is not what must follow, so the message is
 * malformed.
 */
#define SIP_MAX_RUN 256

static inline int sip_is_wsp(__u32 c) { return c == ' ' || c == '\t'; }

SIP_FN int sip_lws_slow(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 i;

	if (!buf)
		return pos;
	for (i = 0; i < SIP_MAX_RUN; i++) {
		__u32 eol = sip_eol(buf, pos);

		if (!sip_is_wsp(sip_byte(buf, pos + eol)))
			break;
		pos += eol + 1;
	}
	return pos;
}

/* First byte from `pos` on that is no white space, SWS of 25.1: a line end there is the value's (rule 9). */
static inline __u32 sip_lws(const struct siprtx_slot *buf, __u32 pos)
{
	return sip_byte(buf, pos) > ' ' ? pos : (__u32)sip_lws_slow(buf, pos);
}

#define SIP_NO_NUMBER ~0u

/* The digits at `pos`: position behind them << 32 | value, SIP_NO_NUMBER for none or 2^31 and above (rule 10). */
SIP_FN __u64 sip_number(const struct siprtx_slot *buf, __u32 pos)
{
	__u64 value = SIP_NO_NUMBER;
	__u32 i;

	if (!buf)
		return SIP_NO_NUMBER;
	for (i = 0; i < SIP_MAX_RUN; i++) {
		__u32 digit = sip_byte(buf, pos) - '0';

		if (digit > 9)
			break;
		if (!i)
			value = 0;
		value = value * 10 + digit;
		if (value >> 31)
			return SIP_NO_NUMBER;
		pos++;
	}
	return (__u64)pos << 32 | value;
}

#endif
