// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests other than INVITE (rule 48, RFC 3261 17.1.2): the tunable's text, and the life of what was captured. */
#include <stdio.h>

#include "transaction_world.h"

#include "methods.h"

/* As the XDP program captures it. */
static uint32_t request(uint32_t profile)
{
	uint32_t slot = capture(profile);

	w.slots[slot].kind = KIND_REQUEST;
	w.slots[slot].method = SIP_BYE;
	note(NOTE_NEW, slot, 0);
	return slot;
}

static void crash(uint64_t down_ms)
{
	teardown(NULL);
	w.now += down_ms * MS;
	boot();
}

static void expect_unanswered(void)
{
	assert_int_equal(w.n_ended, 1);
	assert_int_equal(w.stats[STAT_unanswered_other], 1);
	assert_int_equal(w.stats[STAT_no_response], 0);
	assert_int_equal(w.stats[STAT_held_too_long], 0);
	expect_all_free();
}

/* Nothing comes: the list, as for an INVITE. */
static void rule_48_silence_uses_the_list(void **state)
{
	(void)state;
	request(0);
	run_until(31999);
	EXPECT_SENT(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	assert_int_equal(w.n_ended, 0);
	run_until(32000);
	expect_unanswered();
}

/* timeout_invite is of INVITEs. */
static void rule_48_timeout_invite_does_not_concern_it(void **state)
{
	(void)state;
	request(6);
	run_until(31999);
	assert_int_equal(w.n_sent, 10);
	run_until(32000);
	expect_unanswered();
}

/* The wait in course ends as it would have; then it is the last of the list until Timer F (17.1.2.2). */
static void rule_48_provisional_goes_on_at_the_last_interval(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	run_until(700);
	answer(slot, STAGE_TRYING, 100);
	assert_int_equal(w.n_responses, 1);
	assert_int_equal(w.stats[STAT_proceeding], 1);
	assert_int_equal(w.stats[STAT_pending], 0);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(31999);
	EXPECT_SENT(500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500);
	assert_int_equal(w.n_ended, 0);
	run_until(32000);
	expect_unanswered();
}

static void rule_48_each_profile_has_its_own_last_interval(void **state)
{
	static const struct {
		uint32_t profile, retry;
		uint64_t last_ms, window_ms;
	} want[] = {
		{0, 10, 4000, 32000}, {1, 0, 8000, 56000},  {2, 0, 4000, 16000},  {3, 0, 4000, 35500},
		{4, 0, 4000, 23500},  {5, 0, 16000, 32000}, {6, 10, 4000, 32000}, {0, 3, 2000, 4000},
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint32_t *field = &w.in_force.profiles[want[i].profile * PROFILE_FIELDS];
		uint32_t slot;

		teardown(state);
		setup(state);
		field[PF_SEND_RETRY] = want[i].retry;
		slot = request(want[i].profile);
		answer(slot, STAGE_PROGRESS, 183);
		run_until(want[i].window_ms - 1);
		assert_int_equal(w.n_ended, 0);
		assert_int_equal(w.sent_ms[0], field[PF_INTERVAL]);
		for (unsigned n = 1; n < w.n_sent; n++)
			assert_int_equal(w.sent_ms[n] - w.sent_ms[n - 1], want[i].last_ms);
		assert_true(w.sent_ms[w.n_sent - 1] + want[i].last_ms >= want[i].window_ms);
		run_until(want[i].window_ms);
		expect_unanswered();
	}
}

/* No stage's time-out ends it, and a repeat of the 1xx changes nothing. */
static void rule_48_stages_have_no_timeout(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	w.in_force.profiles[PF_TIMEOUT_TRYING] = w.in_force.profiles[PF_TIMEOUT_PROGRESS] = 2000;
	answer(slot, STAGE_TRYING, 100);
	run_until(1000);
	answer(slot, STAGE_PROGRESS, 183);
	run_until(30000);
	assert_int_equal(w.n_ended, 0);
	EXPECT_SENT(500, 4500, 8500, 12500, 16500, 20500, 24500, 28500);
	assert_int_equal(w.stats[STAT_provisional], 1);
	answer(slot, STAGE_PROGRESS, 200);
	run_until(60000);
	assert_int_equal(w.n_sent, 8);
	assert_int_equal(w.stats[STAT_completed], 1);
	assert_int_equal(w.n_records, 0);
	expect_all_free();
}

/* More of them than the list is long, where the last interval is a short one. */
static void rule_48_more_sends_than_the_list_has(void **state)
{
	uint32_t *field = w.in_force.profiles, slot;

	(void)state;
	memset(field, 0, MAX_INTERVALS * sizeof(*field));
	field[0] = 1000;
	field[1] = 50;
	field[PF_FINAL_WAIT] = 500;
	slot = request(0);
	answer(slot, STAGE_TRYING, 100);
	run_until(1549);
	assert_int_equal(w.n_sent, 11);
	assert_int_equal(w.sent_ms[10], 1500);
	run_until(1550);
	expect_unanswered();
}

/* A 1xx to the INVITE still stops it for good. */
static void rule_48_invite_is_as_ever(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	run_until(700);
	answer(slot, STAGE_TRYING, 100);
	run_until(20699);
	EXPECT_SENT(500);
	run_until(20700);
	expect_record(END_TRYING_TIMEOUT);
	assert_int_equal(w.stats[STAT_unanswered_other], 0);
}

/* No room on the ring at the due time, and a 1xx meanwhile: it is still owed. */
static void rule_48_owed_over_a_provisional(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	w.send_error = -EAGAIN;
	run_until(510);
	assert_int_equal(transactions_overdue(w.t, 0), 1);
	answer(slot, STAGE_TRYING, 100);
	assert_int_equal(transactions_overdue(w.t, 0), 1);
	w.send_error = 0;
	run_until(520);
	EXPECT_SENT(511);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
	run_until(5000);
	EXPECT_SENT(511, 4500);
}

/* The note of the 1xx comes after the deadline it found: nothing is lost. */
static void rule_48_provisional_without_its_note(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	move(slot, ST_PROCEEDING, STAGE_TRYING, 100);
	run_until(31999);
	EXPECT_SENT(500, 4500, 8500, 12500, 16500, 20500, 24500, 28500);
	run_until(32000);
	expect_unanswered();
}

/* The 1xx comes before the controller has heard of the request: the first wait is the list's first all the same. */
static void rule_48_provisional_before_the_controller(void **state)
{
	uint32_t slot = capture(0);

	(void)state;
	w.slots[slot].kind = KIND_REQUEST;
	move(slot, ST_PROCEEDING, STAGE_TRYING, 100);
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.n_responses, 1);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(31999);
	EXPECT_SENT(500, 4500, 8500, 12500, 16500, 20500, 24500, 28500);
	run_until(32000);
	expect_unanswered();
}

static void own_copy(uint32_t slot, bool passes)
{
	struct siprtx_slot *s = &w.slots[slot];

	s->copy_gap_ns = w.now - (s->copy_ns ?: s->first_ns);
	s->copy_ns = w.now;
	if (passes)
		note(NOTE_COPY, slot, 0);
}

/* A copy that passes stands for ours, while proceeding too. */
static void rule_48_passed_copy_counts(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	w.in_force.tunables[TUN_abandon] = 0;
	answer(slot, STAGE_TRYING, 100);
	run_until(600);
	own_copy(slot, true);
	assert_int_equal(w.n_copies, 1);
	run_until(9000);
	EXPECT_SENT(500, 4600, 8600);
}

/* The sender's copies come at T2 once it has a 1xx: that is no sign; then they do stop. */
static void rule_18_48_abandoned_at_the_pace_of_t2(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	run_until(500);
	own_copy(slot, false);
	run_until(700);
	answer(slot, STAGE_TRYING, 100);
	run_until(1500);
	own_copy(slot, false);
	run_until(5500);
	assert_int_equal(w.stats[STAT_abandoned], 0);
	own_copy(slot, false);
	run_until(13999);
	assert_int_equal(w.stats[STAT_abandoned], 0);
	EXPECT_SENT(500, 1500, 5500, 9500, 13500);
	run_until(14100);
	assert_int_equal(w.stats[STAT_abandoned], 1);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(word_state(w.slots[slot].word), ST_PROCEEDING);
	run_until(20000);
	assert_int_equal(w.n_sent, 5);
	/* a further copy takes it up again */
	own_copy(slot, true);
	assert_int_equal(w.stats[STAT_taken_up_again], 1);
	assert_true(w.slots[slot].word & WORD_TAKEN);
	run_until(24000);
	EXPECT_SENT(500, 1500, 5500, 9500, 13500, 24000);
	run_until(90000);
	expect_unanswered();
}

/* Before any response it is abandoned like an INVITE; a 1xx after that sends nothing; it ends without a word. */
static void rule_18_48_abandoned_while_trying(void **state)
{
	uint32_t slot = request(0);

	(void)state;
	run_until(500);
	own_copy(slot, false);
	run_until(2100);
	assert_int_equal(w.stats[STAT_abandoned], 1);
	EXPECT_SENT(500, 1500);
	run_until(3000);
	answer(slot, STAGE_TRYING, 100);
	run_until(31900);
	assert_int_equal(w.n_sent, 2);
	assert_int_equal(w.n_ended, 0);
	run_until(32100);
	assert_int_equal(w.n_sent, 2);
	assert_int_equal(w.n_ended, 1);
	expect_all_free();
}

/* The same Call-ID goes elsewhere: that is a call's sign, not a BYE's. */
static void rule_18_48_never_superseded(void **state)
{
	static const char format[] =
		"%s sip:x@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK%u\r\nFrom: <sip:a@h>;tag=f\r\n"
		"To: <sip:b@h>\r\nCall-ID: one\r\nCSeq: 1 %s\r\n\r\n";
	uint32_t slot[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct siprtx_slot *s = &w.slots[slot[i] = capture(0)];

		s->kind = KIND_REQUEST;
		s->method = SIP_BYE;
		s->dport = 5060 + i;
		s->sip_off = 300;
		s->sip_len = snprintf((char *)s + 300, 1000, format, "BYE", i, "BYE");
		note(NOTE_NEW, slot[i], 0);
		run_until(2000);
	}
	run_until(3600);
	assert_int_equal(w.stats[STAT_superseded], 0);
	EXPECT_SENT(500, 1500, 2500, 3500, 3500);
}

/* Killed at each quarter of a second, 1xx told or not: the schedule goes on, and ends when it would have. */
static void rule_48_restart_while_proceeding(void **state)
{
	for (unsigned at = 0; at < 31900; at += 250) {
		for (unsigned told = 0; told < 2; told++) {
			uint32_t slot;

			teardown(state);
			setup(state);
			slot = request(0);
			run_until(at);
			move(slot, ST_PROCEEDING, STAGE_TRYING, 100);
			if (told)
				note(NOTE_MOVED, slot, 100);
			crash(100);
			assert_int_equal(w.stats[STAT_adopted], 1);
			assert_int_equal(w.stats[STAT_proceeding], 1);
			assert_int_equal(w.n_responses, 1);
			run_until(31999);
			for (unsigned i = 1; i < w.n_sent; i++)
				if (w.sent_ms[i - 1] > at + 4000)
					assert_in_range(w.sent_ms[i] - w.sent_ms[i - 1], 3900, 4100);
			assert_int_equal(w.n_ended, 0);
			run_until(32000);
			expect_unanswered();
		}
	}
}

/* Down for long: no burst, and Timer F is not moved. */
static void rule_48_restart_after_a_long_time(void **state)
{
	for (unsigned down = 3000; down < 60000; down += 3000) {
		uint32_t slot;

		teardown(state);
		setup(state);
		slot = request(0);
		run_until(600);
		answer(slot, STAGE_TRYING, 100);
		crash(down);
		run_until(down + 600 > 32000 ? down + 600 : 32000);
		assert_true(w.n_sent <= 9);
		for (unsigned i = 3; i < w.n_sent; i++) /* the one it was late with leaves less to the next */
			assert_true(w.sent_ms[i] - w.sent_ms[i - 1] >= 4000);
		expect_unanswered();
	}
}

static void methods_as_typed(void **state)
{
	static const struct {
		const char *text;
		uint32_t value;
		const char *shown;
	} good[] = {
		{"none", 0, "none"},
		{"0", 0, "none"},
		{"all", METHODS_ALL, "all"},
		{"32760", METHODS_ALL, "all"},
		{"BYE,OPTIONS", 1 << SIP_BYE | 1 << SIP_OPTIONS, "BYE,OPTIONS"},
		{"bye , Options", 1 << SIP_BYE | 1 << SIP_OPTIONS, "BYE,OPTIONS"},
		{"8", 1 << SIP_CANCEL, "CANCEL"},
		{"CANCEL,BYE,REGISTER,OPTIONS,SUBSCRIBE,NOTIFY,REFER,INFO,UPDATE,PRACK,MESSAGE,PUBLISH", METHODS_ALL,
		 "all"},
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"INVITE", "INVITE is always on; name the others alone"},
		{"BYE,ACK", "nothing answers an ACK, so it is never sent again; leave it out"},
		{"2", "methods is 2, which has the bit of INVITE (2): INVITE is always on; leave it out"},
		{"20", "methods is 20, which has the bit of ACK (4): nothing answers an ACK; leave it out"},
		{"1", "methods is 1, which has bits of no method (1); leave it out"},
		{"32768", "methods is 32768, which has bits of no method (32768); leave it out"},
		{"OPTION", "methods cannot have \"OPTION\"; did you mean \"OPTIONS\"?"},
		{"BYE,", "methods cannot have \"\"; give names as in BYE,OPTIONS, or all, none, or a number"},
		{"-1", "methods cannot have \"-1\"; give names as in BYE,OPTIONS, or all, none, or a number"},
	};
	char text[METHODS_TEXT], why[256];
	uint32_t value;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(parse_methods(good[i].text, &value, why, sizeof(why)));
		assert_int_equal(value, good[i].value);
		assert_string_equal(methods_text(value, text, sizeof(text)), good[i].shown);
	}
	value = 77;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(parse_methods(bad[i].text, &value, why, sizeof(why)));
		assert_string_equal(why, bad[i].why);
		assert_int_equal(value, 77);
	}
	assert_string_equal(methods_text(METHODS_ALL | 6, text, sizeof(text)),
			    "CANCEL,BYE,REGISTER,OPTIONS,SUBSCRIBE,NOTIFY,REFER,INFO,UPDATE,PRACK,MESSAGE,PUBLISH,6");
	assert_string_equal(method_name(SIP_PUBLISH), "PUBLISH");
	assert_string_equal(method_name(SIP_OTHER), "?");
	assert_string_equal(method_name(99), "?");
}

/* Each bit on its own: twelve may stand, the others are refused with their name. */
static void rule_16_48_bits_of_the_tunable(void **state)
{
	char why[256];

	(void)state;
	for (unsigned bit = 0; bit < 32; bit++)
		assert_int_equal(tunable_ok(TUN_methods, 1u << bit, why, sizeof(why)),
				 bit >= SIP_CANCEL && bit <= SIP_PUBLISH);
	assert_true(tunable_ok(TUN_methods, METHODS_ALL, why, sizeof(why)));
	assert_false(tunable_ok(TUN_methods, 1 << SIP_BYE | 1 << SIP_ACK, why, sizeof(why)));
	assert_string_equal(why, "methods is 20, which has the bit of ACK (4): nothing answers an ACK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_48_silence_uses_the_list),
		CASE(rule_48_timeout_invite_does_not_concern_it),
		CASE(rule_48_provisional_goes_on_at_the_last_interval),
		CASE(rule_48_each_profile_has_its_own_last_interval),
		CASE(rule_48_stages_have_no_timeout),
		CASE(rule_48_more_sends_than_the_list_has),
		CASE(rule_48_invite_is_as_ever),
		CASE(rule_48_owed_over_a_provisional),
		CASE(rule_48_provisional_without_its_note),
		CASE(rule_48_provisional_before_the_controller),
		CASE(rule_48_passed_copy_counts),
		CASE(rule_18_48_abandoned_at_the_pace_of_t2),
		CASE(rule_18_48_abandoned_while_trying),
		CASE(rule_18_48_never_superseded),
		CASE(rule_48_restart_while_proceeding),
		CASE(rule_48_restart_after_a_long_time),
		CASE(methods_as_typed),
		CASE(rule_16_48_bits_of_the_tunable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
