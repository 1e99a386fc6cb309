/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the SIP scanner (sip.h) says of a message. */
#ifndef SIPRTX_SIP_MSG_H
#define SIPRTX_SIP_MSG_H

#include <linux/types.h>

enum sip_verdict {
	SIP_OK = 0,
	SIP_KEEPALIVE,	 /* CRLFs, NULs, empty, or too short for any start line (rule 33) */
	SIP_STUN,	 /* first two bits 00 and the magic cookie (rule 35) */
	SIP_NOT_SIP,	 /* no start line of SIP (rule 36), or one with white space astray (RFC 4475, 3.1.2.8 to 10) */
	SIP_BAD_VERSION, /* SIP/7.0 (rule 45) */
	SIP_TOO_LONG,	 /* message, lines, Via parameters, host or branch over the limits below (rule 40) */
	SIP_MALFORMED,	 /* no empty line; Via, CSeq, Call-ID, From or To missing; all but Via doubled; Content-Length
			  * doubled or unreadable; top Via, CSeq or status code unreadable; top Via not UDP */
	SIP_LEGACY,	 /* top Via without a z9hG4bK branch, or with the bare cookie (rule 14) */
	SIP_CSEQ_MISMATCH, /* rule 11, requests only */
};

enum sip_method { /* capitals only (rule 6); order is that of the `methods` tunable's bits */
		  SIP_OTHER = 0,
		  SIP_INVITE,
		  SIP_ACK,
		  SIP_CANCEL,
		  SIP_BYE,
		  SIP_REGISTER,
		  SIP_OPTIONS,
		  SIP_SUBSCRIBE,
		  SIP_NOTIFY,
		  SIP_REFER,
		  SIP_INFO,
		  SIP_UPDATE,
		  SIP_PRACK,
		  SIP_MESSAGE,
		  SIP_PUBLISH,
};
#define SIP_METHODS (SIP_PUBLISH + 1)

#define SIP_MAX_LINES  64  /* header lines, continuation lines included */
#define SIP_MAX_PIECES 16  /* parameters of the top Via; one with white space or quotes inside counts as several */
#define SIP_MAX_HOST   128 /* bytes of sent-by host */
#define SIP_MAX_BRANCH 256 /* bytes of branch, or of any other parameter */
/* of what sip_dialog.h reads */
#define SIP_MAX_CALL_ID 192
#define SIP_MAX_TAG	128

struct sip_msg {
	/*
	 * First byte of the value after the colon (leading white space not skipped); 0: no such header. These come
	 * first, 16 at most: SIP_VALUE().
	 */
	__u16 via, call_id, cseq_at, from, to, content_length_at;
	__u16 rseq_at, rack_at, retry_after_at; /* the same; SIP_UNREADABLE: doubled or without a colon */
	__u16 code;				/* status code of a response, 0: a request */
	__u16 method;				/* enum sip_method: of the start line; in a response, of the CSeq */
	__u16 pad;
	__u32 cseq; /* below 2^31 (rule 10) */
	/* top Via (rules 4, 8, 9, 12) */
	__u16 host, host_len;	  /* sent-by host as it stands, brackets of IPv6 included */
	__u16 port;		  /* sent-by port, 5060 where there is none */
	__u16 branch, branch_len; /* all of it, cookie included */
	__u16 start;		  /* first byte of the start line: leading CR LF NUL TAB SP skipped (rule 34) */
	__u16 body;		  /* first byte after the empty line; of a quote without one: of the line that is cut */
	__u16 via_end, cseq_end;  /* first byte after the top Via's first element, and after the CSeq's value */
	__u16 lines;		  /* header lines, continuation lines included */
	__u32 content_length;	  /* ~0u: no such header */
};

/* No value is there. Only who asks for one of these headers need know what is wrong with it: the message is fine. */
#define SIP_UNREADABLE 1

struct sip_span { /* bytes of the slot: `at` from the slot's start; len 0: not there */
	__u16 at, len;
};

/* By what an ACK or a PRACK finds the response it confirms (sip_dialog.h). */
struct sip_dialog {
	struct sip_span call_id; /* white space around it taken off */
	struct sip_span from_tag, to_tag;
	__u32 cseq; /* CSeq number of the INVITE: in a PRACK, the one in its RAck */
	__u32 rseq; /* RSeq of a provisional response, in a PRACK the one in its RAck; 0: none */
};

/* The number of a value's position among those a struct sip_msg begins with. */
#define SIP_VALUE(name) (__builtin_offsetof(struct sip_msg, name) / sizeof(__u16))
_Static_assert(SIP_VALUE(retry_after_at) < 16 && sizeof(struct sip_msg) >= 16 * sizeof(__u16), "positions of values");

#endif
