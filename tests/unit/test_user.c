// SPDX-License-Identifier: GPL-2.0-or-later
/* The key `user`, and who that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "owner.h"
#include "rights.h"

static unsigned load_with(char *user, struct config *c, char *remedy, size_t size)
{
	char *overrides[] = {"siprtx.inside=eth0", "siprtx.outside=eth1", user};
	struct problems problems = {};
	unsigned errors;

	config_load(NULL, overrides, user ? 3 : 2, c, &problems);
	errors = problems.errors;
	if (errors)
		snprintf(remedy, size, "%s", problems.list[0].what);
	problems_free(&problems);
	return errors;
}

static void user_is_read(void **state)
{
	char what[256] = "";
	struct config c;

	(void)state;
	assert_int_equal(load_with(NULL, &c, what, sizeof(what)), 0);
	assert_string_equal(c.user, "");
	config_free(&c);
	assert_int_equal(load_with("siprtx.user=siprtx", &c, what, sizeof(what)), 0);
	assert_string_equal(c.user, "siprtx");
	config_free(&c);
	assert_int_equal(load_with("siprtx.user=a b", &c, what, sizeof(what)), 1);
	assert_non_null(strstr(what, "\"a b\": it is not the name of a user"));
	assert_string_equal(c.user, "");
	config_free(&c);
	assert_int_equal(load_with("siprtx.user=of-thirty-two-characters-or-more", &c, what, sizeof(what)), 1);
	config_free(&c);
}

static void user_is_found(void **state)
{
	struct owner o;

	(void)state;
	assert_int_equal(owner_find("nobody", &o), 0);
	assert_true(o.set && o.uid == 65534);
	assert_string_equal(o.name, "nobody");
	assert_int_equal(owner_find("no-such-user", &o), -ENOENT);
	assert_false(o.set);
	/* not configured: whether the service's own is there or not, it is no error */
	assert_int_equal(owner_find("", &o), 0);
}

static void what_is_nobodys_is_left_alone(void **state)
{
	char path[] = "/tmp/siprtx-test-XXXXXX";
	const struct owner none = {};
	struct stat before, after;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(owner_give_map(&none, path), 0);
	assert_int_equal(owner_give_folder(&none, path), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(before.st_uid, after.st_uid);
	assert_int_equal(unlink(path), 0);
}

static void maps_are_his_to_write_and_his_groups_to_read(void **state)
{
	const struct owner me = {.set = true, .uid = geteuid(), .gid = getegid()};
	char path[] = "/tmp/siprtx-test-XXXXXX";
	struct stat st;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(owner_give_map(&me, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(owner_give_folder(&me, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(owner_give_map(&me, path), -ENOENT);
}

static void access_is_asked_as_that_user(void **state)
{
	struct owner nobody, none = {};
	char path[] = "/tmp/siprtx-test-XXXXXX";
	int fd;

	(void)state;
	if (geteuid())
		skip(); /* another may not be asked for */
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(owner_find("nobody", &nobody), 0);
	assert_int_equal(rights_access(&none, path, W_OK), 0);
	assert_int_equal(rights_access(&nobody, path, W_OK), -EACCES);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(rights_access(&nobody, path, W_OK), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rights_access(&nobody, path, W_OK), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_is_read),
		cmocka_unit_test(user_is_found),
		cmocka_unit_test(what_is_nobodys_is_left_alone),
		cmocka_unit_test(maps_are_his_to_write_and_his_groups_to_read),
		cmocka_unit_test(access_is_asked_as_that_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
