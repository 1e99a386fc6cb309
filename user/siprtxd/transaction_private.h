/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a transaction's life share: transaction.c (begin to end), waiting.c, retransmit.c, given_up.c,
 * let_go.c, refresh.c, unreachable.c, adopt.c, refuse.c. */
#ifndef SIPRTXD_TRANSACTION_PRIVATE_H
#define SIPRTXD_TRANSACTION_PRIVATE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"
#include "deadline.h"
#include "pace.h"
#include "schedule.h"
#include "transaction.h"

#define MS 1000000ull

/*
 * Looks at the copies are due at any time. Those of about one wait share a queue, and come this much late at most; the
 * odd nanosecond keeps them out of the queues of the sends.
 */
#define LOOK_STEP_NS	   (64 * MS)
#define LOOK_WAIT(wait_ns) ((wait_ns) / LOOK_STEP_NS * LOOK_STEP_NS + 1)

/*
 * Two datagrams of a call are near each other where a wait lacks no more than this share. One sent that much later than
 * it was due: the wait that follows begins when it went, so that no two come close. And that much before the end of a
 * wait it is settled who sends next, siprtx or the softswitch, whose own copy is due by then.
 */
#define NEAR_SHARE 16

enum phase { NOT_HELD = 0, HELD, KEPT /* for its own reply */, ENDED /* waits for its last descriptor */ };

struct held {
	uint64_t wake_ns;   /* of its one valid deadline; its others in the queues are stale */
	uint64_t look_ns;   /* and of its one valid look at the softswitch's copies */
	uint64_t from_ns;   /* when its wait began: the copy before, be it sent, passed or left out; 0: not known */
	uint64_t passed_ns; /* when conntrack has last seen a datagram of it, as far as is known */
	uint32_t gen;
	uint8_t phase;
	uint8_t stage; /* as last acted on */
	bool overdue;  /* counted in transactions.overdue */
	bool yields;   /* WORD_YIELD was set, and nothing known to have come of it */
};

struct transactions {
	struct transaction_env env;
	struct deadlines *deadlines;
	struct held *held;
	uint32_t n_held;
	uint32_t overdue[MAX_OUTSIDE];
	uint32_t unnamed; /* slots from here on may be held and not among env.calls yet */
	struct pace pace;
	uint64_t begun;	     /* transactions since the round before */
	uint64_t told_ns;    /* when STAT_in_one_ms was written */
	uint64_t room;	     /* copies that may still go in this round */
	bool put_off;	     /* some that were due are left to the next one */
	uint64_t refresh_ns; /* 0: never */
	int error;
};

static inline uint64_t txn_now(const struct transactions *t)
{
	return t->env.ops->now(t->env.ctx);
}

static inline const uint32_t *txn_profile(const struct transactions *t, const struct siprtx_slot *s)
{
	return &t->env.in_force->profiles[(s->profile % MAX_PROFILES) * PROFILE_FIELDS];
}

static inline uint32_t ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns + MS / 2) / MS : 0;
}

/* transaction.c */

void txn_tell(struct transactions *t, uint32_t slot, enum siprtx_event_kind kind, uint16_t code, uint64_t ns);
/* Held from now on, from the word alone, as a new process finds it. */
void txn_hold(struct transactions *t, uint32_t slot, uint64_t word);
/* A transaction no controller has had before. */
void txn_begin(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now);
/* Acts on what the word has become. `ns`: when that was, as far as is known; `code`: the response told of. */
void txn_look(struct transactions *t, uint32_t slot, uint64_t word, uint16_t code, uint64_t ns);
/* It is over: told, then let go, unless siprtx answers it itself. */
void txn_end(struct transactions *t, uint32_t slot, enum siprtx_end end);
/* The counter of an end. */
enum siprtx_stat txn_end_stat(const struct siprtx_slot *s, enum siprtx_end end);

/* adopt.c */

/* Adds to env.calls what was taken up and is not there yet, some of it a round. */
void txn_name_more(struct transactions *t);

/* waiting.c */

/* Its one deadline. `wait_ns` names the queue: all of one queue wait equally long. */
void txn_wake_at(struct transactions *t, uint32_t slot, uint64_t at_ns, uint64_t wait_ns);
/* While it is sent: looks at the softswitch's copies where they may be missed before the deadline. */
void txn_look_before(struct transactions *t, uint32_t slot, uint64_t now);
void txn_set_overdue(struct transactions *t, uint32_t slot, bool overdue);
/*
 * The wait after `step` retransmissions, from `from_ns` on. Copies whose time has gone by are left out, never made
 * up for in a burst; the one after them then keeps its whole distance from now.
 */
void txn_begin_wait(struct transactions *t, uint32_t slot, unsigned step, uint64_t from_ns, uint64_t now);
/* The same from a copy of the softswitch on. Where the wait is over already, more copies may have been told of by then.
 */
void txn_begin_wait_at_copy(struct transactions *t, uint32_t slot, unsigned step, uint64_t ns, uint64_t now);
/* What comes after `step` retransmissions, from `from_ns` on, by its kind and state. */
struct schedule_wait txn_next(const struct transactions *t, const struct siprtx_slot *s, unsigned step,
			      uint64_t from_ns);
/* The wait that follows the one in course, ns; and all of them, to its end. */
uint64_t txn_following_wait(const struct transactions *t, const struct siprtx_slot *s);
uint64_t txn_rest(const struct transactions *t, const struct siprtx_slot *s);

/* retransmit.c */

void txn_retransmit(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now);
/*
 * Send number one, of an INVITE whose own datagram did not go through; then its schedule begins. Where there is no room
 * for it, it is due again.
 */
void txn_send_first(struct transactions *t, uint32_t slot, uint64_t now);
/* Is that still to be done? */
static inline bool txn_is_unsent(const struct transactions *t, uint32_t slot)
{
	return !t->env.slots[slot].sends && !t->held[slot].from_ns;
}
/* This copy will not go: the softswitch's own ones pass again until one of ours is sent. `why` is counted. */
void txn_leave_out(struct transactions *t, uint32_t slot, enum siprtx_stat why, uint64_t now);
/*
 * The softswitch's own copy went through: it stands for a retransmission of ours. After a sign that it had given up it
 * says the contrary.
 */
void txn_count_copy(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns, uint64_t now);

/* refresh.c */

/* When to act on the wait in course: at its end, or some time before it where a copy of the softswitch is to pass. */
uint64_t txn_turn_ns(const struct transactions *t, uint32_t slot);
/* Is this send put off, for a copy of the softswitch to pass in its place? It is seen to then. */
bool txn_yields(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now);
/* Another wait begins: no copy is to pass any more. */
void txn_end_turn(struct transactions *t, uint32_t slot);
/* Was the copy this note tells of counted without it? */
bool txn_is_counted(const struct transactions *t, const struct siprtx_note *n);

/* given_up.c */

/* Were the softswitch's copies missed, before the schedule was used up? */
bool txn_is_abandoned(const struct transactions *t, const struct siprtx_slot *s, uint64_t now);
/*
 * A sign that the softswitch has given up in silence (rule 18): nothing more is sent or absorbed. It is held to the end
 * its schedule would have had, for a further copy to take it up again. False: `word` is another by now.
 */
bool txn_give_up(struct transactions *t, uint32_t slot, uint64_t word, enum siprtx_end end, uint64_t now);
/* The call goes to another gateway: those that were silent for long enough are not called any more. */
void txn_supersede(struct transactions *t, uint32_t slot, uint64_t now);

/* refuse.c */

/*
 * One that was not let through to its gateway, which is down (BYPASS_REFUSED), and that nobody has answered: it is
 * answered now, or sent on where that cannot be or comes too late.
 */
void txn_refuse(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now);
/* Is it such a one? Else a copy of it has passed, or something else came in between. */
bool txn_is_refused(const struct siprtx_slot *s, uint64_t word);
/* It is one like any other from now on, its first datagram the copy that passed. Returns its word. */
uint64_t txn_let_through(struct siprtx_slot *s, uint64_t word);

/* unreachable.c */

/*
 * ICMP (type << 8 | code) says that a copy could not be delivered: evidence (rule 46), and with icmp_ends the end of a
 * transaction that is calling.
 */
void txn_unreachable(struct transactions *t, uint32_t slot, uint64_t word, uint16_t icmp, uint64_t ns);

/* let_go.c */

/* Is it a response, and `confirm` switched off? Then no ACK and no PRACK is looked for any more. */
bool txn_is_switched_off(const struct transactions *t, const struct siprtx_slot *s);
/* Ends a response that is held, for its ACK or PRACK does not matter any more. */
void txn_let_go(struct transactions *t, uint32_t slot, uint64_t now);
/* A new one: a final response ends the waiting for the PRACK of those that went before it (RFC 3262, 3). */
void txn_answer(struct transactions *t, uint32_t slot, uint64_t now);

#endif
