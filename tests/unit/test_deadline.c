// SPDX-License-Identifier: GPL-2.0-or-later
/* Deadline queues: order, growth, wrapping, many waits, memory given back. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "deadline.h"

#define MS 1000000ull

static struct deadlines *queues(void **state)
{
	return *state;
}

static int setup(void **state)
{
	*state = deadlines_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	deadlines_free(*state);
	return 0;
}

static void add(struct deadlines *d, uint64_t wait_ns, uint64_t due_ns, uint32_t slot)
{
	assert_int_equal(deadlines_add(d, wait_ns, (struct deadline){due_ns, slot, ~slot}), 0);
}

/* Takes one out that must be there and due at `due_ns`; returns its slot. */
static uint32_t pop(struct deadlines *d, uint64_t now_ns, uint64_t due_ns)
{
	struct deadline got;

	assert_true(deadlines_pop(d, now_ns, &got));
	assert_int_equal(got.due_ns, due_ns);
	assert_int_equal(got.gen, ~got.slot);
	return got.slot;
}

static size_t memory(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void empty(void **state)
{
	struct deadlines *d = queues(state);
	struct deadline got = {1, 2, 3};

	assert_false(deadlines_pop(d, UINT64_MAX, &got));
	assert_int_equal(got.due_ns, 1);
	assert_int_equal(deadlines_next(d), UINT64_MAX);
	assert_int_equal(deadlines_count(d), 0);
	deadlines_free(NULL);
}

static void earliest_of_all_waits_first(void **state)
{
	struct deadlines *d = queues(state);
	static const uint64_t due[] = {500, 500, 1500, 1600, 4000, 4001, 20000};

	add(d, 4000 * MS, 4000 * MS, 4);
	add(d, 500 * MS, 500 * MS, 0);
	add(d, 20000 * MS, 20000 * MS, 6);
	add(d, 1000 * MS, 1500 * MS, 2);
	add(d, 500 * MS, 500 * MS, 1);
	add(d, 1000 * MS, 1600 * MS, 3);
	add(d, 4000 * MS, 4001 * MS, 5);
	assert_int_equal(deadlines_count(d), 7);
	for (uint32_t i = 0; i < 7; i++) {
		struct deadline early;

		assert_int_equal(deadlines_next(d), due[i] * MS);
		assert_false(deadlines_pop(d, due[i] * MS - 1, &early));
		assert_int_equal(pop(d, due[i] * MS, due[i] * MS), i);
	}
	assert_int_equal(deadlines_count(d), 0);
}

static void disorder_only_delays(void **state)
{
	struct deadlines *d = queues(state);
	struct deadline got;

	add(d, 5, 100, 0);
	add(d, 5, 90, 1);
	add(d, 7, 95, 2);
	assert_false(deadlines_pop(d, 94, &got));
	assert_int_equal(pop(d, 100, 95), 2);
	assert_int_equal(pop(d, 100, 100), 0);
	assert_int_equal(pop(d, 100, 90), 1);
}

static void wraps_and_grows_while_wrapped(void **state)
{
	struct deadlines *d = queues(state);
	uint32_t in = 0, out = 0;

	for (uint32_t round = 1; round < 12; round++) {
		for (uint32_t i = 0; i < 1000 * round; i++, in++)
			add(d, 1, in, in);
		for (uint32_t i = 0; i < 700 * round; i++, out++)
			assert_int_equal(pop(d, UINT64_MAX, out), out);
		assert_int_equal(deadlines_count(d), in - out);
	}
	for (; out < in; out++)
		assert_int_equal(pop(d, UINT64_MAX, out), out);
	assert_int_equal(deadlines_next(d), UINT64_MAX);
}

static void a_million(void **state)
{
	struct deadlines *d = queues(state);
	const uint32_t n = 1000000;
	size_t before = memory();
	uint64_t last = 0;
	struct deadline got;

	for (uint32_t i = 0; i < n; i++)
		add(d, (1 + i % 10) * 500 * MS, i * 1000ull + (1 + i % 10) * 500 * MS, i);
	assert_int_equal(deadlines_count(d), n);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(deadlines_pop(d, UINT64_MAX, &got));
		assert_true(got.due_ns >= last);
		assert_int_equal(got.due_ns, got.slot * 1000ull + (1 + got.slot % 10) * 500 * MS);
		last = got.due_ns;
	}
	assert_int_equal(deadlines_count(d), 0);
	/* the burst is over: no queue keeps its 2 MiB */
	assert_true(memory() < before + (1 << 18));
}

/* Waits that come and go, as live tuning makes them: the queues emptied serve the next ones. */
static void empty_queues_are_used_again(void **state)
{
	struct deadlines *d = queues(state);
	const unsigned at_once = 40;
	size_t settled = 0;

	for (uint64_t round = 0; round < 500; round++) {
		for (uint64_t i = 0; i < at_once; i++)
			add(d, (round * at_once + i + 1) * MS, at_once - i, i);
		for (uint64_t i = 0; i < at_once; i++)
			assert_int_equal(pop(d, at_once, i + 1), at_once - 1 - i);
		if (round == 0)
			settled = memory();
	}
	assert_int_equal(memory(), settled);
}

static void many_waits_at_once(void **state)
{
	struct deadlines *d = queues(state);
	const uint32_t n = 700;

	for (uint32_t pass = 0; pass < 3; pass++)
		for (uint32_t i = 0; i < n; i++) {
			uint32_t wait = i * 277 % n; /* each one once, in no order */

			add(d, 1 + wait, pass * n + wait, wait);
		}
	for (uint32_t i = 0; i < 3 * n; i++)
		assert_int_equal(pop(d, UINT64_MAX, i), i % n);
}

/* Who cancels leaves the entry: it comes out at its time, with the generation it went in with. */
static void stale_entries_come_out(void **state)
{
	struct deadlines *d = queues(state);
	struct deadline got;

	assert_int_equal(deadlines_add(d, 5, (struct deadline){10, 3, 1}), 0);
	assert_int_equal(deadlines_add(d, 5, (struct deadline){11, 3, 2}), 0);
	assert_true(deadlines_pop(d, 11, &got));
	assert_int_equal(got.gen, 1);
	assert_true(deadlines_pop(d, 11, &got));
	assert_int_equal(got.gen, 2);
	assert_int_equal(got.slot, 3);
}

/* A clock that runs, entries re-armed with the next of 40 waits: nothing early, nothing late, nothing lost. */
static void how_many_are_due(void **state)
{
	struct deadlines *d = queues(state);

	assert_int_equal(deadlines_due(d, UINT64_MAX), 0);
	/* wrapped around in their rings, and of different lengths */
	for (uint32_t wait = 1; wait <= 5; wait++)
		for (uint32_t i = 0; i < 1000 * wait; i++)
			add(d, wait * MS, i * MS, i);
	for (uint32_t i = 0; i < 500; i++)
		for (uint32_t wait = 1; wait <= 5; wait++)
			pop(d, 10000 * MS, i * MS);
	for (uint32_t i = 1000; i < 1300; i++)
		add(d, MS, i * MS, i);
	assert_int_equal(deadlines_due(d, 500 * MS - 1), 0);
	assert_int_equal(deadlines_due(d, 500 * MS), 5);
	assert_int_equal(deadlines_due(d, 599 * MS), 500);
	assert_int_equal(deadlines_due(d, 1299 * MS), 5 * 800);
	assert_int_equal(deadlines_due(d, 4000 * MS), 800 + 1500 + 2500 + 3500 + 3501);
	assert_int_equal(deadlines_due(d, UINT64_MAX - 1), deadlines_count(d));
}

static void against_the_clock(void **state)
{
	struct deadlines *d = queues(state);
	static uint64_t due[2000];
	const uint32_t n = sizeof(due) / sizeof(*due);
	uint64_t expired = 0;

	srand(1);
	for (uint64_t now = 0; now < 20000; now++) {
		struct deadline got;

		while (deadlines_pop(d, now, &got)) {
			assert_int_equal(got.due_ns, now);
			assert_int_equal(got.due_ns, due[got.slot]);
			due[got.slot] = 0;
			expired++;
		}
		for (uint32_t i = 0; i < 10; i++) {
			uint32_t slot = rand() % n;
			uint64_t wait = 1 + rand() % 40 * 50;

			if (due[slot])
				continue;
			due[slot] = now + wait;
			add(d, wait, due[slot], slot);
		}
	}
	assert_true(expired > 20000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(empty),
		TEST(earliest_of_all_waits_first),
		TEST(disorder_only_delays),
		TEST(wraps_and_grows_while_wrapped),
		TEST(a_million),
		TEST(empty_queues_are_used_again),
		TEST(many_waits_at_once),
		TEST(stale_entries_come_out),
		TEST(how_many_are_due),
		TEST(against_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
