/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal file: whole lines appended, a torn last one repaired at start, written to disk in groups. */
#ifndef SIPRTX_JOURNAL_H
#define SIPRTX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal {
	int fd; /* -1: not open */
	char path[4096];
	uint64_t last_seq; /* the highest "seq" found at start or appended since */
	uint64_t torn;	   /* bytes of a torn last line taken away at start */
};

/*
 * Opens or makes `path` (0640), cuts what follows the last whole line that is a JSON object, and finds the last seq.
 * Only the last MiB is read. A file with no such line in it is not cut, unless it is a first line torn, but refused:
 * it is somebody else's. Returns 0; -EBADMSG: not a journal; -errno. On failure j->fd is -1.
 */
int journal_open(struct journal *j, const char *path);
/*
 * Appends `n` bytes, whole lines whose last has `last_seq`, by one write where the kernel takes them whole. What
 * could be written in part only is taken away again, so that lines stay whole. 0 or -errno (nothing appended).
 */
int journal_append(struct journal *j, const char *lines, size_t n, uint64_t last_seq);
/* fdatasync. 0 or -errno. */
int journal_sync(struct journal *j);
/*
 * Syncs and closes the file and opens the path anew (after logrotate moved it). 0 or -errno: then the old file stays
 * in use. last_seq goes on rising.
 */
int journal_reopen(struct journal *j);
void journal_close(struct journal *j);

#endif
