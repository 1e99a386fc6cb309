// SPDX-License-Identifier: GPL-2.0-or-later
#include "journal_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void journal_reader_init(struct journal_reader *r, const char *path)
{
	*r = (struct journal_reader){.fd = -1};
	snprintf(r->path, sizeof(r->path), "%s", path);
}

void journal_reader_close(struct journal_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* Opens the file, and anew once logrotate or an operator put another in its place. 0 or -errno. */
static int renew(struct journal_reader *r)
{
	struct stat mine, there;

	if (stat(r->path, &there))
		return -errno;
	if (r->fd >= 0 && !fstat(r->fd, &mine) && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
		return 0;
	journal_reader_close(r);
	r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	r->opened++;
	return 0;
}

uint64_t journal_line_seq(const char *line)
{
	/* the member before it is a number, so that these are its name and no part of a text */
	const char *seq = strstr(line, "\"seq\":");

	return *line == '{' && seq ? strtoull(seq + strlen("\"seq\":"), NULL, 10) : 0;
}

/* Up to `most` bytes at `at`, NUL-terminated. Their number, or -errno. */
static ssize_t read_at(const struct journal_reader *r, off_t at, char *to, size_t most)
{
	ssize_t n;

	do
		n = pread(r->fd, to, most, at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	return n;
}

/*
 * The first line with a number that begins at *at or after it, into r->line; *at is its beginning then. -ENOENT: none,
 * or it has no end yet.
 */
static int line_at(struct journal_reader *r, off_t *at, uint64_t *seq, size_t *n)
{
	for (;;) {
		ssize_t have = read_at(r, *at, r->line, JOURNAL_LINE);
		char *end = have > 0 ? memchr(r->line, '\n', have) : NULL;

		if (have < 0)
			return (int)have;
		if (!end && have < JOURNAL_LINE)
			return -ENOENT;
		if (!end) {
			*at += have;
			continue;
		}
		end[1] = '\0';
		*n = end + 1 - r->line;
		*seq = journal_line_seq(r->line);
		if (*seq)
			return 0;
		*at += (off_t)*n;
	}
}

/* Where the first line begins that does so after `at`. -ENOENT: none. */
static int next_start(struct journal_reader *r, off_t *at)
{
	for (;;) {
		ssize_t have = read_at(r, *at, r->line, JOURNAL_LINE);
		char *end = have > 0 ? memchr(r->line, '\n', have) : NULL;

		if (have < 0)
			return (int)have;
		if (!have)
			return -ENOENT;
		if (end) {
			*at += end + 1 - r->line;
			return 0;
		}
		*at += have;
	}
}

/* A line's beginning at or before the line that is looked for, and near it. */
static int approach(struct journal_reader *r, uint64_t seq, off_t *at)
{
	struct stat st;
	off_t low = 0, high;

	if (fstat(r->fd, &st))
		return -errno;
	high = st.st_size;
	/* the line at `low`, but for the file's first one, has a lower number; what begins after `high` has none */
	while (high - low > JOURNAL_LINE) {
		off_t middle = low + (high - low) / 2, start = middle;
		uint64_t found = 0;
		size_t n;
		int err = next_start(r, &start);

		if (!err)
			err = line_at(r, &start, &found, &n);
		if (err && err != -ENOENT)
			return err;
		if (!err && found < seq && start < high)
			low = start;
		else
			high = middle;
	}
	*at = low;
	return 0;
}

int journal_find(struct journal_reader *r, struct journal_place *place, uint64_t seq, uint64_t *found, size_t *n)
{
	int err = renew(r);
	off_t at = 0;

	if (err)
		return err;
	if (place->at && place->opened == r->opened && place->seq < seq && seq - place->seq <= 16)
		at = place->at;
	else
		err = approach(r, seq, &at);
	while (!err) {
		err = line_at(r, &at, found, n);
		if (err)
			break;
		at += (off_t)*n;
		if (*found >= seq) {
			*place = (struct journal_place){.opened = r->opened, .seq = *found, .at = at};
			return 0;
		}
	}
	return err;
}
