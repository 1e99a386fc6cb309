// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"
#include "deadline.h"
#include "schedule.h"

#define MS 1000000ull

/* A copy that found no room or no MAC is tried again this much later. */
#define NO_ROOM_NS (1 * MS)
#define NO_MAC_NS  (10 * MS)

/*
 * Looks at the copies are due at any time. Those of about one wait share a queue, and come this much late at most; the
 * odd nanosecond keeps them out of the queues of the sends.
 */
#define LOOK_STEP_NS	   (64 * MS)
#define LOOK_WAIT(wait_ns) ((wait_ns) / LOOK_STEP_NS * LOOK_STEP_NS + 1)

#define FETCH_AHEAD 8
#define FETCH_LINES 5 /* the header, and enough of the frame for the CPU to go on by itself */

enum phase { NOT_HELD = 0, HELD, ENDED /* waits for its last descriptor */ };

struct held {
	uint64_t wake_ns; /* of its one valid deadline; its others in the queues are stale */
	uint64_t look_ns; /* and of its one valid look at the softswitch's copies */
	uint32_t gen;
	uint8_t phase;
	uint8_t stage; /* as last acted on */
	bool overdue;  /* counted in transactions.overdue */
};

struct transactions {
	struct transaction_env env;
	struct deadlines *deadlines;
	struct held *held;
	uint32_t n_held;
	uint32_t overdue[MAX_OUTSIDE];
	int error;
};

struct transactions *transactions_new(const struct transaction_env *env)
{
	struct transactions *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->env = *env;
	t->deadlines = deadlines_new();
	t->held = calloc(env->n_slots, sizeof(*t->held));
	if (t->deadlines && t->held)
		return t;
	transactions_free(t);
	return NULL;
}

void transactions_free(struct transactions *t)
{
	if (!t)
		return;
	deadlines_free(t->deadlines);
	free(t->held);
	free(t);
}

uint64_t transactions_next(const struct transactions *t)
{
	return deadlines_next(t->deadlines);
}

uint32_t transactions_overdue(const struct transactions *t, uint32_t outside)
{
	return t->overdue[outside];
}

uint32_t transactions_held(const struct transactions *t)
{
	return t->n_held;
}

bool transactions_holds(const struct transactions *t, uint32_t slot)
{
	return t->held[slot].phase != NOT_HELD;
}

static uint64_t clock_now(const struct transactions *t)
{
	return t->env.ops->now(t->env.ctx);
}

static const uint32_t *profile_of(const struct transactions *t, const struct siprtx_slot *s)
{
	return &t->env.in_force->profiles[(s->profile % MAX_PROFILES) * PROFILE_FIELDS];
}

static uint32_t ms_between(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns + MS / 2) / MS : 0;
}

static void tell(struct transactions *t, uint32_t slot, enum siprtx_event_kind kind, uint16_t code, uint64_t ns)
{
	struct transaction_event e = {.kind = kind, .code = code, .ns = ns};

	e.nominal_ms = ms_between(t->env.slots[slot].first_ns, ns);
	t->env.ops->event(t->env.ctx, slot, &e);
}

static void add_deadline(struct transactions *t, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	if (deadlines_add(t->deadlines, wait_ns, (struct deadline){at_ns, slot, t->held[slot].gen}))
		t->error = -ENOMEM;
}

static void wake_at(struct transactions *t, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	t->held[slot].wake_ns = at_ns;
	add_deadline(t, slot, at_ns, wait_ns);
}

/* While calling: looks at the softswitch's copies where they may be missed before the deadline. */
static void look_before(struct transactions *t, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t at = copies_look_ns(s, now);

	if (!t->env.in_force->tunables[TUN_abandon] || at >= s->due_ns || at == t->held[slot].look_ns)
		return;
	t->held[slot].look_ns = at;
	add_deadline(t, slot, at, LOOK_WAIT(at > now ? at - now : 0));
}

static void set_overdue(struct transactions *t, uint32_t slot, bool overdue)
{
	struct held *h = &t->held[slot];
	uint32_t *n = &t->overdue[t->env.slots[slot].outside % MAX_OUTSIDE];

	if (h->overdue == overdue)
		return;
	h->overdue = overdue;
	*n += overdue ? 1 : -1;
}

/*
 * The wait after `step` retransmissions, from `from_ns` on. Copies whose time has gone by are left out, never made
 * up for in a burst; the one after them then keeps its whole distance from now.
 */
static void begin_wait(struct transactions *t, uint32_t slot, unsigned step, uint64_t from_ns, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	const uint32_t *profile = profile_of(t, s);
	struct schedule_wait next;
	bool late = false;
	uint64_t wait;

	for (;; step++) {
		next = schedule_next(profile, step, ms_between(s->first_ns, from_ns));
		wait = next.wait_ms * MS;
		if (from_ns + wait > now || next.action == SCHEDULE_EXHAUSTED)
			break;
		from_ns += wait;
		late = true;
	}
	if (late && next.action == SCHEDULE_SEND)
		from_ns = now;
	s->step = next.action == SCHEDULE_SEND ? step : SLOT_STEP_FINAL;
	s->due_ns = from_ns + wait;
	wake_at(t, slot, s->due_ns, s->due_ns > now ? wait : 0);
	look_before(t, slot, now);
}

/* The wait that follows the one in course. */
static uint64_t following_wait(const struct transactions *t, const struct siprtx_slot *s)
{
	return schedule_next(profile_of(t, s), s->step + 1, ms_between(s->first_ns, s->due_ns)).wait_ms * MS;
}

static void release(struct transactions *t, uint32_t slot)
{
	t->held[slot].phase = NOT_HELD;
	t->n_held--;
	slot_free(&t->env.free, t->env.slots, slot);
}

static const enum siprtx_stat end_stat[] = {
	[END_NONE] = STAT_completed,
	[END_NO_RESPONSE] = STAT_no_response,
	[END_TRYING_TIMEOUT] = STAT_trying_timeout,
	[END_PROGRESS_TIMEOUT] = STAT_progress_timeout,
	[END_RINGING_TIMEOUT] = STAT_ringing_timeout,
	[END_CANCELLED] = STAT_cancelled,
	[END_HELD_TOO_LONG] = STAT_held_too_long,
	[END_ABANDONED] = STAT_abandoned,
	[END_SUPERSEDED] = STAT_superseded,
};

/*
 * A sign that the softswitch has given up in silence (rule 18): nothing more is sent or absorbed. It is held to the end
 * its schedule would have had, for a further copy to take it up again. False: `word` is another by now.
 */
static bool give_up(struct transactions *t, uint32_t slot, uint64_t word, enum siprtx_end end, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (!slot_give_up(s, word, end))
		return false;
	t->env.stats[end_stat[end]]++;
	set_overdue(t, slot, false);
	tell(t, slot, EV_GIVEN_UP, end, now);
	if (s->step != SLOT_STEP_FINAL)
		s->due_ns += MS * schedule_rest_ms(profile_of(t, s), s->step + 1, ms_between(s->first_ns, s->due_ns));
	wake_at(t, slot, s->due_ns, LOOK_WAIT(s->due_ns > now ? s->due_ns - now : 0));
	return true;
}

/* The call goes to another gateway: those that were silent for long enough are not called any more. */
static void supersede(struct transactions *t, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &t->env.slots[slot], *o;
	uint64_t after = t->env.in_force->tunables[TUN_supersede_after] * MS, word;
	uint32_t same[CALLS_SAME];
	unsigned n = after ? calls_same(t->env.calls, slot, same) : 0;

	while (n--) {
		o = &t->env.slots[same[n]];
		if (s->first_ns < o->first_ns + after ||
		    (s->dport == o->dport && !memcmp(s->daddr, o->daddr, sizeof(s->daddr))))
			continue;
		do
			word = slot_word(o);
		while (word_state(word) == ST_CALLING && !word_end(word) &&
		       !give_up(t, same[n], word, END_SUPERSEDED, now));
	}
}

/* The word says it is over: by a response, by CANCEL, or by slot_terminate() here. */
static void finish(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns)
{
	struct held *h = &t->held[slot];
	enum siprtx_end end = word_state(word) == ST_COMPLETED ? END_NONE : word_end(word);

	/* given up: that was told and counted then */
	if (end != END_ABANDONED && end != END_SUPERSEDED)
		t->env.stats[end_stat[end]]++;
	t->env.stats[h->stage == STAGE_NOTHING ? STAT_pending : STAT_proceeding]--;
	set_overdue(t, slot, false);
	if (end == END_NONE)
		tell(t, slot, EV_RESPONSE, word_code(word), ns);
	else if (end == END_CANCELLED)
		tell(t, slot, EV_CANCEL, 0, ns);
	else if (end_is_exhaustion(end) || end == END_HELD_TOO_LONG)
		tell(t, slot, EV_EXHAUSTED, end, ns);
	calls_remove(t->env.calls, slot);
	t->env.ops->ended(t->env.ctx, slot, end);
	h->phase = ENDED;
	if (!t->env.ops->in_flight(t->env.ctx, slot))
		release(t, slot);
}

void transactions_sent(struct transactions *t, uint32_t slot)
{
	if (t->held[slot].phase == ENDED && !t->env.ops->in_flight(t->env.ctx, slot))
		release(t, slot);
}

/* A provisional response stopped the retransmission; its stage has a deadline of its own (rule 20). */
static void enter_stage(struct transactions *t, uint32_t slot, enum siprtx_stage stage, uint16_t code, uint64_t ns)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	const uint32_t *profile = profile_of(t, s);
	struct held *h = &t->held[slot];
	bool had_deadline = h->stage != STAGE_NOTHING && schedule_stage_ms(profile, h->stage);
	uint64_t wait = (schedule_stage_ms(profile, stage) ?: HOLD_CAP_MS) * MS;

	tell(t, slot, EV_RESPONSE, code, ns);
	if (h->stage == STAGE_NOTHING) {
		t->env.stats[STAT_provisional]++;
		t->env.stats[STAT_pending]--;
		t->env.stats[STAT_proceeding]++;
		set_overdue(t, slot, false);
	}
	h->stage = stage;
	s->resp_ns = ns;
	if (had_deadline && s->due_ns >= ns + wait)
		return;
	s->due_ns = ns + wait;
	wake_at(t, slot, s->due_ns, wait);
}

/* Acts on what the word has become. `ns`: when that was, as far as is known; `code`: the response told of. */
static void look(struct transactions *t, uint32_t slot, uint64_t word, uint16_t code, uint64_t ns)
{
	struct held *h = &t->held[slot];

	switch (word_state(word)) {
	case ST_PROCEEDING:
		if (word_stage(word) != h->stage || ns > t->env.slots[slot].resp_ns)
			enter_stage(t, slot, word_stage(word), code, ns);
		break;
	case ST_COMPLETED:
	case ST_TERMINATED:
		finish(t, slot, word, ns);
		break;
	}
}

/* From the word alone, as a new process finds it. */
static void hold(struct transactions *t, uint32_t slot, uint64_t word)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool answered = s->resp_ns && word_state(word) != ST_CALLING;

	t->held[slot] = (struct held){
		.gen = word_gen(word), .phase = HELD, .stage = answered ? word_stage(word) : STAGE_NOTHING};
	t->n_held++;
	calls_add(t->env.calls, slot);
	t->env.stats[answered ? STAT_proceeding : STAT_pending]++;
}

/* A transaction no controller has had before. */
static void begin(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	hold(t, slot, word);
	s->record_seq = 0;
	s->last_send_ns = s->first_ns;
	s->sends = 1;
	t->env.stats[STAT_taken]++;
	tell(t, slot, EV_NEW, 0, s->first_ns);
	t->env.ops->prepare(t->env.ctx, slot);
	slot_take(s, word_gen(word));
	begin_wait(t, slot, 0, s->first_ns, now);
	word = slot_word(s);
	look(t, slot, word, word_code(word), now);
}

/*
 * The softswitch's own copy went through: it stands for the retransmission that was waited for. After a sign that it
 * had given up it says the contrary.
 */
static void count_copy(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (word_end(word) && slot_take(s, word_gen(word)))
		t->env.stats[STAT_taken_up_again]++;
	s->sends++;
	s->last_send_ns = ns;
	t->env.stats[STAT_copies_counted]++;
	tell(t, slot, EV_COPY, 0, ns);
	if (s->step == SLOT_STEP_FINAL)
		return look_before(t, slot, now);
	set_overdue(t, slot, false);
	begin_wait(t, slot, s->step + 1, ns, now);
}

void transactions_note(struct transactions *t, const struct siprtx_note *n)
{
	uint64_t now = clock_now(t), word;
	struct held *h;

	if (n->kind == NOTE_LATE || n->slot >= t->env.n_slots)
		return;
	h = &t->held[n->slot];
	word = slot_word(&t->env.slots[n->slot]);
	if (word_gen(word) != word_gen(n->word) || word_state(word) == ST_FREE || h->phase == ENDED)
		return;
	/* notes of two CPUs may overtake each other: any of them makes it known */
	if (h->phase == NOT_HELD)
		begin(t, n->slot, word, now);
	if (h->phase != HELD || h->gen != word_gen(n->word))
		return;
	if (n->kind == NOTE_NEW)
		supersede(t, n->slot, now);
	else if (n->kind == NOTE_MOVED)
		look(t, n->slot, word, n->code, n->ns);
	else if (n->kind == NOTE_COPY && word_state(word) == ST_CALLING)
		count_copy(t, n->slot, word, n->ns, now);
}

static void count_lateness(struct transactions *t, struct siprtx_slot *s, uint32_t late_us)
{
	uint32_t v = late_us > 16 ? late_us - 1 : 16;
	uint32_t octave = 31 - __builtin_clz(v) - 4;
	uint32_t bucket = 4 * octave + ((v >> (octave + 2)) & 3);

	t->env.lateness[bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1]++;
	if (late_us > s->late_us_max)
		s->late_us_max = late_us;
	if (late_us > t->env.stats[STAT_late_us_max])
		t->env.stats[STAT_late_us_max] = late_us;
}

static void sent(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	uint64_t late_us = (now - s->due_ns) / 1000;
	struct transaction_event e = {
		.kind = EV_SEND,
		.ns = now,
		.nominal_ms = ms_between(s->first_ns, s->due_ns),
		.late_us = late_us < INT32_MAX ? late_us : INT32_MAX,
	};

	s->sends++;
	s->last_send_ns = now;
	t->env.stats[STAT_sends]++;
	count_lateness(t, s, e.late_us);
	set_overdue(t, slot, false);
	t->env.ops->event(t->env.ctx, slot, &e);
	if (!(word & WORD_TAKEN))
		slot_take(s, word_gen(word));
	begin_wait(t, slot, s->step + 1, s->due_ns, now);
}

/* This copy will not go: the softswitch's own ones pass again until one of ours is sent. */
static void leave_out(struct transactions *t, uint32_t slot, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	slot_give_back(s, t->held[slot].gen);
	set_overdue(t, slot, false);
	begin_wait(t, slot, s->step + 1, s->due_ns, now);
}

static void retransmit(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool first_try = t->held[slot].wake_ns == s->due_ns;
	int err;

	if (now >= s->due_ns + following_wait(t, s))
		return leave_out(t, slot, now);
	err = t->env.ops->send(t->env.ctx, slot);
	if (!err) {
		sent(t, slot, word, now);
	} else if (err == -EAGAIN) {
		t->env.stats[STAT_ring_full] += first_try;
		set_overdue(t, slot, true);
		wake_at(t, slot, now + NO_ROOM_NS, NO_ROOM_NS);
	} else if (err == -EHOSTUNREACH) {
		t->env.stats[STAT_no_neighbour] += first_try;
		slot_give_back(s, word_gen(word));
		wake_at(t, slot, now + NO_MAC_NS, NO_MAC_NS);
	} else {
		t->env.stats[STAT_link_down]++;
		leave_out(t, slot, now);
	}
}

static enum siprtx_end stage_end(const struct transactions *t, uint32_t slot, enum siprtx_stage stage)
{
	if (!schedule_stage_ms(profile_of(t, &t->env.slots[slot]), stage))
		return END_HELD_TOO_LONG;
	return schedule_stage_end(stage);
}

/* Were the softswitch's copies missed, before the schedule was used up? */
static bool is_abandoned(const struct transactions *t, const struct siprtx_slot *s, uint64_t now)
{
	uint64_t missed = copies_missed_ns(s);

	return t->env.in_force->tunables[TUN_abandon] && missed <= now &&
	       (s->step != SLOT_STEP_FINAL || missed <= s->due_ns);
}

static void expire(struct transactions *t, const struct deadline *d)
{
	struct siprtx_slot *s = &t->env.slots[d->slot];
	struct held *h = &t->held[d->slot];
	bool due = h->wake_ns == d->due_ns;
	uint64_t now = clock_now(t);
	enum siprtx_end end;
	uint64_t word;

	if (h->phase != HELD || h->gen != d->gen || (!due && h->look_ns != d->due_ns))
		return;
	/* a lost swap means a response or CANCEL came in between; there are few of those in a transaction's life */
	for (;;) {
		word = slot_word(s);
		end = word_end(word);
		if (word_state(word) == ST_CALLING && !end) {
			if (is_abandoned(t, s, now)) {
				if (give_up(t, d->slot, word, END_ABANDONED, now))
					return;
				continue;
			}
			if (!due)
				return look_before(t, d->slot, now);
			if (s->step != SLOT_STEP_FINAL)
				return retransmit(t, d->slot, word, now);
			end = END_NO_RESPONSE;
		}
		if (!due)
			return;
		if (word_state(word) != ST_CALLING &&
		    (word_state(word) != ST_PROCEEDING || word_stage(word) != h->stage))
			return look(t, d->slot, word, word_code(word), now);
		if (word_state(word) == ST_PROCEEDING)
			end = stage_end(t, d->slot, h->stage);
		if (slot_terminate(s, word, end))
			break;
	}
	finish(t, d->slot, slot_word(s), now);
}

/* In a burst the slots are far apart and long out of the cache: asked for a few turns before they are needed. */
static void fetch_ahead(const struct transactions *t)
{
	int64_t slot = deadlines_ahead(t->deadlines, FETCH_AHEAD);

	if (slot < 0)
		return;
	for (unsigned i = 0; i < FETCH_LINES; i++)
		__builtin_prefetch((const char *)&t->env.slots[slot] + 64 * i);
	__builtin_prefetch(&t->held[slot], 1);
}

int transactions_run(struct transactions *t)
{
	uint64_t now = clock_now(t);
	struct deadline d;

	while (!t->error && deadlines_pop(t->deadlines, now, &d)) {
		fetch_ahead(t);
		expire(t, &d);
	}
	return t->error;
}

struct waiting {
	uint64_t due_ns;
	uint32_t slot;
};

static int by_due(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return x->due_ns < y->due_ns ? -1 : x->due_ns > y->due_ns;
}

/* True when the slot has a deadline of its own to be waited for. */
static bool adopt(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	t->env.stats[STAT_adopted]++;
	if (!s->sends) {
		begin(t, slot, word, now);
		return false;
	}
	hold(t, slot, word);
	if (word_state(word) == ST_CALLING) {
		if (s->step == SLOT_STEP_FINAL || word_end(word) || now < s->due_ns + following_wait(t, s))
			return true;
		leave_out(t, slot, now);
		return false;
	}
	if (word_state(word) == ST_PROCEEDING && s->resp_ns)
		return true;
	look(t, slot, word, word_code(word), now);
	return false;
}

int transactions_adopt(struct transactions *t)
{
	struct waiting *waiting = calloc(t->env.n_slots, sizeof(*waiting));
	uint64_t now = clock_now(t);
	uint32_t n = 0;

	if (!waiting)
		return -ENOMEM;
	t->env.stats[STAT_pending] = t->env.stats[STAT_proceeding] = t->env.stats[STAT_late_us_max] = 0;
	for (uint32_t slot = 0; slot < t->env.n_slots; slot++) {
		uint64_t word = slot_word(&t->env.slots[slot]);

		if (word_state(word) != ST_FREE && adopt(t, slot, word, now))
			waiting[n++] = (struct waiting){t->env.slots[slot].due_ns, slot};
	}
	/* their waits are of all lengths by now: sorted, one queue holds them all */
	qsort(waiting, n, sizeof(*waiting), by_due);
	for (uint32_t i = 0; i < n; i++)
		wake_at(t, waiting[i].slot, waiting[i].due_ns, UINT64_MAX);
	for (uint32_t i = 0; i < n; i++)
		if (word_state(slot_word(&t->env.slots[waiting[i].slot])) == ST_CALLING)
			look_before(t, waiting[i].slot, now);
	free(waiting);
	return t->error;
}
