// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 16
#define GAP	    2 /* spaces between columns */

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	const char *heading[MAX_COLUMNS];
	int heading_len[MAX_COLUMNS];
	bool right[MAX_COLUMNS];
	int width[MAX_COLUMNS];
	unsigned columns;
	struct cell *cell;
	size_t n, room;
	bool headings, lost;
};

const char *colour_code(enum colour c, bool on)
{
	static const char *const codes[] = {
		[PLAIN] = "\033[0m", [BOLD] = "\033[1m",   [DIM] = "\033[2m",
		[RED] = "\033[31m",  [GREEN] = "\033[32m", [YELLOW] = "\033[33m",
	};

	return on ? codes[c] : "";
}

void make_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

struct table *table_new(const char *columns)
{
	struct table *t = calloc(1, sizeof(*t));
	unsigned i;

	if (!t)
		return NULL;
	for (i = 0; i < MAX_COLUMNS; i++) {
		t->right[i] = *columns == '>';
		columns += t->right[i];
		t->heading[i] = columns;
		t->heading_len[i] = t->width[i] = strcspn(columns, ":");
		t->headings |= t->heading_len[i];
		columns += t->heading_len[i];
		t->columns = i + 1;
		if (!*columns++)
			break;
	}
	return t;
}

void table_cell(struct table *t, enum colour c, const char *format, ...)
{
	unsigned column = t->n % t->columns;
	struct cell *grown;
	char *text;
	va_list args;
	size_t room;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		goto lost;
	make_printable(text);
	if (t->n == t->room) {
		room = t->room ? 2 * t->room : 64;
		grown = realloc(t->cell, room * sizeof(*grown));
		if (!grown) {
			free(text);
			goto lost;
		}
		t->cell = grown;
		t->room = room;
	}
	t->cell[t->n++] = (struct cell){.text = text, .colour = c};
	if (len > t->width[column])
		t->width[column] = len;
	return;
lost:
	t->lost = true;
}

/* Spaces after the last column would make narrow terminals wrap. */
static void print_cell(const struct table *t, unsigned column, const char *text, int len, const char *on,
		       const char *off, FILE *f)
{
	int fill = t->width[column] - len;

	fprintf(f, "%*s%s%.*s%s", t->right[column] ? fill : 0, "", on, len, text, off);
	if (column + 1 < t->columns)
		fprintf(f, "%*s", (t->right[column] ? 0 : fill) + GAP, "");
	else
		fputc('\n', f);
}

int table_print(const struct table *t, FILE *f, unsigned indent, bool colour)
{
	unsigned column;
	size_t i;

	if (t->lost)
		return -ENOMEM;
	if (t->headings) {
		fprintf(f, "%*s", indent, "");
		for (column = 0; column < t->columns; column++)
			print_cell(t, column, t->heading[column], t->heading_len[column], colour_code(BOLD, colour),
				   colour_code(PLAIN, colour), f);
	}
	for (i = 0, column = 0; i < t->n; i++) {
		const struct cell *c = &t->cell[i];
		bool painted = colour && c->colour != PLAIN;

		if (!column)
			fprintf(f, "%*s", indent, "");
		print_cell(t, column, c->text, strlen(c->text), colour_code(c->colour, painted),
			   colour_code(PLAIN, painted), f);
		column = column + 1 < t->columns ? column + 1 : 0;
	}
	return 0;
}

void table_free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n; i++)
		free(t->cell[i].text);
	free(t->cell);
	free(t);
}
