// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "schedule.h"

struct run {
	const char *name;
	unsigned n;
	uint64_t at_ms[MAX_INTERVALS]; /* retransmissions, since the first send */
	uint64_t end_ms;
};

/* Walks a schedule as the controller does, with each send exactly on time. */
static struct run walk(const uint32_t *field)
{
	struct run run = {0};

	for (;;) {
		struct schedule_wait next = schedule_next(field, BYPASS_NONE, run.n, run.end_ms);

		run.end_ms += next.wait_ms;
		if (next.action == SCHEDULE_EXHAUSTED)
			return run;
		assert_true(run.n < MAX_INTERVALS);
		run.at_ms[run.n++] = run.end_ms;
	}
}

static void assert_run(const uint32_t *field, const struct run *expected)
{
	struct run run = walk(field);

	assert_int_equal(run.n, expected->n);
	assert_memory_equal(run.at_ms, expected->at_ms, sizeof(run.at_ms));
	assert_int_equal(run.end_ms, expected->end_ms);
	assert_int_equal(schedule_window_ms(field), expected->end_ms);
}

static void test_builtin(void **state)
{
	static const struct run expected[7] = {
		{"standard", 10, {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}, 32000},
		{"unstable", 10, {500, 1500, 3500, 7500, 15500, 23500, 31500, 39500, 47500, 55500}, 56000},
		{"fast-failover", 6, {500, 1500, 3500, 7500, 11500, 15500}, 16000},
		{"high-reliability", 10, {1000, 3000, 7000, 11000, 15000, 19000, 23000, 27000, 31000, 35000}, 35500},
		{"aggressive", 10, {500, 1000, 2000, 3000, 5000, 7000, 11000, 15000, 19000, 23000}, 23500},
		{"rfc3261", 6, {500, 1500, 3500, 7500, 15500, 31500}, 32000},
		{"vos3000", 4, {500, 1500, 3500, 7500}, 10000},
	};
	char why[128];

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		assert_string_equal(builtin_profile_name[i], expected[i].name);
		assert_run(builtin_profile[i], &expected[i]);
		for (unsigned field = 0; field < PF_COUNT; field++)
			assert_true(profile_field_ok(field, builtin_profile[i][field], why, sizeof(why)));
		assert_int_equal(builtin_profile[i][PF_TIMEOUT_TRYING], 20000);
		assert_int_equal(builtin_profile[i][PF_TIMEOUT_PROGRESS], 20000);
		assert_int_equal(builtin_profile[i][PF_TIMEOUT_PROGRESS_SDP], 120000);
		assert_int_equal(builtin_profile[i][PF_TIMEOUT_RINGING], 120000);
		assert_int_equal(builtin_profile[i][PF_FINAL_WAIT], 500);
	}
}

static void test_send_retry_caps(void **state)
{
	uint32_t field[PROFILE_FIELDS];

	(void)state;
	memcpy(field, builtin_profile[0], sizeof(field));
	field[PF_SEND_RETRY] = 3;
	assert_run(field, &(struct run){"", 3, {500, 1500, 3500}, 4000});
	/* more than the list has changes nothing */
	memcpy(field, builtin_profile[2], sizeof(field));
	field[PF_SEND_RETRY] = 9;
	assert_int_equal(schedule_count(field), 6);
	/* what stands behind a 0 is not used */
	field[PF_INTERVAL + 2] = 0;
	assert_run(field, &(struct run){"", 2, {500, 1500}, 2000});
}

static void test_down_retry_caps(void **state)
{
	static const struct {
		uint32_t down_retry, send_retry;
		unsigned count;
		uint32_t rest_ms;
	} want[] = {{2, 10, 2, 2000}, {0, 3, 3, 4000}, {9, 2, 6, 16000}, {1, 0, 1, 1000}, {10, 0, 6, 16000}};
	uint32_t field[PROFILE_FIELDS];
	struct schedule_wait next;

	(void)state;
	memcpy(field, builtin_profile[2], sizeof(field));
	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		field[PF_DOWN_RETRY] = want[i].down_retry;
		field[PF_SEND_RETRY] = want[i].send_retry;
		assert_int_equal(schedule_count_of(field, BYPASS_FAST), want[i].count);
		assert_int_equal(schedule_rest_ms(field, BYPASS_FAST, 0, 0), want[i].rest_ms);
		assert_int_equal(schedule_count_of(field, BYPASS_REFUSED), schedule_count(field));
		next = schedule_next(field, BYPASS_FAST, want[i].count, 0);
		assert_int_equal(next.action, SCHEDULE_EXHAUSTED);
		assert_int_equal(next.wait_ms, 500);
	}
	field[PF_TIMEOUT_INVITE] = 700;
	field[PF_DOWN_RETRY] = 2;
	assert_int_equal(schedule_rest_ms(field, BYPASS_FAST, 0, 0), 700);
}

static void test_timeout_invite_cuts(void **state)
{
	static const struct {
		uint32_t timeout;
		struct run expected;
	} cases[] = {
		{100, {"inside the first interval", 0, {0}, 100}},
		{500, {"the end of an interval: no copy", 0, {0}, 500}},
		{501, {"just after it", 1, {500}, 501}},
		{7500, {"the end of the fourth", 3, {500, 1500, 3500}, 7500}},
		{15700, {"inside the final wait", 6, {500, 1500, 3500, 7500, 11500, 15500}, 15700}},
		{16000, {"its end", 6, {500, 1500, 3500, 7500, 11500, 15500}, 16000}},
		{60000, {"longer than all of it", 6, {500, 1500, 3500, 7500, 11500, 15500}, 16000}},
	};
	uint32_t field[PROFILE_FIELDS];

	(void)state;
	memcpy(field, builtin_profile[2], sizeof(field));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		field[PF_TIMEOUT_INVITE] = cases[i].timeout;
		assert_run(field, &cases[i].expected);
	}
}

/* The controller may be late, or the time-out may have been made shorter meanwhile. */
static void test_timeout_invite_already_over(void **state)
{
	uint32_t field[PROFILE_FIELDS];
	struct schedule_wait next;

	(void)state;
	memcpy(field, builtin_profile[0], sizeof(field));
	field[PF_TIMEOUT_INVITE] = 5000;
	next = schedule_next(field, BYPASS_NONE, 4, 7503);
	assert_int_equal(next.wait_ms, 0);
	assert_int_equal(next.action, SCHEDULE_EXHAUSTED);
	next = schedule_next(field, BYPASS_NONE, 1, UINT32_MAX);
	assert_int_equal(next.wait_ms, 0);
	assert_int_equal(next.action, SCHEDULE_EXHAUSTED);
}

static void test_late_send_keeps_its_interval(void **state)
{
	struct schedule_wait next = schedule_next(builtin_profile[0], BYPASS_NONE, 2, 1507);

	(void)state;
	assert_int_equal(next.wait_ms, 2000);
	assert_int_equal(next.action, SCHEDULE_SEND);
}

static void rule_20_stages(void **state)
{
	static const uint32_t field[PROFILE_FIELDS] = {
		[PF_TIMEOUT_INVITE] = 1,       [PF_TIMEOUT_TRYING] = 2,	 [PF_TIMEOUT_PROGRESS] = 3,
		[PF_TIMEOUT_PROGRESS_SDP] = 4, [PF_TIMEOUT_RINGING] = 5,
	};

	(void)state;
	assert_int_equal(schedule_stage_ms(field, STAGE_NOTHING), 0);
	assert_int_equal(schedule_stage_ms(field, STAGE_TRYING), 2);
	assert_int_equal(schedule_stage_ms(field, STAGE_PROGRESS), 3);
	assert_int_equal(schedule_stage_ms(field, STAGE_PROGRESS_SDP), 4);
	assert_int_equal(schedule_stage_ms(field, STAGE_RINGING), 5);
	assert_int_equal(schedule_stage_end(STAGE_NOTHING), END_NO_RESPONSE);
	assert_int_equal(schedule_stage_end(STAGE_TRYING), END_TRYING_TIMEOUT);
	assert_int_equal(schedule_stage_end(STAGE_PROGRESS), END_PROGRESS_TIMEOUT);
	assert_int_equal(schedule_stage_end(STAGE_PROGRESS_SDP), END_PROGRESS_TIMEOUT);
	assert_int_equal(schedule_stage_end(STAGE_RINGING), END_RINGING_TIMEOUT);
}

static void test_field_ranges(void **state)
{
	static const struct {
		unsigned field;
		uint32_t value;
		const char *why; /* NULL: in range */
	} cases[] = {
		{PF_INTERVAL, 10, NULL},
		{PF_INTERVAL, 3600000, NULL},
		{PF_INTERVAL, 0, "interval_1 is 0, so the list is empty"},
		{PF_INTERVAL + 2, 5, "interval_3 is 5 ms, under 10 ms"},
		{PF_INTERVAL + 2, 0, NULL},
		{PF_INTERVAL + 9, 3600001, "interval_10 is 3600001 ms, over 3600000 ms"},
		{PF_SEND_RETRY, 0, NULL},
		{PF_SEND_RETRY, 10, NULL},
		{PF_SEND_RETRY, 11, "send_retry is 11, over 10"},
		{PF_TIMEOUT_INVITE, 0, NULL},
		{PF_TIMEOUT_RINGING, 3600000, NULL},
		{PF_TIMEOUT_RINGING, UINT32_MAX, "timeout_ringing is 4294967295 ms, over 3600000 ms"},
		{PF_FINAL_WAIT, 0, "final_wait is 0 ms, under 10 ms"},
		{PF_FINAL_WAIT, 10, NULL},
		{PF_COUNT, 1, "a profile has no field 18"},
	};
	char why[128];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool ok = profile_field_ok(cases[i].field, cases[i].value, why, sizeof(why));

		assert_int_equal(ok, !cases[i].why);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
	}
	assert_true(tunable_ok(TUN_tick, 50, why, sizeof(why)));
	assert_false(tunable_ok(TUN_tick, 49, why, sizeof(why)));
	assert_string_equal(why, "tick is 49, under 50");
	assert_false(tunable_ok(TUN_capture, 2, why, sizeof(why)));
	assert_string_equal(why, "capture is 2, over 1");
	assert_false(tunable_ok(TUN_COUNT, 0, why, sizeof(why)));
}

static void test_every_field_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PF_COUNT; i++)
		assert_non_null(profile_field_name(i));
	assert_null(profile_field_name(PF_COUNT));
	assert_string_equal(profile_field_name(PF_INTERVAL + 9), "interval_10");
	assert_string_equal(profile_field_name(PF_FINAL_WAIT), "final_wait");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_send_retry_caps),
		cmocka_unit_test(test_down_retry_caps),
		cmocka_unit_test(test_timeout_invite_cuts),
		cmocka_unit_test(test_timeout_invite_already_over),
		cmocka_unit_test(test_late_send_keeps_its_interval),
		cmocka_unit_test(rule_20_stages),
		cmocka_unit_test(test_field_ranges),
		cmocka_unit_test(test_every_field_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
