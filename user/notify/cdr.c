// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kind = cdr: a line for each exhausted call into the file of its hour. The last line tells which record was the last
 * one, so that after a kill -9 none is written twice, whatever the cursor says.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cdr_line.h"
#include "sink.h"

#define RETRY_NS 1000000000ull

struct cdr {
	int fd; /* -1: none */
	char name[CDR_NAME];
	uint64_t seq, ts_ms; /* of the last line found at the start */
	uint64_t retry_ns;
};

static int path_of(const struct sink *s, const char *name, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s", s->config->to, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The newest file's name; empty: there is none. */
static int find_newest(const struct sink *s, char newest[CDR_NAME])
{
	DIR *folder = opendir(s->config->to);
	const struct dirent *e;

	if (!folder)
		return -errno;
	*newest = '\0';
	while ((e = readdir(folder)))
		if (cdr_is_name(e->d_name) && strcmp(e->d_name, newest) > 0)
			snprintf(newest, CDR_NAME, "%.*s", CDR_NAME - 1, e->d_name);
	closedir(folder);
	return 0;
}

/* Reads the last whole line, and cuts what comes after it: a line that was not written whole. */
static int mend_end(int fd, uint64_t *seq, uint64_t *ts_ms)
{
	char tail[2 * CDR_LINE];
	off_t size = lseek(fd, 0, SEEK_END), at;
	const char *end, *start;
	ssize_t n;

	if (size < 0)
		return -errno;
	at = size > (off_t)sizeof(tail) ? size - (off_t)sizeof(tail) : 0;
	n = pread(fd, tail, sizeof(tail), at);
	if (n < 0)
		return -errno;
	for (end = tail + n; end > tail && end[-1] != '\n'; end--)
		;
	if (at + (end - tail) < size && (at == 0 || end > tail) && ftruncate(fd, at + (end - tail)))
		return -errno;
	if (end == tail)
		return 0;
	for (start = end - 1; start > tail && start[-1] != '\n'; start--)
		;
	*seq = cdr_line_seq(start, end - start, ts_ms);
	return 0;
}

/* Opens or makes the file of that name. 0 or -errno. */
static int open_file(struct sink *s, const char *name)
{
	struct cdr *c = s->own;
	char path[PATH_MAX];
	int err = path_of(s, name, path);

	if (err || (c->fd >= 0 && !strcmp(c->name, name)))
		return err;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (c->fd < 0)
		return -errno;
	snprintf(c->name, sizeof(c->name), "%s", name);
	return 0;
}

static int cdr_open(struct sink *s)
{
	struct cdr *c = calloc(1, sizeof(*c));
	char newest[CDR_NAME] = "";
	int err = c ? 0 : -ENOMEM;

	if (!err) {
		c->fd = -1;
		s->own = c;
		err = find_newest(s, newest);
	}
	if (!err && *newest)
		err = open_file(s, newest);
	if (!err && *newest)
		err = mend_end(c->fd, &c->seq, &c->ts_ms);
	if (!err)
		return 0;
	sink_failed(s, "files in %.60s cannot be written: %s", s->config->to, strerror(-err));
	if (c && c->fd >= 0)
		close(c->fd);
	free(c);
	s->own = NULL;
	return err;
}

static void cdr_close(struct sink *s)
{
	struct cdr *c = s->own;

	if (c->fd >= 0)
		close(c->fd);
	free(c);
	s->own = NULL;
}

/* The whole line or nothing of it. 0 or -errno. */
static int append(int fd, const char *line, size_t n)
{
	off_t before = lseek(fd, 0, SEEK_END);
	ssize_t put;
	int err;

	if (before < 0)
		return -errno;
	put = write(fd, line, n);
	if (put == (ssize_t)n)
		return 0;
	err = put < 0 ? -errno : -ENOSPC;
	if (put > 0 && ftruncate(fd, before))
		return -errno;
	return err;
}

static int cdr_take(struct sink *s, const struct siprtx_record *r, uint64_t now)
{
	struct cdr *c = s->own;
	char line[CDR_LINE], name[CDR_NAME];
	size_t n;
	int err;

	if (now < c->retry_ns)
		return -EAGAIN;
	/* numbers may have begun anew since, but not time */
	if (r->seq <= c->seq && r->ts_ms <= c->ts_ms)
		return 0;
	n = cdr_line(r, line);
	err = open_file(s, cdr_name(r, name, sizeof(name)));
	if (!err)
		err = append(c->fd, line, n);
	if (!err) {
		sink_delivered(s, now);
		return 0;
	}
	sink_failed(s, "%s in %.40s cannot be written: %s", name, s->config->to, strerror(-err));
	c->retry_ns = now + RETRY_NS;
	return -EAGAIN;
}

/* Anew after an operator moved the file, or the folder came back. */
static void cdr_run(struct sink *s, uint64_t now)
{
	struct cdr *c = s->own;
	struct stat mine;

	(void)now;
	if (c->fd >= 0 && !fstat(c->fd, &mine) && !mine.st_nlink) {
		close(c->fd);
		c->fd = -1;
	}
}

const struct sink_kind sink_cdr = {
	.name = "cdr",
	.open = cdr_open,
	.close = cdr_close,
	.take = cdr_take,
	.run = cdr_run,
};
