/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of abi.h: what is told of calls and gateways, and to whom. */
#ifndef SIPRTX_ABI_TOLD_H
#define SIPRTX_ABI_TOLD_H

#include <linux/types.h>

#define NAME_LEN 32

/* exhausted: HASH, u64 sequence -> record, NUL-terminated strings, cut where too long (truncated). */
enum siprtx_record_event {
	RECORD_EXHAUSTED = 1,
	RECORD_LATE_RESPONSE =
		2, /* to an exhausted transaction: its record again but for seq, ts, last_code (rule 24) */
	/* a gateway's state became another; daddr, dport, gateway_name, reason (enum siprtx_gateway_why), sends (calls
	   in a row that made it so) say more, what belongs to a call is empty */
	RECORD_GATEWAY_UP = 3,
	RECORD_GATEWAY_SUSPECT = 4,
	RECORD_GATEWAY_DOWN = 5,
};

struct siprtx_record {
	__u64 seq;
	__u64 ts_ms;	     /* wall clock, Unix ms */
	__u64 first_send_ms; /* wall clock, Unix ms */
	__u64 last_send_ms;
	__u32 duration_ms;
	__u32 sends;
	__u32 cseq;
	__u32 late_us_max;
	__u16 last_code;
	__u16 sport, dport;
	__u8 event;  /* RECORD_* */
	__u8 reason; /* enum siprtx_end, of a gateway's event enum siprtx_gateway_why */
	__u8 in_dialog;
	__u8 truncated;
	__u8 stage;	/* enum siprtx_stage in which it ended */
	__u8 icmp_type; /* as in the slot */
	__u8 icmp_code;
	__u8 pad;
	__u16 reply;	/* code siprtx answered with, 0: it did not */
	__u64 of_seq;	/* late response: of the exhausted one's record */
	__u32 delay_ms; /* and how long after its end */
	__u32 pad2;
	__u8 saddr[16], daddr[16];
	char node[64];
	char boot_id[40];
	char gateway_name[NAME_LEN];
	char profile[NAME_LEN];
	char method[16];
	char call_id[160];
	char branch[128];
	char from_tag[96];
	char ruri[128];
	char from_uri[128];
	char to_uri[128];
};

#define MAX_RECORDS 65536

/* events: BPF_F_MMAPABLE ARRAY, u32 (seq % MAX_EVENTS) -> event; a log in a circle, controller writes */
enum siprtx_event_kind {
	EV_NEW = 1,	 /* captured; attempt 1 */
	EV_SEND = 2,	 /* attempt, nominal_ms, late_us */
	EV_COPY = 3,	 /* the softswitch's own copy passed and counts as a send */
	EV_RESPONSE = 4, /* code */
	EV_CANCEL = 5,
	EV_EXHAUSTED = 6, /* reason in code: enum siprtx_end */
	EV_LATE = 7,	  /* code: a response after the end */
	EV_GIVEN_UP = 8,  /* reason in code: END_ABANDONED, END_SUPERSEDED by the softswitch; END_LET_GO, an end */
	EV_ICMP = 9,	  /* an ICMP unreachable; type << 8 | code in code */
	/* the ACK or PRACK came; code: of the response, as in its other events */
	EV_CONFIRMED = 10,
	EV_REPLIED = 11, /* siprtx answered the INVITE itself; code */
	EV_GATEWAY = 12, /* of no call: the gateway's state is enum siprtx_gateway_state in code now, why in attempt */
};

#define MAX_EVENTS 16384

struct siprtx_event {
	__u64 seq; /* from 1; 0 or another than expected: being written, or overtaken */
	__u64 ns;
	__u32 slot, gen;
	__u16 kind;
	__u16 code;
	__u16 attempt;	  /* sends so far, this one included */
	__u16 port;	  /* gateway */
	__u32 nominal_ms; /* since the first send, by the schedule */
	__s32 late_us;
	__u8 addr[16];	/* gateway */
	__u8 slot_kind; /* enum siprtx_kind */
	__u8 method;	/* enum sip_method */
	__u8 stage;	/* EV_EXHAUSTED: enum siprtx_stage in which it ended */
	__u8 pad;
	__u32 retry_after; /* EV_RESPONSE, s; NO_RETRY_AFTER */
	char call_id[64];  /* cut where too long */
};
_Static_assert(sizeof(struct siprtx_event) == 128, "event size");

/*
 * notify: BPF_F_MMAPABLE ARRAY, u32 place -> one of the consumers that siprtx-notify serves: its state for
 * `siprtx status`, and from where it goes on. Written by siprtx-notify alone.
 */
#define MAX_SINKS  32
#define SINK_ERROR 96
struct siprtx_sink {
	char name[NAME_LEN]; /* empty: no consumer */
	char kind[16];	     /* "jsonrpc", "exec", "stream", "cdr" */
	__u64 alive_ns;	     /* CLOCK_MONOTONIC: siprtx-notify was there */
	__u64 next_seq;	     /* of the record it is to get next */
	__u64 sent;	     /* notifications delivered, as far as can be known */
	__u64 failed;	     /* refused, not delivered, or ended in an error */
	__u64 dropped;	     /* the oldest ones, given up because the consumer was too slow or gone (queue) */
	__u64 timeouts;	     /* of failed: not answered or not ended in time */
	__u64 last_ns;	     /* the last delivery, 0: none */
	__u64 error_ns;	     /* the last failure, 0: none */
	__u32 subscribers;   /* of a stream: connected now */
	__u32 pad;
	char error[SINK_ERROR]; /* of the last failure, a sentence; empty: it went well since */
};

#endif
