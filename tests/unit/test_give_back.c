// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies that are not sent: the softswitch's own pass, count, and the schedule goes on; many at once are spread. */
#define SLOTS 1000
#include "transaction_world.h"

static uint64_t never_before_ms; /* no budget before then */
static unsigned room_in_round, most_in_round;

static void spend(uint32_t slot)
{
	(void)slot;
	w.send_error = w.now < START + never_before_ms * MS ? -EDQUOT : 0;
}

static uint32_t call_without_budget_until(uint64_t ms)
{
	w.in_force.tunables[TUN_abandon] = 0;
	never_before_ms = ms;
	w.on_send = spend;
	return call(0);
}

static bool taken(uint32_t slot)
{
	return w.slots[slot].word & WORD_TAKEN;
}

/* As the XDP program does it. */
static void copy_passes(uint32_t slot)
{
	w.slots[slot].copy_ns = w.now;
	note(NOTE_COPY, slot, 0);
}

static void budget_spent_gives_back_and_ends_on_schedule(void **state)
{
	uint32_t slot = call_without_budget_until(1000000);

	(void)state;
	assert_true(taken(slot));
	run_until(501);
	assert_false(taken(slot));
	assert_int_equal(w.stats[STAT_over_budget], 1);
	assert_int_equal(w.stats[STAT_link_down], 0);
	run_until(31999);
	assert_int_equal(w.n_records, 0);
	assert_int_equal(w.slots[slot].sends, 1);
	run_until(32000);
	assert_int_equal(w.n_sent, 0);
	assert_int_equal(w.stats[STAT_over_budget], 10);
	expect_record(END_NO_RESPONSE);
}

/* The softswitch's own copies stand for those left out: each counts once, and the end is where it was. */
static void own_copies_fill_in(void **state)
{
	static const uint64_t own[] = {550, 1550, 3550, 7550, 11550, 15550, 19550, 23550, 27550, 31550};
	uint32_t slot = call_without_budget_until(1000000);

	(void)state;
	for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++) {
		run_until(own[i]);
		copy_passes(slot);
	}
	assert_int_equal(w.slots[slot].sends, 11);
	assert_int_equal(w.n_copies, 10);
	run_until(32049);
	assert_int_equal(w.n_records, 0);
	run_until(32050);
	assert_int_equal(w.n_sent, 0);
	expect_record(END_NO_RESPONSE);
}

/* Its copies come a little before ours: the one left out has no stand-in, those after it have. */
static void own_copies_a_little_early(void **state)
{
	static const uint64_t own[] = {1450, 3450, 7450};
	uint32_t slot = call_without_budget_until(8000);

	(void)state;
	for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++) {
		run_until(own[i]);
		copy_passes(slot);
	}
	run_until(11450);
	EXPECT_SENT(11200); /* before the softswitch's next one */
	assert_true(taken(slot));
	run_until(31949);
	assert_int_equal(w.n_records, 0);
	run_until(31950);
	expect_record(END_NO_RESPONSE);
}

static void taken_over_again_with_the_next_copy_sent(void **state)
{
	uint32_t slot = call_without_budget_until(3000);

	(void)state;
	run_until(1550);
	assert_false(taken(slot));
	copy_passes(slot);
	assert_false(taken(slot));
	run_until(3424);
	assert_false(taken(slot));
	run_until(3425); /* a sixteenth of the wait ahead, so that the softswitch's is absorbed */
	EXPECT_SENT(3425);
	assert_true(taken(slot));
	assert_int_equal(w.slots[slot].sends, 3);
	run_until(7550); /* and the schedule is what it was */
	EXPECT_SENT(3425, 7550);
}

/* The softswitch's copy passed a moment ago, and its note has not been read: ours does not follow it. */
static void no_copy_at_the_heels_of_the_softswitchs(void **state)
{
	uint32_t slot = call_without_budget_until(1000);

	(void)state;
	run_until(1499);
	w.slots[slot].copy_ns = w.now;
	run_until(1501);
	assert_int_equal(w.n_sent, 0);
	assert_false(taken(slot));
	w.now = START + 1499 * MS;
	note(NOTE_COPY, slot, 0);
	w.now = START + 1501 * MS;
	run_until(3373);
	assert_int_equal(w.n_sent, 0);
	run_until(3600);
	EXPECT_SENT(3374);
}

/* And where the note is lost, ours comes a little later. */
static void copy_that_no_note_tells_of(void **state)
{
	uint32_t slot = call_without_budget_until(1000);

	(void)state;
	run_until(1495);
	w.slots[slot].copy_ns = w.now;
	run_until(1504);
	assert_int_equal(w.n_sent, 0);
	run_until(1510);
	EXPECT_SENT(1505);
	assert_true(taken(slot));
}

/* There was no budget ahead of its time: it is tried in time, and counted once. */
static void tried_ahead_and_in_time(void **state)
{
	uint32_t slot = call_without_budget_until(3500);

	(void)state;
	run_until(1550);
	copy_passes(slot);
	run_until(3549);
	assert_int_equal(w.n_sent, 0);
	assert_false(taken(slot));
	run_until(3600);
	EXPECT_SENT(3550);
	assert_int_equal(w.stats[STAT_over_budget], 2);
}

/* It passes at the heels of one of ours, while the heartbeat rests: it counts as a send, and as no other one. */
static void copy_just_after_ours_is_no_step(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.in_force.tunables[TUN_abandon] = 0;
	run_until(1540);
	copy_passes(slot);
	assert_int_equal(w.slots[slot].sends, 4);
	run_until(4000);
	EXPECT_SENT(500, 1500, 3540);
	run_until(32040);
	expect_record(END_NO_RESPONSE);
}

/* What fails is given back as it was: the flag is not set before a copy of ours has found its way. */
static void ring_full_after_it_was_given_back(void **state)
{
	uint32_t slot = call_without_budget_until(1000);

	(void)state;
	run_until(1000);
	w.on_send = NULL;
	w.send_error = -EAGAIN;
	run_until(1600);
	assert_false(taken(slot));
	assert_true(transactions_overdue(w.t, 0));
	w.send_error = 0;
	run_until(1700);
	EXPECT_SENT(1601);
	assert_true(taken(slot));
}

/* The loop stood still while copies passed: they stand for those of their time, and the end is where it was. */
static void copy_after_a_stall_stands_for_its_own_time(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.in_force.tunables[TUN_abandon] = 0;
	run_until(600);
	w.now = START + 3500 * MS;
	copy_passes(slot); /* that at 1500 was absorbed still */
	w.now = START + 3800 * MS;
	transactions_run(w.t);
	EXPECT_SENT(500);
	run_until(7500);
	EXPECT_SENT(500, 7500);
	run_until(31999);
	assert_int_equal(w.n_records, 0);
	run_until(32000);
	expect_record(END_NO_RESPONSE);
}

static void answered_while_given_back(void **state)
{
	uint32_t slot = call_without_budget_until(1000);

	(void)state;
	run_until(600);
	answer(slot, STAGE_NOTHING, 486);
	run_until(40000);
	assert_int_equal(w.n_sent, 0);
	expect_all_free();
}

/* Rounds of a loop, a ms apart: how many copies each sent at most, and in how many any went. */
static unsigned rounds_until(uint64_t ms)
{
	unsigned n = 0;

	most_in_round = 0;
	while (w.now < START + ms * MS) {
		unsigned before = w.n_sent;

		w.now += MS;
		assert_int_equal(transactions_run(w.t), 0);
		room_in_round = w.n_sent - before;
		n += room_in_round > 0;
		most_in_round = room_in_round > most_in_round ? room_in_round : most_in_round;
	}
	return n;
}

static void a_thousand_calls_are_spread(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOTS; i++)
		call(0);
	assert_int_equal(rounds_until(1000), 25);
	assert_int_equal(most_in_round, 40);
	assert_int_equal(w.n_sent, SLOTS);
	assert_int_equal(w.sent_ms[0], 500);
	assert_int_equal(w.sent_ms[SLOTS - 1], 524);
	assert_int_equal(w.stats[STAT_full_rounds], 24);
	assert_int_equal(w.stats[STAT_late_us_max], 24000);
	assert_false(transactions_overdue(w.t, 0));
	/* each keeps its schedule, so that they are spread anew and not ever later */
	rounds_until(2000);
	assert_int_equal(w.sent_ms[SLOTS], 1500);
	assert_int_equal(w.sent_ms[2 * SLOTS - 1], 1524);
	rounds_until(33000);
	assert_int_equal(w.stats[STAT_no_response], SLOTS);
	assert_int_equal(w.stats[STAT_late_us_max], 24000);
	expect_all_free();
}

static void a_round_sends_no_more_than_tick_sends(void **state)
{
	w.in_force.tunables[TUN_tick_sends] = 5;
	(void)state;
	for (unsigned i = 0; i < SLOTS; i++)
		call(0);
	rounds_until(510);
	assert_true(transactions_overdue(w.t, 0));
	assert_true(transactions_overdue(w.t, 7)); /* nobody knows where the rest goes */
	rounds_until(690);
	assert_int_equal(most_in_round, 5);
	rounds_until(710);
	assert_int_equal(w.n_sent, SLOTS);
	assert_int_equal(w.stats[STAT_late_us_max], 199000);
	assert_false(transactions_overdue(w.t, 0));
}

static void all_overdue_after_a_pause_are_spread(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SLOTS; i++) {
		w.now = START + i * MS / 4;
		call(0);
	}
	run_until(300);
	w.now = START + 800 * MS;
	rounds_until(900);
	assert_int_equal(w.n_sent, SLOTS);
	assert_int_equal(most_in_round, 40);
}

static bool keeps(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
	w.n_responses++; /* siprtx's own */
	return true;
}

/* A reply of siprtx's own is a datagram as well. */
static void replies_are_spread_too(void **state)
{
	struct transaction_ops replying = ops;
	unsigned most = 0;

	(void)state;
	replying.keeps = keeps;
	w.t->env.ops = &replying;
	for (unsigned i = 0; i < SLOTS; i++)
		call(0);
	rounds_until(31999);
	while (w.n_responses < SLOTS) {
		unsigned before = w.n_responses;

		w.now += MS;
		transactions_run(w.t);
		most = w.n_responses - before > most ? w.n_responses - before : most;
	}
	assert_int_equal(most, 40);
	for (uint32_t i = 0; i < SLOTS; i++)
		transactions_release(w.t, i);
	expect_all_free();
}

/* A cap far under what is due: most copies are left out for good, none is sent twice, and all end. */
static void a_loop_that_cannot_keep_up(void **state)
{
	w.in_force.tunables[TUN_tick_sends] = 1;
	(void)state;
	w.in_force.profiles[PF_INTERVAL + 1] = 100;
	w.in_force.profiles[PF_INTERVAL + 2] = 100;
	w.in_force.profiles[PF_INTERVAL + 3] = 0;
	for (unsigned i = 0; i < SLOTS; i++)
		call(0);
	rounds_until(5000);
	assert_true(w.stats[STAT_left_out] > 2 * SLOTS / 2);
	assert_int_equal(w.stats[STAT_sends] + 0ull, w.n_sent);
	assert_int_equal(w.stats[STAT_no_response], SLOTS);
	expect_all_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(budget_spent_gives_back_and_ends_on_schedule),
		CASE(own_copies_fill_in),
		CASE(own_copies_a_little_early),
		CASE(taken_over_again_with_the_next_copy_sent),
		CASE(no_copy_at_the_heels_of_the_softswitchs),
		CASE(copy_that_no_note_tells_of),
		CASE(tried_ahead_and_in_time),
		CASE(copy_just_after_ours_is_no_step),
		CASE(ring_full_after_it_was_given_back),
		CASE(copy_after_a_stall_stands_for_its_own_time),
		CASE(answered_while_given_back),
		CASE(a_thousand_calls_are_spread),
		CASE(a_round_sends_no_more_than_tick_sends),
		CASE(all_overdue_after_a_pause_are_spread),
		CASE(replies_are_spread_too),
		CASE(a_loop_that_cannot_keep_up),
	};

	return cmocka_run_group_tests_name("give_back", tests, NULL, NULL);
}
