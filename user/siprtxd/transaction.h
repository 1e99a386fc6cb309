/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client transactions siprtx sends for (RFC 3261 17.1.1), from capture to the free slot. Pure: the clock, the
 * sender and whoever wants to know are functions of the caller, the slots are plain memory.
 *
 * What must outlive a crash is in the slot; what is here can be built again from it (transactions_adopt). A slot's
 * word is shared with the XDP programs: it says what is true, and a note only that it changed.
 */
#ifndef SIPRTXD_TRANSACTION_H
#define SIPRTXD_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "calls.h"
#include "slot.h"

/* The longest an answered transaction is held where its stage has no time-out. */
#define HOLD_CAP_MS 300000

struct transaction_event {
	enum siprtx_event_kind kind;
	uint16_t code;
	uint64_t ns;
	uint32_t nominal_ms; /* since the first send, by the schedule */
	int32_t late_us;
	uint32_t retry_after;	 /* EV_RESPONSE, s; NO_RETRY_AFTER */
	enum siprtx_stage stage; /* EV_EXHAUSTED: in which it ended */
};

struct transaction_ops {
	/* CLOCK_MONOTONIC, ns */
	uint64_t (*now)(void *ctx);
	/* Makes a new transaction's frame fit for sending, while it is still in the cache from its capture. */
	void (*prepare)(void *ctx, uint32_t slot);
	/*
	 * Hands the slot's frame to the kernel. 0; -EAGAIN: no room now; -EHOSTUNREACH: no MAC known yet;
	 * -EDQUOT: the gateway's budget is spent; -EMSGSIZE: the link's MTU is too small now; -ENETUNREACH: the route
	 * leads elsewhere now; anything else (-ENETDOWN): not to be had. This copy is left out then.
	 */
	int (*send)(void *ctx, uint32_t slot);
	/* Is a descriptor of the slot still with the kernel? */
	bool (*in_flight)(void *ctx, uint32_t slot);
	/* The slot is as it was before the event but for `sends`: resp_ns is 0 with a first response. */
	void (*event)(void *ctx, uint32_t slot, const struct transaction_event *e);
	/*
	 * It has ended, the slot is still whole: END_NONE by a final response. May come twice for one that ended
	 * while a controller was killed; record_seq tells.
	 */
	void (*ended)(void *ctx, uint32_t slot, enum siprtx_end end);
	/*
	 * Asked before that of an exhausted one: is its slot needed on, for siprtx to answer the INVITE itself? Then
	 * transactions_release() ends it. May be NULL: never.
	 */
	bool (*keeps)(void *ctx, uint32_t slot);
	/*
	 * Answers an INVITE in the place of its gateway, which is down, and holds the slot as above: whether it went
	 * out is told by transactions_refused(), maybe before this returns. False: it cannot be answered. May be NULL:
	 * none can.
	 */
	bool (*refuse)(void *ctx, uint32_t slot);
};

struct transaction_env {
	struct siprtx_slot *slots;
	uint32_t n_slots;
	const struct siprtx_in_force *in_force;
	struct calls *calls; /* of these slots; filled here */
	struct free_list free;
	__u64 *stats;	 /* STAT_* */
	__u64 *lateness; /* LATENESS_BUCKETS */
	const struct transaction_ops *ops;
	void *ctx;
};

struct transactions; /* opaque */

struct transactions *transactions_new(const struct transaction_env *env); /* NULL: no memory */
void transactions_free(struct transactions *t);

/* Takes up what a former controller left in the slots. 0 or -ENOMEM. */
int transactions_adopt(struct transactions *t);
/* What an XDP program told. NOTE_LATE is none of this file's. */
void transactions_note(struct transactions *t, const struct siprtx_note *n);
/*
 * Does what is due, with no more copies than this round may send (pace.h, tick_sends). 0 or -ENOMEM: deadlines were
 * lost, only a new start finds them again.
 */
int transactions_run(struct transactions *t);
/* A descriptor of this slot came back. */
void transactions_sent(struct transactions *t, uint32_t slot);

/* A slot that was kept (transaction_ops.keeps) is needed no longer. */
void transactions_release(struct transactions *t, uint32_t slot);

/*
 * What came of an answer that was begun (transaction_ops.refuse): it was sent, or it never will be, and the INVITE goes
 * to the gateway after all.
 */
void transactions_refused(struct transactions *t, uint32_t slot, bool sent);

/*
 * Has one of the softswitch's own copies pass in place of ours where the last datagram that passed the kernel is this
 * old, ns; 0, as it begins: never.
 */
void transactions_refresh(struct transactions *t, uint64_t refresh_ns);

/* When the next deadline is, UINT64_MAX: none. */
uint64_t transactions_next(const struct transactions *t);
/* Are there copies due on this outside interface that found no room, or were left to the next round? Then its
 * heartbeat must rest. */
bool transactions_overdue(const struct transactions *t, uint32_t outside);
/* How many slots belong to a transaction: not free, or not given back yet. And does this one? */
uint32_t transactions_held(const struct transactions *t);
bool transactions_holds(const struct transactions *t, uint32_t slot);

#endif
