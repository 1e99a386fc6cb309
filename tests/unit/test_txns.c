// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of keys: how full it gets, what is said of a key, and many who work on it at once. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "txn_table.h"
#include "txn_world.h"

static uint64_t at_of(const struct siprtx_key *key)
{
	uint64_t at = 0;

	txns_find(&table, key, &at);
	return at;
}

/* How many keys of how many go in before the first that does not, and how many do not. */
static void fills_evenly(void **state)
{
	unsigned first = 0, failed = 0, keys = 3 * MAX_BUCKETS;

	(void)state;
	clear(MAX_BUCKETS);
	for (unsigned i = 0; i < keys; i++) {
		struct siprtx_key key = key_of_call(i);

		if (!txns_put(&table, &key, txn_at(i, 1, 0)))
			continue;
		first = first ?: i;
		failed++;
	}
	/* what txn_table.h says: room in the whole is for five keys a bucket */
	assert_in_range(first ?: keys, 53ul * 5 * MAX_BUCKETS / 100, keys);
	assert_in_range(failed, 0, keys / 2000);
	for (unsigned i = 0; i < keys; i++) {
		struct siprtx_key key = key_of_call(i);

		if (i < first || !failed)
			assert_int_equal(at_of(&key), txn_at(i, 1, 0));
	}
}

static void full(void **state)
{
	struct siprtx_key key;
	unsigned held = 0;

	(void)state;
	clear(4);
	for (unsigned i = 0; i < 1000; i++) {
		int err;

		key = key_of_call(i);
		err = txns_put(&table, &key, txn_at(i, 1, 0));
		held += !err;
		assert_int_equal(err, at_of(&key) ? 0 : -ENOSPC);
	}
	assert_int_equal(held, 4 * BUCKET_ENTRIES);
}

static void goes_and_comes_back(void **state)
{
	struct siprtx_key key[BUCKET_ENTRIES];

	(void)state;
	clear(1);
	for (unsigned round = 0; round < 100; round++) {
		const unsigned n = BUCKET_ENTRIES;

		for (unsigned i = 0; i < n; i++) {
			key[i] = key_of_call(n * round + i);
			assert_int_equal(txns_put(&table, &key[i], txn_at(i, round, 0)), 0);
		}
		for (unsigned i = 0; i < n; i += 2)
			txns_remove(&table, &key[i]);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(times_there(&key[i]), i % 2);
		/* the keys are written where they were, and must not be taken for there */
		for (unsigned i = 0; i < n; i += 2)
			assert_int_equal(at_of(&key[i]), 0);
		for (unsigned i = 0; i < n; i += 2)
			assert_int_equal(txns_put(&table, &key[i], txn_at(i, round, 0)), 0);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(times_there(&key[i]), 1);
			txns_remove(&table, &key[i]);
		}
	}
}

static void marks(void **state)
{
	struct siprtx_key key = key_of_call(1);
	uint64_t at;
	int64_t i;

	(void)state;
	clear(16);
	assert_int_equal(txns_put(&table, &key, txn_at(0, 0, 0)), 0); /* slot and generation 0: there all the same */
	i = txns_find(&table, &key, &at);
	assert_true(i >= 0);
	assert_int_equal(at, TXN_USED);
	assert_false(txns_change(&table, i, txn_at(1, 0, 0), 0));
	assert_true(txns_change(&table, i, at, txn_at(TXN_SLOT, ~0u, TXN_EXHAUSTED)));
	assert_int_equal(txns_find(&table, &key, &at), i);
	assert_int_equal(txn_slot(at), TXN_SLOT);
	assert_int_equal(txn_gen(at), ~0u);
	assert_int_equal(at & (TXN_EXHAUSTED | TXN_ENDED | TXN_CLAIMED), TXN_EXHAUSTED);
	/* the same key says another thing: no second entry */
	assert_int_equal(txns_put(&table, &key, txn_at(3, 4, TXN_ENDED)), 0);
	assert_int_equal(at_of(&key), txn_at(3, 4, TXN_ENDED));
	assert_int_equal(times_there(&key), 1);
}

static void claimed_is_not_there(void **state)
{
	struct siprtx_key key = key_of_call(1);
	struct siprtx_bucket *first, *second;
	uint64_t at = txn_at(7, 3, 0), claim = at ^ (TXN_USED | TXN_CLAIMED);
	struct siprtx_entry *e;

	(void)state;
	clear(16);
	assert_int_equal(txns_put(&table, &key, at), 0);
	e = txns_entry(&table, txns_find(&table, &key, &at));
	e->at = claim;
	assert_int_equal(txns_find(&table, &key, &at), -1);
	/* but nobody adds it a second time */
	first = &bucket[txn_table_bucket(key.hash[0], 16)];
	second = &bucket[txn_table_bucket(key.hash[1], 16)];
	assert_int_equal(txn_table_look(first, second, &key), claim);
	assert_int_equal(txn_table_add(first, second, &key, txn_at(8, 3, 0), first->version + 1), TABLE_THERE);
	/* the slot it names is in a CPU's hand, is in use, is free again */
	assert_false(txn_table_is_abandoned(claim, 3ull << 32 | ST_FREE));
	assert_true(txn_table_is_abandoned(claim, 3ull << 32 | ST_CALLING));
	assert_true(txn_table_is_abandoned(claim, 4ull << 32 | ST_FREE));
	assert_false(txn_table_is_abandoned(txn_at(7, 3, 0), 4ull << 32 | ST_FREE));
}

/* Threads on few keys in few buckets: two add, one looks, one takes away. What a key's word names is the key. */
#define KEYS	48
#define BUCKETS 16
static struct siprtx_key stress_key[KEYS];
static unsigned there[KEYS]; /* as those say who were told that they added it */
static unsigned added, twice, of_another, next_gen;
static bool over;

static void *adds(void *unused)
{
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i = (i + 1) % KEYS) {
		const struct siprtx_key *k = &stress_key[i];
		struct siprtx_bucket *first = &bucket[txn_table_bucket(k->hash[0], BUCKETS)];
		struct siprtx_bucket *second = &bucket[txn_table_bucket(k->hash[1], BUCKETS)];
		uint64_t version = __atomic_load_n(&first->version, __ATOMIC_ACQUIRE);
		uint64_t at = txn_at(i, __atomic_add_fetch(&next_gen, 1, __ATOMIC_RELAXED), 0);

		if (txn_table_look(first, second, k) || txn_table_add(first, second, k, at, version))
			continue;
		__atomic_add_fetch(&added, 1, __ATOMIC_RELAXED);
		if (__atomic_add_fetch(&there[i], 1, __ATOMIC_SEQ_CST) > 1)
			__atomic_add_fetch(&twice, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static void *looks(void *unused)
{
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i = (i + 1) % KEYS) {
		uint64_t at;

		if (txns_find(&table, &stress_key[i], &at) >= 0 && txn_slot(at) != i)
			__atomic_add_fetch(&of_another, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static void *takes_away(void *unused)
{
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i = (i + 7) % KEYS) {
		uint64_t at;
		int64_t e = txns_find(&table, &stress_key[i], &at);

		/* whoever added it has said so */
		if (e < 0 || !__atomic_load_n(&there[i], __ATOMIC_SEQ_CST))
			continue;
		txns_change(&table, e, at, at | TXN_EXHAUSTED);
		__atomic_sub_fetch(&there[i], 1, __ATOMIC_SEQ_CST);
		txns_change(&table, e, at | TXN_EXHAUSTED, 0);
	}
	return unused;
}

static void many_at_once(void **state)
{
	void *(*const work[])(void *) = {adds, adds, looks, takes_away};
	pthread_t thread[4];

	(void)state;
	clear(BUCKETS);
	for (unsigned i = 0; i < KEYS; i++)
		stress_key[i] = key_of_call(i);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work[i], NULL), 0);
	nanosleep(&(struct timespec){1, 0}, NULL);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(twice, 0);
	assert_int_equal(of_another, 0);
	assert_true(added > 1000);
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(times_there(&stress_key[i]), there[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_evenly),		cmocka_unit_test(full),
		cmocka_unit_test(goes_and_comes_back),	cmocka_unit_test(marks),
		cmocka_unit_test(claimed_is_not_there), cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests_name("table of keys", tests, NULL, NULL);
}
