/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What siprtx-notify's loop is to a sink, in small: its clock is the test's, its sockets and programs are real. */
#ifndef SINK_WORLD_H
#define SINK_WORLD_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "../../user/notify/sink.h"

#define SECOND 1000000000ull

struct world {
	struct config_notify config;
	struct siprtx_sink status;
	struct sink sink;
	uint64_t now;
	unsigned told; /* sink_failed() */
	unsigned lines;
	size_t logged;
	char last_line[1024];
	char folder[64];
};

static struct world world;

bool log_verbose;

void log_line(int priority, const char *format, ...)
{
	va_list list;

	(void)priority;
	va_start(list, format);
	vsnprintf(world.last_line, sizeof(world.last_line), format, list);
	va_end(list);
	world.lines++;
	world.logged += strlen(world.last_line);
}

void sink_failed(struct sink *s, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(s->status->error, sizeof(s->status->error), format, list);
	va_end(list);
	s->status->failed++;
	s->status->error_ns = world.now;
}

void sink_delivered(struct sink *s, uint64_t now)
{
	s->status->sent++;
	s->status->last_ns = now;
	s->status->error[0] = 0;
}

int sink_watch(struct sink *s, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

void sink_unwatch(struct sink *s, int fd)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void world_new(const struct sink_kind *kind)
{
	memset(&world, 0, sizeof(world));
	strcpy(world.config.name, "test");
	world.config.timeout_ms = 500;
	world.config.at_once = 1;
	world.now = 1000 * SECOND;
	world.sink = (struct sink){.kind = kind, .config = &world.config, .status = &world.status};
	world.sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	strcpy(world.folder, "/tmp/test_notify.XXXXXX");
	assert_non_null(mkdtemp(world.folder));
}

static void world_free(void)
{
	char command[128];

	if (world.sink.own)
		world.sink.kind->close(&world.sink);
	close(world.sink.epoll);
	snprintf(command, sizeof(command), "rm -r %s", world.folder);
	assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the test's own folder */
}

/* One turn of the loop: what is ready within `ms`. */
static void turn(int ms)
{
	struct epoll_event e[16];
	int n = epoll_wait(world.sink.epoll, e, 16, ms);

	for (int i = 0; i < n; i++)
		world.sink.kind->ready(&world.sink, e[i].data.fd, e[i].events, world.now);
	world.sink.kind->run(&world.sink, world.now);
}

static int offer(const struct siprtx_record *r)
{
	return world.sink.kind->take(&world.sink, r, world.now);
}

static void later(uint64_t ms)
{
	world.now += ms * 1000000;
	turn(0);
}

static struct siprtx_record make_record(uint64_t seq, uint8_t event, uint8_t last_byte)
{
	struct siprtx_record r = {.seq = seq, .event = event, .reason = 2, .dport = 5060, .sport = 5060};
	const uint8_t address[16] = {[10] = 0xff, 0xff, 192, 0, 2, last_byte};

	memcpy(r.daddr, address, 16);
	memcpy(r.saddr, address, 16);
	strcpy(r.gateway_name, "carrier");
	strcpy(r.call_id, "a@b");
	return r;
}

#endif
