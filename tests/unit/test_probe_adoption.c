// SPDX-License-Identifier: GPL-2.0-or-later
/* Probes that a controller was killed in the middle of, taken up by the next one. */
#include "probe_world.h"

static bool found(void *ctx, const struct siprtx_gateway_key *key)
{
	struct siprtx_gateway_key want = gateway();

	(void)ctx;
	assert_memory_equal(key, &want, sizeof(want));
	return !w.unwanted;
}

/* A new controller finds the maps as they are. */
static void crash(uint64_t down_ms)
{
	probes_free(w.p);
	memset(w.in_flight, 0, sizeof(w.in_flight));
	w.n_told = 0;
	w.now += down_ms * MS;
	boot();
	assert_int_equal(probes_adopt(w.p, found, w.now), 0);
}

static void adopted_and_gone_on_with(void **state)
{
	uint64_t sent_ms;

	(void)state;
	begin();
	run_until(2000);
	crash(100);
	assert_true(known());
	assert_int_equal(probes_held(w.p), 1);
	assert_int_equal(keys(), 1);
	run_until(2200);
	assert_int_equal(w.n_told, 0);
	/* the one that is out is answered */
	answer(200);
	assert_int_equal(count('a', 0), 1);
	run_until(3300);
	assert_int_equal(count('s', 0), 1);
	/* unanswered over the crash: nobody knows whether it left, so it is not missed, and the next one comes when due
	 */
	sent_ms = w.told[1].ms;
	crash(10);
	run_until(sent_ms + 6990);
	assert_int_equal(w.n_told, 0);
	run_until(sent_ms + 8000);
	assert_int_equal(count('s', 0), 1);
	assert_int_equal(count('m', 0), 0);
	/* a long time after it was due */
	crash(60000);
	run_until((w.now - START) / MS);
	assert_int_equal(count('s', 0), 1);
	/* answered while nobody was there: told once */
	move(only(), ST_COMPLETED, 486);
	crash(100);
	run_until((w.now - START) / MS);
	assert_int_equal(count('a', 0), 1);
	assert_int_equal(w.told[0].code, 486);
	crash(100);
	run_until((w.now - START) / MS + 100);
	assert_int_equal(count('a', 0), 0);
	/* its key is gone */
	run_until((w.now - START) / MS + 2000);
	assert_int_equal(count('s', 0), 1);
	memset(w.m.used, 0, sizeof(w.m.used));
	crash(0);
	assert_int_equal(keys(), 1);
	answer(100);
	crash(0);
	answer(200);
	assert_int_equal(count('a', 0), 1);
	/* probed no more */
	w.unwanted = true;
	crash(0);
	expect_over();
	run_until(600000);
	assert_int_equal(w.n_told, 0);
}

static void adopted_what_cannot_be_gone_on_with(void **state)
{
	struct siprtx_slot *s;

	(void)state;
	begin();
	run_until(0);
	s = only();
	memset((char *)s + s->sip_off, 'x', s->sip_len);
	w.unwanted = true; /* nobody is asked */
	crash(0);
	expect_over();
	w.unwanted = false;
	/* one that had ended and waited for its answer, and the next of the same gateway */
	begin();
	run_until(0);
	probes_end(w.p, &(struct siprtx_gateway_key){.port = 5060});
	{
		struct siprtx_gateway_key key = gateway();

		probes_end(w.p, &key);
	}
	begin();
	run_until(0);
	assert_int_equal(probes_held(w.p), 2);
	crash(0);
	assert_int_equal(probes_held(w.p), 1);
	assert_int_equal(keys(), 1);
	assert_true(known());
	only();
}

/* At each moment at which it tells the world something: the next one goes on, with one slot, and with one key that is
 * alive. */
static void adopted_after_each_step(void **state)
{
	unsigned n, gone_on = 0;
	struct maps *snapshots;

	(void)state;
	w.snapshot = calloc(SNAPSHOTS, sizeof(*w.snapshot));
	assert_non_null(w.snapshot);
	begin();
	run_until(100);
	answer(200);
	run_until(1200);
	run_until(18000);
	n = w.n_snapshots;
	assert_in_range(n, 14, SNAPSHOTS - 1);
	snapshots = w.snapshot;
	w.snapshot = NULL;
	for (unsigned i = 0; i < n; i++) {
		unsigned alive = 0;

		w.m = snapshots[i];
		w.in_force.captured_methods = 0;
		crash(0);
		gone_on += known();
		assert_int_equal(free_slots() + probes_held(w.p), SLOTS - 1);
		run_until((w.now - START) / MS + 8000);
		assert_true(count('s', 0) >= 1);
		for (unsigned k = 0; k < SLOTS; k++)
			alive += w.m.used[k] && txn_gen(w.m.txn[k]) == word_gen(w.m.slots[txn_slot(w.m.txn[k])].word);
		assert_int_equal(alive, 1);
		/* and what it says of it is one word */
		answer(200);
		assert_int_equal(w.told[w.n_told - 1].what, 'a');
	}
	assert_int_equal(gone_on, n);
	free(snapshots);
}

/* Killed while one frame became the next: bytes of both. */
static void adopted_half_rewritten(void **state)
{
	struct siprtx_slot before, after, *s;

	(void)state;
	begin();
	run_until(0);
	s = only();
	before = *s;
	run_until(8000);
	after = *s;
	for (unsigned cut = 0; cut < before.frame_len; cut += 3) {
		*s = before;
		memcpy((char *)s + s->frame_off, (char *)&after + s->frame_off, cut);
		crash(0);
		assert_true(known());
		run_until((w.now - START) / MS + 8000);
		assert_true(count('s', 0) >= 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(adopted_and_gone_on_with),
		TEST(adopted_what_cannot_be_gone_on_with),
		TEST(adopted_after_each_step),
		TEST(adopted_half_rewritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
