// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two who work on the table of keys at once, one let in at each step of the other. Both run in this thread, each on a
 * stack of its own, so that a schedule can be played again.
 */
#include <ucontext.h>

static void step(void);
#define TABLE_STEP() step()

#include "../../user/lib/txns.c"
#include "txn_world.h"

#define STACK	 65536
#define SWITCHES 3

struct worker {
	ucontext_t context;
	void (*work)(struct worker *w);
	struct siprtx_key key;
	uint64_t at; /* to add it with */
	uint64_t found;
	int result;
	bool done;
};

static struct worker worker[2], *running;
static char stack[2][STACK];
static ucontext_t outside;
static unsigned steps, leave[SWITCHES], n_leave, left, schedules;
static struct siprtx_key key_a, key_b;

/* At no time does a key stand twice. */
static void watch(void)
{
	unsigned a = 0, b = 0;

	for (size_t i = 0; i < txns_entries(&table); i++) {
		const struct siprtx_entry *e = txns_entry(&table, i);

		a += e->at & TXN_USED && e->key.hash[0] == key_a.hash[0];
		b += e->at & TXN_USED && e->key.hash[0] == key_b.hash[0];
	}
	assert_true(a <= 1 && b <= 1);
}

/* Before each look at memory that others may change; the other one comes in before the steps in `leave`. */
static void step(void)
{
	struct worker *w = running;

	if (!w)
		return;
	watch();
	if (left == n_leave || steps++ != leave[left])
		return;
	left++;
	swapcontext(&w->context, &outside);
	running = w;
}

static void begin(void)
{
	struct worker *w = running;

	w->work(w);
	w->done = true;
}

static void make_ready(unsigned i)
{
	struct worker *w = &worker[i];

	getcontext(&w->context);
	w->context.uc_stack.ss_sp = stack[i];
	w->context.uc_stack.ss_size = STACK;
	w->context.uc_link = &outside;
	makecontext(&w->context, begin, 0);
	w->done = false;
}

static void play(void)
{
	steps = left = 0;
	make_ready(0);
	make_ready(1);
	for (unsigned i = 0; !worker[0].done || !worker[1].done; i = !i) {
		if (worker[i].done)
			continue;
		running = &worker[i];
		swapcontext(&outside, &worker[i].context);
		running = NULL;
	}
	watch();
	schedules++;
}

/* Every schedule with SWITCHES switches at most. */
static void play_from(unsigned depth, void (*prepare)(void), void (*judge)(void))
{
	for (leave[depth] = depth ? leave[depth - 1] + 1 : 0;; leave[depth]++) {
		n_leave = depth + 1;
		prepare();
		play();
		judge();
		if (left <= depth)
			return; /* there are not as many steps */
		if (depth + 1 < SWITCHES)
			play_from(depth + 1, prepare, judge);
	}
}

static void play_all(void (*prepare)(void), void (*judge)(void))
{
	schedules = 0;
	play_from(0, prepare, judge);
	assert_true(schedules > 100);
}

/* As an XDP program does it. */
static void add(struct worker *w)
{
	struct siprtx_bucket *first = &bucket[txn_table_bucket(w->key.hash[0], table.n)];
	struct siprtx_bucket *second = &bucket[txn_table_bucket(w->key.hash[1], table.n)];
	uint64_t version = TABLE_LOAD(first->version);

	w->found = txn_table_look(first, second, &w->key);
	w->result = w->found ? TABLE_THERE : txn_table_add(first, second, &w->key, w->at, version);
}

static void look(struct worker *w)
{
	w->found = 0;
	txns_find(&table, &w->key, &w->found);
}

static void put_both(void)
{
	clear(table.n);
	assert_int_equal(txns_put(&table, &key_a, txn_at(1, 7, 0)), 0);
	assert_int_equal(txns_put(&table, &key_b, txn_at(2, 7, 0)), 0);
}

static void make_workers(void (*first)(struct worker *), void (*second)(struct worker *))
{
	key_a = key_of_call(1);
	key_b = key_of_call(2);
	worker[0] = (struct worker){.work = first, .key = key_a, .at = txn_at(1, 7, 0)};
	worker[1] = (struct worker){.work = second, .key = key_b, .at = txn_at(2, 7, 0)};
}

static void prepare_empty(void)
{
	clear(table.n);
}

/* So that the two keys get into the same entry, one after the other. */
static void prepare_a_gone(void)
{
	clear(table.n);
	assert_int_equal(txns_put(&table, &key_a, txn_at(9, 6, 0)), 0);
	txns_remove(&table, &key_a);
}

static void judge_one_of_two(void)
{
	unsigned won = worker[1].result == TABLE_ADDED;

	assert_int_equal(worker[won].result, TABLE_ADDED);
	assert_int_equal(worker[!won].result, TABLE_THERE);
	assert_int_equal(times_there(&key_a), 1);
	look(&worker[!won]);
	assert_int_equal(worker[!won].found, worker[won].at);
}

static void the_same_key_goes_in_once(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 2; n++) {
		clear(n);
		make_workers(add, add);
		worker[1].key = key_a;
		play_all(prepare_empty, judge_one_of_two);
		play_all(prepare_a_gone, judge_one_of_two);
	}
}

static void judge_both_in(void)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(worker[i].result, TABLE_ADDED);
		assert_int_equal(times_there(&worker[i].key), 1);
	}
}

static void two_keys_both_go_in(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 2; n++) {
		clear(n);
		make_workers(add, add);
		play_all(prepare_empty, judge_both_in);
	}
}

static void mark(struct worker *w)
{
	uint64_t at = 0;
	int64_t i = txns_find(&table, &key_a, &at);

	assert_true(i >= 0);
	assert_true(txns_change(&table, i, at, txn_at(1, 5000, TXN_EXHAUSTED)));
	w->result = 0;
}

static void judge_found(void)
{
	assert_true(worker[0].found == txn_at(1, 7, 0) || worker[0].found == txn_at(1, 5000, TXN_EXHAUSTED));
}

/* What is said of a key changes while it is looked for: it is there all the same, and nobody adds it again. */
static void changed_while_looked_for(void **state)
{
	(void)state;
	clear(1);
	make_workers(look, mark);
	play_all(put_both, judge_found);
	make_workers(add, mark);
	play_all(put_both, judge_found);
}

/* One copy of a datagram is just being published when the next one is looked for. */
static void judge_known(void)
{
	assert_true(!worker[0].found || worker[0].found == worker[1].at);
	assert_int_equal(times_there(&key_a), 1);
}

static void looked_for_while_added(void **state)
{
	(void)state;
	clear(2);
	make_workers(look, add);
	worker[1].key = key_a;
	play_all(prepare_empty, judge_known);
	play_all(prepare_a_gone, judge_known);
}

/* The controller takes b away, an XDP program puts a into its place. */
static void replace(struct worker *w)
{
	struct worker other = {.key = key_a, .at = txn_at(3, 7, 0)};

	txns_remove(&table, &key_b);
	add(&other);
	w->result = other.result;
}

static void prepare_b_only(void)
{
	clear(1);
	assert_int_equal(txns_put(&table, &key_b, txn_at(2, 7, 0)), 0);
}

static void judge_own_or_none(void)
{
	assert_true(!worker[0].found || worker[0].found == txn_at(2, 7, 0));
	assert_int_equal(worker[1].result, TABLE_ADDED);
	assert_int_equal(txns_entry(&table, 0)->at, txn_at(3, 7, 0));
}

static void never_the_word_of_another_key(void **state)
{
	(void)state;
	clear(1);
	make_workers(look, replace);
	worker[0].key = key_b;
	play_all(prepare_b_only, judge_own_or_none);
}

/* A controller killed at any step of adding a key: what is left is nothing, a claim that is known as such, or the key.
 */
static void judge_sound(void)
{
	for (size_t i = 0; i < txns_entries(&table); i++) {
		const struct siprtx_entry *e = txns_entry(&table, i);

		/* the slot of a probe is made ready before its key is added */
		if (e->at & TXN_CLAIMED)
			assert_true(txn_table_is_abandoned(e->at, 7ull << 32 | ST_CALLING));
		else if (e->at)
			assert_memory_equal(&e->key, &key_a, sizeof(key_a));
	}
}

static void killed_while_it_adds(void **state)
{
	struct worker next = {.at = txn_at(2, 7, 0)};
	unsigned n;

	(void)state;
	make_workers(add, NULL);
	for (n = 0; n < 1000 && !worker[0].done; n++) {
		clear(2);
		steps = left = 0;
		leave[0] = n;
		n_leave = 1;
		make_ready(0);
		running = &worker[0];
		swapcontext(&outside, &worker[0].context);
		running = NULL;
		judge_sound();
		/* others go on */
		next.key = key_b;
		add(&next);
		assert_int_equal(next.result, TABLE_ADDED);
	}
	assert_in_range(n, 10, 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_key_goes_in_once),	 cmocka_unit_test(two_keys_both_go_in),
		cmocka_unit_test(changed_while_looked_for),	 cmocka_unit_test(looked_for_while_added),
		cmocka_unit_test(never_the_word_of_another_key), cmocka_unit_test(killed_while_it_adds),
	};

	return cmocka_run_group_tests_name("table of keys, two at once", tests, NULL, NULL);
}
