// SPDX-License-Identifier: GPL-2.0-or-later
/* What a controller was killed in the middle of, taken up by the next one. */
#include "transaction_world.h"

static void crash(uint64_t down_ms)
{
	teardown(NULL);
	w.now += down_ms * MS;
	boot();
}

static void adopted_after_each_step(void **state)
{
	for (unsigned at = 0; at < 32000; at += 250) {
		uint32_t slot;

		teardown(state);
		setup(state);
		slot = call(0);
		run_until(at);
		crash(100);
		assert_int_equal(w.stats[STAT_adopted], 1);
		note(NOTE_NEW, slot, 0); /* still in the ring: known already */
		run_until(31999);
		assert_int_equal(w.n_sent, 10);
		run_until(32100);
		expect_record(END_NO_RESPONSE);
		assert_int_equal(w.stats[STAT_taken], 1);
	}
}

static void adopted_after_a_long_time(void **state)
{
	for (unsigned down = 5000; down < 60000; down += 5000) {
		teardown(state);
		setup(state);
		call(0);
		run_until(1600);
		crash(down);
		run_until(100000);
		expect_record(END_NO_RESPONSE);
		assert_true(w.n_sent <= 10);
		for (unsigned i = 1; i < w.n_sent; i++)
			assert_true(w.sent_ms[i] - w.sent_ms[i - 1] >= 500);
	}
}

static void adopted_in_every_state(void **state)
{
	uint32_t calling = capture(0), ringing = call(0), done = call(0), given_up;

	(void)state;
	run_until(100);
	answer(ringing, STAGE_RINGING, 180);
	move(done, ST_COMPLETED, STAGE_NOTHING, 200);
	given_up = call(0);
	/* killed between the swap and the record, and once more after the record was given its number */
	assert_true(slot_terminate(&w.slots[given_up], w.slots[given_up].word, END_NO_RESPONSE));
	crash(0);
	assert_int_equal(w.stats[STAT_adopted], 4);
	assert_int_equal(w.n_records, 1);
	assert_int_equal(w.stats[STAT_pending], 1);
	assert_int_equal(w.stats[STAT_proceeding], 1);
	assert_true(w.slots[calling].word & WORD_TAKEN);
	assert_int_equal(free_slots(), 2);
	run_until(120099);
	assert_int_equal(w.n_records, 2);
	run_until(120100);
	assert_int_equal(w.n_records, 3);
	expect_all_free();
}

/* Killed where the transaction was begun and had no deadline yet. */
static void crash_at_the_beginning(void **state)
{
	uint32_t slot = capture(0);

	(void)state;
	w.slots[slot].sends = 1;
	crash(20);
	run_until(31999);
	assert_int_equal(w.n_sent, 10);
	run_until(32100);
	expect_record(END_NO_RESPONSE);
}

/* 180 was noted after the crash: its deadline counts, not that of the 100 before. */
static void note_left_behind_by_a_crash(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	answer(slot, STAGE_TRYING, 100);
	run_until(1000);
	move(slot, ST_PROCEEDING, STAGE_RINGING, 180);
	crash(0);
	note(NOTE_MOVED, slot, 180);
	run_until(120999);
	assert_int_equal(w.n_records, 0);
	run_until(121000);
	expect_record(END_RINGING_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(adopted_after_each_step),	   CASE(adopted_after_a_long_time), CASE(adopted_in_every_state),
		CASE(note_left_behind_by_a_crash), CASE(crash_at_the_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
