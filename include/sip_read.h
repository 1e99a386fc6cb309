/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the SIP scanner reads its buffer: bytes, words of eight bytes, and the few runs the grammar is made of.
 *
 * An offset is masked or compared right before the load, in a way the compiler cannot take apart, so that every
 * verifier since 6.1 sees the bound. A SIP_FN is a global function in BPF: verified once, whatever calls it, and
 * its result is a number the verifier knows nothing of. It takes no NULL, but must check for it to be loaded.
 *
 * A loop whose last instruction runs on into its first, without a jump, is a back-edge to 6.1 and refused: that is
 * clang's layout, not to be seen in the source. If make vmtest tells of one, write that loop another way.
 *
 * Nothing here looks at the message's end. The line pass (sip_lines.h) has seen the empty line before a value is
 * read, and a value ends with the first line end that is not folded: a run cannot leave it.
 */
#ifndef SIPRTX_SIP_READ_H
#define SIPRTX_SIP_READ_H

#include "abi.h"

#ifdef __bpf__
#define SIP_FN	    __attribute__((noinline))
#define SIP_HIDE(x) asm volatile("" : "+r"(x))
/*
 * x ^= y twice: the compiler may not see that nothing changed, and the verifier forgets what it knew of x. y is a word
 * it knows nothing of, and one that takes no waiting for.
 */
#define SIP_FORGET(buf, x) asm volatile("%0 ^= %1; %0 ^= %1" : "+w"(x) : "w"(*(const __u32 *)(buf)))
#else
#define SIP_FN		   static inline
#define SIP_HIDE(x)	   ((void)(x))
#define SIP_FORGET(buf, x) ((void)(buf), (void)(x))
#endif

#define SIP_INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the first byte of a word must be its lowest: only little-endian machines"
#endif

#define SIP_ONES  0x0101010101010101ull
#define SIP_HIGHS 0x8080808080808080ull
/* Clears the bit in which a capital and a small letter differ, so that only a letter's two cases are equal. */
#define SIP_UPPER 0xdfdfdfdfdfdfdfdfull

#define SIP_WORD4(a, b, c, d)		  ((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24)
#define SIP_WORD8(a, b, c, d, e, f, g, h) (SIP_WORD4(a, b, c, d) | SIP_WORD4(e, f, g, h) << 32)

typedef __u64 __attribute__((may_alias)) sip_u64;

SIP_INLINE __u32 sip_byte(const struct siprtx_slot *buf, __u64 pos)
{
	pos &= SLOT_SIZE - 1;
	SIP_HIDE(pos);
	return ((const __u8 *)buf)[pos];
}

/* The aligned word `pos` lies in. */
SIP_INLINE __u64 sip_aligned(const struct siprtx_slot *buf, __u64 pos)
{
	pos &= SLOT_SIZE - 8;
	SIP_HIDE(pos);
	return *(const sip_u64 *)((const __u8 *)buf + pos);
}

/* The eight bytes from `pos` on; but for the last seven bytes of the buffer, where no message may be. */
SIP_INLINE __u64 sip_word(const struct siprtx_slot *buf, __u64 pos)
{
	__u64 w;

	/* the mask makes another number of it: what the verifier learns here, it must not learn of `pos` */
	pos &= SLOT_SIZE - 1;
	SIP_HIDE(pos);
	if (pos > SLOT_SIZE - 8)
		pos = SLOT_SIZE - 8;
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
SIP_INLINE __u64 sip_below(__u64 w, __u64 n)
{
	return w - n * SIP_ONES;
}
SIP_INLINE __u64 sip_equal(__u64 w, __u64 c)
{
	return (w ^ c * SIP_ONES) - SIP_ONES;
}

/* The bytes below the lowest one marked; all of them where none is. */
SIP_INLINE __u64 sip_before(__u64 marks)
{
	return ((marks & -marks) >> 7) - 1;
}
/* How many bytes sip_before() covers. */
SIP_INLINE __u32 sip_count(__u64 before)
{
	return (before & SIP_ONES) * SIP_ONES >> 56;
}

/*
 * First byte from `pos` on that is a control, SP, `more` (0: none), or, where `separators`, one of `,` `;` `"`. Looks
 * at `max` bytes at least, at up to 7 more; the answer is behind them where none of them is such a byte.
 */
SIP_INLINE __u32 sip_find(const struct siprtx_slot *buf, __u32 pos, __u32 max, int separators, __u64 more)
{
	/* the bytes before `pos` are made to be found by nothing */
	__u64 skip = (1ull << (pos & 7) * 8) - 1;
	__u32 i;

	pos &= ~7u;
	for (i = 0; i < max / 8 + 1; i++) {
		__u64 w = sip_aligned(buf, pos) | skip;
		__u64 found = sip_below(w, ' ' + 1);

		if (separators)
			found |= sip_equal(w, ',') | sip_equal(w, ';') | sip_equal(w, '"');
		if (more)
			found |= sip_equal(w, more);
		found &= ~w & SIP_HIGHS;
		if (found)
			return pos + sip_count(sip_before(found));
		pos += 8;
		skip = 0;
	}
	return pos;
}

/* `pos` is a line end, CR LF or LF: its length, else 0. */
SIP_INLINE __u32 sip_eol(const struct siprtx_slot *buf, __u32 pos)
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
#define SIP_MAX_RUN    128
#define SIP_MAX_DIGITS 16

SIP_INLINE int sip_is_wsp(__u32 c)
{
	return c == ' ' || c == '\t';
}

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
SIP_INLINE __u32 sip_lws(const struct siprtx_slot *buf, __u32 pos)
{
	__u64 w = sip_word(buf, pos);

	SIP_FORGET(buf, pos);
	if ((w & 0xff) > ' ')
		return pos;
	if ((w & 0xff) == ' ' && (w >> 8 & 0xff) > ' ')
		return pos + 1;
	if ((w & 0xffff) == SIP_WORD4('\r', '\n', 0, 0) && !sip_is_wsp(w >> 16 & 0xff))
		return pos;
	return sip_lws_slow(buf, pos);
}

/* `pos` is the line end that ends the value. */
SIP_INLINE int sip_value_end(const struct siprtx_slot *buf, __u32 pos)
{
	__u32 eol = sip_eol(buf, pos);

	return eol && !sip_is_wsp(sip_byte(buf, pos + eol));
}

#define SIP_NO_NUMBER ~0u

/* The digits at `pos`, which is moved behind them. SIP_NO_NUMBER: none, or 2^bits and above (or, of 32, 2^32 - 1). */
SIP_INLINE __u32 sip_digits(const struct siprtx_slot *buf, __u32 *pos, __u32 bits)
{
	__u64 value = 0;
	__u32 i;

	for (i = 0; i < SIP_MAX_DIGITS; i++) {
		__u32 digit = sip_byte(buf, *pos) - '0';

		if (digit > 9)
			break;
		value = value * 10 + digit;
		if (value >> bits)
			return SIP_NO_NUMBER;
		++*pos;
	}
	return i ? value : SIP_NO_NUMBER;
}

/* A number below 2^31 (rule 10). */
SIP_INLINE __u32 sip_number(const struct siprtx_slot *buf, __u32 *pos)
{
	return sip_digits(buf, pos, 31);
}

#endif
