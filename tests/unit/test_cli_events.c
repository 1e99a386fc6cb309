// SPDX-License-Identifier: GPL-2.0-or-later
/* The log in a circle, read behind a writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "event_read.h"

static struct siprtx_event ring[MAX_EVENTS];
static __u64 next;

static void write_events(unsigned n)
{
	for (; n; n--, next++)
		ring[next % MAX_EVENTS] = (struct siprtx_event){.seq = next, .attempt = next % 100};
}

static int setup(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < MAX_EVENTS; i++)
		ring[i].seq = 0;
	next = 1;
	return 0;
}

static void begins_where_told(void **state)
{
	(void)state;
	assert_int_equal(event_start(&next, 0), 1);
	assert_int_equal(event_start(&next, 20), 1);
	write_events(30);
	assert_int_equal(event_start(&next, 0), 31);
	assert_int_equal(event_start(&next, 20), 11);
	assert_int_equal(event_start(&next, 31), 1);
	write_events(2 * MAX_EVENTS);
	assert_int_equal(event_start(&next, UINT64_MAX), next - MAX_EVENTS);
}

static void reads_each_once_in_order(void **state)
{
	uint64_t pos = 1, missed = 0, i;
	struct siprtx_event e;

	(void)state;
	assert_false(event_next(ring, &next, &pos, &e, &missed));
	write_events(3);
	for (i = 1; i <= 3; i++) {
		assert_true(event_next(ring, &next, &pos, &e, &missed));
		assert_int_equal(e.seq, i);
	}
	assert_false(event_next(ring, &next, &pos, &e, &missed));
	write_events(1);
	assert_true(event_next(ring, &next, &pos, &e, &missed));
	assert_int_equal(e.seq, 4);
	assert_int_equal(missed, 0);
}

static void tells_how_many_were_overtaken(void **state)
{
	uint64_t pos = 1, missed = 0, got = 0;
	struct siprtx_event e;

	(void)state;
	write_events(3 * MAX_EVENTS);
	while (event_next(ring, &next, &pos, &e, &missed))
		got++;
	assert_int_equal(got + missed, 3 * MAX_EVENTS);
	assert_true(got <= MAX_EVENTS && got > MAX_EVENTS / 2);
	assert_int_equal(e.seq, next - 1);
}

static void waits_for_one_being_written(void **state)
{
	uint64_t pos = 1, missed = 0;
	struct siprtx_event e;

	(void)state;
	write_events(1);
	ring[1].seq = 0;
	assert_false(event_next(ring, &next, &pos, &e, &missed));
	assert_int_equal(pos, 1);
	ring[1].seq = 1;
	assert_true(event_next(ring, &next, &pos, &e, &missed));
	assert_int_equal(missed, 0);
}

static void steps_over_one_never_finished(void **state)
{
	uint64_t pos = 1, missed = 0;
	struct siprtx_event e;

	(void)state;
	write_events(2);
	ring[1].seq = 0;
	assert_true(event_next(ring, &next, &pos, &e, &missed));
	assert_int_equal(e.seq, 2);
	assert_int_equal(missed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(begins_where_told, setup),
		cmocka_unit_test_setup(reads_each_once_in_order, setup),
		cmocka_unit_test_setup(tells_how_many_were_overtaken, setup),
		cmocka_unit_test_setup(waits_for_one_being_written, setup),
		cmocka_unit_test_setup(steps_over_one_never_finished, setup),
	};

	return cmocka_run_group_tests_name("cli_events", tests, NULL, NULL);
}
