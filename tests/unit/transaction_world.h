/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A clock, a wire and slots for the state machine alone: 32 s in microseconds. One test program each. */
#ifndef TRANSACTION_WORLD_H
#define TRANSACTION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "schedule.h"
#include "../../user/siprtxd/adopt.c"
#include "../../user/siprtxd/given_up.c"
#include "../../user/siprtxd/let_go.c"
#include "../../user/siprtxd/refresh.c"
#include "../../user/siprtxd/refuse.c"
#include "../../user/siprtxd/retransmit.c"
#include "../../user/siprtxd/transaction.c"
#include "../../user/siprtxd/unreachable.c"
#include "../../user/siprtxd/waiting.c"

#ifndef SLOTS
#define SLOTS 4
#endif
#define START (1000 * MS)

static struct world {
	struct siprtx_slot slots[SLOTS];
	__u32 below[2 * SLOTS];
	__u64 free_head;
	struct siprtx_in_force in_force;
	__u64 stats[MAX_STATS], lateness[LATENESS_BUCKETS];
	struct calls *calls;
	struct transactions *t;
	uint64_t now;
	int send_error;	    /* what the wire answers */
	unsigned in_flight; /* descriptors not given back */
	bool hold_descriptors;
	uint64_t sent_ms[64 + 16 * SLOTS]; /* since START */
	unsigned n_sent;
	enum siprtx_end record[SLOTS * 4];
	unsigned n_records, n_ended, n_responses, n_copies;
	struct transaction_event last[16]; /* of each kind */
	unsigned n_events[16];		   /* by kind */
	uint64_t next_seq, given_up_ms;
	void (*on_send)(uint32_t slot);
	enum { REFUSE_NOT, REFUSE_SENT, REFUSE_LATER } refuse; /* what comes of an answer to a refused one */
	unsigned n_refuse;
} w;

static inline uint64_t fake_now(void *ctx)
{
	(void)ctx;
	return w.now;
}

static inline void fake_prepare(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
}

static inline int fake_send(void *ctx, uint32_t slot)
{
	(void)ctx;
	if (w.on_send)
		w.on_send(slot);
	if (w.send_error)
		return w.send_error;
	w.sent_ms[w.n_sent++] = (w.now - START) / MS;
	w.in_flight += w.hold_descriptors;
	return 0;
}

static inline bool fake_in_flight(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
	return w.in_flight;
}

static inline void fake_event(void *ctx, uint32_t slot, const struct transaction_event *e)
{
	(void)ctx, (void)slot;
	w.last[e->kind] = *e;
	w.n_events[e->kind]++;
	w.n_responses += e->kind == EV_RESPONSE;
	w.n_copies += e->kind == EV_COPY;
	w.given_up_ms = e->kind == EV_GIVEN_UP ? (w.now - START) / MS : w.given_up_ms;
}

static inline void fake_ended(void *ctx, uint32_t slot, enum siprtx_end end)
{
	struct siprtx_slot *s = &w.slots[slot];

	(void)ctx;
	w.n_ended++;
	if (!end_is_exhaustion(end) || s->record_seq)
		return;
	s->record_seq = ++w.next_seq;
	w.record[w.n_records++] = end;
}

static inline bool fake_refuse(void *ctx, uint32_t slot)
{
	(void)ctx;
	w.n_refuse++;
	if (w.refuse == REFUSE_SENT)
		transactions_refused(w.t, slot, true);
	return w.refuse != REFUSE_NOT;
}

static const struct transaction_ops ops = {.now = fake_now,
					   .prepare = fake_prepare,
					   .send = fake_send,
					   .in_flight = fake_in_flight,
					   .event = fake_event,
					   .ended = fake_ended,
					   .refuse = fake_refuse};

static inline void boot(void)
{
	struct transaction_env env = {
		.slots = w.slots,
		.n_slots = SLOTS,
		.in_force = &w.in_force,
		.free = {w.below, &w.free_head},
		.stats = w.stats,
		.lateness = w.lateness,
		.ops = &ops,
	};

	w.calls = env.calls = calls_new(w.slots, SLOTS);
	assert_non_null(w.calls);
	w.t = transactions_new(&env);
	assert_non_null(w.t);
	assert_int_equal(transactions_adopt(w.t), 0);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = START;
	memcpy(w.in_force.profiles, builtin_profile, sizeof(builtin_profile));
	w.in_force.tunables[TUN_abandon] = 1;
	w.in_force.tunables[TUN_supersede_after] = 1000;
	w.in_force.tunables[TUN_tick_sends] = 2048;
	w.in_force.tunables[TUN_tick] = 1000;
	for (uint32_t i = 0; i < SLOTS; i++)
		w.below[2 * i] = i + 1 < SLOTS ? i + 2 : 0;
	w.free_head = 1;
	boot();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	transactions_free(w.t);
	calls_free(w.calls);
	return 0;
}

static inline void note(uint16_t kind, uint32_t slot, uint16_t code)
{
	struct siprtx_note n = {.ns = w.now, .word = w.slots[slot].word, .slot = slot, .kind = kind, .code = code};

	transactions_note(w.t, &n);
}

static inline unsigned free_slots(void)
{
	const struct free_list list = {w.below, &w.free_head};
	unsigned n = 0;

	for (int64_t at = free_list_below(&list, -1); at >= 0; at = free_list_below(&list, at))
		n++;
	return n;
}

/* As the XDP program does it. The note comes only when it is asked for. */
static inline uint32_t capture(uint32_t profile)
{
	uint32_t slot = (uint32_t)w.free_head - 1;
	struct siprtx_slot *s = &w.slots[slot];

	assert_in_range(slot, 0, SLOTS - 1);
	w.free_head = free_head_moved(w.free_head, w.below[2 * slot]);
	assert_int_equal(word_state(s->word), ST_FREE);
	s->first_ns = w.now;
	s->profile = profile;
	s->kind = KIND_INVITE;
	s->copy_gap_ns = s->copy_ns = s->resp_ns = s->due_ns = s->last_send_ns = 0;
	s->sends = s->step = 0;
	s->retry_after = NO_RETRY_AFTER;
	s->bypass = BYPASS_NONE;
	s->word = word_moved(s->word, ST_CALLING, STAGE_NOTHING, 0);
	return slot;
}

static inline uint32_t call(uint32_t profile)
{
	uint32_t slot = capture(profile);

	note(NOTE_NEW, slot, 0);
	return slot;
}

static inline void move(uint32_t slot, enum siprtx_state state, enum siprtx_stage stage, uint16_t code)
{
	w.slots[slot].word = word_moved(w.slots[slot].word, state, stage, code);
}

static inline void answer(uint32_t slot, enum siprtx_stage stage, uint16_t code)
{
	move(slot, code < 200 ? ST_PROCEEDING : ST_COMPLETED, stage, code);
	note(NOTE_MOVED, slot, code);
}

static inline void cancel(uint32_t slot)
{
	w.slots[slot].word = word_moved(w.slots[slot].word, ST_TERMINATED, STAGE_NOTHING, 0) | END_CANCELLED << 12;
	note(NOTE_MOVED, slot, 0);
}

static inline void run_until(uint64_t ms)
{
	uint64_t end = START + ms * MS;

	while (transactions_next(w.t) <= end) {
		if (transactions_next(w.t) > w.now)
			w.now = transactions_next(w.t);
		assert_int_equal(transactions_run(w.t), 0);
	}
	w.now = end;
}

static inline void expect_sent(unsigned n, const uint64_t *ms)
{
	assert_int_equal(w.n_sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(w.sent_ms[i], ms[i]);
}
#define EXPECT_SENT(...)                                                                                               \
	do {                                                                                                           \
		const uint64_t due_ms[] = {__VA_ARGS__};                                                               \
		expect_sent(sizeof(due_ms) / sizeof(*due_ms), due_ms);                                                 \
	} while (0)

static inline void expect_all_free(void)
{
	assert_int_equal(free_slots(), SLOTS);
	assert_int_equal(w.stats[STAT_pending], 0);
	assert_int_equal(w.stats[STAT_proceeding], 0);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
	for (unsigned i = 0; i < SLOTS; i++) {
		assert_int_equal(word_state(w.slots[i].word), ST_FREE);
		assert_false(transactions_holds(w.t, i));
	}
}

static inline void expect_record(enum siprtx_end end)
{
	assert_int_equal(w.n_records, 1);
	assert_int_equal(w.record[0], end);
	expect_all_free();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
