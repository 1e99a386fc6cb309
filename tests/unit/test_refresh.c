// SPDX-License-Identifier: GPL-2.0-or-later
/* One of the softswitch's copies passes in place of siprtx's, so that conntrack keeps the flow. */
#include "transaction_world.h"

#include "conntrack.h"

#define EVERY (15000 * MS)

static bool lose_notes;

/* As the XDP program does it: absorbed, or passed by the flag and noted, or passed as siprtx does not send. */
static void own_copy(uint32_t slot)
{
	struct siprtx_slot *s = &w.slots[slot];
	bool turn = s->word & WORD_YIELD;

	s->copy_gap_ns = w.now - (s->copy_ns ?: s->first_ns);
	s->copy_ns = w.now;
	if (s->word & WORD_TAKEN && !turn)
		return;
	w.sent_ms[w.n_sent++] = (w.now - START) / MS;
	if (!(s->word & WORD_TAKEN)) {
		note(NOTE_COPY, slot, 0);
		return;
	}
	s->word &= ~(__u64)WORD_YIELD;
	if (!lose_notes)
		note(NOTE_COPY, slot, 1);
}

static void own_copies(uint32_t slot, unsigned n, const uint64_t *ms)
{
	for (unsigned i = 0; i < n && (!i || ms[i]); i++) {
		run_until(ms[i]);
		own_copy(slot);
	}
}
#define OWN_COPIES(slot, ...)                                                                                          \
	do {                                                                                                           \
		const uint64_t copy_ms[] = {__VA_ARGS__};                                                              \
		own_copies(slot, sizeof(copy_ms) / sizeof(*copy_ms), copy_ms);                                         \
	} while (0)

/* A world of its own with the refresh on. */
static uint32_t refreshed_call(void **state, uint32_t profile)
{
	teardown(state);
	setup(state);
	lose_notes = false;
	w.in_force.tunables[TUN_absorb] = 1;
	transactions_refresh(w.t, EVERY);
	return call(profile);
}

/* Whatever the two lists are: each wait has one datagram, never two close together, and from 15 s on one of its own. */
static void copies_pass_in_place_of_ours(void **state)
{
	static const struct {
		const char *what;
		uint32_t profile;
		uint64_t copy[12], sent[14], passed;
	} want[] = {
		{"the same list, a little late each time",
		 0,
		 {520, 1540, 3560, 7580, 11600, 15620, 19640, 23660, 27680, 31700},
		 {500, 1500, 3500, 7500, 11500, 15620, 19620, 23620, 27620, 31620},
		 15620},
		{"the same list, a little early",
		 0,
		 {490, 1480, 3470, 7460, 11450, 15440, 19430, 23420, 27410, 31400},
		 {500, 1500, 3500, 7500, 11500, 15440, 19440, 23440, 27440, 31400},
		 15440},
		{"RFC 3261's list",
		 0,
		 {500, 1500, 3500, 7500, 15510, 31520},
		 {500, 1500, 3500, 7500, 11500, 15510, 19510, 23510, 27510, 31510},
		 15510},
		{"half a second after ours, high-reliability",
		 3,
		 {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500},
		 {1000, 3000, 7000, 11000, 15500, 19500, 23500, 27500, 31500, 35500},
		 15500},
		{"between ours",
		 3,
		 {1000, 2000, 5000, 9000, 13000, 17000, 21000, 25000, 29000, 33000},
		 {1000, 3000, 7000, 11000, 17000, 21000, 25000, 29000, 33000, 37000},
		 17000},
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint32_t slot = refreshed_call(state, want[i].profile);

		print_message("%s\n", want[i].what);
		w.in_force.tunables[TUN_abandon] = 0;
		own_copies(slot, 12, want[i].copy);
		run_until(60000);
		expect_sent(10, want[i].sent);
		assert_true(w.n_copies >= 1);
		assert_int_equal(w.stats[STAT_copies_counted], w.n_copies);
		assert_int_equal(w.stats[STAT_sends] + w.n_copies, 10);
		for (unsigned k = 0; k < w.n_sent && w.sent_ms[k] <= want[i].passed; k++)
			if (w.sent_ms[k] == want[i].passed)
				assert_int_equal(w.stats[STAT_refresh_missed], 0);
		expect_record(END_NO_RESPONSE);
	}
}

/* Where nothing is to be refreshed, or nothing comes to do it with, all is as ever. */
static void nothing_to_refresh(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		uint32_t slot = refreshed_call(state, 0);

		if (i == 0)
			transactions_refresh(w.t, 0);
		else if (i == 1)
			w.in_force.tunables[TUN_absorb] = 0;
		else if (i == 2)
			w.slots[slot].first_ns = START; /* no copy ever */
		w.in_force.tunables[TUN_abandon] = 0;
		if (i == 0)
			OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500, 15500, 19500);
		else if (i == 3)
			OWN_COPIES(slot, 510, 1510, 3510); /* given up long ago */
		run_until(60000);
		EXPECT_SENT(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
		assert_int_equal(w.n_copies, 0);
		assert_int_equal(w.stats[STAT_refresh_missed], 0);
		expect_record(END_NO_RESPONSE);
	}
}

/* As the tunable says, or twice in the time after which conntrack forgets. */
static void how_often(void **state)
{
	const struct conntrack off = {.forgets_ms = 30000}, usual = {true, 1, 30000}, soon = {true, 1, 4000};

	(void)state;
	assert_int_equal(conntrack_refresh_ms(&off, 15000), 0);
	assert_int_equal(conntrack_refresh_ms(&usual, 15000), 15000);
	assert_int_equal(conntrack_refresh_ms(&usual, 9000), 9000);
	assert_int_equal(conntrack_refresh_ms(&usual, 600000), 15000);
	assert_int_equal(conntrack_refresh_ms(&usual, 0), 0);
	assert_int_equal(conntrack_refresh_ms(&soon, 15000), 2000);
}

/* No wait for a copy goes beyond the time in which the call is tried. */
static void not_beyond_the_end(void **state)
{
	for (unsigned early = 0; early < 2; early++) {
		uint32_t slot = refreshed_call(state, 3);

		w.in_force.profiles[3 * PROFILE_FIELDS + PF_TIMEOUT_INVITE] = early ? 15900 : 16100;
		w.in_force.tunables[TUN_abandon] = 0;
		OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500, 15500); /* ours: 1, 3, 7, 11, 15 s */
		run_until(60000);
		assert_int_equal(w.n_sent, 5);
		assert_int_equal(w.sent_ms[4], early ? 15000 : 15500);
		assert_int_equal(w.n_copies, !early);
		expect_record(END_NO_RESPONSE);
	}
}

/* The copy that was expected does not come: ours goes half a second later, and the next one is not waited for. */
static void waited_in_vain(void **state)
{
	uint32_t slot = refreshed_call(state, 0);

	w.in_force.tunables[TUN_abandon] = 0;
	OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500);
	run_until(15999);
	assert_int_equal(w.n_sent, 5);
	assert_true(w.slots[slot].word & WORD_YIELD);
	run_until(16070);
	assert_int_equal(w.n_sent, 6);
	assert_in_range(w.sent_ms[5], 16000, 16064);
	assert_false(w.slots[slot].word & WORD_YIELD);
	assert_int_equal(w.stats[STAT_refresh_missed], 1);
	own_copy(slot);
	assert_int_equal(w.n_sent, 6); /* absorbed: ours has just gone */
	run_until(60000);
	assert_int_equal(w.n_sent, 10);
	expect_record(END_NO_RESPONSE);
}

/* The copy passed, but the ring was full: it is counted when the wait for it is over; a note that comes then is not. */
static void note_of_the_copy_is_late(void **state)
{
	uint32_t slot = refreshed_call(state, 0);
	struct siprtx_note n = {.kind = NOTE_COPY, .code = 1};

	lose_notes = true;
	w.in_force.tunables[TUN_abandon] = 0;
	OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500, 15500);
	n.ns = w.now;
	n.word = w.slots[slot].word;
	n.slot = slot;
	run_until(17000);
	assert_int_equal(w.n_copies, 1);
	transactions_note(w.t, &n);
	assert_int_equal(w.n_copies, 1);
	assert_int_equal(w.n_sent, 6);
	run_until(60000);
	assert_int_equal(w.n_sent, 10);
	expect_record(END_NO_RESPONSE);
}

/* An answer, or a controller that ends, while the copy is waited for. */
static void ends_in_between(void **state)
{
	uint32_t slot = refreshed_call(state, 0);

	w.in_force.tunables[TUN_abandon] = 0;
	OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500);
	run_until(15600);
	assert_true(w.slots[slot].word & WORD_YIELD);
	answer(slot, STAGE_RINGING, 180);
	run_until(20000);
	assert_int_equal(w.n_sent, 5);
	answer(slot, STAGE_RINGING, 200);
	expect_all_free();

	slot = refreshed_call(state, 0);
	OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500);
	run_until(15600);
	transactions_free(w.t);
	calls_free(w.calls);
	lose_notes = true; /* it waits in the ring for the next controller */
	own_copy(slot);
	assert_int_equal(w.n_sent, 6);
	boot();
	note(NOTE_COPY, slot, 1);
	run_until(19000);
	assert_int_equal(w.n_sent, 6);
	assert_int_equal(w.n_copies, 1);

	/* adopted with the flag still there: siprtx takes it back and sends */
	slot = refreshed_call(state, 0);
	w.in_force.tunables[TUN_abandon] = 0;
	OWN_COPIES(slot, 500, 1500, 3500, 7500, 11500);
	run_until(15600);
	transactions_free(w.t);
	calls_free(w.calls);
	boot();
	run_until(16100);
	assert_int_equal(w.n_sent, 6);
	assert_false(w.slots[slot].word & WORD_YIELD);
	run_until(60000);
	assert_int_equal(w.n_sent, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(copies_pass_in_place_of_ours),
		CASE(nothing_to_refresh),
		CASE(how_often),
		CASE(waited_in_vain),
		CASE(not_beyond_the_end),
		CASE(note_of_the_copy_is_late),
		CASE(ends_in_between),
	};

	return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
