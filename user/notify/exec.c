// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program run for each record, without a shell. What the record says is in its environment alone, for most of it
 * comes from the wire. It is the leader of a process group of its own, and whatever is left of that group when it has
 * ended or its time is over is killed: nothing piles up.
 *
 * A record is taken when its program begins. So it is run once, also across a crash of siprtx-notify but for one that
 * falls between the two. `at_once` of them run beside each other, but two states of one gateway one after the other.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, what posix_spawn has beyond POSIX */
#endif
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "clock.h"
#include "log.h"
#include "rate.h"
#include "record.h"
#include "sink.h"
#include "template.h"

#define GRACE_NS    1000000000ull /* between SIGTERM and SIGKILL */
#define BACK_OFF_NS 1000000000ull
#define MAX_OUTPUT  4096 /* bytes of a program that are logged, what is more is read and thrown away */
#define MAX_LINE    256
#define MAX_READ    16 /* of 4 KiB in a round */
#define MAX_ENV	    64
#define PATH_ENV    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct program {
	pid_t pid;	   /* 0: this place is free */
	int pidfd, output; /* -1: closed */
	uint64_t seq, due;
	bool over_time, killed;
	bool of_gateway; /* it tells a gateway's state */
	uint8_t daddr[16];
	uint16_t dport;
	unsigned logged; /* bytes of output */
	unsigned n_line;
	char line[MAX_LINE];
};

struct exec {
	uint64_t full_ns;  /* rate_take() */
	uint64_t again_ns; /* no program is begun before */
	bool no_room;	   /* told that there is no memory or process for one */
	unsigned n;
	struct program program[];
};

static int exec_open(struct sink *s)
{
	unsigned n = s->config->at_once ? s->config->at_once : 1;
	struct exec *e = calloc(1, sizeof(*e) + n * sizeof(*e->program));

	if (!e) {
		sink_failed(s, "no memory");
		return -ENOMEM;
	}
	e->n = n;
	s->own = e;
	/* it may be put there later, so this is no end */
	if (access(s->config->run, X_OK))
		sink_failed(s, "the program cannot be run: %s; put it there, chmod +x", strerror(errno));
	return 0;
}

/* SIPRTX_NAME=value, to be freed. A control byte becomes a space: a hook may print what it gets. */
static char *variable(const char *name, const json_t *value)
{
	char number[32], *s;
	const char *text = "";
	size_t n;

	if (json_is_string(value)) {
		text = json_string_value(value);
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		text = number;
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	}
	n = strlen("SIPRTX_") + strlen(name) + 1 + strlen(text) + 1;
	s = malloc(n);
	if (!s)
		return NULL;
	snprintf(s, n, "SIPRTX_%s=%s", name, text);
	for (char *p = s; p < s + strlen("SIPRTX_") + strlen(name); p++)
		*p = toupper((unsigned char)*p);
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
	return s;
}

static void free_environment(char **env)
{
	for (unsigned i = 0; env[i]; i++)
		free(env[i]);
	free(env);
}

/* NULL: no memory. */
static char **make_environment(const struct sink *s, const struct siprtx_record *r)
{
	json_t *values = template_values(r), *value, *name = json_string(s->config->name), *line;
	char **env = calloc(MAX_ENV + 1, sizeof(*env)), *text = NULL;
	json_t *record = record_json(r);
	const char *key;
	unsigned n = 0;

	if (record)
		text = json_dumps(record, JSON_COMPACT);
	line = text ? json_string(text) : NULL;
	if (!env || !values || !name || !line) {
		free(env);
		env = NULL;
	} else {
		env[n++] = strdup(PATH_ENV);
		env[n++] = variable("NOTIFY", name);
		env[n++] = variable("JSON", line);
		json_object_foreach(values, key, value)
		{
			if (n < MAX_ENV)
				env[n++] = variable(key, value);
		}
		for (unsigned i = 0; i < n && env; i++) {
			if (env[i])
				continue;
			for (unsigned k = i + 1; k < n; k++)
				free(env[k]);
			free_environment(env);
			env = NULL;
		}
	}
	json_decref(line);
	json_decref(name);
	json_decref(record);
	json_decref(values);
	free(text);
	return env;
}

/* 0 or an errno: of what the program would have failed with between its fork and its exec, too. */
static int spawn(const char *path, char **env, int output, pid_t *pid)
{
	char *argv[] = {(char *)path, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawn_file_actions_init(&files);
	if (error)
		return error;
	error = posix_spawnattr_init(&attr);
	if (error) {
		posix_spawn_file_actions_destroy(&files);
		return error;
	}
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, output, 1);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, output, 2);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (!error)
		error = posix_spawn_file_actions_addchdir_np(&files, "/");
	if (!error)
		error = posix_spawn(pid, path, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static void log_output(struct sink *s, struct program *p)
{
	if (p->n_line)
		log_info("%s, record %llu: %.*s", s->config->name, (unsigned long long)p->seq, (int)p->n_line, p->line);
	p->n_line = 0;
}

static void take_output(struct sink *s, struct program *p, const char *text, size_t n)
{
	for (size_t i = 0; i < n && p->logged <= MAX_OUTPUT; i++) {
		unsigned char c = text[i];

		if (p->logged++ == MAX_OUTPUT) {
			log_output(s, p);
			log_info("%s, record %llu: what it says beyond %u bytes is left out", s->config->name,
				 (unsigned long long)p->seq, MAX_OUTPUT);
			return;
		}
		if (c == '\n' || p->n_line == sizeof(p->line))
			log_output(s, p);
		if (c != '\n')
			p->line[p->n_line++] = (c < ' ' && c != '\t') || c == 0x7f ? '?' : (char)c;
	}
}

static void close_output(struct sink *s, struct program *p)
{
	if (p->output < 0)
		return;
	log_output(s, p);
	sink_unwatch(s, p->output);
	close(p->output);
	p->output = -1;
}

static void read_output(struct sink *s, struct program *p)
{
	char buf[4096];
	ssize_t n;

	for (unsigned i = 0; i < MAX_READ && p->output >= 0; i++) {
		n = read(p->output, buf, sizeof(buf));
		if (n > 0)
			take_output(s, p, buf, n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_output(s, p);
		else
			return;
	}
}

/* Begins to look after a program that runs; one that cannot be looked after is ended. */
static int watch(struct sink *s, struct program *p)
{
	int error;

	p->pidfd = pidfd_open(p->pid, 0); /* close-on-exec by itself */
	error = p->pidfd < 0 ? -errno : sink_watch(s, p->pidfd, EPOLLIN);
	if (!error)
		error = sink_watch(s, p->output, EPOLLIN);
	if (!error)
		return 0;
	kill(-p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	if (p->pidfd >= 0) {
		sink_unwatch(s, p->pidfd);
		close(p->pidfd);
	}
	return error;
}

static int start(struct sink *s, struct program *p, const struct siprtx_record *r, uint64_t now)
{
	char **env = make_environment(s, r);
	int pipe_fd[2] = {-1, -1}, error = 0;

	*p = (struct program){.pidfd = -1, .output = -1, .seq = r->seq, .dport = r->dport};
	p->of_gateway = record_is_of_gateway(r);
	memcpy(p->daddr, r->daddr, sizeof(p->daddr));
	if (!env)
		return -ENOMEM;
	if (pipe2(pipe_fd, O_CLOEXEC))
		error = -errno;
	/* our end alone: a program does not expect a pipe that is not waited for */
	if (!error && fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK))
		error = -errno;
	if (!error)
		error = -spawn(s->config->run, env, pipe_fd[1], &p->pid);
	free_environment(env);
	if (pipe_fd[1] >= 0)
		close(pipe_fd[1]);
	p->output = pipe_fd[0];
	if (!error)
		error = watch(s, p);
	if (error) {
		if (p->output >= 0)
			close(p->output);
		p->pid = 0;
		return error;
	}
	p->due = s->config->timeout_ms ? now + s->config->timeout_ms * 1000000ull : UINT64_MAX;
	return 0;
}

/* The place for the next one, NULL: none, or it must wait for the one before it. */
static struct program *place_for(struct exec *e, const struct siprtx_record *r)
{
	struct program *place = NULL;

	for (struct program *p = e->program; p < e->program + e->n; p++) {
		if (!p->pid)
			place = p;
		else if (p->of_gateway && record_is_of_gateway(r) && p->dport == r->dport &&
			 !memcmp(p->daddr, r->daddr, sizeof(p->daddr)))
			return NULL;
	}
	return place;
}

static int exec_take(struct sink *s, const struct siprtx_record *r, uint64_t now)
{
	struct exec *e = s->own;
	struct program *p = place_for(e, r);
	int error;

	if (!p || now < e->again_ns || !rate_take(&e->full_ns, s->config->rate, now))
		return -EAGAIN;
	error = start(s, p, r, now);
	switch (error) {
	case 0:
		e->no_room = false;
		return 0;
	case -EAGAIN:
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -ETXTBSY: /* being written just now */
		if (!e->no_room)
			sink_failed(s, "the program cannot be run: %s; tried each second", strerror(-error));
		e->no_room = true;
		e->again_ns = now + BACK_OFF_NS;
		return -EAGAIN;
	case -ENOEXEC:
		sink_failed(s, "the program is none that can be run; a script begins with #!/bin/sh");
		return error;
	default:
		sink_failed(s, "the program cannot be run: %s; put it there, chmod +x", strerror(-error));
		return error;
	}
}

static void tell(struct sink *s, const struct program *p, const siginfo_t *info, uint64_t now)
{
	if (p->over_time) {
		s->status->timeouts++;
		sink_failed(s, "the program was ended: not done after %u ms (timeout)", s->config->timeout_ms);
	} else if (info->si_code != CLD_EXITED) {
		sink_failed(s, "the program was ended by signal %d", info->si_status);
	} else if (info->si_status) {
		sink_failed(s, "the program ended with status %d", info->si_status);
	} else {
		sink_delivered(s, now);
	}
}

/* It has ended. Its group is killed while it is still a zombie: until it is waited for, the number is its own. */
static void reap(struct sink *s, struct program *p, uint64_t now)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return;
	kill(-p->pid, SIGKILL);
	read_output(s, p);
	close_output(s, p);
	waitid(P_PIDFD, p->pidfd, &info, WEXITED | WNOHANG);
	sink_unwatch(s, p->pidfd);
	close(p->pidfd);
	tell(s, p, &info, now);
	p->pid = 0;
}

static void exec_run(struct sink *s, uint64_t now)
{
	struct exec *e = s->own;

	for (struct program *p = e->program; p < e->program + e->n; p++) {
		if (!p->pid || p->killed || now < p->due)
			continue;
		kill(-p->pid, p->over_time ? SIGKILL : SIGTERM);
		p->killed = p->over_time;
		p->over_time = true;
		p->due = now + GRACE_NS;
	}
}

static void exec_ready(struct sink *s, int fd, uint32_t events, uint64_t now)
{
	struct exec *e = s->own;

	(void)events;
	for (struct program *p = e->program; p < e->program + e->n; p++) {
		if (!p->pid)
			continue;
		if (fd == p->output)
			read_output(s, p);
		else if (fd == p->pidfd)
			reap(s, p, now);
	}
}

/* siprtx-notify ends: SIGTERM, a second for all of them, SIGKILL. */
static void exec_close(struct sink *s)
{
	struct exec *e = s->own;
	uint64_t now = now_ns(), end = now + GRACE_NS;
	struct pollfd fd;

	if (!e)
		return;
	for (struct program *p = e->program; p < e->program + e->n; p++) {
		if (p->pid)
			kill(-p->pid, SIGTERM);
	}
	for (struct program *p = e->program; p < e->program + e->n; p++) {
		if (!p->pid)
			continue;
		fd = (struct pollfd){.fd = p->pidfd, .events = POLLIN};
		if (poll(&fd, 1, now < end ? (end - now) / 1000000 : 0) <= 0) {
			kill(-p->pid, SIGKILL);
			poll(&fd, 1, 1000);
		}
		reap(s, p, now_ns());
		now = now_ns();
	}
	free(e);
	s->own = NULL;
}

const struct sink_kind sink_exec = {
	.name = "exec",
	.open = exec_open,
	.close = exec_close,
	.take = exec_take,
	.run = exec_run,
	.ready = exec_ready,
};
