/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SIP scanner: what a middlebox must read of a message, and no more (RFC 3261, 7 and 25).
 *
 * One source, three builds: XDP, the unit tests, the fuzzer. It reads from a buffer of SLOT_SIZE bytes in
 * which the message lies at [beg, end): offsets are masked with SLOT_SIZE - 1, so a byte or an aligned word is
 * always inside. All positions it gives are offsets from the buffer's start. It never writes to the buffer.
 */
#ifndef SIPRTX_SIP_H
#define SIPRTX_SIP_H

#include <linux/types.h>

#include "abi.h"

enum sip_verdict {
	SIP_OK = 0,
	SIP_KEEPALIVE,	   /* CRLFs, NULs, empty, or too short for any start line (rule 33) */
	SIP_STUN,	   /* first two bits 00 and the magic cookie (rule 35) */
	SIP_NOT_SIP,	   /* no start line of SIP (rule 36) */
	SIP_BAD_VERSION,   /* SIP/7.0 (rule 45) */
	SIP_TOO_LONG,	   /* header section, line count, host or branch over the limits below (rule 40) */
	SIP_MALFORMED,	   /* Via, CSeq, Call-ID, From or To missing, unreadable, CSeq/Call-ID/Content-Length doubled */
	SIP_LEGACY,	   /* top Via without a z9hG4bK branch (rule 14) */
	SIP_CSEQ_MISMATCH, /* rule 11, requests only */
};

enum sip_method { /* capitals only (rule 6); order is that of the `methods` tunable's bits */
	SIP_OTHER = 0,
	SIP_INVITE, SIP_ACK, SIP_CANCEL, SIP_BYE, SIP_REGISTER, SIP_OPTIONS, SIP_SUBSCRIBE,
	SIP_NOTIFY, SIP_REFER, SIP_INFO, SIP_UPDATE, SIP_PRACK, SIP_MESSAGE, SIP_PUBLISH,
};

#define SIP_MAX_LINES  64  /* header lines */
#define SIP_MAX_HOST   128 /* bytes of sent-by host */
#define SIP_MAX_BRANCH 256 /* bytes of branch */

struct sip_msg {
	__u16 code;	      /* status code of a response, 0: a request */
	__u16 method;	      /* enum sip_method: of the start line; in a response, of the CSeq */
	__u32 cseq;	      /* below 2^31 (rule 10) */
	/* top Via (rules 4, 8, 9, 12) */
	__u16 host, host_len; /* sent-by host as it stands, brackets of IPv6 included */
	__u16 port;	      /* sent-by port, 5060 where there is none */
	__u16 branch, branch_len; /* all of it, cookie included */
	__u16 start;	      /* first byte of the start line: leading CR LF NUL TAB SP skipped (rule 34) */
	__u16 body;	      /* first byte after the empty line; == end where there is none */
	/* first byte of the value after the colon (leading white space not skipped); 0: no such header */
	__u16 via, call_id, cseq_at, from, to, content_length_at;
	__u32 content_length; /* ~0u: no such header or unreadable */
};

#endif
