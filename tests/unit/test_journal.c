// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal: lines stay whole whatever happened to the file or to the last write. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"

#define LINE(seq) "{\"schema_version\":1,\"seq\":" #seq ",\"event\":\"exhausted\"}\n"

static char folder[] = "/tmp/test_journal.XXXXXX", path[64], moved[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/j", folder);
	snprintf(moved, sizeof(moved), "%s/j.1", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	return 0;
}

static void put_file(const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* The file is `n` bytes that are these. */
static void check_file(const char *name, const char *bytes, size_t n)
{
	char *got = malloc(n + 1);
	FILE *f = fopen(name, "r");

	assert_non_null(got);
	assert_non_null(f);
	assert_int_equal(fread(got, 1, n + 1, f), n);
	assert_memory_equal(got, bytes, n);
	fclose(f);
	free(got);
}

/* Opens the file made of `bytes`: what is kept is its first `kept` bytes. */
static void check_repair(const char *bytes, size_t n, size_t kept, uint64_t last_seq)
{
	struct journal j;

	put_file(bytes, n);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(j.torn, n - kept);
	assert_int_equal(j.last_seq, last_seq);
	check_file(path, bytes, kept);
	assert_int_equal(journal_append(&j, LINE(99), strlen(LINE(99)), 99), 0);
	assert_int_equal(j.last_seq, 99);
	journal_close(&j);
	/* the next start finds it whole */
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(j.torn, 0);
	assert_int_equal(j.last_seq, 99);
	journal_close(&j);
}

#define CHECK_REPAIR(kept, rest, last_seq) check_repair(kept rest, sizeof(kept rest) - 1, sizeof(kept) - 1, last_seq)

static void repairs(void **state)
{
	(void)state;
	CHECK_REPAIR("", "", 0);
	CHECK_REPAIR(LINE(1) LINE(2), "", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "{\"schema_ver", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "{\"seq\":3}", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "{\"seq\":3\n", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "[3]\n", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "\n", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "\0\0\0\0\0\0", 2);
	CHECK_REPAIR(LINE(1) LINE(2), "\xff\n\x80{\n\0\0\n{\"seq\":\"x\n", 2);
	CHECK_REPAIR(LINE(1) "{\"note\":\"an object of another kind\"}\n", "{", 1);
	CHECK_REPAIR("{\"seq\":\"7\"}\n", "", 0);
	/* a first line that was never whole */
	CHECK_REPAIR("", "{\"schema_version\":1,\"se", 0);
	CHECK_REPAIR("", "{\"schema_version\":1\0\0\0\0", 0);
	CHECK_REPAIR("", "\0\0\0\0", 0);
	CHECK_REPAIR("", "\0", 0);
}

/* A path mistyped must not cost the file that is there. */
static void somebody_elses_file(void **state)
{
	static const char *const others[] = {"root:x:0:0::/root:/bin/sh\n", "text", "{\n  \"a\": 1\n}\n", "\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct journal j;

		put_file(others[i], strlen(others[i]));
		assert_int_equal(journal_open(&j, path), -EBADMSG);
		assert_int_equal(j.fd, -1);
		check_file(path, others[i], strlen(others[i]));
	}
}

static void new_file(void **state)
{
	struct journal j;
	struct stat st;

	(void)state;
	umask(022);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(fstat(j.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(fcntl(j.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(j.fd, F_GETFL) & O_APPEND);
	assert_int_equal(journal_append(&j, LINE(1) LINE(2), strlen(LINE(1) LINE(2)), 2), 0);
	assert_int_equal(journal_sync(&j), 0);
	assert_int_equal(j.last_seq, 2);
	check_file(path, LINE(1) LINE(2), strlen(LINE(1) LINE(2)));
	journal_close(&j);
	assert_int_equal(j.fd, -1);
	journal_close(&j);
}

static void no_place(void **state)
{
	char name[5000];
	struct journal j;

	(void)state;
	snprintf(name, sizeof(name), "%s/missing/j", folder);
	assert_int_equal(journal_open(&j, name), -ENOENT);
	assert_int_equal(j.fd, -1);
	assert_int_equal(journal_open(&j, folder), -EISDIR);
	assert_int_equal(j.fd, -1);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(journal_open(&j, name), -ENAMETOOLONG);
	assert_int_equal(j.fd, -1);
	assert_int_equal(journal_append(&j, LINE(1), strlen(LINE(1)), 1), -EBADF);
	assert_int_equal(journal_sync(&j), -EBADF);
}

/* Several MB, so that the file is read in its last part only, with the torn line longer than a page. */
static void large_file(void **state)
{
	const unsigned lines = 60000;
	char torn[9000];
	struct journal j;
	struct stat st;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	for (unsigned i = 1; i <= lines; i++)
		fprintf(f, "{\"schema_version\":1,\"seq\":%u,\"call_id\":\"%040u\"}\n", i, i);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_true(st.st_size > 4 << 20);
	memset(torn, 'x', sizeof(torn));
	fwrite(torn, 1, sizeof(torn), f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(j.last_seq, lines);
	assert_int_equal(j.torn, sizeof(torn));
	assert_int_equal(lseek(j.fd, 0, SEEK_END), st.st_size);
	journal_close(&j);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* No room for the whole of it: none of it stays, and what comes later goes on behind whole lines. */
static void short_write_is_undone(void **state)
{
	static const char first[] = LINE(1) LINE(2), more[] = LINE(3) LINE(4);
	struct journal j;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(journal_append(&j, first, strlen(first), 2), 0);
	limit_file_size(strlen(first) + strlen(LINE(3)) + 10);
	assert_int_equal(journal_append(&j, more, strlen(more), 4), -EFBIG);
	limit_file_size(strlen(first));
	assert_int_equal(journal_append(&j, more, strlen(more), 4), -EFBIG);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(j.last_seq, 2);
	check_file(path, first, strlen(first));
	assert_int_equal(journal_append(&j, more, strlen(more), 4), 0);
	assert_int_equal(j.last_seq, 4);
	check_file(path, LINE(1) LINE(2) LINE(3) LINE(4), strlen(first) + strlen(more));
	journal_close(&j);
}

static void full_disk(void **state)
{
	struct journal j = {.fd = open("/dev/full", O_RDWR | O_CLOEXEC)};

	(void)state;
	assert_int_equal(journal_append(&j, LINE(1), strlen(LINE(1)), 1), -ENOSPC);
	assert_int_equal(j.last_seq, 0);
	journal_close(&j);
}

static void reopen_after_rename(void **state)
{
	struct journal j;

	(void)state;
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(journal_append(&j, LINE(1), strlen(LINE(1)), 1), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(journal_append(&j, LINE(2), strlen(LINE(2)), 2), 0);
	assert_int_equal(journal_reopen(&j), 0);
	assert_int_equal(j.last_seq, 2);
	assert_int_equal(journal_append(&j, LINE(3), strlen(LINE(3)), 3), 0);
	check_file(moved, LINE(1) LINE(2), strlen(LINE(1) LINE(2)));
	check_file(path, LINE(3), strlen(LINE(3)));
	/* not moved: the same file goes on */
	assert_int_equal(journal_reopen(&j), 0);
	assert_int_equal(j.last_seq, 3);
	assert_int_equal(j.torn, 0);
	journal_close(&j);
}

static void reopen_that_fails(void **state)
{
	struct journal j;

	(void)state;
	assert_int_equal(journal_open(&j, path), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(journal_reopen(&j), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(journal_append(&j, LINE(1), strlen(LINE(1)), 1), 0);
	check_file(moved, LINE(1), strlen(LINE(1)));
	journal_close(&j);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, remove_files)
	const struct CMUnitTest tests[] = {
		TEST(repairs),	 TEST(somebody_elses_file), TEST(new_file),
		TEST(no_place),	 TEST(large_file),	    TEST(short_write_is_undone),
		TEST(full_disk), TEST(reopen_after_rename), TEST(reopen_that_fails),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
