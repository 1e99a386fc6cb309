// SPDX-License-Identifier: GPL-2.0-or-later
/* The softswitch gives up in silence (rule 18): its copies stop, or the call goes to another gateway. */
#include "transaction_world.h"

#include <stdio.h>

/* As the XDP program does it: absorbed without a note, or passed and noted. */
static void own_copy(uint32_t slot)
{
	struct siprtx_slot *s = &w.slots[slot];

	s->copy_gap_ns = w.now - (s->copy_ns ?: s->first_ns);
	s->copy_ns = w.now;
	if (!(s->word & WORD_TAKEN))
		note(NOTE_COPY, slot, 0);
}

static void own_copies(uint32_t slot, unsigned n, const uint64_t *ms)
{
	uint64_t from = w.now / MS - START / MS;

	for (unsigned i = 0; i < n; i++) {
		run_until(from + ms[i]);
		own_copy(slot);
	}
}
#define OWN_COPIES(slot, ...)                                                                                          \
	do {                                                                                                           \
		const uint64_t copy_ms[] = {__VA_ARGS__};                                                              \
		own_copies(slot, sizeof(copy_ms) / sizeof(*copy_ms), copy_ms);                                         \
	} while (0)

/* An INVITE to gateway number `gateway`, as captured. */
static uint32_t invite(const char *call_id, const char *tag, unsigned branch, uint8_t gateway)
{
	uint32_t slot = capture(0);
	struct siprtx_slot *s = &w.slots[slot];

	memset(s->daddr, 0, sizeof(s->daddr));
	s->daddr[15] = gateway;
	s->dport = 5060;
	s->sip_off = SLOT_L3 + 28;
	s->sip_len = sprintf((char *)s + s->sip_off,
			     "INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%u\r\n"
			     "From: <sip:a@192.0.2.9>%s%s\r\nTo: <sip:b@192.0.2.1>\r\nCall-ID: %s\r\n"
			     "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
			     branch, *tag ? ";tag=" : "", tag, call_id);
	note(NOTE_NEW, slot, 0);
	return slot;
}

static void expect_given_up(uint32_t slot, enum siprtx_end end)
{
	assert_int_equal(word_state(w.slots[slot].word), ST_CALLING);
	assert_int_equal(word_end(w.slots[slot].word), end);
	assert_false(w.slots[slot].word & WORD_TAKEN);
	assert_int_equal(transactions_overdue(w.t, 0), 0);
}

static void expect_calling(uint32_t slot)
{
	assert_int_equal(word_state(w.slots[slot].word), ST_CALLING);
	assert_int_equal(word_end(w.slots[slot].word), END_NONE);
	assert_true(w.slots[slot].word & WORD_TAKEN);
}

static void again(void **state)
{
	teardown(state);
	setup(state);
}

/* Twice the last gap and 0.5 s after the last copy, to the ms, wherever the copies are by our own list. */
static void rule_18_copies_stop(void **state)
{
	static const struct {
		uint64_t copy[5];
		uint64_t given_up;
		unsigned sent;
	} want[] = {
		{{500}, 2000, 2},			   /* gap 0.5 */
		{{500, 1500}, 4000, 3},			   /* 1 */
		{{500, 1500, 3500}, 8000, 4},		   /* 2 */
		{{500, 1500, 3500, 7500}, 16000, 6},	   /* 4 */
		{{510, 1520, 3530}, 8050, 4},		   /* after ours */
		{{490, 1480, 3470}, 7950, 4},		   /* before ours */
		{{300}, 1400, 1},			   /* between two of ours */
		{{1000, 2000, 3000, 4000, 5000}, 7500, 3}, /* a list that does not double */
		{{1499}, 1499 + 2998 + 500, 3},
		{{31600}, 0, 10}, /* the own deadline comes first */
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		unsigned n = 0;
		uint32_t slot;

		again(state);
		slot = call(0);
		while (n < 5 && want[i].copy[n])
			n++;
		own_copies(slot, n, want[i].copy);
		if (want[i].given_up) {
			run_until(want[i].given_up - 1);
			expect_calling(slot);
			run_until(want[i].given_up);
			expect_given_up(slot, END_ABANDONED);
			assert_int_equal(w.given_up_ms, want[i].given_up);
			assert_int_equal(w.n_sent, want[i].sent);
			run_until(31999);
			assert_int_equal(w.n_ended, 0);
		}
		run_until(32000);
		assert_int_equal(w.n_sent, want[i].sent);
		assert_int_equal(w.stats[STAT_abandoned], !!want[i].given_up);
		assert_int_equal(w.stats[STAT_no_response], !want[i].given_up);
		assert_int_equal(w.n_records, !want[i].given_up);
		assert_int_equal(w.n_ended, 1);
		expect_all_free();
	}
}

/* The first of our waits is longer than the softswitch needs to give up. */
static void rule_18_copies_stop_within_one_wait(void **state)
{
	uint32_t slot;

	(void)state;
	w.in_force.profiles[PF_INTERVAL] = 20000;
	slot = call(0);
	OWN_COPIES(slot, 200);
	run_until(1099);
	expect_calling(slot);
	run_until(1100);
	expect_given_up(slot, END_ABANDONED);
	run_until(100000);
	assert_int_equal(w.n_sent, 0);
	expect_all_free();
}

static void rule_18_no_copies_are_no_sign(void **state)
{
	(void)state;
	call(0);
	run_until(32000);
	assert_int_equal(w.stats[STAT_abandoned], 0);
	assert_int_equal(w.n_sent, 10);
	expect_record(END_NO_RESPONSE);
}

/* Lists that are whole to the end: Timer A of RFC 3261, and one capped at 4 s. */
static void rule_18_whole_lists_are_not_abandoned(void **state)
{
	for (int capped = 0; capped < 2; capped++) {
		uint32_t slot;

		again(state);
		slot = call(0);
		if (capped)
			OWN_COPIES(slot, 505, 1510, 3515, 7520, 11525, 15530, 19535, 23540, 27545);
		else
			OWN_COPIES(slot, 505, 1510, 3515, 7520, 15525, 31530);
		run_until(32000);
		assert_int_equal(w.stats[STAT_abandoned], 0);
		expect_record(END_NO_RESPONSE);
	}
}

static void abandon_off(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	w.in_force.tunables[TUN_abandon] = 0;
	OWN_COPIES(slot, 500, 1500);
	run_until(32000);
	assert_int_equal(w.n_sent, 10);
	expect_record(END_NO_RESPONSE);
}

/* From the copy on the schedule goes on as it does after any copy that passed. */
static void rule_18_further_copy_takes_up_again(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	OWN_COPIES(slot, 500, 1500);
	run_until(4000);
	expect_given_up(slot, END_ABANDONED);
	run_until(7000);
	own_copy(slot);
	expect_calling(slot);
	assert_int_equal(w.stats[STAT_taken_up_again], 1);
	assert_int_equal(w.n_copies, 1);
	EXPECT_SENT(500, 1500, 3500);
	run_until(11000); /* in place of 7.5 */
	EXPECT_SENT(500, 1500, 3500, 11000);
	run_until(18499); /* the last gap was 5.5 s */
	expect_calling(slot);
	run_until(18500);
	expect_given_up(slot, END_ABANDONED);
	assert_int_equal(w.stats[STAT_abandoned], 2);
	run_until(100000);
	assert_int_equal(w.n_records, 0);
	expect_all_free();
}

/* Its copies go on: the record comes as if nothing had been. */
static void rule_18_taken_up_again_is_exhausted(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	OWN_COPIES(slot, 500, 1500);
	run_until(7500);
	OWN_COPIES(slot, 0, 4000, 8000, 12000, 16000, 20000, 24000);
	run_until(33000);
	expect_record(END_NO_RESPONSE);
}

/* What comes while it is given up counts as ever. */
static void rule_18_response_or_cancel_after_it(void **state)
{
	for (int kind = 0; kind < 3; kind++) {
		uint32_t slot;

		again(state);
		slot = call(0);
		OWN_COPIES(slot, 500);
		run_until(2500);
		expect_given_up(slot, END_ABANDONED);
		if (kind == 0) {
			answer(slot, STAGE_RINGING, 180);
			assert_int_equal(w.stats[STAT_proceeding], 1);
			run_until(40000);
		}
		if (kind < 2)
			answer(slot, STAGE_NOTHING, 200);
		else
			cancel(slot);
		assert_int_equal(w.stats[kind < 2 ? STAT_completed : STAT_cancelled], 1);
		assert_int_equal(w.n_records, 0);
		run_until(50000);
		EXPECT_SENT(500, 1500);
		expect_all_free();
	}
}

static void crash(uint64_t down_ms)
{
	teardown(NULL);
	w.now += down_ms * MS;
	boot();
}

/* A new controller at each moment finds the copies, the giving up and the taking up again in the slot. */
static void rule_18_restart_in_between(void **state)
{
	for (uint64_t at = 0; at < 31900; at += 300) {
		uint32_t slot;

		again(state);
		slot = call(0);
		if (at >= 500)
			OWN_COPIES(slot, 500);
		if (at >= 1500)
			OWN_COPIES(slot, 1000);
		run_until(at);
		crash(50);
		if (at < 500) {
			run_until(500);
			own_copy(slot);
		}
		if (at < 1500) {
			run_until(1500);
			own_copy(slot);
		}
		run_until(4050);
		expect_given_up(slot, END_ABANDONED);
		assert_int_equal(w.stats[STAT_abandoned], 1);
		run_until(31999);
		assert_int_equal(w.n_ended, 0);
		assert_in_range(w.n_sent, 2, 3);
		run_until(32050);
		assert_int_equal(w.n_ended, 1);
		assert_int_equal(w.n_records, 0);
		expect_all_free();
	}
}

/* Until long after its schedule: nothing is sent for it any more. */
static void rule_18_given_up_before_a_long_stop(void **state)
{
	for (uint64_t down = 5000; down < 100000; down += 5000) {
		uint32_t slot;

		again(state);
		slot = call(0);
		OWN_COPIES(slot, 500, 1500);
		run_until(5000);
		crash(down);
		run_until(200000);
		EXPECT_SENT(500, 1500, 3500);
		assert_int_equal(w.stats[STAT_abandoned], 1);
		assert_int_equal(w.n_records, 0);
		expect_all_free();

		again(state);
		invite("one@x", "t", 1, 1);
		run_until(1200);
		answer(invite("one@x", "t", 2, 2), STAGE_NOTHING, 200);
		crash(down);
		run_until(200000);
		EXPECT_SENT(500);
		assert_int_equal(w.n_records, 0);
		expect_all_free();
	}
}

/* The copies went on to the end of a list of 30 s; who looks too late sees them missing, but the schedule was first. */
static void exhausted_before_the_copies_were_missed(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	OWN_COPIES(slot, 505, 1510, 3515, 7520, 11525, 15530, 19535, 23540, 27545);
	run_until(31600);
	crash(10000);
	run_until(50000);
	expect_record(END_NO_RESPONSE);
}

static void rule_18_taken_up_again_after_a_restart(void **state)
{
	uint32_t slot = call(0);

	(void)state;
	OWN_COPIES(slot, 500, 1500);
	run_until(5000);
	crash(500);
	expect_given_up(slot, END_ABANDONED);
	run_until(7500);
	own_copy(slot);
	expect_calling(slot);
	run_until(11500);
	EXPECT_SENT(500, 1500, 3500, 11500);
}

static void rule_18_call_goes_to_another_gateway(void **state)
{
	uint32_t a = invite("one@x", "t", 1, 1), b;

	(void)state;
	run_until(1000);
	b = invite("one@x", "t", 2, 2);
	expect_given_up(a, END_SUPERSEDED);
	expect_calling(b);
	assert_int_equal(w.stats[STAT_superseded], 1);
	assert_int_equal(w.given_up_ms, 1000);
	run_until(31999);
	assert_int_equal(w.n_ended, 0);
	run_until(32000);
	assert_int_equal(w.n_ended, 1);
	assert_int_equal(w.n_records, 0);
	run_until(33000);
	EXPECT_SENT(500, 1500, 2500, 4500, 8500, 12500, 16500, 20500, 24500, 28500, 32500);
	expect_record(END_NO_RESPONSE);
}

/* The port alone makes another gateway; two that were tried before go. */
static void rule_18_third_gateway(void **state)
{
	uint32_t a = invite("one@x", "t", 1, 1), b, c;

	(void)state;
	run_until(600);
	b = invite("one@x", "t", 2, 2);
	expect_calling(a);
	run_until(1600);
	c = capture(0);
	memcpy(w.slots[c].frame, w.slots[b].frame, sizeof(w.slots[b].frame));
	w.slots[c].sip_off = w.slots[b].sip_off;
	w.slots[c].sip_len = w.slots[b].sip_len;
	memcpy(strstr((char *)&w.slots[c] + w.slots[c].sip_off, "bK2"), "bK3", 3);
	memcpy(w.slots[c].daddr, w.slots[b].daddr, 16);
	w.slots[c].dport = 5070;
	note(NOTE_NEW, c, 0);
	expect_given_up(a, END_SUPERSEDED);
	expect_given_up(b, END_SUPERSEDED);
	expect_calling(c);
}

static void rule_18_what_does_not_supersede(void **state)
{
	static const struct {
		const char *call_id, *tag;
		unsigned branch;
		uint8_t gateway;
		uint64_t after_ms;
		uint16_t code;
		uint32_t tunable;
	} want[] = {
		{"one@x", "t", 2, 2, 999, 0, 1000},	/* a fork */
		{"one@x", "t", 2, 1, 5000, 0, 1000},	/* the same gateway */
		{"one@x", "T", 2, 2, 5000, 0, 1000},	/* another tag */
		{"one@X", "t", 2, 2, 5000, 0, 1000},	/* another call */
		{"one@xt", "", 2, 2, 5000, 0, 1000},	/* the same bytes otherwise */
		{"one@x", "t", 1, 2, 5000, 0, 1000},	/* the same branch */
		{"one@x", "t", 2, 2, 5000, 180, 1000},	/* has answered */
		{"one@x", "t", 2, 2, 5000, 0, 0},	/* off */
		{"one@x", "t", 2, 2, 5000, 0, 3600000}, /* not yet */
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint32_t a;

		again(state);
		w.in_force.tunables[TUN_supersede_after] = want[i].tunable;
		a = invite("one@x", "t", 1, 1);
		if (want[i].code)
			answer(a, STAGE_RINGING, want[i].code);
		run_until(want[i].after_ms);
		expect_calling(invite(want[i].call_id, want[i].tag, want[i].branch, want[i].gateway));
		assert_int_equal(word_end(w.slots[a].word), END_NONE);
		assert_int_equal(w.stats[STAT_superseded], 0);
	}
	again(state);
	invite("one@x", "", 1, 1); /* without a tag nobody can tell */
	run_until(5000);
	invite("one@x", "", 2, 2);
	assert_int_equal(w.stats[STAT_superseded], 0);
}

/* What has ended is of no call any more, and its slot is another's. */
static void ended_ones_are_forgotten(void **state)
{
	uint32_t a = invite("one@x", "t", 1, 1), b = invite("one@x", "t", 2, 2), same[CALLS_SAME];

	(void)state;
	answer(a, STAGE_NOTHING, 200);
	assert_int_equal(calls_same(w.calls, b, same), 0);
	a = invite("two@x", "t", 3, 1);
	answer(b, STAGE_NOTHING, 200);
	run_until(2000);
	b = invite("one@x", "t", 4, 3);
	assert_int_equal(calls_same(w.calls, b, same), 0);
	expect_calling(a);
}

/* Parallel forks after all: the copies of the former one say so. */
static void rule_18_superseded_and_taken_up_again(void **state)
{
	uint32_t a = invite("one@x", "t", 1, 1);

	(void)state;
	OWN_COPIES(a, 500, 1500);
	run_until(2000);
	invite("one@x", "t", 2, 2);
	expect_given_up(a, END_SUPERSEDED);
	crash(10);
	expect_given_up(a, END_SUPERSEDED);
	run_until(3500);
	own_copy(a);
	expect_calling(a);
	assert_int_equal(w.stats[STAT_taken_up_again], 1);
}

/* The INVITE came while a controller was down; the former one was adopted. */
static void rule_18_superseded_over_a_restart(void **state)
{
	uint32_t a = invite("one@x", "t", 1, 1), b;
	struct siprtx_note n;

	(void)state;
	run_until(1200);
	b = invite("one@x", "t", 2, 1);
	n = (struct siprtx_note){.ns = w.now, .word = w.slots[b].word, .slot = b, .kind = NOTE_NEW};
	w.slots[b].daddr[15] = 2;
	expect_calling(a);
	crash(100);
	transactions_note(w.t, &n);
	expect_given_up(a, END_SUPERSEDED);
	expect_calling(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_18_copies_stop),
		CASE(rule_18_copies_stop_within_one_wait),
		CASE(rule_18_no_copies_are_no_sign),
		CASE(rule_18_whole_lists_are_not_abandoned),
		CASE(abandon_off),
		CASE(rule_18_further_copy_takes_up_again),
		CASE(rule_18_taken_up_again_is_exhausted),
		CASE(rule_18_response_or_cancel_after_it),
		CASE(rule_18_restart_in_between),
		CASE(rule_18_given_up_before_a_long_stop),
		CASE(exhausted_before_the_copies_were_missed),
		CASE(rule_18_taken_up_again_after_a_restart),
		CASE(rule_18_call_goes_to_another_gateway),
		CASE(rule_18_third_gateway),
		CASE(rule_18_what_does_not_supersede),
		CASE(ended_ones_are_forgotten),
		CASE(rule_18_superseded_and_taken_up_again),
		CASE(rule_18_superseded_over_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
