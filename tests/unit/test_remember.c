// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of ended transactions in the table: how long they stay, and what a controller that starts finds. */
#include "../../user/siprtxd/remember.c"
#include "txn_world.h"

#define SLOTS	4096
#define START	(100 * 1000 * MS)
#define KEEP_MS 32000u

static struct siprtx_slot *slots;
static struct pins pins;
static struct remembered r;

static int begin(void **state)
{
	(void)state;
	slots = calloc(SLOTS, sizeof(*slots));
	assert_non_null(slots);
	clear(SLOTS);
	pins = (struct pins){.slots = slots, .txns = bucket, .entries = {[PIN_slots] = SLOTS, [PIN_txns] = SLOTS}};
	return 0;
}

static int end(void **state)
{
	(void)state;
	remember_close(&r);
	free(slots);
	return 0;
}

/* Call `n`, held in the slot of that number. */
static struct siprtx_key call(unsigned n)
{
	struct siprtx_key key = key_of_call(n);

	slots[n].word = 5ull << 32 | ST_CALLING;
	assert_int_equal(txns_put(&table, &key, txn_at(n, 5, 0)), 0);
	return key;
}

static void release(unsigned n)
{
	slots[n].word = ((slots[n].word >> 32) + 1) << 32 | ST_FREE;
}

static uint64_t at_of(unsigned n)
{
	struct siprtx_key key = key_of_call(n);
	uint64_t at = 0;

	txns_find(&table, &key, &at);
	return at;
}

static void kept_and_forgotten(void **state)
{
	const struct call exhausted = {.slot = 1};
	struct siprtx_key key[3];

	(void)state;
	assert_int_equal(remember_open(&r, &pins, START), 0);
	for (unsigned i = 0; i < 3; i++)
		key[i] = call(i);
	remember_add(&r, &key[0], START, NULL, 0);
	release(0);
	remember_add(&r, &key[1], START + 10 * MS, &exhausted, 77);
	release(1);
	assert_int_equal(at_of(0), txn_at(0, 5, 0));
	assert_int_equal(at_of(1), txn_at(1, START / MS + 10, TXN_EXHAUSTED));
	assert_int_equal(remember_exhausted(&r, &key[1])->record_seq, 77);
	assert_null(remember_exhausted(&r, &key[0]));
	remember_run(&r, START + KEEP_MS * MS - 1, KEEP_MS);
	assert_int_equal(remember_count(&r), 2);
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	assert_int_equal(at_of(0), 0);
	assert_int_equal(remember_count(&r), 1);
	remember_run(&r, START + (KEEP_MS + 10) * MS, KEEP_MS);
	assert_int_equal(at_of(1), 0);
	assert_null(remember_exhausted(&r, &key[1]));
	assert_int_equal(at_of(2), txn_at(2, 5, 0)); /* nobody has ended it */
}

/* Many are forgotten a bounded number a call. */
static void a_bounded_number_a_call(void **state)
{
	(void)state;
	assert_int_equal(remember_open(&r, &pins, START), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct siprtx_key key = call(i);

		remember_add(&r, &key, START, NULL, 0);
	}
	assert_int_equal(remember_count(&r), 3000);
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	assert_int_equal(remember_count(&r), 3000 - RUN_MAX);
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	assert_int_equal(remember_count(&r), 0);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(at_of(i), 0);
}

/* The entry is another key's by now: that one stays. */
static void not_another_ones_key(void **state)
{
	struct siprtx_key key, other = key_of_call(9);
	struct siprtx_entry *e;
	uint64_t at;

	(void)state;
	assert_int_equal(remember_open(&r, &pins, START), 0);
	key = call(1);
	remember_add(&r, &key, START, NULL, 0);
	e = txns_entry(&table, txns_find(&table, &key, &at));
	txns_remove(&table, &key);
	e->key = other;
	e->at = txn_at(9, 3, 0);
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	assert_int_equal(remember_count(&r), 0);
	assert_int_equal(e->at, txn_at(9, 3, 0));
}

/* Held ones, one about to be captured, ended ones with and without a time, claims of a CPU and of a killed controller.
 */
static void found_at_a_start(void **state)
{
	struct siprtx_entry *claimed, *abandoned;
	struct siprtx_key key;
	uint64_t at;
	int64_t i;

	(void)state;
	call(0);
	call(1);
	slots[1].word = 5ull << 32 | ST_FREE;
	call(2);
	release(2);
	key = call(3);
	i = txns_find(&table, &key, &at);
	assert_true(txns_change(&table, i, at, txn_at(3, START / MS - 20000, TXN_EXHAUSTED)));
	release(3);
	key = call(4);
	i = txns_find(&table, &key, &at);
	assert_true(txns_change(&table, i, at, txn_at(4, START / MS - 5000, TXN_ENDED)));
	release(4);
	key = call(5);
	claimed = txns_entry(&table, txns_find(&table, &key, &at));
	claimed->at ^= TXN_USED | TXN_CLAIMED;
	slots[5].word = 5ull << 32 | ST_FREE;
	key = call(6);
	abandoned = txns_entry(&table, txns_find(&table, &key, &at));
	abandoned->at ^= TXN_USED | TXN_CLAIMED;

	for (unsigned start = 0; start < 3; start++) {
		uint64_t now = START + start * 1000 * MS;

		assert_int_equal(remember_open(&r, &pins, now), 0);
		assert_int_equal(remember_count(&r), 3);
		assert_int_equal(at_of(0), txn_at(0, 5, 0));
		assert_int_equal(at_of(1), txn_at(1, 5, 0));
		assert_int_equal(at_of(2), txn_at(2, START / MS, TXN_ENDED)); /* the first one's time */
		assert_true(claimed->at & TXN_CLAIMED);
		assert_int_equal(abandoned->at, 0);
		if (start < 2)
			remember_close(&r);
	}
	remember_run(&r, START + (KEEP_MS - 20000) * MS - 1, KEEP_MS);
	assert_int_equal(remember_count(&r), 3);
	remember_run(&r, START + (KEEP_MS - 20000) * MS, KEEP_MS);
	assert_int_equal(at_of(3), 0);
	assert_true(at_of(4));
	remember_run(&r, START + (KEEP_MS - 5000) * MS, KEEP_MS);
	assert_int_equal(at_of(4), 0);
	assert_true(at_of(2));
	remember_run(&r, START + KEEP_MS * MS, KEEP_MS);
	assert_int_equal(at_of(2), 0);
	assert_int_equal(at_of(0), txn_at(0, 5, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept_and_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(a_bounded_number_a_call, begin, end),
		cmocka_unit_test_setup_teardown(not_another_ones_key, begin, end),
		cmocka_unit_test_setup_teardown(found_at_a_start, begin, end),
	};

	return cmocka_run_group_tests_name("remembered keys", tests, NULL, NULL);
}
