// SPDX-License-Identifier: GPL-2.0-or-later
/* The tunables rate_source and rate: past them no state is made, and the message goes on. */
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

#include "edge.h"

#define PASS   2
#define SECOND 1000000000ull
#define OTHER  "10.77.1.3"

static struct edge edge;
static int sources = -1, all = -1; /* the buckets' maps */
static uint64_t begun;		   /* of the test: the buckets fill while it runs */

/* A map the inside program uses and nobody pins. */
static int map_of_program(const char *name)
{
	__u32 ids[64];
	struct bpf_prog_info info = {.map_ids = (uintptr_t)ids, .nr_map_ids = 64};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(edge.inside, &info, &size), 0);
	for (__u32 i = 0; i < info.nr_map_ids; i++) {
		struct bpf_map_info map = {};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		size = sizeof(map);
		assert_true(fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &size));
		if (!strcmp(map.name, name))
			return fd;
		close(fd);
	}
	fail_msg("the program has no map %s", name);
	return -1;
}

static int up(void **state)
{
	char *overrides[] = {"siprtx.max_transactions=2048", NULL};

	(void)state;
	edge_up(&edge, overrides);
	sources = map_of_program("rate_sources");
	all = map_of_program("rate_all");
	return 0;
}

static int down(void **state)
{
	(void)state;
	close(sources);
	close(all);
	edge_down(&edge);
	return 0;
}

static void limit(unsigned rate_source, unsigned rate)
{
	edge.pins.in_force->tunables[TUN_rate_source] = rate_source;
	edge.pins.in_force->tunables[TUN_rate] = rate;
}

/* Each test begins with full buckets and without limits. */
static int fresh(void **state)
{
	__u8 source[16];
	__u64 full = 0;
	__u32 zero = 0;

	(void)state;
	limit(0, 0);
	while (!bpf_map_get_next_key(sources, NULL, source))
		assert_int_equal(bpf_map_delete_elem(sources, source), 0);
	assert_int_equal(bpf_map_update_elem(all, &zero, &full, BPF_ANY), 0);
	last_captured(&edge);
	counters_clear(&edge);
	begun = now_ns();
	return 0;
}

/* One INVITE with a branch of its own; it passes as it came. */
static void invite(const struct shape *shape, unsigned number)
{
	struct frame in, out;
	char message[2048], branch[64];

	snprintf(branch, sizeof(branch), "z9hG4bKrate%llu.%u", (unsigned long long)begun, number);
	frame_build(&in, shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
	if (run(edge.inside, &in, &out) != PASS || out.len != in.len || memcmp(out.data, in.data, in.len))
		fail_msg("INVITE %u did not pass as it came", number);
}

static uint64_t taken(void)
{
	return counter(&edge, CNT_captured);
}

/* `n` INVITEs from this source. How many were taken; each of the others is counted under `reason`. */
static unsigned flood(const char *source, unsigned n, unsigned reason)
{
	static unsigned number;
	uint64_t before = taken(), over = counter(&edge, reason);

	for (unsigned i = 0; i < n; i++)
		invite(&(struct shape){.src = source, .v6 = source && strchr(source, ':')}, number++);
	assert_int_equal(taken() - before + counter(&edge, reason) - over, n);
	return taken() - before;
}

/* What a bucket gives is `wanted`, and what it got since the test began. */
static void expect_taken(unsigned got, unsigned wanted, unsigned rate)
{
	unsigned more = (now_ns() - begun) * rate / SECOND + 1;

	if (got < wanted || got > wanted + (more > 1 ? more : 0))
		fail_msg("%u taken, wanted %u and at most %u more", got, wanted, more);
}

/* As if this much time had gone by. */
static void age(int map, const void *key, uint64_t ns)
{
	__u64 full;

	assert_int_equal(bpf_map_lookup_elem(map, key, &full), 0);
	full -= ns;
	assert_int_equal(bpf_map_update_elem(map, key, &full, BPF_EXIST), 0);
}

/* The key of the one source there is. */
static void only_source(__u8 *source)
{
	__u8 next[16];

	assert_int_equal(bpf_map_get_next_key(sources, NULL, source), 0);
	assert_int_not_equal(bpf_map_get_next_key(sources, source, next), 0);
}

static void test_source(void **state)
{
	static const __u8 mapped[16] = {[10] = 0xff, 0xff, 10, 77, 1, 2};
	__u8 source[16];

	(void)state;
	limit(5, 0);
	expect_taken(flood(NULL, 20, CNT_over_rate_source), 5, 5);
	only_source(source);
	assert_memory_equal(source, mapped, 16);
	/* others are served meanwhile, of both families */
	expect_taken(flood(OTHER, 3, CNT_over_rate_source), 3, 5);
	expect_taken(flood(SOFTSWITCH6, 20, CNT_over_rate_source), 5, 5);
	assert_int_equal(counter(&edge, CNT_over_rate), 0);
}

static void test_source_refills(void **state)
{
	__u8 source[16];

	(void)state;
	limit(5, 0);
	flood(NULL, 10, CNT_over_rate_source);
	only_source(source);
	age(sources, source, 2 * SECOND / 5);
	expect_taken(flood(NULL, 10, CNT_over_rate_source), 2, 5);
	/* never more than a second's worth */
	age(sources, source, 100 * SECOND);
	expect_taken(flood(NULL, 20, CNT_over_rate_source), 5, 5);
}

static void test_in_all(void **state)
{
	__u32 zero = 0;

	(void)state;
	limit(0, 5);
	expect_taken(flood(NULL, 3, CNT_over_rate) + flood(OTHER, 10, CNT_over_rate), 5, 5);
	age(all, &zero, SECOND / 5);
	expect_taken(flood(SOFTSWITCH6, 10, CNT_over_rate), 1, 5);
	assert_int_equal(counter(&edge, CNT_over_rate_source), 0);
}

/* What one source may not have is left to the others. */
static void test_both(void **state)
{
	(void)state;
	limit(2, 5);
	expect_taken(flood(NULL, 20, CNT_over_rate_source), 2, 2);
	expect_taken(flood(OTHER, 2, CNT_over_rate_source), 2, 2);
	expect_taken(flood(SOFTSWITCH6, 2, CNT_over_rate), 1, 5);
}

static void test_no_limit(void **state)
{
	__u8 source[16];

	(void)state;
	assert_int_equal(flood(NULL, 200, CNT_over_rate_source), 200);
	assert_int_not_equal(bpf_map_get_next_key(sources, NULL, source), 0);
}

static void test_changed_live(void **state)
{
	__u8 source[16];

	(void)state;
	assert_int_equal(flood(NULL, 30, CNT_over_rate_source), 30);
	limit(3, 0);
	expect_taken(flood(NULL, 10, CNT_over_rate_source), 3, 3);
	/* empty stays empty, and fills by the new rate */
	limit(10, 0);
	expect_taken(flood(NULL, 10, CNT_over_rate_source), 0, 10);
	only_source(source);
	age(sources, source, SECOND / 2);
	expect_taken(flood(NULL, 20, CNT_over_rate_source), 5, 10);
	/* lowered: full again within a second, whatever it was */
	limit(1, 0);
	age(sources, source, SECOND);
	expect_taken(flood(NULL, 10, CNT_over_rate_source), 1, 1);
	limit(0, 0);
	assert_int_equal(flood(NULL, 30, CNT_over_rate_source), 30);
}

/* What is held goes on; the limit is for what would be new. */
static void test_held(void **state)
{
	(void)state;
	limit(1, 1);
	edge.pins.in_force->tunables[TUN_dup_window] = 0;
	invite(&(struct shape){0}, 70000);
	flood(NULL, 5, CNT_over_rate_source);
	invite(&(struct shape){0}, 70000);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	assert_int_equal(counter(&edge, CNT_copy_passed), 1);
}

#define EACH   150
#define ROUNDS 10

static void *from_cpu(void *at)
{
	unsigned cpu = (uintptr_t)at;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (unsigned i = 0; i < EACH; i++)
		invite(&(struct shape){0}, 80000 + cpu * EACH + i);
	return NULL;
}

/* Two CPUs at one bucket of each kind take no more than is in it. Ten times, for they must meet. */
static void race(void **state)
{
	pthread_t other;

	fresh(state);
	limit(100, 100);
	invite(&(struct shape){0}, 79999); /* the bucket is there */
	assert_int_equal(pthread_create(&other, NULL, from_cpu, (void *)1), 0);
	from_cpu(NULL);
	pthread_join(other, NULL);
	expect_taken(taken(), 100, 100);
	assert_int_equal(taken() + counter(&edge, CNT_over_rate_source) + counter(&edge, CNT_over_rate), 2 * EACH + 1);
}

static void test_two_cpus(void **state)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	for (unsigned i = 0; i < ROUNDS; i++)
		race(state);
}

#define FRESH(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(test_source),   FRESH(test_source_refills), FRESH(test_in_all), FRESH(test_both),
		FRESH(test_no_limit), FRESH(test_changed_live),	  FRESH(test_held),   FRESH(test_two_cpus),
	};

	return cmocka_run_group_tests_name("prog: rate", tests, up, down);
}
