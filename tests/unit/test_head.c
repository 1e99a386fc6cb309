// SPDX-License-Identifier: GPL-2.0-or-later
/* What maps of another ABI tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "head.h"
#include "health.h"

#define S UINT64_C(1000000000)

static struct siprtx_meta of_another(void)
{
	return (struct siprtx_meta){.magic = SIPRTX_MAGIC,
				    .abi = SIPRTX_ABI + 1,
				    .alive_ns = 5 * S,
				    .pid = 7,
				    .capturing = 1,
				    .held = 12,
				    .unwritten = 3,
				    .slots = 99};
}

static void the_head_and_no_more(void **state)
{
	struct siprtx_meta m = of_another(), head;

	(void)state;
	assert_int_equal(head_take(&m, sizeof(m), &head), 0);
	m.slots = 0;
	assert_memory_equal(&head, &m, sizeof(m));
	assert_int_equal(head_take(&m, META_HEAD, &head), 0);
	assert_int_equal(head.unwritten, 3);
}

static void others_are_known(void **state)
{
	struct siprtx_meta m = of_another(), head;

	(void)state;
	assert_int_equal(head_take(&m, META_HEAD - 1, &head), -EPROTO);
	m.magic++;
	assert_int_equal(head_take(&m, sizeof(m), &head), -EPROTO);
}

static void alive_while_seen(void **state)
{
	struct siprtx_meta m = of_another();

	(void)state;
	assert_true(controller_alive(&m, 5 * S));
	assert_true(controller_alive(&m, 4 * S)); /* read before it was written */
	assert_true(controller_alive(&m, 5 * S + ALIVE_NS - 1));
	assert_false(controller_alive(&m, 5 * S + ALIVE_NS));
	m.pid = 0;
	assert_false(controller_alive(&m, 5 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_and_no_more),
		cmocka_unit_test(others_are_known),
		cmocka_unit_test(alive_while_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
