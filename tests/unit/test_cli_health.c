// SPDX-License-Identifier: GPL-2.0-or-later
/* Active, degraded, inactive: which state of maps and interfaces is what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"

#define NOW UINT64_C(100000000000)

struct fixture {
	struct config config;
	struct siprtx_meta meta;
	struct siprtx_interface attached[MAX_INTERFACES];
	struct health_facts facts;
	struct problems reasons;
};

static void add_interface(struct fixture *f, const char *name, enum siprtx_side side, unsigned outside)
{
	struct siprtx_interface *i = &f->meta.interface[f->meta.interfaces++];

	*i = (struct siprtx_interface){.side = side, .attach = ATTACH_NATIVE, .outside = outside, .up = 1};
	strcpy(i->name, name);
	f->attached[f->facts.n_attached++] = *i;
	if (side == SIDE_OUTSIDE) {
		strcpy(f->config.outside[f->config.n_outside++], name);
		f->meta.heartbeat[outside] = NOW - 1000;
	} else {
		strcpy(f->config.inside[f->config.n_inside++], name);
	}
}

/* An inside and two outside interfaces, all well. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->facts = (struct health_facts){
		.config = &f->config, .meta = &f->meta, .attached = f->attached, .capture = true, .now_ns = NOW};
	f->meta.pid = 1;
	f->meta.alive_ns = NOW - 1000;
	add_interface(f, "in0", SIDE_INSIDE, 0);
	add_interface(f, "out0", SIDE_OUTSIDE, 0);
	add_interface(f, "out1", SIDE_OUTSIDE, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	problems_free(&f->reasons);
	free(f);
	return 0;
}

static void assert_health(struct fixture *f, enum health health, unsigned n, const char *first)
{
	assert_int_equal(health_judge(&f->facts, &f->reasons), health);
	assert_int_equal(f->reasons.n, n);
	if (n)
		assert_string_equal(f->reasons.list[0].what, first);
}

static void all_is_well(void **state)
{
	assert_health(*state, HEALTH_ACTIVE, 0, NULL);
}

static void a_dead_controller_is_one_reason(void **state)
{
	struct fixture *f = *state;

	f->meta.alive_ns = f->meta.heartbeat[0] = f->meta.heartbeat[1] = NOW - 12 * UINT64_C(1000000000);
	assert_health(f, HEALTH_INACTIVE, 1, "the controller has not been seen for 12 s");
}

static void a_controller_that_ended_is_not_running(void **state)
{
	struct fixture *f = *state;

	f->meta.pid = 0;
	assert_health(f, HEALTH_INACTIVE, 1, "the controller is not running");
}

static void one_heartbeat_of_two_is_degraded(void **state)
{
	struct fixture *f = *state;

	f->meta.heartbeat[1] = NOW - HEARTBEAT_NS;
	assert_health(f, HEALTH_DEGRADED, 1, "copies due on outside interface out1 do not get out");
}

static void no_heartbeat_is_inactive(void **state)
{
	struct fixture *f = *state;

	f->meta.heartbeat[0] = f->meta.heartbeat[1] = 0;
	assert_health(f, HEALTH_INACTIVE, 2, "copies due on outside interface out0 do not get out");
}

static void a_link_that_is_down_is_named(void **state)
{
	struct fixture *f = *state;

	f->meta.heartbeat[0] = 0;
	f->meta.interface[1].up = 0;
	assert_health(f, HEALTH_DEGRADED, 1, "outside interface out0 is down");
}

static void without_an_inside_program_nothing_is_captured(void **state)
{
	struct fixture *f = *state;

	f->attached[0].name[0] = '\0';
	assert_health(f, HEALTH_INACTIVE, 1, "no program is attached to inside interface in0");
}

/* With capture at egress it is the outside's filter that counts, and nothing is asked of the inside. */
static void without_the_filter_at_egress_nothing_is_captured(void **state)
{
	static const char egress[][IFNAMSIZ] = {"out0", "out1"};
	struct fixture *f = *state;

	f->config.capture = CAPTURE_EGRESS;
	f->attached[0].name[0] = '\0';
	f->facts.egress = egress;
	f->facts.n_egress = 2;
	assert_health(f, HEALTH_ACTIVE, 0, NULL);
	f->facts.n_egress = 1;
	assert_health(f, HEALTH_DEGRADED, 1, "no program is at TC egress of outside interface out1");
	problems_free(&f->reasons);
	f->facts.n_egress = 0;
	assert_health(f, HEALTH_INACTIVE, 2, "no program is at TC egress of outside interface out0");
}

static void an_interface_only_the_configuration_names_is_missing(void **state)
{
	struct fixture *f = *state;

	strcpy(f->config.outside[f->config.n_outside++], "out2");
	assert_health(f, HEALTH_DEGRADED, 1, "no program is attached to outside interface out2");
}

static void capture_off_is_inactive(void **state)
{
	struct fixture *f = *state;

	f->facts.capture = false;
	assert_health(f, HEALTH_INACTIVE, 1, "capture is switched off");
}

static void a_failing_journal_is_degraded(void **state)
{
	struct fixture *f = *state;

	f->meta.journal_errno = ENOSPC;
	assert_health(f, HEALTH_DEGRADED, 1, "the journal cannot be written: No space left on device");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_is_well),
		TEST(a_dead_controller_is_one_reason),
		TEST(a_controller_that_ended_is_not_running),
		TEST(one_heartbeat_of_two_is_degraded),
		TEST(no_heartbeat_is_inactive),
		TEST(a_link_that_is_down_is_named),
		TEST(without_an_inside_program_nothing_is_captured),
		TEST(without_the_filter_at_egress_nothing_is_captured),
		TEST(an_interface_only_the_configuration_names_is_missing),
		TEST(capture_off_is_inactive),
		TEST(a_failing_journal_is_degraded),
	};

	return cmocka_run_group_tests_name("cli_health", tests, NULL, NULL);
}
