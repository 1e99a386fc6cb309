// SPDX-License-Identifier: GPL-2.0-or-later
/* The slots of one call: found by bytes, taken out anywhere, never walked for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "calls.h"

#define SLOTS 300

static struct siprtx_slot slots[SLOTS];
static struct calls *calls;

static int setup(void **state)
{
	(void)state;
	memset(slots, 0, sizeof(slots));
	calls = calls_new(slots, SLOTS);
	return !calls;
}

static int teardown(void **state)
{
	(void)state;
	calls_free(calls);
	return 0;
}

static void add(uint32_t slot, const char *call_id, const char *tag, unsigned branch)
{
	struct siprtx_slot *s = &slots[slot];

	s->word += 1ull << 32; /* another generation: read anew */
	s->sip_off = SLOT_L3 + 28;
	s->sip_len = sprintf((char *)s + s->sip_off,
			     "INVITE sip:b@192.0.2.1 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK%u\r\n"
			     "f: \"tag=x\" <sip:a@192.0.2.9>;x=y;tag=%s\r\nt: <sip:b@192.0.2.1>\r\ni:  %s \r\n"
			     "CSeq: 1 INVITE\r\n\r\n",
			     branch, tag, call_id);
	calls_add(calls, slot);
}

static void expect_same(uint32_t slot, unsigned n, const uint32_t *wanted)
{
	uint32_t same[CALLS_SAME];

	assert_int_equal(calls_same(calls, slot, same), n);
	if (n)
		assert_memory_equal(same, wanted, n * sizeof(*wanted));
}
#define EXPECT_SAME(slot, ...)                                                                                         \
	do {                                                                                                           \
		const uint32_t wanted[] = {__VA_ARGS__};                                                               \
		expect_same(slot, sizeof(wanted) / sizeof(*wanted), wanted);                                           \
	} while (0)

static void name_is_read(void **state)
{
	const struct call_name *name;

	(void)state;
	add(3, "a84b4c76@x", "1928", 7);
	name = calls_name(calls, 3);
	assert_memory_equal((char *)&slots[3] + name->call_id.at, "a84b4c76@x", name->call_id.len);
	assert_int_equal(name->call_id.len, 10);
	assert_memory_equal((char *)&slots[3] + name->from_tag.at, "1928", 4);
	assert_int_equal(name->from_tag.len, 4);
	assert_memory_equal((char *)&slots[3] + name->branch.at, "z9hG4bK7", 8);
	assert_int_equal(name->branch.len, 8);
	assert_int_equal(calls_name(calls, 4)->call_id.len, 0);
}

static void same_by_bytes(void **state)
{
	(void)state;
	add(0, "one@x", "t", 1);
	add(1, "one@x", "t", 2);
	add(2, "one@x", "T", 3);
	add(3, "one@X", "t", 4);
	add(4, "one@xt", "", 5);
	add(5, "one@x", "t", 6);
	add(6, "one@x", "t", 6);
	EXPECT_SAME(0, 6, 5, 1);
	EXPECT_SAME(5, 1, 0);
	expect_same(2, 0, NULL);
	expect_same(3, 0, NULL);
	expect_same(4, 0, NULL);
}

static void taken_out_anywhere(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		add(i, "one@x", "t", i);
	calls_remove(calls, 2);
	calls_remove(calls, 2);
	EXPECT_SAME(3, 1, 0);
	calls_remove(calls, 3);
	EXPECT_SAME(0, 1);
	expect_same(3, 0, NULL);
	calls_remove(calls, 0);
	add(0, "two@x", "t", 9);
	expect_same(1, 0, NULL);
	add(2, "one@x", "t", 2);
	EXPECT_SAME(1, 2);
	calls_remove(calls, 1);
	calls_remove(calls, 2);
	calls_remove(calls, 200); /* was never in it */
}

/* A stranger's flood of one Call-ID: the newest, and no more than there is room for. */
static void flood_of_one_call(void **state)
{
	uint32_t same[CALLS_SAME];

	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		add(i, "one@x", "t", i);
	assert_int_equal(calls_same(calls, SLOTS - 1, same), CALLS_SAME);
	for (uint32_t i = 0; i < CALLS_SAME; i++)
		assert_int_equal(same[i], SLOTS - 2 - i);
	for (uint32_t i = 0; i < SLOTS; i++)
		calls_remove(calls, i * 7 % SLOTS);
	add(0, "one@x", "t", 1);
	expect_same(0, 0, NULL);
}

/* Many calls, each with one other slot: all are found, whatever shares a bucket. */
static void every_pair_is_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++) {
		char id[32];

		sprintf(id, "%0*u@x", (int)(i / 2 % 20) + 1, i / 2);
		add(i, id, "t", i);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		EXPECT_SAME(i, i ^ 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(name_is_read),	 CASE(same_by_bytes),	    CASE(taken_out_anywhere),
		CASE(flood_of_one_call), CASE(every_pair_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
