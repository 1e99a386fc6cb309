// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kind = stream: subscribers on a Unix stream socket get JSON Lines, as the journal has them. Each has a number of its
 * own from which it reads on, and nothing is kept for one that is slow beyond what is in its socket and the line it did
 * not take whole.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "feed.h"
#include "log.h"
#include "owner.h"
#include "sink.h"
#include "stream_request.h"

#define SUBSCRIBERS 64
#define BATCH	    64		 /* lines for one subscriber, before it is the next one's turn */
#define REQUEST_NS  100000000ull /* to say from where; later it is from the time of connecting */

struct subscriber {
	int fd;	    /* -1: none */
	bool asked; /* or its time is over */
	bool full;  /* its socket is */
	bool said;  /* it has shut down its side, and reads on */
	uint64_t since_ns;
	uint64_t seq; /* of the next record for it; 0: not known before maps are there */
	char request[64];
	size_t requested;
	struct journal_place place;
	char *rest; /* of a line, owned */
	size_t rest_n, rest_at;
	uint64_t rest_seq; /* its number, 0: it is no record's */
};

struct stream {
	int listener;
	dev_t dev; /* of the socket's file */
	ino_t ino;
	struct subscriber subscriber[SUBSCRIBERS];
};

static const char *path_of(const struct sink *s)
{
	return s->config->to + strlen("unix:");
}

/* What a killed siprtx-notify left; a socket that somebody serves stays. */
static int clear_path(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(at->sun_path, &st))
		err = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(st.st_mode) || !connect(fd, (const struct sockaddr *)at, sizeof(*at)) ||
		 errno != ECONNREFUSED)
		err = -EADDRINUSE;
	else if (unlink(at->sun_path))
		err = -errno;
	close(fd);
	return err;
}

static int listen_at(const struct sink *s, struct stream *st)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct owner service;
	struct stat file;
	mode_t before;
	int err;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path_of(s));
	err = clear_path(&at);
	if (err)
		return err;
	st->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (st->listener < 0)
		return -errno;
	before = umask(0117);
	err = bind(st->listener, (struct sockaddr *)&at, sizeof(at)) ? -errno : 0;
	umask(before);
	if (!err && (stat(at.sun_path, &file) || listen(st->listener, SUBSCRIBERS)))
		err = -errno;
	if (err)
		return err;
	st->dev = file.st_dev;
	st->ino = file.st_ino;
	/* root's, where he serves for himself: the group that reads the maps reads this too */
	if (!geteuid() && !owner_find("", &service) && service.set && chown(at.sun_path, -1, service.gid))
		return -errno;
	return 0;
}

static void stream_close(struct sink *s);

static int stream_open(struct sink *s)
{
	struct stream *st = calloc(1, sizeof(*st));
	int err = st ? 0 : -ENOMEM;

	if (!err) {
		s->own = st;
		st->listener = -1;
		for (unsigned i = 0; i < SUBSCRIBERS; i++)
			st->subscriber[i].fd = -1;
		err = listen_at(s, st);
	}
	if (!err)
		err = sink_watch(s, st->listener, EPOLLIN);
	if (!err)
		return 0;
	if (err == -EADDRINUSE)
		sink_failed(s, "%s is in use or no socket; name another or take it away", path_of(s));
	else
		sink_failed(s, "no socket at %s: %s", path_of(s), strerror(-err));
	if (st)
		stream_close(s);
	return err;
}

static void drop(struct sink *s, struct subscriber *sub)
{
	sink_unwatch(s, sub->fd);
	close(sub->fd);
	free(sub->rest);
	*sub = (struct subscriber){.fd = -1};
	s->status->subscribers--;
}

static void stream_close(struct sink *s)
{
	struct stream *st = s->own;
	struct stat file;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		if (st->subscriber[i].fd >= 0)
			drop(s, &st->subscriber[i]);
	if (st->listener >= 0) {
		sink_unwatch(s, st->listener);
		close(st->listener);
	}
	if (st->ino && !stat(path_of(s), &file) && file.st_ino == st->ino && file.st_dev == st->dev)
		unlink(path_of(s));
	free(st);
	s->own = NULL;
}

static void accept_one(struct sink *s, struct stream *st, uint64_t now)
{
	int fd = accept4(st->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct subscriber *sub = NULL;

	if (fd < 0)
		return;
	for (unsigned i = 0; i < SUBSCRIBERS && !sub; i++)
		if (st->subscriber[i].fd < 0)
			sub = &st->subscriber[i];
	if (!sub || sink_watch(s, fd, EPOLLIN | EPOLLRDHUP)) {
		sink_failed(s, "a subscriber was refused: there are %u already", SUBSCRIBERS);
		close(fd);
		return;
	}
	*sub = (struct subscriber){.fd = fd, .since_ns = now, .seq = s->feed->open ? feed_next(s->feed) : 0};
	s->status->subscribers++;
}

static int watch(struct sink *s, const struct subscriber *sub)
{
	return sink_watch(s, sub->fd, (sub->said ? 0 : EPOLLIN | EPOLLRDHUP) | (sub->full ? EPOLLOUT : 0));
}

/* Sends what is left of the line. False: the socket is full, or the subscriber is gone and was dropped. */
static bool flush(struct sink *s, struct subscriber *sub, uint64_t now)
{
	while (sub->rest) {
		ssize_t n = send(sub->fd, sub->rest + sub->rest_at, sub->rest_n - sub->rest_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (!sub->full) {
				sub->full = true;
				watch(s, sub);
			}
			return false;
		}
		if (n < 0) {
			drop(s, sub);
			return false;
		}
		sub->rest_at += n;
		if (sub->rest_at < sub->rest_n)
			continue;
		free(sub->rest);
		sub->rest = NULL;
		if (sub->rest_seq)
			sink_delivered(s, now);
	}
	if (sub->full) {
		sub->full = false;
		watch(s, sub);
	}
	return true;
}

/* Takes a line to be sent. False: no memory, it is tried again. */
static bool put(struct subscriber *sub, const char *line, size_t n, uint64_t seq)
{
	sub->rest = malloc(n);
	if (!sub->rest)
		return false;
	memcpy(sub->rest, line, n);
	sub->rest_n = n;
	sub->rest_at = 0;
	sub->rest_seq = seq;
	return true;
}

static bool put_gap(struct subscriber *sub, uint64_t from, uint64_t to)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "{\"schema_version\":1,\"event\":\"gap\",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}\n", from,
			 to);

	return put(sub, line, n, 0);
}

/* Makes the next line for it. False: there is none now. */
static bool next_line(struct sink *s, struct subscriber *sub)
{
	uint64_t next = feed_next(s->feed), found;
	const char *line;
	unsigned event;
	size_t n;
	int err;

	while (sub->seq < next) {
		err = feed_line(s->feed, &sub->place, sub->seq, &found, &event, &line, &n);
		if (err && err != -ENOENT)
			return false;
		if (err)
			found = next;
		if (found > sub->seq) {
			if (!put_gap(sub, sub->seq, found - 1))
				return false;
			sub->seq = found;
			return true;
		}
		if (s->config->events & 1u << event && !put(sub, line, n, found))
			return false;
		sub->seq = found + 1;
		if (sub->rest)
			return true;
	}
	return false;
}

static void serve(struct sink *s, struct subscriber *sub, uint64_t now)
{
	if (!sub->asked && now - sub->since_ns < REQUEST_NS)
		return;
	sub->asked = true;
	if (!flush(s, sub, now) || !s->feed->open)
		return;
	/* connected before there were maps; or the numbers began anew */
	if (!sub->seq || sub->seq > feed_next(s->feed))
		sub->seq = feed_next(s->feed);
	for (unsigned i = 0; i < BATCH && next_line(s, sub); i++)
		if (!flush(s, sub, now))
			return;
}

/* The slowest one's number, so that the status says how far it is behind. */
static void note_slowest(struct sink *s, const struct stream *st)
{
	uint64_t slowest = feed_next(s->feed);

	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		const struct subscriber *sub = &st->subscriber[i];

		if (sub->fd >= 0 && sub->seq && sub->seq < slowest)
			slowest = sub->seq;
	}
	s->status->next_seq = slowest;
}

static void stream_run(struct sink *s, uint64_t now)
{
	struct stream *st = s->own;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		if (st->subscriber[i].fd >= 0)
			serve(s, &st->subscriber[i], now);
	if (s->feed->open)
		note_slowest(s, st);
}

static void refuse(struct sink *s, struct subscriber *sub)
{
	static const char why[] =
		"{\"schema_version\":1,\"event\":\"error\",\"error\":\"write from SEQ or from end\"}\n";

	if (send(sub->fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("notify %s: a subscriber was gone before it could be refused", s->config->name);
	drop(s, sub);
}

/* Its first line says from where; what comes after it means nothing. */
static void read_request(struct sink *s, struct subscriber *sub)
{
	size_t room = sizeof(sub->request) - 1 - sub->requested;
	char other[512], *end;
	ssize_t n = sub->asked ? recv(sub->fd, other, sizeof(other), 0)
			       : recv(sub->fd, sub->request + sub->requested, room, 0);
	uint64_t seq = 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		drop(s, sub);
	if (n < 0)
		return;
	if (!n) {
		sub->said = true;
		watch(s, sub);
	}
	if (sub->asked)
		return;
	sub->requested += n;
	sub->request[sub->requested] = '\0';
	end = strchr(sub->request, '\n');
	if (!end && !sub->said && sub->requested < sizeof(sub->request) - 1)
		return;
	sub->asked = true;
	if (end)
		*end = '\0';
	if (*sub->request && stream_request(sub->request, &seq))
		refuse(s, sub);
	else if (seq)
		sub->seq = seq;
}

static void stream_ready(struct sink *s, int fd, uint32_t events, uint64_t now)
{
	struct stream *st = s->own;

	if (fd == st->listener) {
		accept_one(s, st, now);
		return;
	}
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct subscriber *sub = &st->subscriber[i];

		if (sub->fd != fd)
			continue;
		if (events & (EPOLLERR | EPOLLHUP))
			drop(s, sub);
		else if (events & (EPOLLIN | EPOLLRDHUP))
			read_request(s, sub);
		return; /* run() serves it */
	}
}

const struct sink_kind sink_stream = {
	.name = "stream",
	.open = stream_open,
	.close = stream_close,
	.run = stream_run,
	.ready = stream_ready,
};
