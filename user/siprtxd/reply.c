// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "deadline.h"
#include "log.h"
#include "schedule.h"
#include "sip_make.h"

#define MS 1000000ull

/* Timer G: T1, doubling up to T2 (17.2.1). Timer H is the time a key is remembered, 32 s. Timer I is T4. */
#define T1_MS 500
#define T2_MS 4000
#define T4_MS 5000
/* A frame that found no room is tried again this much later; a first reply for so long. */
#define NO_ROOM_NS  (5 * MS)
#define PATIENCE_NS (1000 * MS)
/* And for so long where the INVITE itself waits for it to be told: the softswitch's first copy comes then. */
#define REFUSE_PATIENCE_NS (T1_MS * MS)
/* Holds of about one length share a queue. */
#define HOLD_STEP_NS (250 * MS)

#define ONE_SHOT UINT32_MAX /* replies.owner: freed when its descriptor is back */

struct reply {
	uint64_t reply_ns, cancel_ns; /* when the next one is due, 0: none */
	uint64_t end_ns;
	uint64_t patience_ns; /* until when the first may find no room */
	uint32_t gen;
	uint32_t reply, cancel; /* slot + 1 of the frame, 0: none */
	uint16_t code;		/* 0: not answered here */
	uint8_t cancels;	/* sent */
	bool sent;		/* a reply was, by this process or one before */
	bool cancelled;		/* no CANCEL is wanted any more */
	bool late[2];		/* a provisional, a final response was recorded */
	bool refuses;		/* reply_ops.refused() was not told yet */
};

struct replies {
	struct reply_env env;
	struct deadlines *deadlines;
	struct reply *of; /* by the INVITE's slot */
	uint32_t *owner;  /* by the frame's slot: the INVITE's + 1, or ONE_SHOT; 0: none of ours */
	int error;
};

struct replies *replies_new(const struct reply_env *env)
{
	struct replies *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->env = *env;
	r->deadlines = deadlines_new();
	r->of = calloc(env->n_slots, sizeof(*r->of));
	r->owner = calloc(env->n_slots, sizeof(*r->owner));
	env->stats[STAT_reply_slots] = 0;
	if (r->deadlines && r->of && r->owner)
		return r;
	replies_free(r);
	return NULL;
}

void replies_free(struct replies *r)
{
	if (!r)
		return;
	deadlines_free(r->deadlines);
	free(r->of);
	free(r->owner);
	free(r);
}

uint64_t replies_next(const struct replies *r)
{
	return deadlines_next(r->deadlines);
}

uint16_t replies_code(const struct replies *r, uint32_t slot)
{
	return r->of[slot].code;
}

/* Frames */

static void own(struct replies *r, uint32_t slot, uint32_t owner)
{
	r->env.stats[STAT_reply_slots] += !r->owner[slot];
	r->owner[slot] = owner;
}

static void free_frame(struct replies *r, uint32_t slot)
{
	r->env.stats[STAT_reply_slots]--;
	r->owner[slot] = 0;
	slot_free(&r->env.free, r->env.slots, slot);
}

/* No more of it is wanted; while the kernel has it, it stays as it is. */
static void drop_frame(struct replies *r, uint32_t *frame)
{
	uint32_t slot = *frame - 1;

	if (!*frame)
		return;
	*frame = 0;
	if (r->env.ops->in_flight(r->env.ctx, slot))
		own(r, slot, ONE_SHOT);
	else
		free_frame(r, slot);
}

void replies_sent(struct replies *r, uint32_t slot)
{
	if (r->owner[slot] == ONE_SHOT && !r->env.ops->in_flight(r->env.ctx, slot))
		free_frame(r, slot);
}

/* A slot to make a frame in, NULL: none is free. *frame is its number + 1. */
static struct siprtx_slot *new_frame(struct replies *r, uint32_t owner, uint32_t *frame)
{
	int64_t slot = slot_obtain(&r->env.free);

	if (slot < 0)
		return NULL;
	*frame = slot + 1;
	own(r, slot, owner + 1);
	r->env.ops->made(r->env.ctx, slot);
	return &r->env.slots[slot];
}

/* Time */

static void wake_at(struct replies *r, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	if (deadlines_add(r->deadlines, wait_ns, (struct deadline){at_ns, slot, r->of[slot].gen}))
		r->error = -ENOMEM;
}

static void tell(struct replies *r, uint32_t slot, enum siprtx_event_kind kind, uint16_t code, uint64_t now)
{
	const struct transaction_event e = {
		.kind = kind,
		.code = code,
		.ns = now,
		.nominal_ms = (now - r->env.slots[slot].first_ns) / MS,
	};

	r->env.ops->event(r->env.ctx, slot, &e);
}

/* Nothing of it is absorbed from here on. */
static void forget(struct replies *r, uint32_t slot)
{
	struct reply *p = &r->of[slot];

	slot_flag(&r->env.slots[slot], p->gen, 0, WORD_REPLIED | WORD_CANCELLED);
	drop_frame(r, &p->reply);
	drop_frame(r, &p->cancel);
	*p = (struct reply){};
}

static void let_go(struct replies *r, uint32_t slot)
{
	forget(r, slot);
	r->env.ops->over(r->env.ctx, slot);
}

/* The CANCEL (9.1) */

static void stop_cancel(struct replies *r, uint32_t slot)
{
	struct reply *p = &r->of[slot];

	p->cancelled = true;
	p->cancel_ns = 0;
	drop_frame(r, &p->cancel);
}

/* The profile's list serves once more: it bounds how often an unanswered CANCEL is sent again. */
static void send_cancel(struct replies *r, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &r->env.slots[slot];
	const uint32_t *profile = &r->env.in_force->profiles[(s->profile % MAX_PROFILES) * PROFILE_FIELDS];
	struct reply *p = &r->of[slot];
	uint64_t wait = NO_ROOM_NS;
	int err;

	p->cancel_ns = 0;
	if (p->cancels > schedule_count(profile))
		return stop_cancel(r, slot);
	/* first: its answer may be quicker than this process */
	slot_flag(s, p->gen, WORD_CANCELLED, 0);
	err = r->env.ops->send(r->env.ctx, p->cancel - 1);
	if (!err) {
		r->env.stats[STAT_late_cancels]++;
		wait = profile[p->cancels < schedule_count(profile) ? PF_INTERVAL + p->cancels : PF_FINAL_WAIT] * MS;
		p->cancels++;
	} else if (err != -EAGAIN && err != -EHOSTUNREACH) {
		return stop_cancel(r, slot);
	}
	p->cancel_ns = now + wait;
	wake_at(r, slot, p->cancel_ns, wait);
}

static void cancel(struct replies *r, uint32_t slot, uint64_t now)
{
	struct reply *p = &r->of[slot];
	struct siprtx_slot *frame;

	if (p->cancelled || p->cancel)
		return;
	frame = new_frame(r, slot, &p->cancel);
	if (!frame)
		return; /* the next 1xx asks again */
	if (make_cancel(&r->env.slots[slot], frame))
		return stop_cancel(r, slot);
	send_cancel(r, slot, now);
}

/* The reply */

static void stop_reply(struct replies *r, uint32_t slot)
{
	struct reply *p = &r->of[slot];

	p->reply_ns = 0;
	r->env.slots[slot].step = SLOT_STEP_FINAL; /* a new process does not begin again */
	drop_frame(r, &p->reply);
}

static void reply_at(struct replies *r, uint32_t slot, uint64_t now, uint64_t wait_ns)
{
	r->of[slot].reply_ns = now + wait_ns;
	wake_at(r, slot, now + wait_ns, wait_ns);
}

static void count_reply(struct replies *r, uint32_t slot, uint64_t now)
{
	struct reply *p = &r->of[slot];

	r->env.stats[STAT_replies_sent]++;
	r->env.stats[STAT_replied] += !p->sent;
	p->sent = true;
	/* in the ring, not out yet: routing is to know why it comes */
	if (p->refuses)
		r->env.ops->refused(r->env.ctx, slot, true);
	p->refuses = false;
	tell(r, slot, EV_REPLIED, p->code, now);
}

/* 0, or why nothing was sent; then the softswitch's messages pass until a reply is sent again. */
static int send_reply(struct replies *r, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &r->env.slots[slot];
	struct reply *p = &r->of[slot];
	unsigned step = s->step;
	int err;

	/* first: its ACK may be quicker than this process */
	slot_flag(s, p->gen, WORD_REPLIED, 0);
	err = r->env.ops->send(r->env.ctx, p->reply - 1);
	if (!err) {
		count_reply(r, slot, now);
		s->step = step + 1;
		reply_at(r, slot, now, (step < 3 ? T1_MS << step : T2_MS) * MS);
		/* a provisional response was seen before the end: it may be cancelled at once */
		if (word_stage(slot_word(s)) != STAGE_NOTHING)
			cancel(r, slot, now);
		return 0;
	}
	if (!p->sent || err != -EAGAIN)
		slot_flag(s, p->gen, 0, WORD_REPLIED);
	reply_at(r, slot, now, err == -EAGAIN ? NO_ROOM_NS : T1_MS * MS);
	return err;
}

static void repeat_reply(struct replies *r, uint32_t slot, uint64_t now)
{
	struct reply *p = &r->of[slot];
	int err;

	p->reply_ns = 0;
	err = send_reply(r, slot, now);
	if (!err || p->sent)
		return;
	if (p->refuses && (err != -EAGAIN || now >= p->patience_ns)) {
		forget(r, slot);
		r->env.ops->refused(r->env.ctx, slot, false);
	} else if (now >= p->patience_ns) {
		r->env.stats[STAT_not_replied]++;
		let_go(r, slot);
	}
}

/* 0 or why there is none. */
static int make(struct replies *r, uint32_t slot)
{
	struct siprtx_slot *s = &r->env.slots[slot], *frame;
	struct reply *p = &r->of[slot];
	const uint8_t *mac;
	int port, err;

	while (!s->reply_tag)
		if (getrandom(&s->reply_tag, sizeof(s->reply_tag), 0) < 0)
			return -errno;
	port = r->env.ops->way_back(r->env.ctx, s, &mac);
	if (port < 0)
		return -ENETDOWN;
	frame = new_frame(r, slot, &p->reply);
	if (!frame)
		return -ENOSPC;
	err = make_reply(s, p->code, s->reply_tag, mac, frame);
	frame->outside = port;
	return err;
}

/* One that a former controller has answered: its reply is the same, byte for byte, and goes on where it was not ACKed.
 */
static bool go_on(struct replies *r, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &r->env.slots[slot];
	uint64_t left = s->due_ns > now ? s->due_ns - now : 0;

	r->of[slot].sent = true;
	/* what was recorded is not known any more */
	r->of[slot].late[0] = r->of[slot].late[1] = true;
	r->of[slot].cancelled = slot_word(s) & WORD_CANCELLED;
	if (s->step != SLOT_STEP_FINAL && !make(r, slot))
		reply_at(r, slot, now, NO_ROOM_NS);
	else
		drop_frame(r, &r->of[slot].reply);
	wake_at(r, slot, s->due_ns, left / HOLD_STEP_NS * HOLD_STEP_NS + 1);
	return true;
}

static int begin(struct replies *r, uint32_t slot, struct reply new, uint64_t now)
{
	struct siprtx_slot *s = &r->env.slots[slot];
	uint64_t hold = r->env.in_force->tunables[TUN_remember] * MS;
	int err;

	r->of[slot] = new;
	s->step = 0;
	s->due_ns = now + hold;
	err = make(r, slot) ?: send_reply(r, slot, now);
	if (err && err != -EAGAIN) {
		log_debug("an INVITE cannot be answered with %u: %s (slot %u).", new.code, strerror(-err), slot);
		forget(r, slot);
		return err;
	}
	wake_at(r, slot, s->due_ns, hold);
	return 0;
}

bool replies_begin(struct replies *r, uint32_t slot, uint16_t code, uint64_t now)
{
	uint64_t word = slot_word(&r->env.slots[slot]);
	const struct reply new = {
		.gen = word_gen(word),
		.code = code,
		.end_ns = now,
		.patience_ns = now + PATIENCE_NS,
	};
	int err;

	if (word & WORD_REPLIED) {
		r->of[slot] = new;
		return go_on(r, slot, now);
	}
	err = begin(r, slot, new, now);
	r->env.stats[STAT_not_replied] += !!err;
	return !err;
}

bool replies_refuse(struct replies *r, uint32_t slot, uint64_t now)
{
	const struct reply new = {
		.gen = word_gen(slot_word(&r->env.slots[slot])),
		.code = 503,
		.end_ns = now,
		.patience_ns = now + REFUSE_PATIENCE_NS,
		.refuses = true,
	};

	return !begin(r, slot, new, now);
}

/* Notes */

/* The response's slot becomes the ACK's. Whether or not it can be sent, the gateway asks again until one arrives. */
static void acknowledge(struct replies *r, uint32_t invite, uint32_t slot)
{
	struct siprtx_slot *frame = &r->env.slots[slot];
	char to[SLOT_SIZE];
	int err = make_to_value(frame, to, sizeof(to));

	if (!err)
		err = make_ack(&r->env.slots[invite], to, frame);
	r->env.ops->made(r->env.ctx, slot);
	if (!err)
		err = r->env.ops->send(r->env.ctx, slot);
	if (err)
		free_frame(r, slot);
	else
		r->env.stats[STAT_late_acks]++;
}

/* It is told of each time, and recorded once a class (rule 24). */
static void tell_late(struct replies *r, uint32_t slot, uint16_t code, uint64_t now)
{
	struct reply *p = &r->of[slot];
	bool *recorded = &p->late[code >= 200];

	r->env.stats[STAT_late_responses]++;
	tell(r, slot, EV_LATE, code, now);
	if (!*recorded)
		r->env.ops->late(r->env.ctx, slot, code, now, now - p->end_ns);
	*recorded = true;
}

static void late_final(struct replies *r, const struct siprtx_late_final *n, bool held, uint64_t now)
{
	uint32_t slot = n->note.slot;

	if (n->response >= r->env.n_slots || n->note.ns < r->env.since_ns)
		return;
	own(r, n->response, ONE_SHOT);
	if (!held)
		return free_frame(r, n->response);
	/* one that answers the CANCEL is what was asked for, not late */
	if (!r->of[slot].cancels)
		tell_late(r, slot, n->note.code, now);
	stop_cancel(r, slot);
	acknowledge(r, slot, n->response);
}

static void late(struct replies *r, uint32_t slot, uint16_t code, uint64_t now)
{
	tell_late(r, slot, code, now);
	if (code < 200)
		return cancel(r, slot, now);
	/* the softswitch may take the call up after all */
	stop_reply(r, slot);
	stop_cancel(r, slot);
}

static void acked(struct replies *r, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &r->env.slots[slot];

	if (s->step == SLOT_STEP_FINAL)
		return;
	r->env.stats[STAT_replies_acked]++;
	stop_reply(r, slot);
	/* the gateway never saw it: only more copies and ACKs may come (Timer I) */
	if (word_end(slot_word(s)) == END_GATEWAY_DOWN && s->due_ns > now + T4_MS * MS) {
		s->due_ns = now + T4_MS * MS;
		wake_at(r, slot, s->due_ns, T4_MS * MS);
	}
}

/* The INVITE came again. After the ACK it is a stray copy, and nothing answers it (17.2.1, "Confirmed"). */
static void again(struct replies *r, uint32_t slot, uint64_t now)
{
	const struct reply *p = &r->of[slot];
	int err = p->reply ? r->env.ops->send(r->env.ctx, p->reply - 1) : 0;

	if (!err && p->reply)
		count_reply(r, slot, now);
	else if (err && err != -EAGAIN)
		slot_flag(&r->env.slots[slot], p->gen, 0, WORD_REPLIED);
}

void replies_note(struct replies *r, const struct siprtx_note *n, uint64_t now)
{
	bool held = n->slot < r->env.n_slots && r->of[n->slot].code && r->of[n->slot].gen == word_gen(n->word);

	if (n->kind == NOTE_REPLY_LATE_FINAL)
		return late_final(r, (const void *)n, held, now);
	if (!held)
		return;
	switch (n->kind) {
	case NOTE_REPLY_ACKED:
		return acked(r, n->slot, now);
	case NOTE_REPLY_REPEAT:
		return again(r, n->slot, now);
	case NOTE_REPLY_LATE:
		return late(r, n->slot, n->code, now);
	case NOTE_REPLY_CANCEL_OK:
		if (n->code >= 200)
			stop_cancel(r, n->slot);
		return;
	}
}

static void expire(struct replies *r, const struct deadline *d, uint64_t now)
{
	struct reply *p = &r->of[d->slot];

	if (!p->code || p->gen != d->gen)
		return;
	if (d->due_ns == r->env.slots[d->slot].due_ns)
		return let_go(r, d->slot);
	if (d->due_ns == p->cancel_ns)
		send_cancel(r, d->slot, now);
	if (d->due_ns == p->reply_ns)
		repeat_reply(r, d->slot, now);
}

int replies_run(struct replies *r, uint64_t now)
{
	struct deadline d;

	while (!r->error && deadlines_pop(r->deadlines, now, &d))
		expire(r, &d, now);
	return r->error;
}
