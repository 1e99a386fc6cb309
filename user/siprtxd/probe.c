// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "deadline.h"
#include "key.h"
#include "sip.h"
#include "sip_make.h"

#define MS 1000000ull

/* An answer that is not there after this time is missed; where probes follow quicker, once the next one is due. */
#define PATIENCE_NS (4000 * MS)
/*
 * After an answer the next one follows in a sixteenth of the interval, but not at once. And the wait before is as much
 * shorter, to half of the interval at most: a gateway that is back is known to be within one interval.
 */
#define QUICK_SHARE  16
#define QUICK_MIN_NS (100 * MS)
/*
 * A wait is shorter than the interval by up to 15 of 128 parts, at random: the gateways of one carrier, lost at one
 * moment, are not probed at one moment for ever.
 */
#define SPREAD_STEPS 16
#define SPREAD_SHARE 128
/* And no more than this many are sent in one round. */
#define ROUND_MAX 8
/* A frame that found no room is tried again this much later; one that cannot be sent for another reason. */
#define NO_ROOM_NS (5 * MS)
#define NO_WAY_NS  (250 * MS)
/* Waits of about one length share a queue. */
#define QUEUE_STEP_NS (16 * MS)
/*
 * All numbers have as many digits, so that the next probe differs from this one in single bytes, and not in its length:
 * whatever a controller was killed in the middle of, the slot holds a message to go on from.
 */
#define CSEQ_FIRST 1000000
#define CSEQ_LAST  9999999

struct probe {
	struct siprtx_gateway_key gateway; /* first: by_gateway() */
	uint32_t slot;
	uint64_t wake_ns;  /* of its one valid deadline, 0: none */
	uint64_t next_ns;  /* when the next one is to be sent, UINT64_MAX: none is */
	uint64_t miss_ns;  /* when the one that is out is missed, 0: none is out, or it was told */
	uint64_t stuck_ns; /* since when its way leads elsewhere, 0: it does not */
	uint8_t spread;
	bool fresh; /* the frame was not sent yet */
	bool keyed; /* its key is in the map, or may be */
	bool ended; /* waits for the answer that may still come, or for its last descriptor */
};

struct probes {
	struct probe_env env;
	struct deadlines *deadlines;
	struct probe **of; /* by slot */
	void *tree;	   /* those that have not ended, by gateway */
	uint32_t n;
	uint64_t now_ns; /* as last told */
	uint64_t interval_ns;
	struct siprtx_slot made; /* the next frame is made here */
	int error;
};

static int by_gateway(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct siprtx_gateway_key));
}

static uint64_t interval_of(const struct probes *p)
{
	return p->env.in_force->tunables[TUN_probe] * MS;
}

struct probes *probes_new(const struct probe_env *env)
{
	struct probes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->env = *env;
	p->interval_ns = interval_of(p);
	p->deadlines = deadlines_new();
	p->of = calloc(env->n_slots, sizeof(struct probe *));
	if (p->deadlines && p->of)
		return p;
	probes_free(p);
	return NULL;
}

void probes_free(struct probes *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->of && i < p->env.n_slots; i++) {
		if (p->of[i] && !p->of[i]->ended)
			tdelete(p->of[i], &p->tree, by_gateway);
		free(p->of[i]);
	}
	deadlines_free(p->deadlines);
	free(p->of);
	free(p);
}

uint64_t probes_next(const struct probes *p)
{
	return deadlines_next(p->deadlines);
}

uint32_t probes_held(const struct probes *p)
{
	return p->n;
}

static struct probe *find(const struct probes *p, const struct siprtx_gateway_key *gateway)
{
	struct probe **found = tfind(gateway, &p->tree, by_gateway);

	return found ? *found : NULL;
}

bool probes_has(const struct probes *p, const struct siprtx_gateway_key *gateway)
{
	return find(p, gateway);
}

/* Time */

static void wake_at(struct probes *p, struct probe *b, uint64_t at_ns)
{
	uint64_t wait = at_ns > p->now_ns ? at_ns - p->now_ns : 0;

	b->wake_ns = at_ns;
	if (deadlines_add(p->deadlines, wait / QUEUE_STEP_NS * QUEUE_STEP_NS + 1, (struct deadline){at_ns, b->slot, 0}))
		p->error = -ENOMEM;
}

/* For what comes first: it is missed, or the next one is due. */
static void wait_on(struct probes *p, struct probe *b)
{
	uint64_t at = b->miss_ns && b->miss_ns < b->next_ns ? b->miss_ns : b->next_ns;

	b->wake_ns = 0;
	if (at != UINT64_MAX)
		wake_at(p, b, at);
}

/* Slots */

static struct siprtx_slot *slot_of(const struct probes *p, const struct probe *b)
{
	return &p->env.slots[b->slot];
}

/* NULL: no memory, or the gateway has one already. */
static struct probe *add(struct probes *p, uint32_t slot, const struct siprtx_gateway_key *gateway)
{
	struct probe *b = calloc(1, sizeof(*b)), **in;

	if (!b)
		return NULL;
	b->gateway = *gateway;
	b->slot = slot;
	in = tsearch(b, &p->tree, by_gateway);
	if (!in || *in != b) {
		free(b);
		return NULL;
	}
	p->of[slot] = b;
	p->n++;
	return b;
}

static void forget_key(struct probes *p, struct probe *b)
{
	if (b->keyed)
		p->env.ops->remove_key(p->env.ctx, &slot_of(p, b)->key);
	b->keyed = false;
}

/* *b is gone, unless the kernel has its frame still. */
static void release(struct probes *p, struct probe *b)
{
	forget_key(p, b);
	b->wake_ns = 0;
	if (p->env.ops->in_flight(p->env.ctx, b->slot))
		return;
	p->of[b->slot] = NULL;
	p->n--;
	slot_free(&p->env.free, p->env.slots, b->slot);
	free(b);
}

void probes_sent(struct probes *p, uint32_t slot)
{
	struct probe *b = p->of[slot];

	if (b && b->ended && !b->wake_ns && !p->env.ops->in_flight(p->env.ctx, slot))
		release(p, b);
}

static bool is_out(const struct siprtx_slot *s)
{
	uint32_t state = word_state(slot_word(s));

	return s->sends && (state == ST_CALLING || state == ST_PROCEEDING);
}

/* *b may be gone. An answer still under way is to be absorbed as well. */
static void end(struct probes *p, struct probe *b)
{
	const struct siprtx_slot *s = slot_of(p, b);

	tdelete(b, &p->tree, by_gateway);
	b->ended = true;
	if (is_out(s) && p->now_ns < s->last_send_ns + PATIENCE_NS)
		wake_at(p, b, s->last_send_ns + PATIENCE_NS);
	else
		release(p, b);
}

void probes_end(struct probes *p, const struct siprtx_gateway_key *gateway)
{
	struct probe *b = find(p, gateway);

	if (b)
		end(p, b);
}

/* The next one */

static uint32_t next_cseq(uint32_t cseq)
{
	return cseq < CSEQ_FIRST || cseq >= CSEQ_LAST ? CSEQ_FIRST : cseq + 1;
}

/* Into p->made, with its key. `from`: the INVITE, or the probe before. */
static int make(struct probes *p, struct probe *b, const struct siprtx_slot *from)
{
	struct siprtx_slot *made = &p->made;
	struct sip_msg m;
	struct {
		uint64_t branch, call_id;
		uint32_t from_tag, spread;
	} random;
	struct sip_fresh fresh;
	int err;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	fresh = (struct sip_fresh){random.branch, random.call_id, random.from_tag, next_cseq(slot_of(p, b)->cseq)};
	b->spread = random.spread % SPREAD_STEPS;
	err = make_options(from, &fresh, made);
	if (err)
		return err;
	if (sip_scan(made, made->sip_off, made->sip_off + made->sip_len, &m) != SIP_OK)
		return -EBADMSG;
	made->cseq = m.cseq;
	sip_key(made, &m, SIP_OPTIONS, p->env.hash_key, &made->key);
	return 0;
}

/* What make() has made becomes the slot's. The word comes last: until then the slot is as it was to who finds it. */
static void take_over(struct siprtx_slot *s, const struct siprtx_slot *made)
{
	s->sends = 0;
	s->resp_ns = s->last_send_ns = 0;
	s->key = made->key;
	memcpy(s->saddr, made->saddr, sizeof(s->saddr));
	memcpy(s->daddr, made->daddr, sizeof(s->daddr));
	memcpy(s->nexthop, made->nexthop, sizeof(s->nexthop));
	s->sport = made->sport;
	s->dport = made->dport;
	s->egress = made->egress;
	s->outside = made->outside;
	s->wire = made->wire;
	s->cseq = made->cseq;
	s->frame_off = made->frame_off;
	s->frame_len = made->frame_len;
	s->l4_off = made->l4_off;
	s->sip_off = made->sip_off;
	s->sip_len = made->sip_len;
	memcpy((char *)s + s->frame_off, (const char *)made + s->frame_off, s->frame_len);
	slot_call(s);
}

/* A probe that was not sent yet, made of `from`. 0 or -errno: then the slot is as it was. */
static int renew(struct probes *p, struct probe *b, const struct siprtx_slot *from)
{
	int err = make(p, b, from);

	if (err)
		return err;
	forget_key(p, b);
	take_over(slot_of(p, b), &p->made);
	b->fresh = true;
	return 0;
}

/* What of the slot does not change from one probe to the next. */
static void begin_slot(struct siprtx_slot *s, const struct siprtx_slot *invite)
{
	s->first_ns = invite->first_ns; /* when its way was last looked up (sender.c) */
	s->profile = invite->profile;
	s->kind = KIND_PROBE;
	s->method = SIP_OPTIONS;
	s->ingress = invite->ingress;
	s->in_tags = invite->in_tags;
	memcpy(s->in_tci, invite->in_tci, sizeof(s->in_tci));
	memcpy(s->from_mac, invite->from_mac, sizeof(s->from_mac));
	s->bypass = BYPASS_NONE;
	s->copy_gap_ns = s->copy_ns = s->due_ns = s->record_seq = 0;
	s->retry_after = NO_RETRY_AFTER;
	s->late_us_max = 0;
	s->reply_tag = s->cseq = 0;
	s->icmp_type = s->icmp_code = 0;
	s->step = 0;
}

static struct siprtx_gateway_key gateway_of(const struct siprtx_slot *s)
{
	struct siprtx_gateway_key key = {.port = s->dport};

	memcpy(key.addr, s->daddr, sizeof(key.addr));
	return key;
}

int probes_begin(struct probes *p, uint32_t invite, uint64_t now)
{
	const struct siprtx_slot *from = &p->env.slots[invite];
	struct siprtx_gateway_key gateway = gateway_of(from);
	struct probe *b;
	int64_t slot;
	int err;

	p->now_ns = now;
	if (find(p, &gateway))
		return 0;
	slot = slot_obtain(&p->env.free);
	if (slot < 0)
		return -ENOSPC;
	b = add(p, slot, &gateway);
	if (!b) {
		slot_free(&p->env.free, p->env.slots, slot);
		return -ENOMEM;
	}
	begin_slot(&p->env.slots[slot], from);
	err = renew(p, b, from);
	if (err) {
		end(p, b);
		return err;
	}
	p->env.ops->made(p->env.ctx, slot);
	b->next_ns = now;
	wait_on(p, b);
	return 0;
}

/* Sending */

/* 0 or -errno: it could not be sent now. */
static int try(struct probes *p, struct probe *b)
{
	const struct siprtx_slot *s = slot_of(p, b);
	const struct probe_ops *ops = p->env.ops;
	int err = 0;

	if (ops->in_flight(p->env.ctx, b->slot))
		return -EAGAIN;
	if (!b->fresh)
		err = renew(p, b, s);
	if (!err && !b->keyed) {
		/* first: its answer may be quicker than this process, and it is looked for by this bit alone */
		__atomic_fetch_or(&p->env.in_force->captured_methods, 1u << SIP_OPTIONS, __ATOMIC_RELAXED);
		err = ops->add_key(p->env.ctx, &s->key, b->slot, word_gen(slot_word(s)));
		b->keyed = !err;
	}
	return err ?: ops->send(p->env.ctx, b->slot);
}

static uint64_t quick_wait(const struct probes *p)
{
	uint64_t wait = p->interval_ns / QUICK_SHARE;

	return wait > QUICK_MIN_NS ? wait : QUICK_MIN_NS;
}

/* From one that is not answered to the next. */
static uint64_t wait_of(const struct probes *p, const struct probe *b)
{
	uint32_t answers = p->env.in_force->tunables[TUN_probe_answers];
	uint64_t more = answers ? (answers - 1) * quick_wait(p) : 0, half = p->interval_ns / 2;

	return p->interval_ns - (more < half ? more : half) - b->spread * (p->interval_ns / SPREAD_SHARE);
}

/* True: it is, for so long that it does not come back by itself. */
static bool is_stuck(struct probes *p, struct probe *b, int err)
{
	uint64_t patience = p->interval_ns > PATIENCE_NS ? p->interval_ns : PATIENCE_NS;

	if (err != -ENETUNREACH && err != -EMSGSIZE && err != -EBADMSG) {
		b->stuck_ns = 0;
		return false;
	}
	if (!b->stuck_ns)
		b->stuck_ns = p->now_ns;
	return p->now_ns - b->stuck_ns >= patience;
}

static void put_off(struct probes *p, struct probe *b, int err)
{
	struct siprtx_gateway_key gateway = b->gateway;

	if (is_stuck(p, b, err)) {
		end(p, b);
		p->env.ops->lost(p->env.ctx, &gateway, p->now_ns);
		return;
	}
	b->next_ns = p->now_ns + (err == -EAGAIN ? NO_ROOM_NS : NO_WAY_NS);
	wait_on(p, b);
}

static void send_next(struct probes *p, struct probe *b)
{
	struct siprtx_gateway_key gateway = b->gateway;
	struct siprtx_slot *s = slot_of(p, b);
	uint64_t now = p->now_ns;
	int err;

	if (!p->interval_ns) {
		b->next_ns = UINT64_MAX;
		return wait_on(p, b);
	}
	err = try(p, b);
	if (err)
		return put_off(p, b, err);
	p->env.stats[STAT_probes_sent]++;
	b->fresh = false;
	b->stuck_ns = 0;
	b->next_ns = now + wait_of(p, b);
	b->miss_ns = b->next_ns < now + PATIENCE_NS ? b->next_ns : now + PATIENCE_NS;
	s->due_ns = b->next_ns;
	s->last_send_ns = now;
	s->sends = 1;
	wait_on(p, b);
	p->env.ops->sent(p->env.ctx, &gateway);
}

/* Answers */

/* The next one follows sooner than it would. */
static void hurry(struct probes *p, struct probe *b)
{
	uint64_t wait = quick_wait(p);

	if (p->interval_ns && b->next_ns > p->now_ns + wait)
		b->next_ns = p->now_ns + wait;
	slot_of(p, b)->due_ns = b->next_ns;
	wait_on(p, b);
}

/* Has its final response come, that nobody was told of yet? Then that is done, and *b may be gone. */
static bool look(struct probes *p, struct probe *b)
{
	struct siprtx_gateway_key gateway = b->gateway;
	struct siprtx_slot *s = slot_of(p, b);
	uint64_t word = slot_word(s);

	if (word_state(word) != ST_COMPLETED || s->resp_ns)
		return false;
	s->resp_ns = p->now_ns;
	p->env.stats[STAT_probes_answered]++;
	if (b->ended) {
		release(p, b);
		return true;
	}
	b->miss_ns = 0;
	hurry(p, b);
	p->env.ops->answered(p->env.ctx, &gateway, word_code(word), p->now_ns);
	return true;
}

void probes_note(struct probes *p, const struct siprtx_note *n, uint64_t now)
{
	struct probe *b = n->slot < p->env.n_slots ? p->of[n->slot] : NULL;

	p->now_ns = now;
	/* whichever probe it is of: the word says what is true */
	if (b && n->kind == NOTE_MOVED)
		look(p, b);
}

static void expire(struct probes *p, struct probe *b)
{
	struct siprtx_gateway_key gateway = b->gateway;

	/* where the note of it was lost */
	if (look(p, b))
		return;
	if (b->ended)
		return release(p, b);
	if (b->miss_ns && (p->now_ns >= b->miss_ns || p->now_ns >= b->next_ns)) {
		b->miss_ns = 0;
		p->env.ops->missed(p->env.ctx, &gateway, p->now_ns);
		b = find(p, &gateway);
		if (!b)
			return;
	}
	if (p->now_ns >= b->next_ns)
		send_next(p, b);
	else
		wait_on(p, b);
}

/* Another interval is in force: the waits in course are of that length. */
static void change_interval(struct probes *p)
{
	p->interval_ns = interval_of(p);
	for (uint32_t slot = 0; slot < p->env.n_slots; slot++) {
		struct probe *b = p->of[slot];

		if (!b || b->ended)
			continue;
		if (!p->interval_ns)
			b->next_ns = UINT64_MAX;
		else
			b->next_ns = b->fresh ? p->now_ns : p->env.slots[slot].last_send_ns + p->interval_ns;
		wait_on(p, b);
	}
}

int probes_run(struct probes *p, uint64_t now)
{
	unsigned room = ROUND_MAX;
	struct deadline d;

	p->now_ns = now;
	if (interval_of(p) != p->interval_ns)
		change_interval(p);
	while (room && !p->error && deadlines_pop(p->deadlines, now, &d)) {
		struct probe *b = p->of[d.slot];

		if (!b || b->wake_ns != d.due_ns)
			continue;
		expire(p, b);
		room--;
	}
	return p->error;
}

/* Adoption */

/* False: it cannot be gone on with; the slot is free. */
static bool take_up(struct probes *p, uint32_t slot)
{
	struct siprtx_slot *s = &p->env.slots[slot];
	struct siprtx_gateway_key gateway = gateway_of(s);
	struct probe *b = make_options(s, &(struct sip_fresh){}, &p->made) ? NULL : add(p, slot, &gateway);

	if (!b) {
		p->env.ops->remove_key(p->env.ctx, &s->key);
		slot_free(&p->env.free, p->env.slots, slot);
		return false;
	}
	/* killed before it came or after: it may be there */
	b->keyed = true;
	if (is_out(s))
		p->env.ops->add_key(p->env.ctx, &s->key, slot, word_gen(slot_word(s)));
	b->next_ns = p->now_ns;
	if (s->sends && s->due_ns > p->now_ns && s->due_ns <= p->now_ns + p->interval_ns)
		b->next_ns = s->due_ns;
	/* looks at once; that no answer came to one of before is not told: nobody knows whether it left */
	wake_at(p, b, p->now_ns);
	return true;
}

int probes_adopt(struct probes *p, bool (*found)(void *ctx, const struct siprtx_gateway_key *gateway), uint64_t now)
{
	p->now_ns = now;
	for (uint32_t slot = 0; slot < p->env.n_slots; slot++) {
		const struct siprtx_slot *s = &p->env.slots[slot];

		if (s->kind != KIND_PROBE || word_state(slot_word(s)) == ST_FREE || !take_up(p, slot))
			continue;
		if (!found(p->env.ctx, &p->of[slot]->gateway))
			end(p, p->of[slot]);
	}
	return p->error;
}
