// SPDX-License-Identifier: GPL-2.0-or-later
/* INVITEs to a gateway that is down: answered in its place, sent on where that cannot be, sent by the shorter list. */
#include "transaction_world.h"

static uint32_t captured(enum siprtx_bypass bypass)
{
	uint32_t slot = capture(0);

	w.slots[slot].bypass = bypass;
	return slot;
}

static uint32_t refused(void)
{
	uint32_t slot = captured(BYPASS_REFUSED);

	note(NOTE_NEW, slot, 0);
	return slot;
}

static void crash(uint64_t down_ms)
{
	teardown(NULL);
	w.now += down_ms * MS;
	boot();
}

/* A copy of it passed at `ms`, as nobody was there. */
static void copy_passes(uint32_t slot, uint64_t ms)
{
	struct siprtx_slot *s = &w.slots[slot];

	s->copy_ns = START + ms * MS;
	s->copy_gap_ns = s->copy_ns - s->first_ns;
	s->word |= WORD_YIELD;
}

static void expect_refused(uint32_t slot, uint32_t retry_after)
{
	const struct siprtx_slot *s = &w.slots[slot];

	assert_int_equal(word_state(s->word), ST_TERMINATED);
	assert_int_equal(word_end(s->word), END_GATEWAY_DOWN);
	assert_int_equal(s->retry_after, retry_after);
	assert_int_equal(s->sends, 0);
	assert_int_equal(s->last_send_ns, 0);
	assert_int_equal(w.n_sent, 0);
	assert_int_equal(w.stats[STAT_pending], 0);
	assert_true(transactions_holds(w.t, slot));
}

static void rule_51_answered_and_never_sent(void **state)
{
	static const struct {
		uint32_t probe_ms, retry_after;
	} want[] = {{5000, 5}, {1, 1}, {1000, 1}, {1001, 2}, {3600000, 3600}, {0, 5}};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint32_t slot;

		teardown(state);
		setup(state);
		w.refuse = REFUSE_SENT;
		w.in_force.tunables[TUN_probe] = want[i].probe_ms;
		slot = refused();
		expect_refused(slot, want[i].retry_after);
		assert_int_equal(w.n_records, 1);
		assert_int_equal(w.record[0], END_GATEWAY_DOWN);
		assert_int_equal(w.n_events[EV_NEW], 1);
		assert_int_equal(w.n_events[EV_EXHAUSTED], 1);
		assert_int_equal(w.last[EV_EXHAUSTED].code, END_GATEWAY_DOWN);
		assert_int_equal(w.stats[STAT_refused], 1);
		assert_int_equal(w.stats[STAT_no_response] + w.stats[STAT_not_replied], 0);
		/* its copies and another note change nothing; it is held until it is released */
		note(NOTE_NEW, slot, 0);
		run_until(60000);
		expect_refused(slot, want[i].retry_after);
		assert_int_equal(w.n_refuse, 1);
		transactions_release(w.t, slot);
		expect_record(END_GATEWAY_DOWN);
	}
}

static void rule_51_told_when_it_is_sent(void **state)
{
	uint32_t slot;

	(void)state;
	w.refuse = REFUSE_LATER;
	slot = refused();
	assert_int_equal(w.n_records + w.n_events[EV_EXHAUSTED], 0);
	run_until(20);
	transactions_refused(w.t, slot, true);
	expect_refused(slot, 5);
	assert_int_equal(w.n_records, 1);
	assert_int_equal(w.n_events[EV_EXHAUSTED], 1);
}

/* From when it is sent on everything is as if it had been captured then. */
static void expect_sent_on(uint32_t slot, uint64_t ms)
{
	const struct siprtx_slot *s = &w.slots[slot];

	assert_int_equal(s->bypass, BYPASS_NONE);
	assert_int_equal(s->first_ns, START + ms * MS);
	assert_int_equal(s->retry_after, NO_RETRY_AFTER);
	assert_true(s->word & WORD_TAKEN);
	assert_int_equal(w.stats[STAT_not_replied], 1);
	assert_int_equal(w.stats[STAT_pending], 1);
	run_until(ms + 31999);
	EXPECT_SENT(ms, ms + 500, ms + 1500, ms + 3500, ms + 7500, ms + 11500, ms + 15500, ms + 19500, ms + 23500,
		    ms + 27500, ms + 31500);
	assert_int_equal(s->sends, 11);
	run_until(ms + 32000);
	expect_record(END_NO_RESPONSE);
	assert_int_equal(w.stats[STAT_refused], 0);
	assert_int_equal(w.n_events[EV_NEW], 1);
}

static void rule_51_sent_on_where_it_cannot_be_answered(void **state)
{
	uint32_t slot;

	(void)state;
	expect_sent_on(refused(), 0);
	/* begun and given up */
	teardown(NULL);
	setup(NULL);
	w.refuse = REFUSE_LATER;
	slot = refused();
	run_until(300);
	transactions_refused(w.t, slot, false);
	expect_sent_on(slot, 300);
}

static void rule_51_sent_on_when_there_is_room(void **state)
{
	uint32_t slot;

	(void)state;
	w.send_error = -EAGAIN;
	slot = refused();
	run_until(20);
	assert_int_equal(w.slots[slot].sends, 0);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	w.send_error = 0;
	run_until(21);
	expect_sent_on(slot, 21);
	/* never any: the softswitch's own copy is number one, its list begins with it */
	teardown(NULL);
	setup(NULL);
	w.send_error = -EAGAIN;
	slot = refused();
	run_until(480);
	note(NOTE_COPY, slot, 0);
	assert_int_equal(w.slots[slot].sends, 1);
	assert_int_equal(w.slots[slot].step, 0);
	w.send_error = 0;
	run_until(2000);
	/* its next one is due when ours is: that is settled shortly before */
	EXPECT_SENT(948, 1980);
}

static void rule_51_sent_on_where_nothing_can_be_sent(void **state)
{
	uint32_t slot;

	(void)state;
	w.send_error = -ENETDOWN;
	slot = refused();
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(w.stats[STAT_link_down], 1);
	run_until(400);
	w.send_error = 0;
	run_until(2000);
	EXPECT_SENT(500, 1500);
	assert_int_equal(w.slots[slot].sends, 2);
	/* no room for all its life */
	teardown(NULL);
	setup(NULL);
	w.send_error = -EAGAIN;
	refused();
	run_until(40000);
	assert_int_equal(w.n_sent, 0);
	expect_record(END_NO_RESPONSE);
}

static void rule_51_not_once_a_copy_has_passed(void **state)
{
	uint32_t slot = captured(BYPASS_REFUSED);

	(void)state;
	w.refuse = REFUSE_SENT;
	copy_passes(slot, 1500);
	w.now = START + 1600 * MS;
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.n_refuse, 0);
	assert_int_equal(w.slots[slot].bypass, BYPASS_NONE);
	assert_int_equal(w.slots[slot].first_ns, START + 1500 * MS);
	assert_int_equal(w.slots[slot].sends, 1);
	assert_int_equal(w.slots[slot].word & (WORD_TAKEN | WORD_YIELD), WORD_TAKEN);
	/* the note of that very copy counts it no second time */
	w.now = START + 1500 * MS;
	note(NOTE_COPY, slot, 1);
	assert_int_equal(w.slots[slot].sends, 1);
	run_until(3100);
	EXPECT_SENT(2000, 3000);
	assert_int_equal(w.stats[STAT_refused] + w.stats[STAT_not_replied], 0);
}

static void rule_51_taken_up_by_the_next_controller(void **state)
{
	uint32_t slot = captured(BYPASS_REFUSED), other;

	(void)state;
	w.refuse = REFUSE_SENT;
	crash(1900);
	expect_refused(slot, 5);
	assert_int_equal(w.n_records, 1);
	transactions_release(w.t, slot);
	/* ended by its word, its answer not under way */
	slot = captured(BYPASS_REFUSED);
	w.slots[slot].word |= (uint64_t)END_GATEWAY_DOWN << 12 | ST_TERMINATED;
	w.slots[slot].word &= ~(uint64_t)ST_CALLING | ST_TERMINATED;
	w.slots[slot].due_ns = w.now + 32000 * MS;
	crash(100);
	expect_refused(slot, 5);
	assert_int_equal(w.n_records, 2);
	/* answered before: no second record, and nothing of it is sent */
	w.slots[slot].word |= WORD_REPLIED;
	other = captured(BYPASS_REFUSED);
	crash(3000);
	assert_int_equal(w.n_records, 2);
	/* too late for an answer */
	assert_int_equal(w.n_refuse, 2);
	assert_int_equal(w.slots[other].bypass, BYPASS_NONE);
	EXPECT_SENT(1900 + 100 + 3000);
	assert_int_equal(w.slots[other].sends, 1);
	assert_int_equal(w.slots[other].first_ns, w.now);
}

static void rule_51_nobody_waits_for_it_any_more(void **state)
{
	uint32_t slot;

	(void)state;
	w.refuse = REFUSE_SENT;
	captured(BYPASS_REFUSED);
	crash(32000);
	expect_all_free();
	/* its copies came while one was there to absorb them, and stopped */
	slot = captured(BYPASS_REFUSED);
	w.slots[slot].copy_ns = w.slots[slot].first_ns + 500 * MS;
	w.slots[slot].copy_gap_ns = 500 * MS;
	crash(2100);
	expect_all_free();
	assert_int_equal(w.stats[STAT_abandoned], 2);
	assert_int_equal(w.n_sent + w.n_records + w.n_refuse, 0);
}

/* What came in between is what counts. */
static void rule_51_an_end_before_the_note(void **state)
{
	uint32_t slot = captured(BYPASS_REFUSED);

	(void)state;
	w.refuse = REFUSE_SENT;
	move(slot, ST_COMPLETED, STAGE_NOTHING, 200);
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.stats[STAT_completed], 1);
	assert_int_equal(w.n_refuse + w.n_records, 0);
	expect_all_free();
}

static void rule_51_the_shorter_list(void **state)
{
	uint32_t slot = captured(BYPASS_FAST);

	(void)state;
	w.in_force.profiles[PF_DOWN_RETRY] = 2;
	note(NOTE_NEW, slot, 0);
	assert_int_equal(w.stats[STAT_shortened], 1);
	run_until(700);
	/* kept in the slot */
	crash(100);
	run_until(1999);
	EXPECT_SENT(500, 1500);
	assert_int_equal(w.n_records, 0);
	run_until(2000);
	expect_record(END_NO_RESPONSE);
	assert_int_equal(w.stats[STAT_shortened], 1);
	/* 0: as send_retry */
	teardown(NULL);
	setup(NULL);
	w.in_force.profiles[PF_DOWN_RETRY] = 0;
	slot = captured(BYPASS_FAST);
	note(NOTE_NEW, slot, 0);
	run_until(40000);
	assert_int_equal(w.n_sent, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_51_answered_and_never_sent),
		CASE(rule_51_told_when_it_is_sent),
		CASE(rule_51_sent_on_where_it_cannot_be_answered),
		CASE(rule_51_sent_on_when_there_is_room),
		CASE(rule_51_sent_on_where_nothing_can_be_sent),
		CASE(rule_51_not_once_a_copy_has_passed),
		CASE(rule_51_taken_up_by_the_next_controller),
		CASE(rule_51_nobody_waits_for_it_any_more),
		CASE(rule_51_an_end_before_the_note),
		CASE(rule_51_the_shorter_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
