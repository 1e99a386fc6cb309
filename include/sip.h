/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: what a middlebox must read of a message, and no more (RFC 3261, 7 and 25).
 *
 * One source, three builds: XDP, the unit tests, the fuzzer. It reads from a buffer of SLOT_SIZE bytes in which
 * the message lies, and all positions it gives are offsets from the buffer's start. It never writes to the buffer.
 * Call-ID, From, To, RSeq and RAck are located only: sip_dialog.h and user space read them.
 *
 * In BPF the functions marked SIP_FN are global ones: include this in one source file only. The kernels 6.1 to 6.18
 * load it.
 */
#ifndef SIPRTX_SIP_H
#define SIPRTX_SIP_H

#include "abi.h"
#include "sip_lines.h"
#include "sip_msg.h"
#include "sip_read.h"
#include "sip_start.h"
#include "sip_via.h"

/*
 * 1*DIGIT LWS Method at *at, which is moved to the value's end: a CSeq, or the end of a RAck (RFC 3262, 7.2). 0 or the
 * verdict.
 */
SIP_INLINE int sip_cseq_value(const struct siprtx_slot *buf, __u32 *at, __u32 *number, __u32 *method)
{
	__u32 pos = *at, token;

	*number = sip_number(buf, &pos);
	token = sip_lws(buf, pos);
	if (*number == SIP_NO_NUMBER || token == pos)
		return SIP_MALFORMED;
	pos = token;
	*method = sip_method(buf, &pos);
	*at = sip_lws(buf, pos);
	return pos != token && sip_value_end(buf, *at) ? 0 : SIP_MALFORMED;
}

/* 0 or the verdict. */
SIP_INLINE int sip_cseq(const struct siprtx_slot *buf, struct sip_msg *m)
{
	__u32 pos = sip_lws(buf, m->cseq_at), method;
	int err = sip_cseq_value(buf, &pos, &m->cseq, &method);

	m->cseq_end = pos;
	if (err)
		return SIP_MALFORMED;
	if (m->code)
		m->method = method;
	return m->method == method ? 0 : SIP_CSEQ_MISMATCH;
}

/*
 * A Content-Length that cannot be read makes the message malformed: nothing is known then about whether a response
 * is whole, and one that is not must stop no timer (18.3, rule 41). 0 or the verdict.
 */
SIP_INLINE int sip_content_length(const struct siprtx_slot *buf, struct sip_msg *m)
{
	__u32 pos;

	m->content_length = ~0u;
	if (!m->content_length_at)
		return 0;
	pos = sip_lws(buf, m->content_length_at);
	m->content_length = sip_number(buf, &pos);
	return m->content_length != SIP_NO_NUMBER && sip_value_end(buf, sip_lws(buf, pos)) ? 0 : SIP_MALFORMED;
}

/*
 * Scans the message at [beg, end) of *buf: SLOT_L3 + 28 <= beg <= end <= SLOT_SIZE. The last 8 bytes of the buffer
 * must stay free of it (else SIP_TOO_LONG), so that a word read at its last byte is inside.
 *
 * Returns enum sip_verdict; *m is written in any case, but whole with SIP_OK only. Of several things wrong the first
 * of these decides: the start line; the header section from top to bottom; headers that are missing; Content-Length;
 * the top Via; CSeq.
 */
SIP_FN int sip_scan(const struct siprtx_slot *buf, __u32 beg, __u32 end, struct sip_msg *m)
{
	__u32 pos = beg;
	int err;

	if (!buf || !m)
		return SIP_MALFORMED;
	__builtin_memset(m, 0, sizeof(*m));
	err = sip_start_line(buf, &pos, end, m);
	SIP_FORGET(buf, end);
	SIP_FORGET(buf, pos);
	if (!err)
		err = sip_header_section(buf, pos, end, m, 0);
	if (!err)
		err = sip_content_length(buf, m);
	if (!err)
		err = sip_top_via(buf, m);
	return err ? err : sip_cseq(buf, m);
}

/* The value that ends at `pos` does so whatever follows the quote: the byte that tells is before `end`. */
SIP_INLINE int sip_ends_before(const struct siprtx_slot *buf, __u32 pos, __u32 end)
{
	return pos + sip_eol(buf, pos) < end;
}

/*
 * The beginning of a message, as an ICMP error quotes it (RFC 1812, 4.3.2.3; RFC 4443, 2.4 c): as sip_scan(), but all
 * it needs is the start line, the top Via and the CSeq, and SIP_OK says no more than that these are whole. Of the other
 * headers those are located whose line is whole; content_length is not read. A Via list may be cut behind its first
 * element's comma.
 */
SIP_FN int sip_scan_quote(const struct siprtx_slot *buf, __u32 beg, __u32 end, struct sip_msg *m)
{
	__u32 pos = beg;
	int err;

	if (!buf || !m)
		return SIP_MALFORMED;
	__builtin_memset(m, 0, sizeof(*m));
	m->content_length = ~0u;
	err = sip_start_line(buf, &pos, end, m);
	SIP_FORGET(buf, end);
	SIP_FORGET(buf, pos);
	if (!err)
		err = sip_header_section(buf, pos, end, m, 1);
	if (!err)
		err = m->via && m->cseq_at ? sip_top_via(buf, m) : SIP_MALFORMED;
	if (!err)
		err = sip_cseq(buf, m);
	if (!err && !(sip_ends_before(buf, m->via_end, end) && sip_ends_before(buf, m->cseq_end, end)))
		err = SIP_MALFORMED;
	return err;
}

/*
 * Retry-After of a message that was SIP_OK, in seconds (20.33); a comment and parameters may follow. SIP_NO_NUMBER:
 * there is none, or none that can be read; that is no fault of the message.
 */
SIP_INLINE __u32 sip_retry_after(const struct siprtx_slot *buf, const struct sip_msg *m)
{
	__u32 pos, seconds;

	if (m->retry_after_at <= SIP_UNREADABLE)
		return SIP_NO_NUMBER;
	pos = sip_lws(buf, m->retry_after_at);
	seconds = sip_number(buf, &pos);
	pos = sip_lws(buf, pos);
	if (sip_byte(buf, pos) == ';' || sip_byte(buf, pos) == '(' || sip_value_end(buf, pos))
		return seconds;
	return SIP_NO_NUMBER;
}

#endif
