// SPDX-License-Identifier: GPL-2.0-or-later
/* A transaction from its capture to the free slot. */
#include "transaction_world.h"

static void default_schedule(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(31999);
	EXPECT_SENT(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	assert_int_equal(w.slots[slot].sends, 11);
	assert_int_equal(w.n_records, 0);
	run_until(32000);
	expect_record(END_NO_RESPONSE);
	run_until(100000);
	assert_int_equal(w.n_sent, 10);
	assert_int_equal(w.lateness[0], 10);
}

static void every_profile(void **state)
{
	(void)state;
	for (unsigned p = 0; p < 7; p++) {
		uint64_t begun = w.now, window = schedule_window_ms(&w.in_force.profiles[p * PROFILE_FIELDS]);
		unsigned before = w.n_sent, n = w.n_records;

		call(p);
		run_until((begun - START) / MS + window - 1);
		assert_int_equal(w.n_records, n);
		run_until((begun - START) / MS + window);
		assert_int_equal(w.n_records, n + 1);
		assert_int_equal(w.n_sent - before,
				 p == 6 ? 4 : schedule_count(&w.in_force.profiles[p * PROFILE_FIELDS]));
		w.n_sent = 0;
	}
	expect_all_free();
}

/* A response at each moment of the schedule, in the note or only in the word. */
static void rule_17_19_response_stops(void **state)
{
	static const uint64_t at[] = {0, 1, 499, 500, 501, 1500, 11501, 31499, 31500, 31999};

	for (unsigned i = 0; i < sizeof(at) / sizeof(*at); i++) {
		for (int kind = 0; kind < 6; kind++) {
			bool told = kind & 1;
			uint32_t slot;
			unsigned n;

			teardown(state);
			setup(state);
			slot = call(0);
			run_until(at[i]);
			n = w.n_sent;
			if (kind < 2)
				move(slot, ST_PROCEEDING, STAGE_RINGING, 180);
			else if (kind < 4)
				move(slot, ST_COMPLETED, STAGE_NOTHING, 200);
			else
				w.slots[slot].word =
					word_moved(w.slots[slot].word, ST_TERMINATED, 0, 0) | END_CANCELLED << 12;
			if (told)
				note(NOTE_MOVED, slot, kind < 2 ? 180 : kind < 4 ? 200 : 0);
			run_until(at[i] + 40000);
			assert_int_equal(w.n_sent, n);
			assert_int_equal(w.n_records, 0);
			if (kind < 2) {
				assert_int_equal(w.n_responses, 1);
				answer(slot, STAGE_RINGING, 200);
			}
			expect_all_free();
			assert_int_equal(w.stats[kind < 4 ? STAT_completed : STAT_cancelled], 1);
		}
	}
}

static void rule_20_stage_timeouts(void **state)
{
	static const struct {
		enum siprtx_stage stage;
		uint16_t code;
		uint64_t ms;
		enum siprtx_end end;
	} want[] = {
		{STAGE_TRYING, 100, 20000, END_TRYING_TIMEOUT},
		{STAGE_PROGRESS, 183, 20000, END_PROGRESS_TIMEOUT},
		{STAGE_PROGRESS_SDP, 183, 120000, END_PROGRESS_TIMEOUT},
		{STAGE_RINGING, 180, 120000, END_RINGING_TIMEOUT},
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		teardown(state);
		setup(state);
		uint32_t slot = call(0);

		run_until(700);
		answer(slot, want[i].stage, want[i].code);
		run_until(700 + want[i].ms - 1);
		assert_int_equal(w.n_records, 0);
		run_until(700 + want[i].ms);
		expect_record(want[i].end);
		EXPECT_SENT(500);
	}
}

static void rule_20_later_stage_never_shortens(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	run_until(100);
	answer(slot, STAGE_TRYING, 100);
	run_until(200);
	answer(slot, STAGE_PROGRESS_SDP, 183);
	w.in_force.profiles[PF_TIMEOUT_RINGING] = 1000;
	run_until(300);
	answer(slot, STAGE_RINGING, 180);
	run_until(120199);
	assert_int_equal(w.n_records, 0);
	run_until(120200);
	expect_record(END_RINGING_TIMEOUT);
	assert_int_equal(w.n_responses, 3);
}

static void timeout_off_is_held_to_the_cap(void **state)
{
	uint32_t slot;

	(void)state;
	w.in_force.profiles[PF_TIMEOUT_RINGING] = 0;
	slot = call(0);
	answer(slot, STAGE_RINGING, 180);
	run_until(HOLD_CAP_MS - 1);
	assert_int_equal(w.n_ended, 0);
	run_until(HOLD_CAP_MS);
	assert_int_equal(w.n_ended, 1);
	assert_int_equal(w.n_records, 0);
	expect_all_free();
}

static void rule_17_cancel_is_no_record(void **state)
{
	uint32_t a = call(0), b = call(0);

	(void)state;
	run_until(600);
	cancel(a);
	answer(b, STAGE_RINGING, 180);
	run_until(700);
	cancel(b);
	run_until(40000);
	assert_int_equal(w.n_records, 0);
	assert_int_equal(w.stats[STAT_cancelled], 2);
	EXPECT_SENT(500, 500);
	expect_all_free();
}

/* The softswitch's copy at 300 ms stands for the one at 500; the schedule goes on from it. */
static void passed_copy_counts(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	run_until(300);
	note(NOTE_COPY, slot, 0);
	assert_int_equal(w.slots[slot].sends, 2);
	run_until(5000);
	EXPECT_SENT(1300, 3300);
	run_until(31799);
	assert_int_equal(w.n_records, 0);
	run_until(31800);
	expect_record(END_NO_RESPONSE);
	assert_int_equal(w.n_copies, 1);
}

static void copy_in_the_final_wait(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	run_until(31700);
	note(NOTE_COPY, slot, 0);
	assert_int_equal(w.slots[slot].sends, 12);
	run_until(32000);
	expect_record(END_NO_RESPONSE);
}

static void full_ring_is_tried_again(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -EAGAIN;
	run_until(520);
	assert_int_equal(w.n_sent, 0);
	assert_int_equal(transactions_overdue(w.t, 0), 1);
	assert_int_equal(w.stats[STAT_ring_full], 1);
	w.send_error = 0;
	run_until(1500);
	EXPECT_SENT(521, 1500);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(32000);
	expect_record(END_NO_RESPONSE);
	assert_int_equal(w.n_sent, 10);
}

/* Overdue by the whole next interval: the work is given back and the copy left out, not made up for. */
static void ring_full_for_long(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -EAGAIN;
	run_until(1600);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
	w.send_error = 0;
	run_until(3499);
	assert_int_equal(w.n_sent, 0);
	run_until(3510);
	EXPECT_SENT(3500);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(40000);
	expect_record(END_NO_RESPONSE);
}

static void response_while_the_ring_is_full(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -EAGAIN;
	run_until(510);
	move(slot, ST_COMPLETED, STAGE_NOTHING, 486);
	w.send_error = 0;
	run_until(1000);
	assert_int_equal(w.n_sent, 0);
	expect_all_free();
}

static void no_neighbour(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -EHOSTUNREACH;
	run_until(600);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
	w.send_error = 0;
	run_until(1500);
	EXPECT_SENT(610);
	/* so late that the next wait begins there */
	run_until(1610);
	EXPECT_SENT(610, 1610);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(w.stats[STAT_no_neighbour], 1);
}

static void link_down(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -ENETDOWN;
	run_until(1499);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	w.send_error = 0;
	run_until(32000);
	EXPECT_SENT(1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	expect_record(END_NO_RESPONSE);
}

/* The link takes no packet of that size any more; the softswitch's own copies may be sent in fragments. */
static void over_the_mtu(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.send_error = -EMSGSIZE;
	run_until(1499);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(w.stats[STAT_over_mtu], 1);
	assert_int_equal(w.stats[STAT_link_down], 0);
	w.send_error = 0;
	run_until(1500);
	EXPECT_SENT(1500);
	assert_true(w.slots[slot].word & WORD_TAKEN);
}

static void answer_now(uint32_t slot)
{
	move(slot, ST_COMPLETED, STAGE_NOTHING, 200);
}

/* The response comes while the deadline is being handled: nothing is taken back from it. */
static void swap_lost_to_a_response(void **state)
{
	uint32_t slot = call(0);
	uint64_t seen;

	(void)state;
	run_until(31600);
	seen = w.slots[slot].word;
	answer_now(slot);
	assert_false(slot_terminate(&w.slots[slot], seen, END_NO_RESPONSE));
	run_until(33000);
	assert_int_equal(w.n_records, 0);
	assert_int_equal(w.stats[STAT_completed], 1);
	expect_all_free();

	call(0);
	w.on_send = answer_now;
	run_until(80000);
	assert_int_equal(w.n_records, 0);
	expect_all_free();
}

static void retuned_in_the_middle(void **state)
{
	(void)state;
	call(0);
	run_until(600);
	w.in_force.profiles[PF_INTERVAL + 1] = 100; /* being waited on already */
	w.in_force.profiles[PF_INTERVAL + 2] = 200;
	w.in_force.profiles[PF_INTERVAL + 3] = 0;
	run_until(10000);
	EXPECT_SENT(500, 1500, 1700);
	expect_record(END_NO_RESPONSE);
}

static void timeout_invite_cuts(void **state)
{
	(void)state;
	w.in_force.profiles[PF_TIMEOUT_INVITE] = 10000;
	call(0);
	run_until(9999);
	EXPECT_SENT(500, 1500, 3500, 7500);
	assert_int_equal(w.n_records, 0);
	run_until(10000);
	expect_record(END_NO_RESPONSE);
}

static void slot_waits_for_its_descriptor(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.hold_descriptors = true;
	run_until(600);
	answer(slot, STAGE_NOTHING, 200);
	assert_int_equal(free_slots(), SLOTS - 1);
	assert_true(transactions_holds(w.t, slot));
	w.in_flight = 0;
	transactions_sent(w.t, slot);
	expect_all_free();
	transactions_sent(w.t, slot);
	expect_all_free();
}

static void notes_out_of_order_and_stale(void **state)
{
	uint32_t slot = capture(0);
	struct siprtx_note stale = {.word = w.slots[slot].word, .slot = slot, .kind = NOTE_MOVED, .code = 200};

	(void)state;
	answer(slot, STAGE_TRYING, 100); /* before NOTE_NEW */
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.stats[STAT_taken], 1);
	assert_int_equal(w.n_responses, 1);
	answer(slot, STAGE_TRYING, 200);
	expect_all_free();
	transactions_note(w.t, &stale);
	stale.slot = 1000000;
	transactions_note(w.t, &stale);
	assert_int_equal(w.n_ended, 1);
	expect_all_free();
}

/* Stopped for 9 s: one copy of those missed at most, and the end where it was. */
static void process_was_stopped(void **state)
{
	(void)state;
	call(0);
	run_until(1600);
	w.now = START + 10600 * MS;
	transactions_run(w.t);
	assert_true(w.n_sent <= 3);
	run_until(36000);
	expect_record(END_NO_RESPONSE);
	assert_true(w.n_sent < 10);
	for (unsigned i = 1; i < w.n_sent; i++)
		assert_true(w.sent_ms[i] - w.sent_ms[i - 1] >= 1000);
}

static void lateness_lands_in_its_bucket(void **state)
{
	static const uint32_t us[] = {0,  1,  16, 17, 20, 21,	24,   32,    33,
				      40, 41, 63, 64, 65, 1000, 1001, 65536, 4000000000u};

	(void)state;
	for (unsigned i = 0; i < sizeof(us) / sizeof(*us); i++) {
		uint32_t bucket = 0;

		memset(w.lateness, 0, sizeof(w.lateness));
		count_lateness(w.t, &w.slots[0], us[i]);
		while (bucket < LATENESS_BUCKETS - 1 && lateness_bound_us(bucket) < us[i])
			bucket++;
		assert_int_equal(w.lateness[bucket], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(default_schedule),
		CASE(every_profile),
		CASE(rule_17_19_response_stops),
		CASE(rule_20_stage_timeouts),
		CASE(rule_20_later_stage_never_shortens),
		CASE(timeout_off_is_held_to_the_cap),
		CASE(rule_17_cancel_is_no_record),
		CASE(passed_copy_counts),
		CASE(copy_in_the_final_wait),
		CASE(full_ring_is_tried_again),
		CASE(ring_full_for_long),
		CASE(response_while_the_ring_is_full),
		CASE(no_neighbour),
		CASE(link_down),
		CASE(over_the_mtu),
		CASE(swap_lost_to_a_response),
		CASE(retuned_in_the_middle),
		CASE(timeout_invite_cuts),
		CASE(slot_waits_for_its_descriptor),
		CASE(notes_out_of_order_and_stale),
		CASE(process_was_stopped),
		CASE(lateness_lands_in_its_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
