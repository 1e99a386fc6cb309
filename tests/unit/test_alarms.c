// SPDX-License-Identifier: GPL-2.0-or-later
/* When an alarm is raised, and when not once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fill.h"
#include "health.h"
#include "rising.h"

#define S UINT64_C(1000000000)

static void a_mark_is_reached_once(void **state)
{
	struct fill f = {0};

	(void)state;
	assert_int_equal(fill_reached(&f, 799, 1000), 0);
	assert_int_equal(fill_reached(&f, 800, 1000), 80);
	assert_int_equal(fill_reached(&f, 949, 1000), 0);
	assert_int_equal(fill_reached(&f, 950, 1000), 95);
	assert_int_equal(fill_reached(&f, 1000, 1000), 0);
	/* more than is promised: the slot in each CPU's hand */
	assert_int_equal(fill_reached(&f, 1002, 1000), 0);
}

static void a_mark_comes_again_only_after_use_fell_five_below_it(void **state)
{
	struct fill f = {0};

	(void)state;
	assert_int_equal(fill_reached(&f, 960, 1000), 95);
	assert_int_equal(fill_reached(&f, 900, 1000), 0);
	assert_int_equal(fill_reached(&f, 960, 1000), 0);
	assert_int_equal(fill_reached(&f, 899, 1000), 0);
	assert_int_equal(fill_reached(&f, 960, 1000), 95);
	assert_int_equal(fill_reached(&f, 750, 1000), 0);
	assert_int_equal(fill_reached(&f, 900, 1000), 0);
	assert_int_equal(fill_reached(&f, 749, 1000), 0);
	assert_int_equal(fill_reached(&f, 800, 1000), 80);
}

static void both_at_once_are_told_as_the_higher(void **state)
{
	struct fill f = {0};

	(void)state;
	assert_int_equal(fill_reached(&f, 20, 20), 95);
	assert_int_equal(fill_reached(&f, 17, 20), 0);
	assert_int_equal(fill_reached(&f, 0, 20), 0);
	assert_int_equal(fill_reached(&f, 16, 20), 80);
}

static void the_mark_of_a_reading(void **state)
{
	(void)state;
	assert_int_equal(fill_mark(0, 0), 0);
	assert_int_equal(fill_mark(15, 20), 0);
	assert_int_equal(fill_mark(16, 20), 80);
	assert_int_equal(fill_mark(19, 20), 95);
	assert_int_equal(fill_mark(4194304, 4194304), 95);
}

static void status_warns_at_a_mark(void **state)
{
	struct problems warnings = {0};

	(void)state;
	health_warn(15, 20, &warnings);
	assert_int_equal(warnings.n, 0);
	health_warn(17, 20, &warnings);
	assert_int_equal(warnings.n, 1);
	assert_int_equal(warnings.errors, 0);
	assert_string_equal(warnings.list[0].what, "17 of 20 slots are in use, 80 % or more");
	assert_non_null(strstr(warnings.list[0].remedy, "raise max_transactions"));
	problems_free(&warnings);
}

static void a_rising_count_is_told_once_in_a_while(void **state)
{
	struct rising r = {.told = 7};

	(void)state;
	assert_int_equal(rising_news(&r, 7, 1 * S, 10 * S), 0);
	assert_int_equal(rising_news(&r, 9, 2 * S, 10 * S), 2);
	assert_int_equal(rising_news(&r, 1000, 3 * S, 10 * S), 0);
	assert_int_equal(rising_news(&r, 1009, 12 * S - 1, 10 * S), 0);
	assert_int_equal(rising_news(&r, 1009, 12 * S, 10 * S), 1000);
	assert_int_equal(rising_news(&r, 1009, 40 * S, 10 * S), 0);
	assert_int_equal(rising_news(&r, 1010, 41 * S, 10 * S), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_reached_once),
		cmocka_unit_test(a_mark_comes_again_only_after_use_fell_five_below_it),
		cmocka_unit_test(both_at_once_are_told_as_the_higher),
		cmocka_unit_test(the_mark_of_a_reading),
		cmocka_unit_test(status_warns_at_a_mark),
		cmocka_unit_test(a_rising_count_is_told_once_in_a_while),
	};

	return cmocka_run_group_tests_name("alarms", tests, NULL, NULL);
}
