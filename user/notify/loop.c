// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "sinks.h"

/*
 * Nothing wakes a reader of the map when a record is in it, so its number is looked at: often while calls fail, and
 * less often, but soon enough for who takes the next gateway by it, while none does.
 */
#define BUSY_MS	   5
#define IDLE_MS	   20
#define CLOSED_MS  100 /* no maps */
#define BUSY_NS	   2000000000ull
#define LOOK_NS	   100000000ull /* are the maps still the same, or there by now? */
#define KEEP_NS	   1000000000ull
#define EVENTS	   64
#define LAST_TURNS 100

struct loop {
	struct sinks sinks;
	struct feed feed;
	struct state state;
	char pin_path[PATH_MAX], journal[PATH_MAX];
	int epoll, signals;
	int told; /* what feed_open() said last */
	bool stop, again;
	uint64_t next, busy_ns, look_ns, keep_ns;
};

static void say_open(struct loop *l, int err)
{
	const char *path = l->pin_path;

	if (err == l->told)
		return;
	l->told = err;
	switch (err) {
	case 0:
		log_info("siprtx-notify: %u consumers are told of what is recorded under %s", l->sinks.config->n_notify,
			 path);
		break;
	case -ENOENT:
	case -EAGAIN:
		log_info("nothing is loaded under %s yet; siprtx-notify waits for siprtxd", path);
		break;
	case -EPROTO:
		log_error("the maps under %s are of another version of siprtx. Start the siprtx-notify that came with "
			  "the "
			  "siprtxd that runs.",
			  path);
		break;
	case -EACCES:
	case -EPERM:
		log_error("no right to write the map %s/notify. Run siprtx-notify as the user that siprtxd runs as, or "
			  "as "
			  "root.",
			  path);
		break;
	default:
		log_error("the maps under %s cannot be opened: %s", path, strerror(-err));
	}
}

static void leave(struct loop *l)
{
	/* what was recorded last is nowhere else for a moment */
	for (unsigned i = 0; i < LAST_TURNS && sinks_turn(&l->sinks, now_ns()); i++)
		;
	sinks_leave(&l->sinks);
	sinks_keep(&l->sinks, true);
	feed_close(&l->feed);
}

static void look_at_maps(struct loop *l, uint64_t now)
{
	int err;

	if (now < l->look_ns)
		return;
	l->look_ns = now + LOOK_NS;
	if (feed_is_gone(&l->feed)) {
		log_info("the maps under %s were unloaded", l->pin_path);
		leave(l);
		l->told = -ENOENT;
	}
	if (l->feed.open)
		return;
	err = feed_open(&l->feed, l->pin_path);
	say_open(l, err);
	if (!err)
		sinks_enter(&l->sinks);
}

/* How long to sleep, ms. */
static int pause_after(struct loop *l, bool more, uint64_t now)
{
	uint64_t next;

	if (more)
		return 0;
	if (!l->feed.open)
		return CLOSED_MS;
	next = feed_next(&l->feed);
	if (next != l->next)
		l->busy_ns = now + BUSY_NS;
	l->next = next;
	return now < l->busy_ns ? BUSY_MS : IDLE_MS;
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			l->again = true;
		else
			l->stop = true;
	}
}

static void configure_again(struct loop *l, loop_config again, void *arg)
{
	struct config *config = again(arg);

	l->again = false;
	if (config && (strcmp(config->pin_path, l->pin_path) || strcmp(config->journal, l->journal))) {
		log_error(
			"pin_path and journal stay as they were at the start of siprtx-notify. Restart it, or put them "
			"back; nothing of the configuration was taken over.");
	} else if (!config) {
		log_error("the former configuration stays in use. Mend the file and send SIGHUP again.");
	} else if (!sinks_configure(&l->sinks, config)) {
		log_info("the configuration was read again: %u consumers", config->n_notify);
		return;
	} else {
		log_error("out of memory; the former configuration stays in use");
	}
	if (config)
		config_free(config);
	free(config);
}

static void serve(struct loop *l, loop_config again, void *arg)
{
	struct epoll_event events[EVENTS];

	while (!l->stop) {
		uint64_t now = now_ns();
		bool more;
		int n;

		if (l->again)
			configure_again(l, again, arg);
		look_at_maps(l, now);
		more = sinks_turn(&l->sinks, now);
		if (now >= l->keep_ns) {
			l->keep_ns = now + KEEP_NS;
			sinks_keep(&l->sinks, false);
			sd_notify(0, "WATCHDOG=1");
		}
		n = epoll_wait(l->epoll, events, EVENTS, pause_after(l, more, now));
		now = now_ns();
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == (uint32_t)l->signals)
				read_signals(l);
			else
				sinks_ready(&l->sinks, events[i].data.u64, events[i].events, now);
		}
	}
}

static int open_signals(struct loop *l)
{
	struct epoll_event e = {.events = EPOLLIN};
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	/* those of consumers have theirs in the upper half, from 1 on */
	e.data.u64 = (uint32_t)l->signals;
	return l->signals < 0 || l->epoll < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->signals, &e) ? -errno : 0;
}

static int open_state(struct loop *l)
{
	int err = state_open(&l->state, l->journal);

	if (err == -EWOULDBLOCK)
		log_error("another siprtx-notify serves the journal %s. End that one first.", l->journal);
	else if (err)
		log_error("the folder of the journal %s cannot be written: %s. Run siprtx-notify as the user that "
			  "siprtxd "
			  "runs as, or as root.",
			  l->journal, strerror(-err));
	return err;
}

int loop_run(struct config *config, loop_config again, void *arg)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		config_free(config);
		free(config);
		return -ENOMEM;
	}
	strcpy(l->pin_path, config->pin_path);
	strcpy(l->journal, config->journal);
	feed_init(&l->feed, l->journal);
	l->told = 1; /* nothing yet */
	err = open_state(l);
	if (!err)
		err = open_signals(l);
	l->sinks = (struct sinks){.feed = &l->feed, .state = &l->state, .epoll = l->epoll};
	if (!err)
		err = sinks_configure(&l->sinks, config);
	if (err) {
		config_free(config);
		free(config);
	} else {
		sd_notify(0, "READY=1");
		serve(l, again, arg);
		sd_notify(0, "STOPPING=1");
		sinks_keep(&l->sinks, true);
		sinks_close(&l->sinks);
		log_info("siprtx-notify: ended");
	}
	feed_free(&l->feed);
	state_close(&l->state);
	if (l->epoll > 0)
		close(l->epoll);
	if (l->signals > 0)
		close(l->signals);
	free(l);
	return err;
}
