// SPDX-License-Identifier: GPL-2.0-or-later
/* When a drain is over, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drain.h"

#define S UINT64_C(1000000000)

/* Three are held, all is well. */
static const struct drain_facts waits = {.held = 3, .settled = true, .alive = true, .waited_ns = 5 * S};

#define JUDGED(...) drain_judge(&(struct drain_facts){__VA_ARGS__})

static void what_is_held_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(drain_judge(&waits), DRAIN_WAITS);
	assert_int_equal(JUDGED(.held = 0, .settled = true, .alive = true), DRAIN_DONE);
}

static void nothing_held_says_nothing_while_one_may_be_taken(void **state)
{
	(void)state;
	assert_int_equal(JUDGED(.held = 0, .settled = false, .alive = true), DRAIN_WAITS);
	assert_int_equal(JUDGED(.held = 0, .settled = false, .alive = false), DRAIN_NO_CONTROLLER);
}

static void the_limit_ends_the_wait(void **state)
{
	struct drain_facts f = waits;

	(void)state;
	f.limit_ns = 5 * S + 1;
	assert_int_equal(drain_judge(&f), DRAIN_WAITS);
	f.limit_ns = 5 * S;
	assert_int_equal(drain_judge(&f), DRAIN_TIME_OVER);
	f.held = 0;
	assert_int_equal(drain_judge(&f), DRAIN_DONE);
}

static void each_end_has_its_name(void **state)
{
	struct drain_facts f = waits;

	(void)state;
	f.alive = false;
	assert_int_equal(drain_judge(&f), DRAIN_NO_CONTROLLER);
	f.interrupted = true;
	assert_int_equal(drain_judge(&f), DRAIN_INTERRUPTED);
	f.capture = true;
	assert_int_equal(drain_judge(&f), DRAIN_CAPTURE_ON);
	f.unloaded = true;
	assert_int_equal(drain_judge(&f), DRAIN_UNLOADED);
}

/* capture is to be put back then, whatever is held. */
static void an_interrupted_drain_is_not_done(void **state)
{
	(void)state;
	assert_int_equal(JUDGED(.held = 0, .settled = true, .alive = true, .interrupted = true), DRAIN_INTERRUPTED);
	assert_int_equal(JUDGED(.held = 0, .settled = true, .alive = true, .capture = true), DRAIN_CAPTURE_ON);
}

static void a_controller_gone_at_the_end_does_not_matter(void **state)
{
	(void)state;
	assert_int_equal(JUDGED(.held = 0, .settled = true, .alive = false), DRAIN_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_is_waited_for),
		cmocka_unit_test(nothing_held_says_nothing_while_one_may_be_taken),
		cmocka_unit_test(the_limit_ends_the_wait),
		cmocka_unit_test(each_end_has_its_name),
		cmocka_unit_test(an_interrupted_drain_is_not_done),
		cmocka_unit_test(a_controller_gone_at_the_end_does_not_matter),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
