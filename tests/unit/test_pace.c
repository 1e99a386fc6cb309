// SPDX-License-Identifier: GPL-2.0-or-later
/* Budgets and pace: a token bucket, copies spread over time, and when a missing heartbeat is told of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bucket.h"
#include "lapse.h"
#include "pace.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* How many of `wanted` at this moment are let through. */
static unsigned take(uint64_t *full_ns, unsigned rate, uint64_t now, unsigned wanted)
{
	unsigned n = 0;

	for (unsigned i = 0; i < wanted; i++) {
		uint64_t next = bucket_taken(*full_ns, BUCKET_NS / rate, now);

		if (!next)
			continue;
		*full_ns = next;
		n++;
	}
	return n;
}

static void a_bucket_holds_a_second_and_fills_at_its_rate(void **state)
{
	uint64_t full_ns = 0;
	unsigned n = 0;

	(void)state;
	assert_int_equal(take(&full_ns, 100, 50 * S, 1000), 100);
	assert_int_equal(take(&full_ns, 100, 50 * S + 9 * MS, 10), 0);
	assert_int_equal(take(&full_ns, 100, 50 * S + 10 * MS, 10), 1);
	assert_int_equal(take(&full_ns, 100, 50 * S + 510 * MS, 100), 50);
	assert_int_equal(take(&full_ns, 100, 90 * S, 1000), 100);
	for (uint64_t now = 200 * S; now < 210 * S; now += MS)
		n += take(&full_ns, 100, now, 1);
	assert_in_range(n, 1099, 1101);
}

static void a_bucket_of_one_a_second(void **state)
{
	uint64_t full_ns = 0;

	(void)state;
	assert_int_equal(take(&full_ns, 1, 5 * S, 3), 1);
	assert_int_equal(take(&full_ns, 1, 6 * S - 1, 3), 0);
	assert_int_equal(take(&full_ns, 1, 6 * S, 3), 1);
}

static void another_rate_keeps_it_as_full_as_it_was(void **state)
{
	uint64_t full_ns = 0;

	(void)state;
	assert_int_equal(take(&full_ns, 100, 5 * S, 50), 50);
	assert_int_equal(take(&full_ns, 1000, 5 * S, 1000), 500);
	assert_int_equal(take(&full_ns, 1000000, 5 * S, 10), 0);
}

/* Rounds until `due` are gone, the largest of them, one each `tick`. */
static unsigned rounds(struct pace *p, uint64_t due, uint32_t most, uint64_t tick, uint64_t *largest)
{
	uint64_t now = p->round_ns ? p->round_ns + S : 50 * S;
	unsigned n = 0;

	for (*largest = 0; due; n++, now += tick) {
		uint64_t room = pace_round(p, due, most, now, tick), sent = room < due ? room : due;

		pace_sent(p, sent, now);
		*largest = sent > *largest ? sent : *largest;
		due -= sent;
	}
	return n;
}

static void a_few_go_at_once(void **state)
{
	struct pace p = {0};
	uint64_t largest;

	(void)state;
	assert_int_equal(rounds(&p, 1, 0, MS, &largest), 1);
	assert_int_equal(rounds(&p, PACE_FREE, 0, MS, &largest), 1);
	assert_int_equal(rounds(&p, PACE_FREE + 1, 0, MS, &largest), 2);
}

static void many_are_spread_over_the_same_time(void **state)
{
	static const uint64_t due[] = {1000, 1024, 5000, 65536, 4194304};
	uint64_t largest;

	(void)state;
	for (unsigned i = 0; i < sizeof(due) / sizeof(*due); i++) {
		struct pace p = {0};

		assert_int_equal(rounds(&p, due[i], 0, MS, &largest), PACE_SPREAD_MS);
		assert_int_equal(largest, (due[i] + PACE_SPREAD_MS - 1) / PACE_SPREAD_MS);
		assert_int_equal(p.per_ms, 0);
		assert_int_equal(p.most_a_ms, largest);
	}
}

/* However short the tick: no ms has more, wherever it begins. */
static void no_ms_has_more(void **state)
{
	static const uint64_t tick[] = {50000, 100000, 250000, 500000, 1000000};

	(void)state;
	for (unsigned t = 0; t < sizeof(tick) / sizeof(*tick); t++) {
		uint64_t now = 50 * S, due = 40, n[4000];
		unsigned within = 1000000 / tick[t];
		struct pace p = {0};

		for (unsigned i = 0; i < 4000; i++, now += tick[t]) {
			uint64_t room = pace_round(&p, due, 0, now, tick[t]);

			n[i] = room < due ? room : due;
			pace_sent(&p, n[i], now);
			due -= n[i];
			due += i % 997 || i > 3000 ? now / 100000 - (now - tick[t]) / 100000 : 30;
		}
		assert_true(due <= PACE_FREE);
		assert_int_equal(p.most_a_ms, PACE_FREE);
		for (unsigned i = within; i < 4000; i++) {
			uint64_t in_a_ms = 0;

			for (unsigned j = 0; j < within; j++)
				in_a_ms += n[i - j];
			assert_true(in_a_ms <= PACE_FREE);
		}
	}
}

/* At 3,000 calls a second half as much again as usual goes in a ms, and nothing waits. */
static void the_limit_follows_what_is_usual(void **state)
{
	uint64_t now = 50 * S, due = 0, waited = 0;
	struct pace p = {0};

	(void)state;
	for (unsigned i = 0; i < 2000; i++, now += MS) {
		uint64_t room, sent;

		due += i < 1000 ? i * 30 / 1000 : 30;
		room = pace_round(&p, due, 0, now, MS);
		sent = room < due ? room : due;
		pace_sent(&p, sent, now);
		due -= sent;
		waited += due;
	}
	assert_int_equal(waited, 0);
	assert_in_range(pace_round(&p, 45, 0, now, MS), 44, 45);
	pace_sent(&p, 44, now);
	/* and is back where it was after a pause */
	now += S;
	assert_in_range(pace_round(&p, 45, 0, now, MS), 44, 46);
	pace_sent(&p, 0, now);
	assert_int_equal(pace_round(&p, 45, 0, now + 2 * MS, MS), PACE_FREE);
}

/* Thirty calls a ms from one moment on: each interval later as many copies more fall due a ms, and none waits. */
static void what_calls_begin_with_is_usual(void **state)
{
	uint64_t now = 50 * S, due = 0, waited = 0;
	struct pace p = {0};

	(void)state;
	for (unsigned i = 0; i < 2000; i++, now += MS) {
		uint64_t room, sent;

		pace_passed(&p, 30);
		due += i / 500 * 30;
		room = pace_round(&p, due, 0, now, MS);
		sent = room < due ? room : due;
		pace_sent(&p, sent, now);
		due -= sent;
		waited += due;
	}
	assert_int_equal(waited, 0);
}

/* More fall due meanwhile: each one leaves within PACE_SPREAD_MS, for those before it do. */
static void nobody_waits_longer_where_more_come(void **state)
{
	uint64_t due = 0, queued = 0, sent = 0, at[400];
	struct pace p = {0};

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		uint64_t come = round % 50 ? round % 7 * 20 : 3000, room;

		due += come;
		queued += come;
		at[round] = queued;
		room = pace_round(&p, due, 0, 50 * S + round * MS, MS);
		room = room < due ? room : due;
		pace_sent(&p, room, 50 * S + round * MS);
		sent += room;
		due -= room;
		if (round >= PACE_SPREAD_MS)
			assert_true(sent >= at[round - PACE_SPREAD_MS + 1]);
	}
}

static void the_cap_of_a_round(void **state)
{
	struct pace p = {0};
	uint64_t largest;

	(void)state;
	assert_int_equal(rounds(&p, 1000, 8, MS, &largest), 125);
	assert_int_equal(largest, 8);
	p = (struct pace){0};
	assert_int_equal(rounds(&p, 3, 1, MS, &largest), 3);
	p = (struct pace){0};
	assert_int_equal(rounds(&p, 51200, 2048, MS, &largest), PACE_SPREAD_MS);
	p = (struct pace){0};
	assert_int_equal(rounds(&p, 51201, 2048, MS, &largest), PACE_SPREAD_MS + 1);
}

/* What one round is let send. */
static uint64_t room_at(struct pace *p, uint64_t due, uint32_t most, uint64_t now, uint64_t tick)
{
	uint64_t room = pace_round(p, due, most, now, tick);

	pace_sent(p, room < due ? room : due, now);
	return room;
}

/* For want of a CPU there is a round each 20 ms: the pace is one of time. After a pause the first one is not more. */
static void rounds_that_come_seldom_make_up_for_it(void **state)
{
	struct pace p = {0};
	uint64_t now = 50 * S, due = 0;

	(void)state;
	for (unsigned round = 0; round < 100; round++, now += 20 * MS) {
		uint64_t room;

		due += 200; /* 10,000 a second */
		room = room_at(&p, due, 0, now, MS);
		due -= room < due ? room : due;
		assert_true(due <= 200);
	}
	p = (struct pace){0};
	assert_int_equal(room_at(&p, 1000, 0, 90 * S, MS), 40);
	assert_int_equal(room_at(&p, 960, 0, 90 * S + MS, MS), 40);
	assert_int_equal(room_at(&p, 920, 0, 90 * S + 4 * MS, MS), 120);
	assert_int_equal(room_at(&p, 800, 8, 90 * S + 24 * MS, MS), 8);
	assert_int_equal(room_at(&p, 792, 0, 90 * S + 64 * MS, MS), 1600);
	assert_int_equal(room_at(&p, 1000, 0, 99 * S, MS), 40);
}

/* A tick of 10 ms: each round has ten ms's. */
static void a_long_tick(void **state)
{
	struct pace p = {0};
	uint64_t largest;

	(void)state;
	assert_int_equal(rounds(&p, 160, 0, 10 * MS, &largest), 1);
	p = (struct pace){0};
	assert_int_equal(rounds(&p, 1000, 0, 10 * MS, &largest), 3);
	assert_int_equal(largest, 400);
}

static void a_lapse_is_told_when_absorption_has_ended(void **state)
{
	struct lapse l = {0};
	uint64_t for_ns;

	(void)state;
	assert_int_equal(lapse_round(&l, false, 5 * S, &for_ns), LAPSE_NOTHING); /* never well yet */
	assert_int_equal(lapse_round(&l, true, 10 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, false, 10 * S + 900 * MS, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, true, 10 * S + 990 * MS, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, false, 11 * S + 990 * MS, &for_ns), LAPSE_BEGAN);
	assert_int_equal(lapse_round(&l, false, 12 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, false, 40 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, true, 41 * S - 10 * MS, &for_ns), LAPSE_ENDED);
	assert_int_equal(for_ns, 30 * S);
}

static void a_loop_that_stood_still_tells_afterwards(void **state)
{
	struct lapse l = {.well_ns = 10 * S};
	uint64_t for_ns;

	(void)state;
	assert_int_equal(lapse_round(&l, true, 13 * S, &for_ns), LAPSE_ENDED);
	assert_int_equal(for_ns, 3 * S);
	/* the next one so soon is not told, neither its beginning nor its end */
	assert_int_equal(lapse_round(&l, false, 15 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, true, 16 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, false, 24 * S, &for_ns), LAPSE_BEGAN);
}

static void a_link_that_is_down_is_no_lapse(void **state)
{
	struct lapse l = {.well_ns = 10 * S};
	uint64_t for_ns;

	(void)state;
	lapse_excused(&l);
	assert_int_equal(lapse_round(&l, false, 20 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, true, 21 * S, &for_ns), LAPSE_NOTHING);
	assert_int_equal(lapse_round(&l, false, 22 * S, &for_ns), LAPSE_BEGAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_holds_a_second_and_fills_at_its_rate),
		cmocka_unit_test(a_bucket_of_one_a_second),
		cmocka_unit_test(another_rate_keeps_it_as_full_as_it_was),
		cmocka_unit_test(a_few_go_at_once),
		cmocka_unit_test(many_are_spread_over_the_same_time),
		cmocka_unit_test(no_ms_has_more),
		cmocka_unit_test(the_limit_follows_what_is_usual),
		cmocka_unit_test(what_calls_begin_with_is_usual),
		cmocka_unit_test(nobody_waits_longer_where_more_come),
		cmocka_unit_test(the_cap_of_a_round),
		cmocka_unit_test(rounds_that_come_seldom_make_up_for_it),
		cmocka_unit_test(a_long_tick),
		cmocka_unit_test(a_lapse_is_told_when_absorption_has_ended),
		cmocka_unit_test(a_loop_that_stood_still_tells_afterwards),
		cmocka_unit_test(a_link_that_is_down_is_no_lapse),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
