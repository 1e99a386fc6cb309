// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* memrchr */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_BYTES (1 << 20) /* far more than a crash can leave torn between two syncs */

struct tail {
	char *bytes;
	size_t n;
	off_t at; /* where in the file they begin */
};

/* Reads the end of the file. The caller frees t->bytes, on failure too. */
static int tail_read(int fd, struct tail *t)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t have = 0;

	if (size < 0)
		return -errno;
	t->n = size < TAIL_BYTES ? size : TAIL_BYTES;
	t->at = size - t->n;
	t->bytes = malloc(t->n + 1);
	if (!t->bytes)
		return -ENOMEM;
	while (have < t->n) {
		ssize_t got = pread(fd, t->bytes + have, t->n - have, t->at + have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		have += got;
	}
	return 0;
}

/* Where the last line that ends at or before `end` begins: after the '\n' before it. */
static size_t line_start(const struct tail *t, size_t end)
{
	const char *newline = end ? memrchr(t->bytes, '\n', end) : NULL;

	return newline ? newline - t->bytes + 1 : 0;
}

/* Is the line a JSON object? With a "seq", that is put into *seq. */
static bool is_object(const char *line, size_t n, uint64_t *seq)
{
	json_t *json = json_loadb(line, n, 0, NULL), *member;
	bool object = json_is_object(json);

	member = json_object_get(json, "seq");
	if (json_integer_value(member) > 0)
		*seq = json_integer_value(member);
	json_decref(json);
	return object;
}

/* One line without an end, or the zeros some file systems leave after a crash: a first record that was never whole. */
static bool is_torn_first_line(const struct tail *t)
{
	bool zeros = !t->bytes[0] && !memcmp(t->bytes, t->bytes + 1, t->n - 1);

	return !t->at && (zeros || (t->bytes[0] == '{' && !memchr(t->bytes, '\n', t->n)));
}

/* Finds the last seq, and how many bytes of the tail to keep: up to the end of the last line that is an object. */
static int tail_judge(const struct tail *t, size_t *keep, uint64_t *seq)
{
	size_t end = line_start(t, t->n), start;

	*keep = 0;
	*seq = 0;
	for (; end && !*seq; end = start) {
		start = line_start(t, end - 1);
		if (!start && t->at)
			break; /* it may begin before the tail */
		if (is_object(t->bytes + start, end - start, seq) && !*keep)
			*keep = end;
	}
	return *keep || !t->n || is_torn_first_line(t) ? 0 : -EBADMSG;
}

static int repair(struct journal *j)
{
	struct tail t = {0};
	size_t keep = 0;
	int err = tail_read(j->fd, &t);

	if (!err)
		err = tail_judge(&t, &keep, &j->last_seq);
	free(t.bytes);
	if (err)
		return err;
	j->torn = t.n - keep;
	return j->torn && ftruncate(j->fd, t.at + keep) ? -errno : 0;
}

int journal_open(struct journal *j, const char *path)
{
	int err;

	*j = (struct journal){.fd = -1};
	if (snprintf(j->path, sizeof(j->path), "%s", path) >= (int)sizeof(j->path))
		return -ENAMETOOLONG;
	j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (j->fd < 0)
		return -errno;
	err = repair(j);
	if (err) {
		journal_close(j);
		j->last_seq = 0;
	}
	return err;
}

int journal_append(struct journal *j, const char *lines, size_t n, uint64_t last_seq)
{
	size_t done = 0;
	int err = 0;

	while (done < n && !err) {
		ssize_t put = write(j->fd, lines + done, n - done);

		if (put > 0)
			done += put;
		else if (!put || errno != EINTR)
			err = put ? -errno : -EIO;
	}
	if (!err)
		j->last_seq = last_seq;
	else if (done && ftruncate(j->fd, lseek(j->fd, 0, SEEK_CUR) - done))
		err = -errno;
	return err;
}

int journal_sync(struct journal *j)
{
	return fdatasync(j->fd) ? -errno : 0;
}

int journal_reopen(struct journal *j)
{
	struct journal anew;
	int err = journal_sync(j);

	if (!err)
		err = journal_open(&anew, j->path);
	if (err)
		return err;
	if (anew.last_seq < j->last_seq)
		anew.last_seq = j->last_seq;
	journal_close(j);
	*j = anew;
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}
