// SPDX-License-Identifier: GPL-2.0-or-later
#include "transaction_private.h"

/* The most copies in a ms are those of so long. */
#define BURST_NS (1000 * MS)

#define FETCH_AHEAD 8
#define FETCH_LINES 5 /* the header, and enough of the frame for the CPU to go on by itself */

struct transactions *transactions_new(const struct transaction_env *env)
{
	struct transactions *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->env = *env;
	t->unnamed = env->n_slots;
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
	return t->unnamed < t->env.n_slots ? 0 : deadlines_next(t->deadlines);
}

bool transactions_overdue(const struct transactions *t, uint32_t outside)
{
	return t->overdue[outside] || t->put_off;
}

uint32_t transactions_held(const struct transactions *t)
{
	return t->n_held;
}

bool transactions_holds(const struct transactions *t, uint32_t slot)
{
	return t->held[slot].phase != NOT_HELD;
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
	[END_UNREACHABLE] = STAT_unreachable,
	[END_LET_GO] = STAT_let_go,
	[END_GATEWAY_DOWN] = STAT_refused,
};

enum siprtx_stat txn_end_stat(const struct siprtx_slot *s, enum siprtx_end end)
{
	/* what is counted as completed and as exhausted is of calls to a gateway */
	if (kind_is_response(s->kind) && end <= END_NO_RESPONSE)
		return end == END_NONE ? STAT_confirmed : STAT_unconfirmed;
	if (s->kind == KIND_REQUEST && end == END_NO_RESPONSE)
		return STAT_unanswered_other;
	return end_stat[end];
}

void txn_tell(struct transactions *t, uint32_t slot, enum siprtx_event_kind kind, uint16_t code, uint64_t ns)
{
	const struct siprtx_slot *s = &t->env.slots[slot];
	struct transaction_event e = {.kind = kind, .code = code, .ns = ns, .retry_after = NO_RETRY_AFTER};

	if (kind == EV_RESPONSE && code >= 200)
		e.retry_after = s->retry_after;
	else if (kind == EV_EXHAUSTED)
		e.stage = word_stage(slot_word(s));
	e.nominal_ms = ms_between(s->first_ns, ns);
	t->env.ops->event(t->env.ctx, slot, &e);
}

void txn_end(struct transactions *t, uint32_t slot, enum siprtx_end end)
{
	const struct transaction_ops *ops = t->env.ops;
	bool kept = end_is_exhaustion(end) && ops->keeps && ops->keeps(t->env.ctx, slot);

	/* before the answer goes out: routing is to know why it came */
	ops->ended(t->env.ctx, slot, end);
	t->room -= kept && t->room;
	if (kept)
		t->held[slot].phase = KEPT;
	else
		transactions_release(t, slot);
}

/* The word says it is over: by a response, by CANCEL, ACK or PRACK, or by slot_terminate() here. */
static void finish(struct transactions *t, uint32_t slot, uint64_t word, uint64_t ns)
{
	const struct siprtx_slot *s = &t->env.slots[slot];
	struct held *h = &t->held[slot];
	enum siprtx_end end = word_state(word) == ST_COMPLETED ? END_NONE : word_end(word);

	/* given up: that was told and counted then */
	if (end != END_ABANDONED && end != END_SUPERSEDED)
		t->env.stats[txn_end_stat(s, end)]++;
	if (end == END_PROGRESS_TIMEOUT && word_stage(word) == STAGE_PROGRESS_SDP)
		t->env.stats[STAT_progress_sdp_timeout]++;
	t->env.stats[h->stage == STAGE_NOTHING ? STAT_pending : STAT_proceeding]--;
	txn_set_overdue(t, slot, false);
	if (end == END_NONE)
		txn_tell(t, slot, kind_is_response(s->kind) ? EV_CONFIRMED : EV_RESPONSE, word_code(word), ns);
	else if (end == END_LET_GO)
		txn_tell(t, slot, EV_GIVEN_UP, end, ns);
	else if (end == END_CANCELLED)
		txn_tell(t, slot, EV_CANCEL, 0, ns);
	else if (end_is_exhaustion(end) || end == END_HELD_TOO_LONG)
		txn_tell(t, slot, EV_EXHAUSTED, end, ns);
	calls_remove(t->env.calls, slot);
	txn_end(t, slot, end);
}

void transactions_release(struct transactions *t, uint32_t slot)
{
	t->held[slot].phase = ENDED;
	if (!t->env.ops->in_flight(t->env.ctx, slot))
		release(t, slot);
}

void transactions_sent(struct transactions *t, uint32_t slot)
{
	if (t->held[slot].phase == ENDED && !t->env.ops->in_flight(t->env.ctx, slot))
		release(t, slot);
}

/*
 * A provisional response stopped the retransmission; its stage has a deadline of its own (rule 20). It did not stop a
 * request other than INVITE: the wait in course goes on, those after it are the last of the list (RFC 3261 17.1.2.2).
 */
static void enter_stage(struct transactions *t, uint32_t slot, enum siprtx_stage stage, uint16_t code, uint64_t ns)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	const uint32_t *profile = txn_profile(t, s);
	struct held *h = &t->held[slot];
	bool had_deadline = h->stage != STAGE_NOTHING && schedule_stage_ms(profile, h->stage);
	uint64_t wait = (schedule_stage_ms(profile, stage) ?: HOLD_CAP_MS) * MS;

	txn_tell(t, slot, EV_RESPONSE, code, ns);
	if (h->stage == STAGE_NOTHING) {
		t->env.stats[STAT_provisional]++;
		t->env.stats[STAT_pending]--;
		t->env.stats[STAT_proceeding]++;
	}
	h->stage = stage;
	s->resp_ns = ns;
	if (s->kind == KIND_REQUEST)
		return;
	txn_set_overdue(t, slot, false);
	if (had_deadline && s->due_ns >= ns + wait)
		return;
	s->due_ns = ns + wait;
	txn_wake_at(t, slot, s->due_ns, wait);
}

void txn_look(struct transactions *t, uint32_t slot, uint64_t word, uint16_t code, uint64_t ns)
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

void txn_hold(struct transactions *t, uint32_t slot, uint64_t word)
{
	struct siprtx_slot *s = &t->env.slots[slot];
	bool answered = s->resp_ns && word_state(word) != ST_CALLING;

	t->held[slot] = (struct held){
		.passed_ns = s->first_ns,
		.gen = word_gen(word),
		.phase = HELD,
		.stage = answered ? word_stage(word) : STAGE_NOTHING,
		.yields = word & WORD_YIELD,
	};
	t->n_held++;
	if (s->kind != KIND_REQUEST && slot < t->unnamed) /* superseded as calls, let go as responses */
		calls_add(t->env.calls, slot);
	t->env.stats[answered ? STAT_proceeding : STAT_pending]++;
}

void txn_begin(struct transactions *t, uint32_t slot, uint64_t word, uint64_t now)
{
	struct siprtx_slot *s = &t->env.slots[slot];

	if (txn_is_refused(s, word))
		return txn_refuse(t, slot, word, now);
	if (s->bypass == BYPASS_REFUSED)
		word = txn_let_through(s, word);
	txn_hold(t, slot, word);
	s->record_seq = 0;
	s->icmp_type = s->icmp_code = 0;
	s->last_send_ns = s->first_ns;
	s->sends = 1;
	t->begun++;
	t->env.stats[STAT_taken]++;
	t->env.stats[STAT_shortened] += s->bypass == BYPASS_FAST;
	txn_tell(t, slot, EV_NEW, word_code(word), s->first_ns);
	t->env.ops->prepare(t->env.ctx, slot);
	slot_take(s, word_gen(word));
	txn_begin_wait(t, slot, 0, s->first_ns, now);
	word = slot_word(s);
	txn_look(t, slot, word, word_code(word), now);
}

void transactions_note(struct transactions *t, const struct siprtx_note *n)
{
	uint64_t now = txn_now(t), word;
	struct held *h;

	if (n->kind == NOTE_LATE || n->slot >= t->env.n_slots)
		return;
	h = &t->held[n->slot];
	word = slot_word(&t->env.slots[n->slot]);
	if (word_gen(word) != word_gen(n->word) || word_state(word) == ST_FREE || h->phase == ENDED)
		return;
	/* notes of two CPUs may overtake each other: any of them makes it known */
	if (h->phase == NOT_HELD)
		txn_begin(t, n->slot, word, now);
	if (h->phase != HELD || h->gen != word_gen(n->word))
		return;
	if (n->kind == NOTE_NEW) {
		txn_supersede(t, n->slot, now);
		txn_answer(t, n->slot, now);
	} else if (n->kind == NOTE_ICMP) {
		txn_unreachable(t, n->slot, word, n->code, n->ns);
	} else if (n->kind == NOTE_MOVED) {
		txn_look(t, n->slot, word, n->code, n->ns);
	} else if (n->kind == NOTE_COPY && word_sends(t->env.slots[n->slot].kind, word) && !txn_is_counted(t, n)) {
		txn_count_copy(t, n->slot, word, n->ns, now);
	}
}

static enum siprtx_end stage_end(const struct transactions *t, uint32_t slot, enum siprtx_stage stage)
{
	if (!schedule_stage_ms(txn_profile(t, &t->env.slots[slot]), stage))
		return END_HELD_TOO_LONG;
	return schedule_stage_end(stage);
}

/* One that comes a little before its time is taken as if it came on time: nothing in a schedule is nearer than that. */
static uint64_t time_of(const struct transactions *t, const struct deadline *d)
{
	uint64_t now = txn_now(t);

	return now < d->due_ns ? d->due_ns : now;
}

static void expire(struct transactions *t, const struct deadline *d)
{
	struct siprtx_slot *s = &t->env.slots[d->slot];
	struct held *h = &t->held[d->slot];
	bool due = h->wake_ns == d->due_ns;
	uint64_t now = time_of(t, d);
	enum siprtx_end end;
	uint64_t word;

	if (h->phase != HELD || h->gen != d->gen || (!due && h->look_ns != d->due_ns))
		return;
	/* a lost swap means a response, CANCEL, ACK or PRACK came in between; there are few of those in a transaction's
	 * life */
	for (;;) {
		word = slot_word(s);
		end = word_end(word);
		if (txn_is_switched_off(t, s))
			return txn_let_go(t, d->slot, now);
		if (word_sends(s->kind, word) && !end) {
			if (txn_is_abandoned(t, s, now)) {
				if (txn_give_up(t, d->slot, word, END_ABANDONED, now))
					return;
				continue;
			}
			if (!due)
				return txn_look_before(t, d->slot, now);
			if (txn_is_unsent(t, d->slot))
				return txn_send_first(t, d->slot, now);
			if (s->step != SLOT_STEP_FINAL)
				return txn_retransmit(t, d->slot, word, now);
			end = END_NO_RESPONSE;
		}
		if (!due)
			return;
		if (!word_sends(s->kind, word)) {
			if (word_state(word) != ST_PROCEEDING || word_stage(word) != h->stage)
				return txn_look(t, d->slot, word, word_code(word), now);
			end = stage_end(t, d->slot, h->stage);
		}
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

static void tell_burst(struct transactions *t, uint64_t now)
{
	if (now < t->told_ns + BURST_NS)
		return;
	t->told_ns = now;
	t->env.stats[STAT_in_one_ms] = t->pace.most_a_ms;
	t->pace.most_a_ms = 0;
}

int transactions_run(struct transactions *t)
{
	const __u32 *tunable = t->env.in_force->tunables;
	uint64_t now = txn_now(t), tick = tunable[TUN_tick] * 1000ull;
	/* of what is due between two rounds one half goes a little early, not all of it late */
	uint64_t until = now + tick / 2, room;
	struct deadline d;

	pace_passed(&t->pace, t->begun);
	t->begun = 0;
	room = t->room = pace_round(&t->pace, deadlines_due(t->deadlines, until), tunable[TUN_tick_sends], now, tick);
	while (!t->error && t->room && deadlines_pop(t->deadlines, until, &d)) {
		fetch_ahead(t);
		expire(t, &d);
	}
	pace_sent(&t->pace, room - t->room, now);
	tell_burst(t, now);
	t->put_off = deadlines_next(t->deadlines) <= now;
	t->env.stats[STAT_full_rounds] += t->put_off;
	txn_name_more(t);
	return t->error;
}
