/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the XDP programs, the controller and the operator's CLI share: the layout of the pinned maps.
 *
 * Everything here is host byte order and CLOCK_MONOTONIC nanoseconds unless it says otherwise. An IPv4
 * address in a u8[16] is IPv4-mapped (::ffff:a.b.c.d), network order. A change of any layout or of the
 * meaning of a number is a new SIPRTX_ABI.
 */
#ifndef SIPRTX_ABI_H
#define SIPRTX_ABI_H

#include <linux/types.h>

#include "abi_keys.h"
#include "abi_told.h"

#define SIPRTX_ABI   1
#define SIPRTX_MAGIC 0x73697072u

/*
 * slots: BPF_F_MMAPABLE ARRAY, u32 index -> struct siprtx_slot. The map is the AF_XDP UMEM: its value
 * size is the UMEM frame size, so it must be a power of two the kernel takes (2048 or a page).
 */
#define SLOT_SIZE   2048
#define SLOT_HEADER 192 /* struct siprtx_slot up to the frame */
#define SLOT_L3	    216 /* the IP header starts here; 24 bytes before it hold Ethernet and two VLAN tags */
#define SLOT_ROOM   (SLOT_SIZE - SLOT_L3 - 8) /* largest IP packet a slot holds: the scanner reads words past the end */

/*
 * The slot word: generation, response code, end, flags, stage and state in 64 bits. After the slot was
 * taken from the free list, XDP and controller change it by compare-and-swap only; who loses looks again.
 * The generation rises by one each time the slot goes free, so that a stale {slot, generation} of `txns`
 * matches nothing: such a key is merely remembered (rule 23).
 *
 *   63..32 generation | 31..16 last response code | 15..12 end | 11..8 flags | 7..4 stage | 3..0 state
 *
 * Where a response is what is held, the code is its own: calling, until it is confirmed (completed).
 */
enum siprtx_state { /* RFC 3261 17.1.1.2 */
		    ST_FREE = 0,
		    ST_CALLING = 1,
		    ST_PROCEEDING = 2,
		    ST_COMPLETED = 3,  /* a final response was seen */
		    ST_TERMINATED = 4, /* siprtx or the caller gave up; see end */
};

enum siprtx_stage { /* VOS3000's five; a later one never has a shorter deadline (rule 20) */
		    STAGE_NOTHING = 0,
		    STAGE_TRYING = 1,	    /* 100 */
		    STAGE_PROGRESS = 2,	    /* 183 and any other 1xx, no body */
		    STAGE_PROGRESS_SDP = 3, /* the same with a body */
		    STAGE_RINGING = 4,	    /* 180 */
};

/*
 * Why a transaction is ST_TERMINATED. In a word of one that is still sent (word_sends): why the softswitch seems to
 * have given it up (rule 18). It is held on without WORD_TAKEN then, so that a further copy passes and takes it up
 * again.
 */
enum siprtx_end {
	END_NONE = 0,
	END_NO_RESPONSE = 1,
	END_TRYING_TIMEOUT = 2,
	END_PROGRESS_TIMEOUT = 3,
	END_RINGING_TIMEOUT = 4,
	END_CANCELLED = 5,
	END_HELD_TOO_LONG = 6,
	END_ABANDONED = 7,     /* the softswitch's own copies stopped */
	END_SUPERSEDED = 8,    /* the softswitch sent the call to another gateway */
	END_UNREACHABLE = 9,   /* ICMP said so, and icmp_ends is on */
	END_LET_GO = 10,       /* a response: what it awaits does not matter any more, or `confirm` was switched off */
	END_GATEWAY_DOWN = 11, /* refused at once, never sent: its gateway is down (on_down = reply-503) */
};

/*
 * Flag: the controller sends for this transaction. While it is clear the softswitch's own copies pass: before the first
 * look at it, after a copy that could not be sent, and after a sign that it was given up.
 */
#define WORD_TAKEN (1u << 8)
/*
 * Flags of an exhausted INVITE (ST_TERMINATED) that siprtx itself has answered (rule 50): it is held on, and what
 * belongs to that answer is absorbed. The code is that of a late 2xx once one was seen; it ends the absorption on the
 * inside.
 */
#define WORD_REPLIED   (1u << 9)
#define WORD_CANCELLED (1u << 10) /* siprtx has sent a CANCEL for it: what answers that is absorbed too */
/*
 * Flag of one that is still sent: the softswitch's next copy passes and stands for siprtx's own, which waits for it
 * (tunable refresh). The controller sets it; whoever takes it away by compare-and-swap sends: XDP lets the copy pass,
 * or the controller sends its own. Of an INVITE that was refused (BYPASS_REFUSED) XDP sets it: a copy of it has passed,
 * for the controller was not there to answer it, and from then on none will.
 */
#define WORD_YIELD (1u << 11)

static inline __u32 word_gen(__u64 w)
{
	return w >> 32;
}
static inline __u32 word_code(__u64 w)
{
	return (w >> 16) & 0xffff;
}
static inline __u32 word_end(__u64 w)
{
	return (w >> 12) & 0xf;
}
static inline __u32 word_stage(__u64 w)
{
	return (w >> 4) & 0xf;
}
static inline __u32 word_state(__u64 w)
{
	return w & 0xf;
}

/* The word with another state, stage, code, and no end; generation and flags stay. */
static inline __u64 word_moved(__u64 w, __u32 state, __u32 stage, __u32 code)
{
	return (w & 0xffffffff00000f00ull) | (__u64)(code & 0xffff) << 16 | (stage & 0xf) << 4 | (state & 0xf);
}

enum siprtx_kind {		      /* what a slot holds, and so what ends it */
		   KIND_INVITE = 0,   /* an INVITE, until a response comes (RFC 3261 17.1.1) */
		   KIND_REQUEST = 1,  /* any other request, until its final response (17.1.2) */
		   KIND_FINAL = 2,    /* a final response to an INVITE, until its ACK (13.3.1.4, 17.2.1) */
		   KIND_RELIABLE = 3, /* a reliable provisional response, until its PRACK (RFC 3262, 3) */
		   KIND_PROBE = 4, /* an OPTIONS of siprtx's own to a gateway that is not up (probe.h); its response is
				      absorbed */
};

/* Does it await an ACK or a PRACK? */
static inline int kind_is_response(__u32 kind)
{
	return kind == KIND_FINAL || kind == KIND_RELIABLE;
}

/*
 * Is it still sent again in this state? A provisional response stops an INVITE for good (RFC 3261 17.1.1.2), another
 * request goes on until its final one (17.1.2.2).
 */
static inline int word_sends(__u32 kind, __u64 w)
{
	return word_state(w) == ST_CALLING || (kind == KIND_REQUEST && word_state(w) == ST_PROCEEDING);
}

struct siprtx_slot {
	__u64 word;
	/* written by XDP at capture, before the transaction can be found; then constant but for first_ns and bypass */
	__u64 first_ns; /* when the INVITE passed: send number one; by the controller of one refused and sent later */
	struct siprtx_key key;
	__u8 saddr[16];	  /* the softswitch */
	__u8 daddr[16];	  /* the gateway */
	__u8 nexthop[16]; /* whose MAC the frame wants; 0: not known, its MACs are final. The controller may find
			     another */
	__u16 sport, dport;
	__u32 egress;  /* ifindex bpf_fib_lookup named: the outside interface or a VLAN device on it */
	__u32 profile; /* number of the profile */
	__u32 cseq;
	__u16 frame_off; /* first byte of the Ethernet header, from the slot's start */
	__u16 frame_len; /* bytes from there, no FCS */
	__u16 l4_off;	 /* UDP header, from the slot's start */
	__u16 sip_off;	 /* the message, from the slot's start */
	__u16 sip_len;
	__u8 outside; /* index into siprtx_meta.heartbeat */
	__u8 wire;    /* WIRE_* */
	__u8 kind;    /* enum siprtx_kind */
	__u8 method;  /* enum sip_method: of the request, or of a response's CSeq */
	__u8 in_tags; /* VLAN tags it came with, 0..2; SLOT_IN_8021AD: the outer one is of IEEE 802.1ad;
			 SLOT_AT_EGRESS: it was taken as it left, and from_mac and in_tci say nothing */
	__u8 bypass;  /* enum siprtx_bypass: what the gateway's state asked for at capture, of an INVITE outside a
			 dialog; refused ones that go through after all: BYPASS_NONE, by the controller */
	/* written by XDP later, in this order; a reader may see a former value */
	__u64 copy_gap_ns; /* from the softswitch's own copy before to the last one; of the first one, from first_ns */
	__u64 copy_ns;	   /* the last own copy, passed or absorbed; 0: none */
	__u32 retry_after; /* of its final response, s; NO_RETRY_AFTER; written before the word says so. By the
			      controller of one refused: of its own reply */
	__u32 ingress;	   /* ifindex it came in by, for a reply to go back there; 0: made here; written at capture */
	/* written by the controller alone */
	__u64 resp_ns; /* when the present stage was entered, 0: no response yet */
	__u64 due_ns;  /* the next deadline */
	__u64 last_send_ns;
	__u32 late_us_max;
	__u16 sends;	  /* datagrams known to have gone to the gateway, the first one included */
	__u16 step;	  /* interval being waited on: 0..9, 10: a further last one; SLOT_STEP_FINAL after them */
	__u64 record_seq; /* of its record, given before the record is written; 0: none. Of a free slot: reclaim.c */
	__u16 in_tci[2];  /* VLAN tags it came with, network order, outer first; in_tags of them; written at capture */
	__u32 reply_tag;  /* by the controller: of To in siprtx's own reply, 0: none was made */
	__u8 from_mac[6]; /* whoever handed it over; written at capture at XDP */
	__u8 icmp_type;	  /* by the controller: the last ICMP unreachable that quoted it; 0: none */
	__u8 icmp_code;
	/* Ethernet, 0..2 VLAN tags, IP, UDP, SIP; begins at frame_off, IP at SLOT_L3 */
	__u8 frame[SLOT_SIZE - SLOT_HEADER];
};

/*
 * live_batch: BPF_F_MMAPABLE ARRAY, one entry. What the controller has siprtx_outside put into XDP frames, one after
 * the other, by BPF_PROG_RUN (sender = live-frames).
 */
#define LIVE_BATCH 256
struct siprtx_live {
	__u32 next; /* of `frame`, by the program; LIVE_BATCH: none is to be made */
	__u32 made; /* frames handed to their interface's driver, by the program */
	struct siprtx_live_frame {
		__u32 slot;
		__u32 ifindex; /* where to */
		__u16 frame_off, frame_len;
	} frame[LIVE_BATCH];
};
/* Bytes of metadata in front of a frame that is to be filled, and of the frame as it is before. */
#define LIVE_META  4
#define LIVE_FIRST 64

#define SLOT_STEP_FINAL 0xffff
#define NO_RETRY_AFTER	0xffffffffu
#define SLOT_IN_8021AD	0x80
#define SLOT_AT_EGRESS	0x40

enum siprtx_wire {			 /* siprtx_slot.wire */
		   WIRE_NO_MAC = 1 << 0, /* no neighbour at capture: the MACs are to be filled in */
		   WIRE_SUMMED = 1 << 1, /* controller: IP and UDP checksums are whole */
};

/*
 * What siprtx's own reply to an INVITE taken at egress is known by, of siprtx_slot.reply_tag: its IPv4 identification,
 * which is free with DF set (RFC 6864 4.1), its IPv6 flow label (RFC 6437).
 */
static inline __u16 lift_id(__u32 reply_tag)
{
	return reply_tag;
}
static inline __u32 lift_flow_label(__u32 reply_tag)
{
	return reply_tag & 0xfffff;
}

_Static_assert(__builtin_offsetof(struct siprtx_slot, frame) == SLOT_HEADER, "slot header size");
_Static_assert(sizeof(struct siprtx_slot) == SLOT_SIZE, "slot size");

/*
 * The free slots are a stack, so that the slot used last, still in the cache, is used next. free_slots:
 * BPF_F_MMAPABLE ARRAY, u32 slot -> u32 the slot below it + 1, 0: none. free_head: BPF_F_MMAPABLE ARRAY, one entry:
 * number of changes << 32 | slot on top + 1. CPUs take, the controller gives back, both by compare-and-swap of the
 * head; the number of changes tells the same slot come back from one that never left.
 */
static inline __u64 free_head_moved(__u64 head, __u32 top)
{
	return ((head >> 32) + 1) << 32 | top;
}

/* notes: RINGBUF, XDP to controller, submitted without a wake-up. */
enum siprtx_note_kind {
	NOTE_NEW = 1,	/* a transaction was captured, of any kind */
	NOTE_MOVED = 2, /* a response, CANCEL, ACK or PRACK changed the state; word is the new one */
	NOTE_COPY = 3,	/* the softswitch's own copy passed while calling: it counts as a send; code: 1 by WORD_YIELD */
	NOTE_LATE = 4,	/* a response (code) to an exhausted transaction; slot: ms since its end */
	NOTE_ICMP = 5,	/* an ICMP unreachable quotes it; code: type << 8 | code */
	/* of an INVITE with WORD_REPLIED; slot and word are its own */
	NOTE_REPLY_ACKED = 6,	    /* the ACK to the reply was absorbed */
	NOTE_REPLY_REPEAT = 7,	    /* the INVITE came again and was absorbed: the reply is due again */
	NOTE_REPLY_LATE = 8,	    /* a 1xx or 2xx (code) of the gateway passed */
	NOTE_REPLY_CANCEL_OK = 9,   /* the response (code) to siprtx's CANCEL was absorbed */
	NOTE_REPLY_LATE_FINAL = 10, /* any other final response (code) was absorbed: struct siprtx_late_final */
};

struct siprtx_note {
	__u64 ns;
	__u64 word;
	struct siprtx_key key;
	__u32 slot;
	__u16 kind;
	__u16 code;
};

struct siprtx_late_final {
	struct siprtx_note note;
	__u32 response; /* the slot it was put into: IP packet at SLOT_L3, sip_off, sip_len; the controller frees it */
	__u32 pad;
};

/*
 * profiles: BPF_F_MMAPABLE ARRAY, u32 (profile * 32 + field) -> u32; tunables: the same, index of
 * tunables.def. The operator writes them at any time. in_force (one entry, MMAPABLE) holds what the
 * controller found valid; the data path and the schedule read only that.
 */
#define MAX_PROFILES   32
#define PROFILE_FIELDS 32
#define MAX_INTERVALS  10
#define MAX_TUNABLES   64
#define NO_PROFILE     0xffffffffu

enum siprtx_profile_field {		     /* ms, but PF_SEND_RETRY, PF_DOWN_RETRY: count */
			    PF_INTERVAL = 0, /* 0..9; 0 ends the list */
			    PF_SEND_RETRY = 10,
			    PF_TIMEOUT_INVITE = 11,
			    PF_TIMEOUT_TRYING = 12,
			    PF_TIMEOUT_PROGRESS = 13,
			    PF_TIMEOUT_PROGRESS_SDP = 14,
			    PF_TIMEOUT_RINGING = 15,
			    PF_FINAL_WAIT = 16,
			    PF_DOWN_RETRY = 17, /* send_retry of a gateway that is down (on_down = fast); 0: as ever */
			    PF_COUNT = 18,
};

#define INTERVAL_MIN_MS 10
#define INTERVAL_MAX_MS 3600000

struct siprtx_in_force {
	__u32 profiles[MAX_PROFILES * PROFILE_FIELDS];
	__u32 tunables[MAX_TUNABLES];
	/* by the XDP programs: bits as in `methods`, of those captured since the maps were made: to be looked for on */
	__u32 captured_methods;
	__u32 pad;
};

/*
 * Bits of the tunable `methods`: enum sip_method. INVITE needs none; nothing answers an ACK (RFC 3261 17.1.1.3), so it
 * is never sent again (rule 16).
 */
#define METHODS_ALL 0x7ff8u /* CANCEL to PUBLISH */

enum siprtx_tunable {
#define TUNABLE(number, name, def, min, max, unit, help) TUN_##name = number,
#include "tunables.def"
#undef TUNABLE
	TUN_COUNT
};

/* profile_names: ARRAY, u32 profile -> name; empty: no such profile. Written at load. */
struct siprtx_name {
	char name[NAME_LEN];
};

/* gw_profile: LPM_TRIE -> u32 profile. A number of no profile counts as none, here and in gateways. */
struct siprtx_prefix {
	__u32 prefixlen; /* bits of addr, 96 more than an IPv4 prefix says */
	__u8 addr[16];
};

/* gateways: HASH. Operator's fields: profile .. group. Controller's: the rest. */
struct siprtx_gateway_key {
	__u8 addr[16];
	__u16 port;
	__u16 pad;
};

enum siprtx_on_exhausted { ON_EXHAUSTED_RECORD = 0, ON_EXHAUSTED_REPLY_408 = 1, ON_EXHAUSTED_REPLY_503 = 2 };
/* What new INVITEs to a gateway that is down meet with. */
enum siprtx_on_down { ON_DOWN_PASS = 0, ON_DOWN_FAST = 1, ON_DOWN_REPLY_503 = 2 };
/* The operator's word on a gateway: it is judged, or held up or down whatever it does. */
enum siprtx_admin { ADMIN_AUTO = 0, ADMIN_UP = 1, ADMIN_DOWN = 2 };
enum siprtx_gateway_state { GATEWAY_UP = 0, GATEWAY_SUSPECT = 1, GATEWAY_DOWN = 2 };
/*
 * What is done now with a new INVITE to it: on_down where the gateway is down and its group has another way, else
 * nothing. The controller decides, XDP acts by it.
 */
enum siprtx_bypass {
	BYPASS_NONE = 0,
	BYPASS_FAST = 1,    /* sent down_retry times again only */
	BYPASS_REFUSED = 2, /* not let through: the controller answers it with 503 and Retry-After */
};
/* Why a gateway's state changed. */
enum siprtx_gateway_why {
	WHY_NONE = 0,
	WHY_SILENT = 1,	   /* suspect: suspect_calls in a row without any answer after suspect_after */
	WHY_EXHAUSTED = 2, /* down: down_calls in a row exhausted, and no probe answered meanwhile */
	WHY_RESPONSE = 3,  /* up: it answered a call */
	WHY_PROBED = 4,	   /* up: it answered probe_answers probes in a row */
	WHY_OPERATOR = 5,  /* held so, or no more */
	WHY_UNKNOWN = 6,   /* up: nothing is left to probe it with, or it is judged no more (health 0) */
};

struct siprtx_gateway {
	__u32 profile; /* NO_PROFILE: gw_profile decides */
	__u32 on_exhausted;
	__u32 on_down;	      /* enum siprtx_on_down */
	__u32 admin;	      /* enum siprtx_admin */
	char name[NAME_LEN];  /* empty: not in the configuration */
	char group[NAME_LEN]; /* gateways that stand in for each other; empty: none does */
	__u32 state;	      /* enum siprtx_gateway_state */
	__u32 silent;	      /* exhausted in a row */
	__u64 invites;	      /* transactions captured */
	__u64 sends;	      /* retransmissions */
	__u64 answered;	      /* transactions that saw any response */
	__u64 exhausted;      /* ended no_response or unreachable */
	__u64 timeouts;	      /* ended by a stage time-out */
	__u64 cancelled;
	__u64 last_invite_ns;
	__u64 last_response_ns;
	__u32 last_code;
	__u32 last_profile;	/* of its last transaction: stands in for one that does not exist */
	__u64 icmp;		/* ICMP unreachables that quoted a transaction */
	__u32 last_retry_after; /* of the last final response, s; NO_RETRY_AFTER */
	__u32 over_budget;	/* retransmissions not sent, of any method: over rate_gateway */
	__u32 bypass;		/* enum siprtx_bypass */
	__u32 unanswered;	/* calls in a row without any answer after suspect_after */
	__u32 state_why;	/* enum siprtx_gateway_why: of the last change */
	__u32 state_changes;
	__u64 state_ns; /* of the last change, 0: none */
	__u32 probes;	/* sent to it */
	__u32 probe_answers;
	__u64 refused;	 /* INVITEs answered at once while it was down */
	__u64 shortened; /* and those sent by the shorter schedule */
};

/* counters: PERCPU_ARRAY, u32 index of counters.def -> u64 */
enum siprtx_counter {
#define COUNTER(number, name, help) CNT_##name = number,
#include "counters.def"
#undef COUNTER
	CNT_COUNT
};
#define MAX_COUNTERS 128

/* offender: ARRAY, one entry: whence one of the last messages came that were counted as wrong_source */
struct siprtx_offender {
	__u64 begun_ns; /* who swaps this one writes the rest */
	__u8 addr[16];
	__u16 port;
	__u16 pad[3];
	__u64 ns; /* last; as begun_ns: what is between is whole */
};
#define OFFENDER_NS 100000000ull /* one is kept this long at least: a flood of them costs a look each */

/* stats: BPF_F_MMAPABLE ARRAY, u32 index of stats.def -> u64 */
enum siprtx_stat {
#define STAT(number, name, type, help) STAT_##name = number,
#include "stats.def"
#undef STAT
	STAT_COUNT
};
#define MAX_STATS 128

/*
 * lateness: BPF_F_MMAPABLE ARRAY, u32 bucket -> u64 retransmissions. Bucket b counts those at most
 * lateness_bound_us(b) late; the last one everything later. Four buckets an octave from 16 us on.
 */
#define LATENESS_BUCKETS 80
static inline __u64 lateness_bound_us(__u32 b)
{
	return (__u64)(4 + (b & 3) + 1) << ((b >> 2) + 2);
}

/*
 * The kernel's answer to where a frame goes serves further captures on the same way for so long: a frame may have been
 * captured by a route that has changed this long before, and the controller asks about those anew.
 */
#define ROUTE_KEPT_NS 10000000ull

/* egress: HASH, u32 ifindex as bpf_fib_lookup answers -> the outside interface behind it and its tags */
struct siprtx_egress {
	__u32 ifindex;	/* where the frame leaves: the outside interface itself */
	__u16 outside;	/* index into siprtx_meta.heartbeat */
	__u16 tags;	/* 0..2 */
	__be16 tpid[2]; /* outer first */
	__be16 tci[2];
};

/*
 * ways: HASH, struct siprtx_way_key -> struct siprtx_way, with forward = xdp or xdp-all. How a frame comes in: by the
 * interface and the tags it has, the device it belongs to. How a packet leaves: by the device that bpf_fib_lookup names
 * (no tags in the key), the interface below it and the tags. An interface without tags is both at once. What is not
 * here is left to the kernel.
 */
struct siprtx_way_key {
	__u32 ifindex;
	__be16 tag[4]; /* TPID and VLAN ID of each tag, outer first; 0: none */
};

enum siprtx_way_flag {
	WAY_IN = 1,	/* what comes in so may be redirected */
	WAY_OUT = 2,	/* the interface takes what is redirected to it */
	WAY_SOURCE = 4, /* rp_filter: by IPv4 only what the source would be reached by */
};

struct siprtx_way {
	__u32 ifindex;
	__u8 mac[6]; /* the device's: frames to another one are none of this host's */
	__u8 tags;   /* 0..2 */
	__u8 flags;
	__be16 tag[4];
};

/*
 * configured: ARRAY, one entry: what the configuration said when it was last loaded. A later load writes only what
 * the file has changed since, so that values tuned live outlast a restart.
 */
struct siprtx_configured {
	struct siprtx_in_force values;
	__u64 gateways_hash;
	__u64 load_hash; /* of the configuration and the programs */
};

/* hash_key: ARRAY, one entry, random, made with the maps */
#define KEY_WORDS 256
struct siprtx_hash_key {
	__u32 k[KEY_WORDS];
};

/* meta: BPF_F_MMAPABLE ARRAY, one entry */
#define MAX_OUTSIDE    16
#define MAX_INTERFACES 32

/* An INVITE is captured only while the controller's last sign of life is younger than this. */
#define ALIVE_NS 2000000000ull
/* A copy is absorbed only while its interface's heartbeat is younger than this (decision 6). */
#define HEARTBEAT_NS 1000000000ull

/* forward: who forwards what passes */
enum siprtx_forward { FORWARD_KERNEL = 0, FORWARD_XDP = 1, FORWARD_XDP_ALL = 2 };

enum siprtx_side { SIDE_INSIDE = 1, SIDE_OUTSIDE = 2 };
enum siprtx_attach { ATTACH_NONE = 0, ATTACH_NATIVE = 1, ATTACH_GENERIC = 2 };

struct siprtx_interface {
	char name[16];
	__u32 ifindex;
	__u8 side;
	__u8 attach;
	__u8 outside; /* index into heartbeat */
	__u8 up;
};

/*
 * The head, down to `unwritten`, keeps its place and its meaning in every ABI. So do the names of this map and of
 * `tunables`, an ARRAY of u32 with `capture` at index 0, and of the
 * links' pins (link_INTERFACE) and the filters' (egress_INTERFACE, clsact_INTERFACE), and the controller's
 * flock() of the folder `lock` beside them. By these a loader of another ABI lets what is held come to its end before
 * it takes over.
 */
struct siprtx_meta {
	__u32 magic; /* SIPRTX_MAGIC */
	__u32 abi;   /* SIPRTX_ABI */
	/* by the controller, every round of its loop */
	__u64 alive_ns;
	__u32 pid;	 /* 0: ended in order */
	__u32 capturing; /* `capture` as it goes by it */
	__u32 held;	 /* slots in use, those of probes not among them */
	__u32 unwritten; /* records that the journal does not have yet */
	/* the head ends here */
	__u32 slots;	    /* entries of `slots` */
	__u32 transactions; /* max_transactions as configured */
	char boot_id[40];
	__u64 loaded_ns;	      /* when the programs were attached */
	__u64 started_ns;	      /* when the controller began */
	__u64 heartbeat[MAX_OUTSIDE]; /* by the sending loop, after a round in which every due copy reached the ring; 0:
					 off */
	__u64 next_seq;		      /* of the next record */
	__u64 journaled_seq;	      /* records up to and with this are on disk */
	__u64 next_event;	      /* sequence of the next event */
	__u32 journal_errno;	      /* 0: the last write went well */
	__u32 interfaces;
	struct siprtx_interface interface[MAX_INTERFACES];
};

#define META_HEAD 32
_Static_assert(__builtin_offsetof(struct siprtx_meta, magic) == 0 && __builtin_offsetof(struct siprtx_meta, abi) == 4 &&
		       __builtin_offsetof(struct siprtx_meta, alive_ns) == 8 &&
		       __builtin_offsetof(struct siprtx_meta, pid) == 16 &&
		       __builtin_offsetof(struct siprtx_meta, capturing) == 20 &&
		       __builtin_offsetof(struct siprtx_meta, held) == 24 &&
		       __builtin_offsetof(struct siprtx_meta, unwritten) == 28 && TUN_capture == 0,
	       "what every ABI has in common");

#endif
