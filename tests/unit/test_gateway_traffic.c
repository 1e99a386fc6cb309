// SPDX-License-Identifier: GPL-2.0-or-later
/* Gateways together and in the long run: groups, a new start, random traffic that must never break some rules. */
#include "gateway_world.h"

/* bypass */

static void bypass_is_what_on_down_says(void **state)
{
	struct gateway *gw = w.gw;

	(void)state;
	set(TUN_probe, 5000);
	gw->value.on_down = ON_DOWN_REPLY_503;
	make_suspect(gw);
	pass(2000);
	exhaust_all();
	assert_int_equal(gw->value.bypass, BYPASS_NONE); /* suspect */
	gateway_health_probe(w.h, gw, 0, w.now);
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
	assert_int_equal(gw->value.bypass, BYPASS_REFUSED);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 1);
	/* changed live */
	gw->value.on_down = ON_DOWN_FAST;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_FAST);
	gw->value.on_down = ON_DOWN_PASS;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_NONE);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 0);
	/* no probes: nothing would end a refusal */
	gw->value.on_down = ON_DOWN_REPLY_503;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_REFUSED);
	set(TUN_probe, 0);
	pass(10);
	assert_int_equal(w.ended, 1);
	assert_int_equal(gw->value.bypass, BYPASS_FAST);
	gw->value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_REFUSED);
	gw->value.admin = ADMIN_AUTO;
	gateway_health_operator(w.h, gw, w.now);
	assert_int_equal(gw->value.bypass, BYPASS_NONE);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 0);
}

static void join(void)
{
	for (unsigned i = 0; i < GATEWAYS; i++) {
		w.gw[i].group = &w.group;
		w.gw[i].member.next = w.group.members;
		w.group.members = &w.gw[i].member;
		w.gw[i].value.on_down = ON_DOWN_FAST;
	}
}

static void the_last_of_a_group_stays_open(void **state)
{
	(void)state;
	join();
	for (unsigned i = 0; i < GATEWAYS; i++) {
		make_down(&w.gw[i]);
		pass(1);
	}
	for (unsigned i = 0; i < GATEWAYS; i++)
		assert_int_equal(w.gw[i].value.bypass, i == 2 ? BYPASS_NONE : BYPASS_FAST);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 2);
	pass(2000);
	respond(begin(&w.gw[0]), 200);
	expect(&w.gw[0], GATEWAY_UP, WHY_RESPONSE);
	assert_int_equal(w.gw[0].value.bypass, BYPASS_NONE);
	assert_int_equal(w.gw[2].value.bypass, BYPASS_FAST);
	/* one that was never called may be called */
	w.group.uncalled = 1;
	w.gw[0].value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, &w.gw[0], w.now);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 3);
}

static void settled_alone(void **state)
{
	struct group_member c = {.down_ns = 3, .action = BYPASS_FAST}, b = {&c, 2, BYPASS_REFUSED, 0},
			    a = {&b, 1, BYPASS_REFUSED, 0};

	(void)state;
	group_settle(&a, false);
	assert_int_equal(a.bypass << 8 | b.bypass << 4 | c.bypass, 0x220);
	group_settle(&a, true);
	assert_int_equal(a.bypass << 8 | b.bypass << 4 | c.bypass, 0x221);
	c.action = BYPASS_NONE; /* open of itself, though it is down */
	group_settle(&a, false);
	assert_int_equal(a.bypass << 8 | b.bypass << 4 | c.bypass, 0x220);
	c.action = BYPASS_FAST;
	b.down_ns = 0;
	group_settle(&a, false);
	assert_int_equal(a.bypass << 8 | b.bypass << 4 | c.bypass, 0x201);
	c.next = NULL;
	group_settle(&c, false);
	assert_int_equal(c.bypass, BYPASS_NONE);
	group_settle(&c, true);
	assert_int_equal(c.bypass, BYPASS_FAST);
}

/* A new start */

static void restart(void)
{
	struct siprtx_gateway value[GATEWAYS];
	const struct gateway_health_env env = {w.slots, SLOTS, &w.in_force, &w.gateways, w.stats, &ops, NULL};

	gateway_health_free(w.h);
	for (unsigned i = 0; i < GATEWAYS; i++) {
		value[i] = w.gw[i].value;
		w.gw[i] = (struct gateway){.key = w.gw[i].key, .value = value[i], .next = w.gw[i].next};
	}
	w.group.members = NULL;
	w.h = gateway_health_new(&env);
	assert_non_null(w.h);
	w.changes = 0;
}

static void taken_up_after_a_restart(void **state)
{
	(void)state;
	join();
	for (unsigned i = 0; i < 2; i++) {
		make_down(&w.gw[i]);
		pass(1);
	}
	begin(&w.gw[2]);
	begin(&w.gw[2]);
	pass(2100);
	begin(&w.gw[2]);
	pass(1500);
	assert_int_equal(w.gw[2].value.unanswered, 2);
	restart();
	join();
	gateway_health_adopt(w.h, w.now);
	assert_int_equal(gateway_health_adopt_calls(w.h, w.now), 0);
	assert_int_equal(w.changes, 0);
	assert_int_equal(w.stats[STAT_gateways_down], 2);
	assert_int_equal(w.stats[STAT_gateways_bypassed], 2);
	assert_int_equal(w.gw[0].value.bypass, BYPASS_FAST);
	pass(600); /* the row goes on, with the call that was held */
	expect(&w.gw[2], GATEWAY_SUSPECT, WHY_SILENT);
	respond(begin(&w.gw[0]), 200);
	expect(&w.gw[0], GATEWAY_UP, WHY_RESPONSE);
}

static void without_its_probe_it_goes_up(void **state)
{
	(void)state;
	set(TUN_probe, 5000);
	make_suspect(&w.gw[0]);
	make_suspect(&w.gw[1]);
	w.gw[2].value.admin = ADMIN_DOWN;
	gateway_health_operator(w.h, &w.gw[2], w.now);
	pass(5000);
	restart();
	gateway_health_probed(&w.gw[1]);
	gateway_health_adopt(w.h, w.now);
	expect(&w.gw[0], GATEWAY_UP, WHY_UNKNOWN);
	expect(&w.gw[1], GATEWAY_SUSPECT, WHY_SILENT);
	expect(&w.gw[2], GATEWAY_DOWN, WHY_OPERATOR);
	assert_int_equal(w.changes, 1);
	gateway_health_probe(w.h, &w.gw[1], 200, w.now);
	gateway_health_probe(w.h, &w.gw[1], 200, w.now);
	expect(&w.gw[1], GATEWAY_UP, WHY_PROBED);
}

/* Random traffic */

static unsigned seed;

static unsigned random_below(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* So many times something happens to the first gateway, chosen among the kinds of `allowed`. */
enum { CALL = 1, ANSWER = 2, EXHAUST = 4, ICMP = 8, DIALOG = 16, PROBE = 32, CANCEL = 64, RETUNE = 128 };

static uint32_t some_call(void)
{
	for (unsigned tries = 0; tries < 2 * SLOTS; tries++) {
		uint32_t slot = random_below(SLOTS);

		if (word_state(w.slots[slot].word) == ST_CALLING)
			return slot;
	}
	return SLOTS;
}

static void happen(unsigned what)
{
	uint32_t slot = what == CALL || what == DIALOG ? SLOTS : some_call();

	if (what == CALL || what == DIALOG) {
		uint32_t busy = 0;

		for (uint32_t i = 0; i < SLOTS; i++)
			busy += word_state(w.slots[i].word) != ST_FREE;
		if (busy < SLOTS - 1)
			w.in_dialog[begin(w.gw)] = what == DIALOG;
	} else if (what == PROBE) {
		if (w.gw->signs.probing)
			gateway_health_probe(w.h, w.gw, random_below(2) ? 200 : 0, w.now);
	} else if (what == RETUNE) {
		set(TUN_probe, random_below(2) * 5000);
		set(TUN_bad_codes, random_below(4));
	} else if (slot == SLOTS) {
		return;
	} else if (what == ANSWER) {
		respond(slot, (const uint16_t[]){100, 180, 200, 486, 503, 408}[random_below(6)]);
		if (word_state(w.slots[slot].word) != ST_FREE)
			end(slot);
	} else if (what == EXHAUST) {
		exhaust(slot);
	} else { /* ICMP and CANCEL tell it nothing */
		end(slot);
	}
}

static void run_random(unsigned allowed, unsigned turns, void (*check)(void))
{
	for (unsigned i = 0; i < turns; i++) {
		unsigned what = 1u << random_below(8);

		if (what & allowed)
			happen(what);
		pass(random_below(20) ? random_below(400) : random_below(5000));
		if (check)
			check();
	}
}

static void check_hold(void)
{
	if (w.changes > 1 && w.before.ns)
		assert_true(w.last.ns - w.before.ns >= 2000 * MS);
	w.before.ns = 0; /* one look at each change */
}

static void check_up(void)
{
	assert_int_equal(w.gw->value.state, GATEWAY_UP);
}

static void random_traffic_keeps_the_hold(void **state)
{
	(void)state;
	for (seed = 1; seed < 200000; seed += 20011) {
		unsigned begun_with = seed;

		teardown(NULL);
		setup(NULL);
		w.probe_error = seed % 2 ? 0 : -ENOSPC;
		run_random(255, 4000, check_hold);
		assert_true(w.changes > 10); /* or this shows nothing */
		assert_int_equal(w.stats[STAT_gateways_suspect] + w.stats[STAT_gateways_down],
				 w.gw->value.state != GATEWAY_UP);
		seed = begun_with;
	}
}

static void icmp_cancel_and_dialogs_never_mark(void **state)
{
	(void)state;
	for (seed = 1; seed < 10; seed++) {
		teardown(NULL);
		setup(NULL);
		/* nobody waits for an answer as long as it takes to be a sign */
		set(TUN_suspect_after, 60000);
		run_random(CALL | ICMP | CANCEL, 500, check_up);
		teardown(NULL);
		setup(NULL);
		run_random(DIALOG | EXHAUST | CANCEL, 1000, check_up);
		assert_int_equal(w.gw->value.silent, 0);
	}
}

/* Of three calls two are never answered, in any order within the three: at most four silent ones stand in a row. */
static void one_in_three_is_never_down(void **state)
{
	(void)state;
	for (seed = 1; seed < 30; seed++) {
		teardown(NULL);
		setup(NULL);
		set(TUN_down_calls, 2 + seed % 3);
		for (int i = 0; i < 500; i++) {
			/* the third is answered while the other two are tried */
			uint32_t a = begin(w.gw), b, c;

			pass(random_below(3000));
			b = begin(w.gw);
			pass(random_below(3000));
			c = begin(w.gw);
			pass(1 + random_below(100));
			respond(c, 200);
			pass(30000);
			exhaust(a);
			exhaust(b);
			assert_true(w.gw->value.state != GATEWAY_DOWN);
		}
	}
}

static void one_callers_bad_numbers_never_mark(void **state)
{
	(void)state;
	set(TUN_suspect_calls, 1);
	set(TUN_down_calls, 2);
	for (seed = 7; seed < 12; seed++) {
		for (int i = 0; i < 2000; i++) {
			happen(CALL);
			happen(CALL);
			happen(EXHAUST);
			pass(random_below(1000));
			/* another caller's call: answered within the time of any of those */
			respond(begin(w.gw), 180);
			for (uint32_t slot = 0; slot < SLOTS; slot++)
				if (w.slots[slot].first_ns + 8000 * MS < w.now &&
				    word_state(w.slots[slot].word) != ST_FREE)
					exhaust(slot);
			check_up();
			pass(1);
		}
	}
}

/* The log */

static void sentences(void **state)
{
	struct gateway *gw = w.gw;
	char buf[320];

	(void)state;
	memcpy(gw->key.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\x0a", 16);
	gw->key.port = 5060;
	strcpy(gw->value.name, "carrier-a");
	gw->value.state = GATEWAY_DOWN;
	gw->value.state_why = WHY_EXHAUSTED;
	gw->value.on_down = ON_DOWN_REPLY_503;
	gw->value.bypass = BYPASS_REFUSED;
	gw->signs.missed = 1;
	assert_string_equal(
		gateway_sentence(gw, 3, &w.in_force, buf, sizeof(buf)),
		"gateway carrier-a (192.0.2.10:5060) is down: 3 calls in a row exhausted, no probe answered; "
		"its calls are refused with 503 until it answers");
	gw->value.bypass = BYPASS_NONE;
	assert_non_null(strstr(gateway_sentence(gw, 3, &w.in_force, buf, sizeof(buf)), "no other gateway"));
	gw->value.state = GATEWAY_SUSPECT;
	gw->value.state_why = WHY_SILENT;
	*gw->value.name = '\0';
	assert_string_equal(gateway_sentence(gw, 3, &w.in_force, buf, sizeof(buf)),
			    "gateway 192.0.2.10:5060 is suspect: 3 calls in a row without any answer after 2 s");
	gw->value.state = GATEWAY_UP;
	gw->value.state_why = WHY_PROBED;
	assert_string_equal(gateway_sentence(gw, 2, &w.in_force, buf, sizeof(buf)),
			    "gateway 192.0.2.10:5060 is up: it answered 2 probes in a row");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bypass_is_what_on_down_says),
		TEST(the_last_of_a_group_stays_open),
		TEST(settled_alone),
		TEST(taken_up_after_a_restart),
		TEST(without_its_probe_it_goes_up),
		TEST(random_traffic_keeps_the_hold),
		TEST(icmp_cancel_and_dialogs_never_mark),
		TEST(one_in_three_is_never_down),
		TEST(one_callers_bad_numbers_never_mark),
		TEST(sentences),
	};

	return cmocka_run_group_tests_name("gateway_traffic", tests, NULL, NULL);
}
