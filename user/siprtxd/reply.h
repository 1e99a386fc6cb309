/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INVITEs, exhausted or refused at once, that siprtx answers itself (rule 50): towards the softswitch an INVITE server
 * transaction that has sent its final response (RFC 3261 17.2.1), towards the gateway the client that gives up
 * (9.1, 17.1.1.3).
 *
 * The reply and the CANCEL are each in a slot of their own, taken from the free list, an ACK in the one its response
 * came in. Their word stays ST_FREE: what a killed controller left of them is lost and found again (reclaim.h).
 */
#ifndef SIPRTXD_REPLY_H
#define SIPRTXD_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "slot.h"
#include "transaction.h"

struct reply_ops {
	/* As transaction_ops has them; `send` of a slot made here. */
	int (*send)(void *ctx, uint32_t slot);
	bool (*in_flight)(void *ctx, uint32_t slot);
	void (*event)(void *ctx, uint32_t slot, const struct transaction_event *e);
	/* The frame in this slot is another one now. */
	void (*made)(void *ctx, uint32_t slot);
	/*
	 * siprtx_slot.outside for the reply to this INVITE, and the MAC it comes from as make_reply() wants it. -1:
	 * there is no way back.
	 */
	int (*way_back)(void *ctx, const struct siprtx_slot *invite, const uint8_t **mac);
	/* The first 1xx or the first final response (code) since the end, so many ns after it. */
	void (*late)(void *ctx, uint32_t slot, uint16_t code, uint64_t now, uint64_t delay_ns);
	/* The INVITE's slot is needed no longer. */
	void (*over)(void *ctx, uint32_t slot);
	/* As transactions_refused(). In the first case the slot is held here on, in the second no more. */
	void (*refused)(void *ctx, uint32_t slot, bool sent);
};

struct reply_env {
	struct siprtx_slot *slots;
	uint32_t n_slots;
	const struct siprtx_in_force *in_force;
	struct free_list free;
	__u64 *stats;	   /* STAT_* */
	uint64_t since_ns; /* slots of responses told of before that are not there any more */
	const struct reply_ops *ops;
	void *ctx;
};

struct replies; /* opaque */

struct replies *replies_new(const struct reply_env *env); /* NULL: no memory */
void replies_free(struct replies *r);

/*
 * Answers the terminated INVITE in this slot with `code`, or goes on with what a former controller has begun. False: it
 * cannot; then nothing was sent, and the slot is not held here.
 */
bool replies_begin(struct replies *r, uint32_t slot, uint16_t code, uint64_t now);
/*
 * The same with 503 for an INVITE that was never sent, for its gateway is down (END_GATEWAY_DOWN);
 * siprtx_slot.retry_after says when to come back. reply_ops.refused() tells what came of it; not where this returns
 * false. Its slot is held for Timer I after the ACK, no longer: there is nothing late to wait for.
 */
bool replies_refuse(struct replies *r, uint32_t slot, uint64_t now);
/* With what it is answered, 0: it is not. */
uint16_t replies_code(const struct replies *r, uint32_t slot);
/* A note of the NOTE_REPLY_ kinds. */
void replies_note(struct replies *r, const struct siprtx_note *n, uint64_t now);
/* Does all that is due. 0 or -ENOMEM as transactions_run(). */
int replies_run(struct replies *r, uint64_t now);
/* When the next deadline is, UINT64_MAX: none. */
uint64_t replies_next(const struct replies *r);
/* A descriptor of this slot came back. */
void replies_sent(struct replies *r, uint32_t slot);

#endif
