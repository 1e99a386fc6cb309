// SPDX-License-Identifier: GPL-2.0-or-later
/* What is kept beside the schedule: ICMP (rule 46), the stage in which a call ended (20), Retry-After (47). */
#include "transaction_world.h"

#define PORT_UNREACHABLE (3 << 8 | 3)

static void rule_46_icmp_is_evidence(void **state)
{
	uint32_t slot = call(6);

	(void)state;
	run_until(100);
	note(NOTE_ICMP, slot, PORT_UNREACHABLE);
	assert_int_equal(w.last[EV_ICMP].code, PORT_UNREACHABLE);
	assert_int_equal(w.last[EV_ICMP].nominal_ms, 100);
	run_until(1000);
	note(NOTE_ICMP, slot, 3 << 8 | 1);
	assert_int_equal(w.slots[slot].icmp_type, 3);
	assert_int_equal(w.slots[slot].icmp_code, 1);
	run_until(20000);
	EXPECT_SENT(500, 1500, 3500, 7500);
	expect_record(END_NO_RESPONSE);
	/* the slot's next call has none of it */
	slot = call(6);
	assert_int_equal(w.slots[slot].icmp_type, 0);
}

static void rule_46_icmp_ends_a_calling_one(void **state)
{
	uint32_t slot;

	(void)state;
	w.in_force.tunables[TUN_icmp_ends] = 1;
	slot = call(0);
	run_until(700);
	note(NOTE_ICMP, slot, PORT_UNREACHABLE);
	assert_int_equal(w.last[EV_EXHAUSTED].code, END_UNREACHABLE);
	assert_int_equal(w.last[EV_EXHAUSTED].nominal_ms, 700);
	assert_int_equal(w.stats[STAT_unreachable], 1);
	assert_int_equal(w.stats[STAT_no_response], 0);
	run_until(40000);
	EXPECT_SENT(500);
	expect_record(END_UNREACHABLE);
}

static void rule_46_icmp_never_ends_an_answered_one(void **state)
{
	uint32_t slot;

	(void)state;
	w.in_force.tunables[TUN_icmp_ends] = 1;
	slot = call(0);
	answer(slot, STAGE_RINGING, 180);
	note(NOTE_ICMP, slot, PORT_UNREACHABLE);
	assert_int_equal(word_state(w.slots[slot].word), ST_PROCEEDING);
	assert_int_equal(w.slots[slot].icmp_type, 3);
	/* told of in the note before the response, which is in the word already */
	slot = call(0);
	move(slot, ST_PROCEEDING, STAGE_TRYING, 100);
	note(NOTE_ICMP, slot, PORT_UNREACHABLE);
	note(NOTE_MOVED, slot, 100);
	assert_int_equal(word_state(w.slots[slot].word), ST_PROCEEDING);
	assert_int_equal(w.n_records, 0);
}

/* Given up by the softswitch: there is no record of such a call, whatever ICMP says. */
static void rule_18_46_icmp_after_the_softswitch_gave_up(void **state)
{
	uint32_t slot;

	(void)state;
	w.in_force.tunables[TUN_icmp_ends] = 1;
	slot = call(0);
	assert_true(slot_give_up(&w.slots[slot], w.slots[slot].word, END_ABANDONED));
	note(NOTE_ICMP, slot, PORT_UNREACHABLE);
	assert_int_equal(word_state(w.slots[slot].word), ST_CALLING);
	assert_int_equal(w.n_records, 0);
}

/* A note that lingered names the slot's former call. */
static void rule_46_icmp_of_a_former_call(void **state)
{
	struct siprtx_note n = {.kind = NOTE_ICMP, .code = PORT_UNREACHABLE};
	uint32_t slot;

	(void)state;
	w.in_force.tunables[TUN_icmp_ends] = 1;
	slot = call(0);
	n.slot = slot;
	n.word = w.slots[slot].word;
	answer(slot, STAGE_NOTHING, 486);
	assert_int_equal(call(0), slot);
	transactions_note(w.t, &n);
	assert_int_equal(word_state(w.slots[slot].word), ST_CALLING);
	assert_int_equal(w.slots[slot].icmp_type, 0);
}

static void rule_20_five_stages(void **state)
{
	static const struct {
		enum siprtx_stage stage;
		uint16_t code;
		enum siprtx_end end;
	} cases[] = {
		{STAGE_NOTHING, 0, END_NO_RESPONSE},	     {STAGE_TRYING, 100, END_TRYING_TIMEOUT},
		{STAGE_PROGRESS, 183, END_PROGRESS_TIMEOUT}, {STAGE_PROGRESS_SDP, 183, END_PROGRESS_TIMEOUT},
		{STAGE_RINGING, 180, END_RINGING_TIMEOUT},
	};
	uint32_t *profile = w.in_force.profiles;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		profile[PF_TIMEOUT_TRYING + i] = 1000 * (i + 1);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t slot = call(0);

		if (cases[i].code)
			answer(slot, cases[i].stage, cases[i].code);
		run_until((w.now - START) / MS + 40000);
		assert_int_equal(w.n_records, i + 1);
		assert_int_equal(w.record[i], cases[i].end);
		assert_int_equal(w.last[EV_EXHAUSTED].code, cases[i].end);
		assert_int_equal(w.last[EV_EXHAUSTED].stage, cases[i].stage);
		assert_int_equal(w.last[EV_EXHAUSTED].nominal_ms, i ? 1000 * i : 32000);
	}
	assert_int_equal(w.stats[STAT_progress_timeout], 2);
	assert_int_equal(w.stats[STAT_progress_sdp_timeout], 1);
}

static void rule_47_retry_after_of_a_final_response(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.slots[slot].retry_after = 120;
	answer(slot, STAGE_NOTHING, 503);
	assert_int_equal(w.last[EV_RESPONSE].code, 503);
	assert_int_equal(w.last[EV_RESPONSE].retry_after, 120);
	/* as quick as the note of the call itself */
	slot = capture(0);
	w.slots[slot].retry_after = 7;
	move(slot, ST_COMPLETED, STAGE_NOTHING, 503);
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.last[EV_RESPONSE].retry_after, 7);
	slot = call(0);
	answer(slot, STAGE_NOTHING, 486);
	assert_int_equal(w.last[EV_RESPONSE].retry_after, NO_RETRY_AFTER);
	slot = call(0);
	w.slots[slot].retry_after = 5; /* by a final response whose note is to come */
	answer(slot, STAGE_TRYING, 100);
	assert_int_equal(w.last[EV_RESPONSE].retry_after, NO_RETRY_AFTER);
	assert_int_equal(w.stats[STAT_completed], 3);
	assert_int_equal(w.n_records, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_46_icmp_is_evidence),
		CASE(rule_46_icmp_ends_a_calling_one),
		CASE(rule_46_icmp_never_ends_an_answered_one),
		CASE(rule_18_46_icmp_after_the_softswitch_gave_up),
		CASE(rule_46_icmp_of_a_former_call),
		CASE(rule_20_five_stages),
		CASE(rule_47_retry_after_of_a_final_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
