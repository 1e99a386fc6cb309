// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "schedule.h"

/* As the maps are mapped: 8 bytes an entry. */
struct host {
	uint32_t profiles[2 * MAX_PROFILES * PROFILE_FIELDS];
	uint32_t tunables[2 * MAX_TUNABLES];
	struct siprtx_in_force in_force, seen;
};

static uint32_t *value(struct host *h, unsigned profile, unsigned field)
{
	return &h->profiles[2 * (profile * PROFILE_FIELDS + field)];
}

static uint32_t in_force(const struct host *h, unsigned profile, unsigned field)
{
	return h->in_force.profiles[profile * PROFILE_FIELDS + field];
}

static unsigned refresh(struct host *h)
{
	return in_force_refresh(&h->in_force, &h->seen, h->profiles, h->tunables);
}

/* The seven built-in profiles and the default tunables, in the maps and in force. */
static struct host loaded(void)
{
	struct host h = {0};

	for (unsigned i = 0; i < 7; i++) {
		for (unsigned field = 0; field < PF_COUNT; field++)
			*value(&h, i, field) = builtin_profile[i][field];
	}
#define TUNABLE(number, name, def, min, max, unit, help) h.tunables[2 * (number)] = def;
#include "tunables.def"
#undef TUNABLE
	assert_int_equal(refresh(&h), 0);
	return h;
}

static void test_takes_over(void **state)
{
	struct host h = loaded();

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		assert_memory_equal(h.in_force.profiles + i * PROFILE_FIELDS, builtin_profile[i],
				    sizeof(builtin_profile[i]));
	assert_int_equal(h.in_force.tunables[TUN_remember], 32000);
	*value(&h, 0, PF_INTERVAL + 3) = 3000;
	h.tunables[2 * TUN_absorb] = 0;
	assert_int_equal(refresh(&h), 0);
	assert_int_equal(in_force(&h, 0, PF_INTERVAL + 3), 3000);
	assert_int_equal(h.in_force.tunables[TUN_absorb], 0);
}

static void test_a_bad_value_is_counted_once(void **state)
{
	struct host h = loaded();
	uint32_t tick = h.in_force.tunables[TUN_tick];

	(void)state;
	*value(&h, 0, PF_INTERVAL + 3) = 5;
	*value(&h, 0, PF_INTERVAL + 4) = 6000;
	h.tunables[2 * TUN_tick] = 0;
	assert_int_equal(refresh(&h), 2);
	assert_int_equal(refresh(&h), 0);
	assert_int_equal(in_force(&h, 0, PF_INTERVAL + 3), 4000);
	assert_int_equal(in_force(&h, 0, PF_INTERVAL + 4), 6000);
	assert_int_equal(h.in_force.tunables[TUN_tick], tick);

	*value(&h, 0, PF_INTERVAL + 3) = 6;
	assert_int_equal(refresh(&h), 1);
	/* mended, then the same fault again */
	*value(&h, 0, PF_INTERVAL + 3) = 4000;
	assert_int_equal(refresh(&h), 0);
	*value(&h, 0, PF_INTERVAL + 3) = 6;
	assert_int_equal(refresh(&h), 1);
}

static void test_lists(void **state)
{
	struct host h = loaded();

	(void)state;
	/* an empty list is refused, a shorter one is not */
	*value(&h, 2, PF_INTERVAL) = 0;
	assert_int_equal(refresh(&h), 1);
	assert_int_equal(in_force(&h, 2, PF_INTERVAL), 500);
	*value(&h, 2, PF_INTERVAL) = 500;
	*value(&h, 2, PF_INTERVAL + 2) = 0;
	assert_int_equal(refresh(&h), 0);
	assert_int_equal(schedule_count(h.in_force.profiles + 2 * PROFILE_FIELDS), 2);
	assert_int_equal(in_force(&h, 2, PF_INTERVAL + 3), 4000);
}

/* Rows of profiles that do not exist are all 0, which is no fault; one made later is taken up. */
static void test_unused_rows(void **state)
{
	struct host h = loaded();

	(void)state;
	*value(&h, 7, PF_INTERVAL) = 200;
	*value(&h, 7, PF_FINAL_WAIT) = 500;
	assert_int_equal(refresh(&h), 0);
	assert_int_equal(in_force(&h, 7, PF_INTERVAL), 200);
	assert_int_equal(in_force(&h, 8, PF_INTERVAL), 0);
}

/* After a restart the values in force are those of before, and `seen` begins as their copy. */
static void test_restart(void **state)
{
	struct host h = loaded();

	(void)state;
	*value(&h, 0, PF_INTERVAL) = 0;
	h.seen = h.in_force;
	assert_int_equal(refresh(&h), 1);
	assert_int_equal(refresh(&h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_over), cmocka_unit_test(test_a_bad_value_is_counted_once),
		cmocka_unit_test(test_lists),	   cmocka_unit_test(test_unused_rows),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
