// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of a gateway: the rules of gateway_health.h, one by one. */
#include "gateway_world.h"

/* up -> suspect */

static void suspect_by_calls_without_answer(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	begin(gw);
	begin(gw);
	pass(5000);
	assert_int_equal(gw->value.unanswered, 2);
	assert_int_equal(w.changes, 0);
	begin(gw);
	pass(1995);
	assert_int_equal(w.changes, 0);
	pass(10);
	expect(gw, GATEWAY_SUSPECT, WHY_SILENT);
	assert_int_equal(w.changes, 1);
	assert_int_equal(w.last.in_a_row, 3);
	assert_int_equal(w.stats[STAT_gateways_suspect], 1);
	assert_int_equal(w.stats[STAT_state_changes], 1);
	assert_int_equal(gw->value.state_changes, 1);
	assert_int_equal(w.gw[1].value.state, GATEWAY_UP);
}

static void a_response_begins_the_row_anew(void **state)
{
	struct gateway *gw = w.gw;
	uint32_t slot;

	(void)state;
	begin(gw);
	begin(gw);
	pass(2100);
	slot = begin(gw);
	pass(10);
	respond(slot, 100);
	assert_int_equal(gw->value.unanswered, 0);
	pass(1);
	begin(gw);
	begin(gw);
	pass(2100);
	assert_int_equal(gw->value.unanswered, 2);
	/* a late one too, and one to another request than INVITE */
	gateway_health_late(w.h, gw, 486, w.now, w.now);
	assert_int_equal(gw->value.unanswered, 0);
	begin(gw);
	pass(2100);
	slot = begin(gw);
	w.slots[slot].kind = KIND_REQUEST;
	respond(slot, 503);
	assert_int_equal(gw->value.unanswered, 0);
	assert_int_equal(w.changes, 0);
}

static void answered_since_its_first_send_is_no_sign(void **state)
{
	struct gateway *gw = w.gw;
	uint32_t other;

	(void)state;
	for (int i = 0; i < 5; i++)
		begin(gw);
	pass(1900);
	other = begin(gw);
	respond(other, 200);
	pass(1000);
	assert_int_equal(gw->value.unanswered, 0);
	exhaust_all();
	assert_int_equal(gw->value.silent, 0);
	assert_int_equal(w.changes, 0);
}

static void no_evidence(void **state)
{
	struct gateway *gw = w.gw;
	uint32_t slot[4];

	(void)state;
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < 4; i++)
			slot[i] = begin(gw);
		pass(1000);
		/* cancelled, ended by ICMP, given up, in a dialog */
		w.slots[slot[0]].word = word_moved(w.slots[slot[0]].word, ST_TERMINATED, 0, 0) | END_CANCELLED << 12;
		w.slots[slot[1]].word = word_moved(w.slots[slot[1]].word, ST_TERMINATED, 0, 0) | END_UNREACHABLE << 12;
		w.slots[slot[2]].word |= END_ABANDONED << 12;
		w.in_dialog[slot[3]] = true;
		pass(1500);
		exhaust(slot[3]);
		for (int i = 0; i < 3; i++)
			end(slot[i]);
	}
	assert_int_equal(gw->value.unanswered, 0);
	assert_int_equal(gw->value.silent, 0);
	assert_int_equal(w.changes, 0);
}

static void another_generation_of_the_slot_is_another_call(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		uint32_t slot = begin(w.gw);

		pass(300);
		end(slot); /* its deadline finds the next call there */
	}
	begin(w.gw);
	pass(1500);
	assert_int_equal(w.gw->value.unanswered, 0);
}

/* suspect -> down */

static void down_by_exhausted_calls(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	make_down(gw);
	assert_int_equal(w.last.in_a_row, 3);
	assert_int_equal(w.stats[STAT_gateways_suspect], 0);
	assert_int_equal(w.stats[STAT_gateways_down], 1);
	pass(100000);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
	assert_int_equal(w.changes, 2);
}

static void a_single_call_never_marks(void **state)
{
	(void)state;
	set(TUN_down_calls, 2);
	silent(w.gw, 1000);
	pass(10000);
	assert_int_equal(w.changes, 0);
	silent(w.gw, 1000);
	expect(w.gw, GATEWAY_SUSPECT, WHY_EXHAUSTED);
	assert_int_equal(w.last.in_a_row, 2);
	/* without probes down follows, when the state has lasted */
	pass(1990);
	expect(w.gw, GATEWAY_SUSPECT, WHY_EXHAUSTED);
	pass(20);
	expect(w.gw, GATEWAY_DOWN, WHY_EXHAUSTED);
}

static void down_takes_a_missed_probe(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	for (int i = 0; i < 3; i++)
		silent(gw, 1000);
	expect(gw, GATEWAY_SUSPECT, WHY_EXHAUSTED);
	assert_int_equal(w.begun, 1);
	pass(20000);
	expect(gw, GATEWAY_SUSPECT, WHY_EXHAUSTED);
	gateway_health_probe(w.h, gw, 0, w.now);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
	assert_int_equal(w.ended, 0);
	assert_int_equal(gw->value.probe_answers, 0);
}

static void bad_numbers_do_not_mark_one_that_answers_probes(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	set(TUN_probe_answers, 100);
	make_suspect(gw);
	for (int i = 0; i < 20; i++) {
		gateway_health_probe(w.h, gw, i % 3 ? 200 : 404, w.now);
		exhaust_all();
		silent(gw, 1000);
		silent(gw, 1000);
		assert_true(gw->value.state != GATEWAY_DOWN);
	}
	/* and is down when it does so no longer */
	for (int i = 0; i < 2; i++)
		silent(gw, 1000);
	expect(gw, GATEWAY_SUSPECT, WHY_SILENT);
	gateway_health_probe(w.h, gw, 0, w.now);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
}

static void where_it_cannot_be_probed_calls_decide(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	w.probe_error = -ENOSPC;
	make_down(gw);
	/* the next call is tried */
	w.probe_error = 0;
	begin(gw);
	assert_int_equal(w.begun, 1);
	assert_true(gw->signs.probing);
}

static void a_lost_probe_is_begun_anew(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	gw->value.on_down = ON_DOWN_REPLY_503;
	make_suspect(gw);
	pass(2000);
	gateway_health_probe(w.h, gw, 0, w.now);
	exhaust_all();
	assert_int_equal(gw->value.bypass, BYPASS_REFUSED);
	gateway_health_probe_lost(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_FAST);
	pass(1000);
	assert_int_equal(w.begun, 1);
	begin(gw);
	assert_int_equal(w.begun, 2);
	assert_int_equal(gw->value.bypass, BYPASS_REFUSED);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
}

/* -> up */

static void up_by_a_response(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	w.probe_error = -ENOSPC;
	make_down(gw);
	w.probe_error = 0;
	respond(begin(gw), 100);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED); /* not yet */
	pass(2010);
	expect(gw, GATEWAY_UP, WHY_RESPONSE);
	assert_int_equal(gw->value.silent, 0);
	assert_int_equal(w.stats[STAT_gateways_down], 0);
	assert_int_equal(w.ended, 1);
}

static void up_by_probes(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	make_suspect(gw);
	pass(2000);
	gateway_health_probe(w.h, gw, 200, w.now);
	gateway_health_probe(w.h, gw, 0, w.now);
	gateway_health_probe(w.h, gw, 200, w.now);
	expect(gw, GATEWAY_SUSPECT, WHY_SILENT);
	gateway_health_probe(w.h, gw, 483, w.now);
	expect(gw, GATEWAY_UP, WHY_PROBED);
	assert_int_equal(w.last.in_a_row, 2);
	assert_int_equal(w.ended, 1);
	assert_int_equal(gw->value.probe_answers, 3);
}

static void what_is_true_when_the_hold_is_over_counts(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_state_hold, 10000);
	make_suspect(gw);
	respond(begin(gw), 180); /* asks for up */
	pass(100);
	for (int i = 0; i < 3; i++)
		begin(gw); /* and these take it back */
	pass(20000);
	expect(gw, GATEWAY_SUSPECT, WHY_SILENT);
	assert_int_equal(w.changes, 1);
}

/* bad_codes */

static void bad_codes_count_as_exhausted(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	for (int i = 0; i < 9; i++)
		respond(begin(gw), i % 2 ? 503 : 408);
	assert_int_equal(gw->value.silent, 0);
	set(TUN_bad_codes, 2);
	respond(begin(gw), 503);
	respond(begin(gw), 408);
	assert_int_equal(gw->value.silent, 0);
	pass(1);
	for (int i = 0; i < 3; i++) {
		uint32_t slot = begin(gw);

		respond(slot, 100);
		respond(slot, 503);
	}
	expect(gw, GATEWAY_SUSPECT, WHY_EXHAUSTED);
	pass(2010);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
	/* such a one is no sign of life, whenever it comes, and no answer to a probe */
	gateway_health_late(w.h, gw, 503, w.now, w.now);
	gateway_health_probe(w.h, gw, 503, w.now);
	pass(5000);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
	assert_int_equal(gw->signs.missed, 1);
	respond(begin(gw), 408);
	expect(gw, GATEWAY_UP, WHY_RESPONSE);
	/* in a dialog it says nothing */
	for (int i = 0; i < 5; i++) {
		uint32_t slot = begin(gw);

		w.in_dialog[slot] = true;
		pass(1);
		respond(slot, 503);
	}
	assert_int_equal(gw->value.silent, 0);
}

/* The operator */

static void the_operator_holds(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	gw->value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, gw, w.now);
	expect(gw, GATEWAY_DOWN, WHY_OPERATOR);
	respond(begin(gw), 200);
	pass(10000);
	expect(gw, GATEWAY_DOWN, WHY_OPERATOR);
	gw->value.admin = ADMIN_UP;
	gateway_health_operator(w.h, gw, w.now); /* at once */
	gw->value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, gw, w.now);
	gw->value.admin = ADMIN_UP;
	gateway_health_operator(w.h, gw, w.now);
	expect(gw, GATEWAY_UP, WHY_OPERATOR);
	assert_int_equal(w.changes, 4);
	for (int i = 0; i < 5; i++)
		silent(gw, 3000);
	expect(gw, GATEWAY_UP, WHY_OPERATOR);
	gw->value.admin = ADMIN_AUTO;
	gateway_health_operator(w.h, gw, w.now);
	expect(gw, GATEWAY_UP, WHY_OPERATOR);
	assert_int_equal(gw->value.silent, 0);
	make_down(gw);
	gw->value.admin = ADMIN_DOWN; /* no change, but he is the reason now */
	gateway_health_operator(w.h, gw, w.now);
	expect(gw, GATEWAY_DOWN, WHY_OPERATOR);
	assert_int_equal(w.changes, 6);
	gw->value.admin = ADMIN_AUTO;
	gateway_health_operator(w.h, gw, w.now);
	expect(gw, GATEWAY_UP, WHY_OPERATOR);
	assert_false(gw->signs.held);
}

static void he_ends_the_probes(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	make_suspect(gw);
	assert_int_equal(w.begun, 1);
	gw->value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(w.ended, 1);
	pass(5000);
	assert_int_equal(w.begun, 1);
}

static void health_0_makes_all_up(void **state)
{
	(void)state;
	make_down(&w.gw[0]);
	w.gw[1].value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, &w.gw[1], w.now);
	set(TUN_health, 0);
	pass(5);
	expect(&w.gw[0], GATEWAY_UP, WHY_UNKNOWN);
	expect(&w.gw[1], GATEWAY_UP, WHY_UNKNOWN);
	for (int i = 0; i < 9; i++)
		silent(&w.gw[0], 3000);
	expect(&w.gw[0], GATEWAY_UP, WHY_UNKNOWN);
	set(TUN_health, 1);
	pass(5);
	expect(&w.gw[0], GATEWAY_UP, WHY_UNKNOWN);
	expect(&w.gw[1], GATEWAY_DOWN, WHY_OPERATOR);
	assert_int_equal(w.gw[0].value.silent, 0);
	make_suspect(&w.gw[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(suspect_by_calls_without_answer),
		TEST(a_response_begins_the_row_anew),
		TEST(answered_since_its_first_send_is_no_sign),
		TEST(no_evidence),
		TEST(another_generation_of_the_slot_is_another_call),
		TEST(down_by_exhausted_calls),
		TEST(a_single_call_never_marks),
		TEST(down_takes_a_missed_probe),
		TEST(bad_numbers_do_not_mark_one_that_answers_probes),
		TEST(where_it_cannot_be_probed_calls_decide),
		TEST(a_lost_probe_is_begun_anew),
		TEST(up_by_a_response),
		TEST(up_by_probes),
		TEST(what_is_true_when_the_hold_is_over_counts),
		TEST(bad_codes_count_as_exhausted),
		TEST(the_operator_holds),
		TEST(he_ends_the_probes),
		TEST(health_0_makes_all_up),
	};

	return cmocka_run_group_tests_name("gateway_health", tests, NULL, NULL);
}
