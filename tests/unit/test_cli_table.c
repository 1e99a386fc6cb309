// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables line up, and nothing in them acts on the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static char *printed(struct table *t, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(table_print(t, f, 2, colour), 0);
	fclose(f);
	table_free(t);
	return text;
}

static void columns_line_up(void **state)
{
	struct table *t = table_new("GATEWAY:>SENDS:CALL-ID");
	char *text;

	(void)state;
	table_cell(t, PLAIN, "10.0.0.1:5060");
	table_cell(t, RED, "%d", 11);
	table_cell(t, PLAIN, "a@b");
	table_cell(t, PLAIN, "[2001:db8::1]:5060");
	table_cell(t, PLAIN, "%d", 1);
	table_cell(t, PLAIN, "longer@b");
	text = printed(t, false);
	assert_string_equal(text, "  GATEWAY             SENDS  CALL-ID\n"
				  "  10.0.0.1:5060          11  a@b\n"
				  "  [2001:db8::1]:5060      1  longer@b\n");
	free(text);
}

static void colours_do_not_count_as_width(void **state)
{
	struct table *t = table_new("A:B");
	char *text;

	(void)state;
	table_cell(t, RED, "red");
	table_cell(t, PLAIN, "x");
	table_cell(t, PLAIN, "plain");
	table_cell(t, PLAIN, "y");
	text = printed(t, true);
	assert_string_equal(text, "  \033[1mA\033[0m      \033[1mB\033[0m\n"
				  "  \033[31mred\033[0m    x\n"
				  "  plain  y\n");
	free(text);
}

static void no_headings_no_line(void **state)
{
	struct table *t = table_new(":");
	char *text;

	(void)state;
	table_cell(t, PLAIN, "a");
	table_cell(t, PLAIN, "b");
	text = printed(t, false);
	assert_string_equal(text, "  a  b\n");
	free(text);
}

static void bytes_from_the_network_are_harmless(void **state)
{
	struct table *t = table_new("C");
	char *text;

	(void)state;
	table_cell(t, PLAIN, "a\033[2Jb\x9b\xe9\r\n\x7f");
	text = printed(t, false);
	assert_string_equal(text, "  C\n  a?[2Jb?????\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_line_up),
		cmocka_unit_test(colours_do_not_count_as_width),
		cmocka_unit_test(no_headings_no_line),
		cmocka_unit_test(bytes_from_the_network_are_harmless),
	};

	return cmocka_run_group_tests_name("cli_table", tests, NULL, NULL);
}
