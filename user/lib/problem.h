/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong and what to do about it: collected, so that one run names everything. */
#ifndef SIPRTX_PROBLEM_H
#define SIPRTX_PROBLEM_H

#include <stdbool.h>
#include <stdio.h>

enum problem_level { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
	enum problem_level level;
	char where[256];  /* "siprtx.conf:12", "tunables", "kernel"; may be empty */
	char what[256];	  /* the cause, with the value in it */
	char remedy[256]; /* what to do; may be empty */
};

struct problems {
	struct problem *list; /* owned, problems_free() */
	unsigned n, errors;
};

/*
 * Adds one. `where` may be empty, `remedy` NULL; what and remedy without or with their full stop. Never fails:
 * out of memory prints it to stderr instead, and counts it all the same.
 */
void problem_add(struct problems *p, enum problem_level level, const char *where, const char *remedy, const char *what,
		 ...) __attribute__((format(printf, 5, 6)));
/*
 * "siprtxd: siprtx.conf:12: resend_interval has 11 intervals, the most is 10. Remove 1 of them." a line each;
 * a warning has "warning:" before its cause.
 */
void problems_print(const struct problems *p, FILE *f, const char *program);
void problems_free(struct problems *p);

#endif
