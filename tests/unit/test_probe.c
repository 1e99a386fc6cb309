// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of a gateway's probes. */
#include "probe_world.h"

static void rule_52_at_once_then_at_the_interval(void **state)
{
	uint64_t before = 0;

	(void)state;
	begin();
	begin(); /* is known already */
	assert_true(known());
	assert_int_equal(probes_held(w.p), 1);
	assert_int_equal(free_slots(), SLOTS - 2);
	assert_int_equal(w.n_told, 0);
	memset(&w.m.slots[CALL], 0xee, sizeof(w.m.slots[CALL])); /* the INVITE's slot is another call's now */
	run_until(0);
	assert_int_equal(w.n_told, 1);
	run_until(100000);
	/* each one missed after 4 s, for none is answered */
	assert_in_range(count('s', 0), 13, 15);
	for (unsigned i = 0; i + 1 < w.n_told; i += 2) {
		assert_int_equal(w.told[i].what, 's');
		assert_int_equal(w.told[i + 1].what, 'm');
		assert_in_range(w.told[i + 1].ms - w.told[i].ms, 4000, 4017);
		if (i)
			assert_in_range(w.told[i].ms - before, 7000, 8000);
		before = w.told[i].ms;
	}
	assert_int_equal(w.stats[STAT_probes_sent], count('s', 0));
	assert_int_equal(w.stats[STAT_probes_answered], 0);
	assert_int_equal(keys(), 1);
	assert_int_equal(w.n_made, 1);
}

static void rule_52_each_is_another_one(void **state)
{
	struct siprtx_slot before, *s;

	(void)state;
	begin();
	run_until(0);
	s = only();
	before = *s;
	run_until(8000);
	assert_int_equal(s->cseq, before.cseq + 1);
	assert_int_equal(word_gen(s->word), word_gen(before.word) + 1);
	assert_int_equal(s->sip_len, before.sip_len);
	assert_int_equal(s->frame_len, before.frame_len);
	assert_memory_not_equal(&s->key, &before.key, sizeof(s->key));
	assert_int_equal(s->first_ns, 77);
	assert_int_equal(s->outside, 1);
	/* a response to the one before, seen late, moves nothing */
	probes_note(w.p,
		    &(struct siprtx_note){.word = before.word, .slot = s - w.m.slots, .kind = NOTE_MOVED, .code = 200},
		    w.now);
	assert_int_equal(count('a', 0), 0);
	/* all numbers have as many digits */
	s->cseq = CSEQ_LAST;
	run_until(16000);
	assert_int_equal(s->cseq, CSEQ_FIRST);
	assert_int_equal(s->sip_len, before.sip_len);
}

static void rule_52_an_answer_hurries_the_next(void **state)
{
	(void)state;
	begin();
	run_until(30);
	answer(200);
	assert_int_equal(w.n_told, 2);
	assert_int_equal(w.told[1].what, 'a');
	assert_int_equal(w.told[1].code, 200);
	answer(200); /* told of twice */
	assert_int_equal(w.n_told, 2);
	run_until(1100);
	assert_int_equal(w.n_told, 3); /* a sixteenth of the interval later */
	assert_in_range(w.told[2].ms, 530, 547);
	answer(404);
	assert_int_equal(w.told[3].code, 404);
	run_until(60000);
	assert_int_equal(w.stats[STAT_probes_answered], 2);
	/* not answered, it is back at the interval */
	assert_in_range(count('s', 0), 9, 12);
	assert_int_equal(keys(), 1);
	/* a short interval is not made shorter than 100 ms, nor longer */
	setup(state);
	w.in_force.tunables[TUN_probe] = 400;
	begin();
	for (unsigned ms = 0; ms < 1000; ms++) {
		run_until(ms);
		if (w.n_told && w.told[w.n_told - 1].what == 's')
			answer(200);
	}
	assert_in_range(count('s', 0), 8, 11);
	assert_int_equal(count('m', 0), 0);
}

/* Whenever a gateway begins to answer, two answers in a row are there within one interval. */
static void rule_52_known_within_an_interval(void **state)
{
	for (unsigned back = 40000; back < 56000; back += 250) {
		setup(state);
		w.in_force.tunables[TUN_probe_answers] = 2;
		begin();
		run_until(back);
		for (unsigned ms = back; w.stats[STAT_probes_answered] < 2; ms++) {
			run_until(ms);
			if (w.n_told && w.told[w.n_told - 1].what == 's')
				answer(200);
			assert_in_range(ms, back, back + 8000);
		}
	}
	/* many answers are asked for: half of the interval is left */
	setup(state);
	w.in_force.tunables[TUN_probe_answers] = 100;
	begin();
	run_until(100000);
	assert_in_range(count('s', 0), 25, 34);
}

static void rule_52_a_provisional_is_no_answer(void **state)
{
	(void)state;
	begin();
	run_until(30);
	answer(100);
	run_until(3999);
	assert_int_equal(w.n_told, 1);
	run_until(4020);
	assert_int_equal(count('m', 0), 1);
	/* the final one after it was missed */
	answer(200);
	assert_int_equal(count('a', 0), 1);
	run_until(5100);
	assert_int_equal(count('s', 0), 2);
	/* the interval is shorter than the patience: missed when the next one is due */
	w.in_force.tunables[TUN_probe] = 1000;
	run_until(20000);
	assert_int_equal(count('m', 0), count('s', 0) - 1);
}

static void rule_52_without_its_note(void **state)
{
	struct siprtx_note late;

	(void)state;
	begin();
	run_until(30);
	late = move(only(), ST_COMPLETED, 200);
	run_until(4020);
	assert_int_equal(count('a', 0), 1);
	assert_int_equal(count('m', 0), 0);
	probes_note(w.p, &late, w.now);
	assert_int_equal(count('a', 0), 1);
	/* what is not a response says nothing */
	run_until(5100);
	assert_int_equal(count('s', 0), 2);
	probes_note(w.p, &(struct siprtx_note){.word = only()->word, .slot = only() - w.m.slots, .kind = NOTE_ICMP},
		    w.now);
	probes_note(w.p, &(struct siprtx_note){.word = 0, .slot = 3, .kind = NOTE_MOVED}, w.now);
	probes_note(w.p, &(struct siprtx_note){.word = 0, .slot = SLOTS, .kind = NOTE_MOVED}, w.now);
	assert_int_equal(w.n_told, 3);
}

static void rule_52_the_interval_is_live(void **state)
{
	(void)state;
	w.in_force.tunables[TUN_probe] = 3600000;
	begin();
	run_until(60000);
	assert_int_equal(count('s', 0), 1);
	w.in_force.tunables[TUN_probe] = 5000;
	run_until(60001);
	assert_int_equal(count('s', 0), 2);
	w.in_force.tunables[TUN_probe] = 0;
	run_until(600000);
	assert_int_equal(count('s', 0), 2);
	assert_int_equal(count('m', 0), 2);
	assert_true(known());
	assert_int_equal(probes_held(w.p), 1);
	w.in_force.tunables[TUN_probe] = 5000;
	run_until(600001);
	assert_int_equal(count('s', 0), 3);
	/* begun while there are none */
	setup(state);
	w.in_force.tunables[TUN_probe] = 0;
	begin();
	run_until(60000);
	assert_int_equal(w.n_told, 0);
	w.in_force.tunables[TUN_probe] = 5000;
	run_until(60001);
	assert_int_equal(w.n_told, 1);
}

static void rule_52_what_is_not_sent_is_not_missed(void **state)
{
	static const int errors[] = {-EAGAIN, -EHOSTUNREACH, -ENETDOWN};

	for (unsigned i = 0; i < 3; i++) {
		setup(state);
		w.send_error = errors[i];
		begin();
		run_until(100000);
		assert_int_equal(w.n_told, 0);
		assert_int_equal(keys(), 1);
		w.send_error = 0;
		run_until(100250);
		assert_int_equal(w.n_told, 1);
		teardown(state);
	}
	setup(state);
	w.key_error = -E2BIG;
	begin();
	run_until(10000);
	assert_int_equal(w.n_told, 0);
	w.key_error = 0;
	run_until(10250);
	assert_int_equal(w.n_told, 1);
}

static void rule_52_the_way_is_lost(void **state)
{
	static const int errors[] = {-ENETUNREACH, -EMSGSIZE};

	for (unsigned i = 0; i < 2; i++) {
		setup(state);
		begin();
		run_until(0);
		w.send_error = errors[i];
		run_until(14000);
		assert_true(known());
		/* back for a moment, it begins anew */
		w.send_error = -EAGAIN;
		run_until(14300);
		w.send_error = errors[i];
		run_until(22000);
		assert_true(known());
		assert_int_equal(count('l', 0), 0);
		run_until(23000);
		assert_int_equal(count('l', 0), 1);
		assert_int_equal(count('m', 0), 1); /* of the first one, that was sent */
		expect_over();
		teardown(state);
	}
	setup(state);
	/* sent in between */
	begin();
	run_until(0);
	w.send_error = -ENETUNREACH;
	run_until(9000);
	w.send_error = 0;
	run_until(9300);
	assert_int_equal(count('s', 0), 2);
	w.send_error = -ENETUNREACH;
	run_until(20000);
	assert_true(known());
}

static void rule_52_a_frame_in_flight_stays(void **state)
{
	struct siprtx_slot *s, before;

	(void)state;
	w.hold_descriptors = true;
	begin();
	run_until(0);
	s = only();
	before = *s;
	run_until(20000);
	assert_int_equal(count('s', 0), 1);
	assert_memory_equal(s->frame, before.frame, sizeof(s->frame));
	assert_int_equal(s->word, before.word);
	w.in_flight[s - w.m.slots] = 0;
	probes_sent(w.p, s - w.m.slots);
	run_until(20010);
	assert_int_equal(count('s', 0), 2);
	/* nor does its slot go */
	run_until(25000);
	probes_end(w.p, &(struct siprtx_gateway_key){.port = 1});
	w.end_when_told = true;
	answer(200);
	assert_false(known());
	assert_int_equal(probes_held(w.p), 1);
	assert_int_equal(free_slots(), SLOTS - 2);
	assert_int_equal(keys(), 0);
	run_until(40000);
	w.in_flight[s - w.m.slots] = 0;
	probes_sent(w.p, s - w.m.slots);
	expect_over();
}

static void rule_52_the_end(void **state)
{
	struct siprtx_gateway_key key = gateway();

	(void)state;
	/* an answer that may still come is waited for, and told to nobody */
	begin();
	run_until(100);
	probes_end(w.p, &key);
	assert_false(known());
	assert_int_equal(keys(), 1);
	run_until(3900);
	assert_int_equal(probes_held(w.p), 1);
	run_until(4020);
	expect_over();
	begin();
	run_until(4100);
	probes_end(w.p, &key);
	answer(200);
	expect_over();
	assert_int_equal(count('a', 0), 0);
	/* the same gateway again meanwhile */
	begin();
	run_until(5000);
	probes_end(w.p, &key);
	begin();
	run_until(6000);
	assert_int_equal(probes_held(w.p), 2);
	assert_int_equal(keys(), 2);
	run_until(8900);
	assert_int_equal(probes_held(w.p), 1);
	/* from within what it tells; never sent */
	w.end_when_told = true;
	run_until(11000);
	expect_over();
	begin();
	run_until(11010);
	answer(503);
	expect_over();
	begin();
	probes_end(w.p, &key);
	expect_over();
	run_until(60000);
	assert_int_equal(count('s', 0), 5);
}

static void rule_52_no_room_or_no_sense(void **state)
{
	__u64 head = w.m.free_head;

	(void)state;
	w.m.free_head = 0;
	assert_int_equal(probes_begin(w.p, CALL, w.now), -ENOSPC);
	w.m.free_head = head;
	memcpy((char *)&w.m.slots[CALL] + w.m.slots[CALL].sip_off, "\1\2", 2);
	assert_int_equal(probes_begin(w.p, CALL, w.now), -EBADMSG);
	expect_over();
}

/* They begin at one moment, and are told apart by their keys. */
static void rule_52_a_thousand_gateways(void **state)
{
	unsigned in_ms[10000] = {0}, most = 0, first;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		put_invite(CALL, i);
		begin();
	}
	assert_int_equal(probes_held(w.p), 1000);
	/* the loop comes round each tick */
	for (unsigned ms = 0; ms < 10000; ms++) {
		w.now = START + ms * MS;
		first = w.n_told;
		assert_int_equal(probes_run(w.p, w.now), 0);
		in_ms[ms] = w.n_told - first;
	}
	for (unsigned ms = 0; ms < 10000; ms++)
		most = in_ms[ms] > most ? in_ms[ms] : most;
	assert_true(most <= ROUND_MAX);
	/* the second time they are spread by themselves */
	for (unsigned ms = 7000, busy = 0; ms < 8200; ms++) {
		busy += in_ms[ms] > 0;
		if (ms == 8199)
			assert_true(busy > 300);
	}
	assert_in_range(count('s', 0), 2000, 2010);
	assert_int_equal(keys(), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rule_52_at_once_then_at_the_interval),
		TEST(rule_52_each_is_another_one),
		TEST(rule_52_an_answer_hurries_the_next),
		TEST(rule_52_known_within_an_interval),
		TEST(rule_52_a_provisional_is_no_answer),
		TEST(rule_52_without_its_note),
		TEST(rule_52_the_interval_is_live),
		TEST(rule_52_what_is_not_sent_is_not_missed),
		TEST(rule_52_the_way_is_lost),
		TEST(rule_52_a_frame_in_flight_stays),
		TEST(rule_52_the_end),
		TEST(rule_52_no_room_or_no_sense),
		TEST(rule_52_a_thousand_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
