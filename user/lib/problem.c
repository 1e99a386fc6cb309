// SPDX-License-Identifier: GPL-2.0-or-later
#include "problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_sentence(FILE *f, const char *s)
{
	size_t n = strlen(s);

	if (n)
		fprintf(f, " %s%s", s, s[n - 1] == '.' ? "" : ".");
}

static void print_problem(const struct problem *one, FILE *f, const char *program)
{
	fprintf(f, "%s:", program);
	if (*one->where)
		fprintf(f, " %s:", one->where);
	if (one->level == PROBLEM_WARNING)
		fputs(" warning:", f);
	print_sentence(f, one->what);
	print_sentence(f, one->remedy);
	fputc('\n', f);
}

void problem_add(struct problems *p, enum problem_level level, const char *where, const char *remedy, const char *what,
		 ...)
{
	struct problem one = {.level = level};
	struct problem *list;
	va_list args;

	snprintf(one.where, sizeof(one.where), "%s", where);
	snprintf(one.remedy, sizeof(one.remedy), "%s", remedy ? remedy : "");
	va_start(args, what);
	vsnprintf(one.what, sizeof(one.what), what, args);
	va_end(args);

	/* counted even where it cannot be kept: an error must stop the start */
	p->errors += level == PROBLEM_ERROR;
	list = realloc(p->list, (p->n + 1) * sizeof(*list));
	if (!list) {
		print_problem(&one, stderr, "siprtx");
		return;
	}
	p->list = list;
	p->list[p->n++] = one;
}

void problems_print(const struct problems *p, FILE *f, const char *program)
{
	for (unsigned i = 0; i < p->n; i++)
		print_problem(&p->list[i], f, program);
}

void problems_free(struct problems *p)
{
	free(p->list);
	*p = (struct problems){0};
}
