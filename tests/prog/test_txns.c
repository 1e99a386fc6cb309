// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of keys, as the programs find it full, with a key that is being added, and on two CPUs at once. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "one_edge.h"
#include "slot_sum.h"
#include "txns.h"

#define CALLS 3000

static char message[2048];
static pthread_barrier_t together;

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=8192", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

static void build(struct frame *f, const char *branch)
{
	char text[2048];

	frame_build(f, &(struct shape){0}, text, make_invite(text, sizeof(text), branch, 1, NULL));
}

static int invite(const char *branch)
{
	struct frame f;

	build(&f, branch);
	return run(edge.inside, &f, NULL);
}

static int response(const char *branch, int code)
{
	struct frame f;

	frame_build(&f, &(struct shape){FROM_GATEWAY}, message,
		    make_response(message, sizeof(message), branch, 1, code, "INVITE", NULL));
	return run(edge.outside, &f, NULL);
}

/* No room in either bucket: the message passes, nothing is held, and what was taken for it is there for the next. */
static void full(void **state)
{
	const struct txns t = txns_of(&edge.pins);
	struct slot_sum before, after;

	(void)state;
	counters_clear(&edge);
	assert_int_equal(invite("z9hG4bKbefore"), PASS);
	before = slot_sum(&edge);
	for (size_t i = 0; i < txns_entries(&t); i++)
		if (!txns_entry(&t, i)->at)
			txns_entry(&t, i)->at = txn_at(0, 12345, TXN_EXHAUSTED);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(invite("z9hG4bKfull"), PASS);
	assert_int_equal(counter(&edge, CNT_no_txn), 10);
	assert_int_equal(counter(&edge, CNT_captured), 1);
	/* who is in it is found */
	assert_int_equal(response("z9hG4bKbefore", 200), PASS);
	assert_int_equal(counter(&edge, CNT_final), 1);
	for (size_t i = 0; i < txns_entries(&t); i++)
		if (txn_gen(txns_entry(&t, i)->at) == 12345)
			txns_entry(&t, i)->at = 0;
	after = slot_sum(&edge);
	assert_int_equal(after.held, before.held);
	assert_int_equal(after.free + after.spare, before.free + before.spare);
	assert_int_equal(invite("z9hG4bKfull"), PASS);
	assert_int_equal(counter(&edge, CNT_captured), 2);
	free_all(&edge);
}

/* Another CPU is adding the same key: to a copy it is a duplicate, to a response nothing. */
static void being_added(void **state)
{
	struct siprtx_slot *s;
	struct siprtx_entry *e;
	const struct txns t = txns_of(&edge.pins);
	uint64_t at;

	(void)state;
	counters_clear(&edge);
	assert_int_equal(invite("z9hG4bKadding"), PASS);
	s = last_captured(&edge);
	e = txns_entry(&t, txns_find(&t, &s->key, &at));
	e->at = at ^ (TXN_USED | TXN_CLAIMED);
	assert_int_equal(invite("z9hG4bKadding"), PASS);
	assert_int_equal(counter(&edge, CNT_dup), 1);
	assert_int_equal(response("z9hG4bKadding", 200), PASS);
	assert_int_equal(counter(&edge, CNT_response_unknown), 1);
	assert_int_equal(word_state(s->word), ST_CALLING);
	e->at = at;
	assert_int_equal(response("z9hG4bKadding", 200), PASS);
	assert_int_equal(counter(&edge, CNT_final), 1);
	free_all(&edge);
}

static void *on_cpu(void *cpu)
{
	char branch[32];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((long)cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (unsigned i = 0; i < CALLS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);
		struct frame f;

		snprintf(branch, sizeof(branch), "z9hG4bKboth%u", i);
		build(&f, branch);
		opts.data_in = f.data;
		opts.data_size_in = f.len;
		pthread_barrier_wait(&together);
		bpf_prog_test_run_opts(edge.inside, &opts);
	}
	return NULL;
}

/* Rule 30: the same datagram on two CPUs at the same time is one transaction. */
static void rule_30_on_two_cpus_at_once(void **state)
{
	struct slot_sum sum;
	pthread_t other;

	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	counters_clear(&edge);
	edge.pins.in_force->tunables[TUN_dup_window] = 1000;
	pthread_barrier_init(&together, NULL, 2);
	assert_int_equal(pthread_create(&other, NULL, on_cpu, (void *)1), 0);
	on_cpu((void *)0);
	pthread_join(other, NULL);
	assert_int_equal(counter(&edge, CNT_captured), CALLS);
	/* or it came between key and word, when the slot is still free by its word */
	assert_int_equal(counter(&edge, CNT_dup) + counter(&edge, CNT_remembered), CALLS);
	sum = slot_sum(&edge);
	assert_int_equal(sum.held, CALLS);
	free_all(&edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full),
		cmocka_unit_test(being_added),
		cmocka_unit_test(rule_30_on_two_cpus_at_once),
	};

	return cmocka_run_group_tests_name("prog: table of keys", tests, up, down);
}
