// SPDX-License-Identifier: GPL-2.0-or-later
/* What the CLI makes of numbers and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "view.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static void seconds_are_as_the_configuration_has_them(void **state)
{
	(void)state;
	assert_string_equal(text_seconds(0).s, "0");
	assert_string_equal(text_seconds(500).s, "0.5");
	assert_string_equal(text_seconds(4000).s, "4");
	assert_string_equal(text_seconds(31500).s, "31.5");
	assert_string_equal(text_seconds(100000).s, "100");
	assert_string_equal(text_seconds(1).s, "0.001");
	assert_string_equal(text_field(PF_SEND_RETRY, 10).s, "10");
	assert_string_equal(text_field(PF_FINAL_WAIT, 500).s, "0.5");
}

static void ages_are_short(void **state)
{
	(void)state;
	assert_string_equal(text_age(0).s, "0 ms");
	assert_string_equal(text_age(999 * MS).s, "999 ms");
	assert_string_equal(text_age(12 * S + 999 * MS).s, "12 s");
	assert_string_equal(text_age(200 * S).s, "3 min 20 s");
	assert_string_equal(text_age(7500 * S).s, "2 h 5 min");
	assert_string_equal(text_age(76 * 3600 * S).s, "3 d 4 h");
}

static void shares_and_rates(void **state)
{
	(void)state;
	assert_string_equal(text_percent(0, 0).s, "0.0 %");
	assert_string_equal(text_percent(52429, 65536).s, "80.0 %");
	assert_string_equal(text_percent(65536, 65536).s, "100.0 %");
	assert_string_equal(text_us_as_ms(123).s, "0.12 ms");
	assert_string_equal(text_us_as_ms(-3000).s, "-3.00 ms");

	assert_true(rate_per_s(100, 1100, S) == 1000);
	assert_true(rate_per_s(100, 101, S / 2) == 2);
	assert_true(rate_per_s(100, 101, 0) == 0);
	assert_true(rate_per_s(101, 100, S) == 0);
	assert_string_equal(text_rate(0).s, "0");
	assert_string_equal(text_rate(0.034).s, "0.03");
	assert_string_equal(text_rate(0.998).s, "1.0");
	assert_string_equal(text_rate(12.34).s, "12.3");
	assert_string_equal(text_rate(99.97).s, "100");
	assert_string_equal(text_rate(70000).s, "70000");
}

static void lateness_is_the_bucket_s_bound(void **state)
{
	__u64 bucket[LATENESS_BUCKETS] = {0};
	uint64_t us = 7;

	(void)state;
	assert_false(lateness_quantile(bucket, 0.5, 0, &us));
	assert_int_equal(us, 7);

	bucket[0] = 98; /* up to 20 us */
	bucket[3] = 1;	/* up to 32 us */
	bucket[10] = 1;
	assert_true(lateness_quantile(bucket, 0.5, 1000, &us));
	assert_int_equal(us, 20);
	assert_true(lateness_quantile(bucket, 0.98, 1000, &us));
	assert_int_equal(us, 20);
	assert_true(lateness_quantile(bucket, 0.99, 1000, &us));
	assert_int_equal(us, 32);
	assert_true(lateness_quantile(bucket, 1, 1000, &us));
	assert_int_equal(us, lateness_bound_us(10));
	assert_true(lateness_quantile(bucket, 0, 1000, &us));
	assert_int_equal(us, 20);
}

static void lateness_is_never_over_the_largest(void **state)
{
	__u64 bucket[LATENESS_BUCKETS] = {[2] = 1};
	uint64_t us;

	(void)state;
	assert_true(lateness_quantile(bucket, 0.5, 25, &us));
	assert_int_equal(us, 25);
	bucket[2] = 0;
	bucket[LATENESS_BUCKETS - 1] = 5;
	assert_true(lateness_quantile(bucket, 0.5, 99000000, &us));
	assert_int_equal(us, 99000000);
}

static void the_largest_lateness_outlives_a_controller(void **state)
{
	__u64 bucket[LATENESS_BUCKETS] = {0};

	(void)state;
	assert_int_equal(lateness_max_us(bucket, 0), 0);
	bucket[0] = 1;
	assert_int_equal(lateness_max_us(bucket, 17), 17);
	assert_int_equal(lateness_max_us(bucket, 0), lateness_bound_us(0));
	bucket[10] = 1;
	assert_int_equal(lateness_max_us(bucket, lateness_bound_us(10) - 1), lateness_bound_us(10) - 1);
	/* counted before the controller began that has seen 17 us at most */
	assert_int_equal(lateness_max_us(bucket, 17), lateness_bound_us(10));
}

static void seconds_are_parsed_exactly(void **state)
{
	static const struct {
		const char *s;
		uint32_t ms;
	} good[] = {{"0", 0}, {"0.5", 500}, {"4", 4000}, {"1.025", 1025}, {"3600", 3600000}};
	static const char *const bad[] = {"", "-1", "x", "1x", "1 s", ".5", "1.", "0.0005", "1e3", "0x10", "99999999"};
	uint32_t ms = 7;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_null(parse_seconds(good[i].s, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	ms = 7;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_non_null(parse_seconds(bad[i], &ms));
		assert_int_equal(ms, 7);
	}
}

static void counts_are_whole(void **state)
{
	uint32_t n = 7;

	(void)state;
	assert_non_null(parse_u32("1.5", &n));
	assert_non_null(parse_u32("-1", &n));
	assert_non_null(parse_u32("4294967296", &n));
	assert_int_equal(n, 7);
	assert_null(parse_u32("4294967295", &n));
	assert_int_equal(n, UINT32_MAX);
}

static void a_list_is_taken_whole_or_not(void **state)
{
	uint32_t ms[MAX_INTERVALS], before[MAX_INTERVALS];
	char why[256];

	(void)state;
	memset(ms, 0xff, sizeof(ms));
	assert_int_equal(parse_intervals("0.5, 1,2", ms, why, sizeof(why)), 3);
	assert_int_equal(ms[0], 500);
	assert_int_equal(ms[1], 1000);
	assert_int_equal(ms[2], 2000);
	assert_int_equal(ms[3], 0);
	assert_int_equal(ms[9], 0);
	assert_int_equal(parse_intervals("1,1,1,1,1,1,1,1,1,1", ms, why, sizeof(why)), 10);

	memcpy(before, ms, sizeof(ms));
	assert_true(parse_intervals("1,1,1,1,1,1,1,1,1,1,1", ms, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "more than 10"));
	assert_true(parse_intervals("0.5,0,2", ms, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "interval 2, \"0\""));
	assert_true(parse_intervals("0.5,,2", ms, why, sizeof(why)) < 0);
	assert_true(parse_intervals("", ms, why, sizeof(why)) < 0);
	assert_true(parse_intervals("0.5,-1", ms, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "is negative"));
	assert_memory_equal(before, ms, sizeof(ms));
}

static void a_slip_finds_its_name(void **state)
{
	static const char *const names[] = {"status", "show", NULL, "set", "events", "exhausted"};
	unsigned n = sizeof(names) / sizeof(*names);

	(void)state;
	assert_int_equal(nearest_name("stauts", names, n), 0);
	assert_int_equal(nearest_name("exhausetd", names, n), 5);
	assert_int_equal(nearest_name("ex", names, n), 5);
	assert_int_equal(nearest_name("event", names, n), 4);
	assert_int_equal(nearest_name("bananas", names, n), -1);
	assert_int_equal(nearest_name("", names, n), -1);
}

static void bpftool_lines_are_bytes(void **state)
{
	char line[256];

	(void)state;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	assert_string_equal(
		bpftool_line("/sys/fs/bpf/siprtx", "profiles", 3, 4000, line, sizeof(line)),
		"bpftool map update pinned /sys/fs/bpf/siprtx/profiles key 3 0 0 0 value 0xa0 0x0f 0x00 0x00");
#else
	(void)line;
	skip();
#endif
}

static void every_value_has_its_name(void **state)
{
	int i;

	(void)state;
	for (i = ST_FREE; i <= ST_TERMINATED; i++)
		assert_string_not_equal(state_name(i), "?");
	for (i = STAGE_NOTHING; i <= STAGE_RINGING; i++)
		assert_string_not_equal(stage_name(i), "?");
	for (i = EV_NEW; i <= EV_ICMP; i++)
		assert_string_not_equal(event_name(i), "?");
	assert_string_equal(state_name(15), "?");
	assert_string_equal(event_name(0), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_are_as_the_configuration_has_them),
		cmocka_unit_test(ages_are_short),
		cmocka_unit_test(shares_and_rates),
		cmocka_unit_test(lateness_is_the_bucket_s_bound),
		cmocka_unit_test(lateness_is_never_over_the_largest),
		cmocka_unit_test(the_largest_lateness_outlives_a_controller),
		cmocka_unit_test(seconds_are_parsed_exactly),
		cmocka_unit_test(counts_are_whole),
		cmocka_unit_test(a_list_is_taken_whole_or_not),
		cmocka_unit_test(a_slip_finds_its_name),
		cmocka_unit_test(bpftool_lines_are_bytes),
		cmocka_unit_test(every_value_has_its_name),
	};

	return cmocka_run_group_tests_name("cli_view", tests, NULL, NULL);
}
