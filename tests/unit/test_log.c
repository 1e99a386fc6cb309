// SPDX-License-Identifier: GPL-2.0-or-later
/* What is logged stays one line, whatever a message from the wire had in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "log.h"

static void logged(char *out, size_t size, const char *value)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	log_info("call-id %s ends", value);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	n = fread(out, 1, size - 1, file);
	out[n] = 0;
	fclose(file);
}

static void one_line_whatever_it_holds(void **state)
{
	char out[256];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	logged(out, sizeof(out), "a\r\nb\033[31mc\x7f\xe9\t@host");
	assert_string_equal(out, "call-id a??b?[31mc???@host ends\n");
	logged(out, sizeof(out), "plain@host");
	assert_string_equal(out, "call-id plain@host ends\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_line_whatever_it_holds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
