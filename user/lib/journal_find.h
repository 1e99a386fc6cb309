/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the journal by sequence number while siprtxd appends to it. Its lines are in the order of their numbers, so one
 * is found by halving the file. What logrotate took away is not looked for.
 */
#ifndef SIPRTX_JOURNAL_FIND_H
#define SIPRTX_JOURNAL_FIND_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#define JOURNAL_LINE 16384 /* a longer one is stepped over: it is none of siprtx's */

struct journal_reader {
	char path[PATH_MAX];
	int fd;		 /* -1: not open */
	uint64_t opened; /* times: a place in a former file is none in this one */
	char line[JOURNAL_LINE + 1];
};

/* A reader's own place; zeroed: none. After a line it is where the next one begins. */
struct journal_place {
	uint64_t opened;
	uint64_t seq; /* of the line before it */
	off_t at;
};

void journal_reader_init(struct journal_reader *r, const char *path);
void journal_reader_close(struct journal_reader *r);
/*
 * The first whole line whose number is `seq` or higher: into r->line with its '\n', its length into *n and its number
 * into *found. `place` makes the line after the one read last cheap. 0; -ENOENT: there is none (yet); -errno.
 */
int journal_find(struct journal_reader *r, struct journal_place *place, uint64_t seq, uint64_t *found, size_t *n);
/* The "seq" of a line, 0: it has none. `line` is NUL-terminated. */
uint64_t journal_line_seq(const char *line);

#endif
