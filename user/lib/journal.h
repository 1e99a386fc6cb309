/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal file: whole lines appended, a torn last one repaired at start, written to disk in groups. */
#ifndef SIPRTX_JOURNAL_H
#define SIPRTX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal {
	int fd;		   /* -1: not open */
	char path[4096];
	uint64_t last_seq; /* the highest "seq" found at start or appended since */
	uint64_t torn;	   /* bytes of a torn last line taken away at start */
};

/*
 * Opens or makes `path` (0640), cuts a last line that has no '\n' or is no JSON object, and finds the last seq.
 * Returns 0 or -errno; on failure j->fd is -1.
 */
int journal_open(struct journal *j, const char *path);
/* Appends `n` bytes, whole lines, by one write; a short write is undone (ftruncate), so that lines stay whole. 0 or -errno. */
int journal_append(struct journal *j, const char *lines, size_t n, uint64_t last_seq);
/* fdatasync. 0 or -errno. */
int journal_sync(struct journal *j);
/* Closes and opens the path anew (after logrotate moved it); the old file stays in use when that fails. 0 or -errno. */
int journal_reopen(struct journal *j);
void journal_close(struct journal *j);

#endif
