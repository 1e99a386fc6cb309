// SPDX-License-Identifier: GPL-2.0-or-later
/* Responses of the softswitch that are sent until they are confirmed (RFC 3261 13.3.1.4, 17.2.1; RFC 3262, 3). */
#include "transaction_world.h"

#include <stdio.h>

struct response {
	enum siprtx_kind kind;
	unsigned code, cseq, rseq;
	const char *call_id, *from_tag, *branch;
};

#define OK_200                                                                                                         \
	{                                                                                                              \
		KIND_FINAL, 200, 1, 0, "c1", "f1", "b1"                                                                \
	}
#define EARLY(n)                                                                                                       \
	{                                                                                                              \
		KIND_RELIABLE, 183, 1, n, "c1", "f1", "b1"                                                             \
	}

/* As captured; the note comes only when it is asked for. */
static uint32_t capture_response(const struct response *r, uint32_t profile)
{
	uint32_t slot = capture(profile);
	struct siprtx_slot *s = &w.slots[slot];

	s->kind = r->kind;
	s->method = SIP_INVITE;
	s->cseq = r->cseq;
	s->word = word_moved(s->word, ST_CALLING, STAGE_NOTHING, r->code);
	s->sip_off = SLOT_L3 + 28;
	s->sip_len = sprintf(
		(char *)s + s->sip_off,
		"SIP/2.0 %u x\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%s\r\nFrom: <sip:a@192.0.2.9>;tag=%s\r\n"
		"To: <sip:b@192.0.2.1>;tag=t\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\nRSeq: %u\r\n\r\n",
		r->code, r->branch, r->from_tag, r->call_id, r->cseq, r->rseq);
	return slot;
}

static uint32_t respond(struct response r)
{
	uint32_t slot = capture_response(&r, 0);

	note(NOTE_NEW, slot, 0);
	return slot;
}
#define RESPOND(...) respond((struct response)__VA_ARGS__)

/* ACK or PRACK, as the XDP program does it. */
static void confirm(uint32_t slot)
{
	move(slot, ST_COMPLETED, STAGE_NOTHING, word_code(w.slots[slot].word));
	note(NOTE_MOVED, slot, word_code(w.slots[slot].word));
}

static int setup_on(void **state)
{
	setup(state);
	w.in_force.tunables[TUN_confirm] = 1;
	return 0;
}

static void nobody_confirms(void **state)
{
	uint32_t slot = RESPOND(OK_200);

	(void)state;
	assert_true(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(word_code(w.slots[slot].word), 200);
	run_until(31999);
	EXPECT_SENT(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	assert_int_equal(word_code(w.slots[slot].word), 200);
	assert_int_equal(w.n_ended, 0);
	run_until(32000);
	expect_all_free();
	assert_int_equal(w.n_ended, 1);
	assert_int_equal(w.n_events[EV_EXHAUSTED], 1);
	assert_int_equal(w.stats[STAT_unconfirmed], 1);
	assert_int_equal(w.stats[STAT_no_response], 0);
}

/* It is how long a call waits for its first response: no ACK is late by it. */
static void timeout_invite_is_not_for_responses(void **state)
{
	struct response r = OK_200;
	uint32_t slot = capture_response(&r, 6);

	(void)state;
	assert_int_equal(w.in_force.profiles[6 * PROFILE_FIELDS + PF_TIMEOUT_INVITE], 10000);
	note(NOTE_NEW, slot, 0);
	run_until(40000);
	assert_int_equal(w.n_sent, 10);
	assert_int_equal(w.stats[STAT_unconfirmed], 1);
}

/* At each moment, told or only in the word. */
static void confirmation_stops(void **state)
{
	static const uint64_t at[] = {0, 499, 500, 501, 1500, 11501, 31500, 31999};

	for (unsigned i = 0; i < 2 * sizeof(at) / sizeof(*at); i++) {
		uint32_t slot;
		unsigned n;

		teardown(state);
		setup_on(state);
		slot = i & 1 ? RESPOND(OK_200) : RESPOND(EARLY(1));
		run_until(at[i / 2]);
		n = w.n_sent;
		if (i & 1)
			confirm(slot);
		else
			move(slot, ST_COMPLETED, STAGE_NOTHING, 183);
		run_until(at[i / 2] + 40000);
		assert_int_equal(w.n_sent, n);
		expect_all_free();
		assert_int_equal(w.stats[STAT_confirmed], 1);
		assert_int_equal(w.stats[STAT_completed], 0);
		assert_int_equal(w.n_events[EV_CONFIRMED], 1);
		assert_int_equal(w.n_events[EV_RESPONSE], 0);
	}
}

static void restart_takes_them_up(void **state)
{
	struct response early = EARLY(1);
	uint32_t slot = RESPOND(OK_200), unseen;

	(void)state;
	run_until(600);
	unseen = capture_response(&early, 0);
	teardown(NULL);
	boot();
	assert_int_equal(w.stats[STAT_adopted], 2);
	confirm(unseen);
	run_until(3600);
	EXPECT_SENT(500, 1500, 3500);
	confirm(slot);
	expect_all_free();
	assert_int_equal(w.stats[STAT_confirmed], 2);
}

static void rule_18_copies_of_a_response_stop(void **state)
{
	uint32_t slot = RESPOND(OK_200);
	struct siprtx_slot *s = &w.slots[slot];

	(void)state;
	run_until(500);
	s->copy_gap_ns = 500 * MS;
	s->copy_ns = w.now;
	run_until(10000);
	/* 0.5 s + 2 x 0.5 s + 0.5 s */
	EXPECT_SENT(500, 1500);
	assert_int_equal(w.given_up_ms, 2000);
	assert_int_equal(w.stats[STAT_abandoned], 1);
	/* one more: it counts as a send, and the code is still there */
	s->copy_gap_ns = w.now - s->copy_ns;
	s->copy_ns = w.now;
	note(NOTE_COPY, slot, 0);
	assert_int_equal(w.stats[STAT_taken_up_again], 1);
	assert_int_equal(word_code(s->word), 200);
	assert_true(s->word & WORD_TAKEN);
	run_until(14000);
	EXPECT_SENT(500, 1500, 14000);
	confirm(slot);
	expect_all_free();
}

/* RFC 3262, 3: the final response of the same INVITE, whatever its To tag, and no other. */
static void final_response_ends_the_wait_for_prack(void **state)
{
	static const struct {
		struct response r;
		bool ends;
	} want[] = {
		{OK_200, true},
		{{KIND_FINAL, 487, 1, 0, "c1", "f1", "b1"}, true},
		{{KIND_FINAL, 200, 2, 0, "c1", "f1", "b1"}, false},
		{{KIND_FINAL, 200, 1, 0, "c1", "f1", "b2"}, false},
		{{KIND_FINAL, 200, 1, 0, "c1", "f2", "b1"}, false},
		{{KIND_FINAL, 200, 1, 0, "c2", "f1", "b1"}, false},
		{EARLY(3), false},
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint32_t first, second, last;

		teardown(state);
		setup_on(state);
		first = RESPOND(EARLY(1));
		second = RESPOND(EARLY(2));
		run_until(600);
		last = respond(want[i].r);
		assert_int_equal(w.stats[STAT_let_go], want[i].ends ? 2 : 0);
		assert_int_equal(w.n_events[EV_GIVEN_UP], want[i].ends ? 2 : 0);
		assert_int_equal(transactions_holds(w.t, first), !want[i].ends);
		assert_int_equal(transactions_holds(w.t, second), !want[i].ends);
		assert_true(transactions_holds(w.t, last));
		run_until(1500);
		assert_int_equal(w.n_sent, want[i].ends ? 3 : 5);
	}
}

/* A call of one's own with the same names is another thing. */
static void requests_are_left_alone(void **state)
{
	struct response r = OK_200;
	uint32_t slot = capture_response(&r, 0);

	(void)state;
	w.slots[slot].kind = KIND_INVITE;
	w.slots[slot].word = word_moved(w.slots[slot].word, ST_CALLING, STAGE_NOTHING, 0);
	note(NOTE_NEW, slot, 0);
	RESPOND(OK_200);
	assert_int_equal(w.stats[STAT_let_go], 0);
	/* nor does the switch concern it */
	w.in_force.tunables[TUN_confirm] = 0;
	run_until(40000);
	assert_int_equal(w.stats[STAT_let_go], 1);
	assert_int_equal(w.stats[STAT_no_response], 1);
	assert_int_equal(w.n_sent, 10);
}

/* No ACK is looked for any more: what is held would be sent in vain. */
static void switched_off_in_between(void **state)
{
	(void)state;
	RESPOND(EARLY(1));
	RESPOND(EARLY(2));
	run_until(600);
	w.in_force.tunables[TUN_confirm] = 0;
	run_until(40000);
	EXPECT_SENT(500, 500);
	expect_all_free();
	assert_int_equal(w.stats[STAT_let_go], 2);
	assert_int_equal(w.stats[STAT_unconfirmed], 0);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup_on, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(nobody_confirms),
		ON(timeout_invite_is_not_for_responses),
		ON(confirmation_stops),
		ON(restart_takes_them_up),
		ON(rule_18_copies_of_a_response_stop),
		ON(final_response_ends_the_wait_for_prack),
		ON(requests_are_left_alone),
		ON(switched_off_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
