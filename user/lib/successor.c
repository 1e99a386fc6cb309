// SPDX-License-Identifier: GPL-2.0-or-later
#include "successor.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "attach_tc.h"
#include "clock.h"
#include "drain.h"
#include "head.h"
#include "health.h"
#include "lock.h"
#include "log.h"
#include "unload.h"

/* '.' is not for names in a BPF file system */
#define FORMER_SUFFIX "-former"

#define POLL_NS	    50000000
#define PROGRESS_NS 5000000000ull
/* A controller that holds the lock and gives no sign of life for so long may be starting; after that it hangs. */
#define START_NS 10000000000ull

static int __attribute__((format(printf, 4, 5))) because(char *why, size_t why_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return err;
}

static bool is_there(const char *folder)
{
	struct stat st;

	return !stat(folder, &st);
}

int successor_folder(const char *pin_path, char folder[PATH_MAX])
{
	return snprintf(folder, PATH_MAX, "%s" FORMER_SUFFIX, pin_path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

bool successor_pending(const char *pin_path)
{
	char folder[PATH_MAX];

	return !successor_folder(pin_path, folder) && is_there(folder);
}

static bool has_links(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX));
	if (dir)
		closedir(dir);
	return found;
}

/* The new folder goes, the former one takes its place again. */
static int put_back(const char *former, const char *pin_path)
{
	int err = is_there(pin_path) ? remove_folder(pin_path) : 0;

	return err ?: rename(former, pin_path) ? -errno : 0;
}

/*
 * A load was broken off. Before the first link was switched: nothing lives in the new folder, which knows what capture
 * was. Later: the new programs are at work already.
 */
static int mend(struct successor *s, char *why, size_t why_size)
{
	const char *pin_path = s->config->pin_path;
	struct siprtx_meta head;
	uint32_t capture;
	int lock, err;

	if (has_links(pin_path)) {
		if (!head_read(pin_path, &head) && head.abi == SIPRTX_ABI) {
			s->there = true;
			return 0;
		}
		return because(
			why, why_size, -EPROTO,
			"the load of another version under %s was broken off half way. Run `siprtx load` of that "
			"version again, or `siprtx unload`.",
			pin_path);
	}
	lock = lock_pins(pin_path);
	if (lock == -EWOULDBLOCK)
		return because(why, why_size, -EBUSY,
			       "another `siprtx load` is taking over from the maps in %s. Wait for it, or end it.",
			       s->former);
	err = !head_read(pin_path, &head) && !head_capture(pin_path, &capture) ? head_set_capture(s->former, capture)
									       : 0;
	err = err ?: put_back(s->former, pin_path);
	if (lock >= 0)
		close(lock);
	if (err)
		return because(why, why_size, err, "what a load that was broken off left in %s cannot be put back: %s.",
			       s->former, strerror(-err));
	log_info("a load that was broken off is undone: the maps in %s are under %s again", s->former, pin_path);
	return 0;
}

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

/* From here on a signal ends the wait and not the process, so that all can be put back. */
static void hold_signals(struct successor *s)
{
	sigset_t set = ending_signals();

	s->blocked = !sigprocmask(SIG_BLOCK, &set, &s->signals);
}

/* True: a signal came. */
static bool wait_a_moment(void)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	sigset_t set = ending_signals();

	return sigtimedwait(&set, NULL, &pause) > 0;
}

int successor_begin(struct successor *s, const struct config *c, char *why, size_t why_size)
{
	int err;

	*s = (struct successor){.config = c, .lock = -1};
	if (successor_folder(c->pin_path, s->former))
		return because(why, why_size, -ENAMETOOLONG, "pin_path %s is too long. Choose a shorter one.",
			       c->pin_path);
	err = is_there(s->former) ? mend(s, why, why_size) : 0;
	if (err || s->there || head_read(c->pin_path, &s->head) || s->head.abi == SIPRTX_ABI)
		return err;
	if (rename(c->pin_path, s->former))
		return because(why, why_size, -errno, "cannot move the maps under %s aside: %s. Run as root.",
			       c->pin_path, strerror(errno));
	s->there = s->moved = true;
	hold_signals(s);
	log_info("maps of version %u are under %s: those of version %u are made beside them", s->head.abi, c->pin_path,
		 SIPRTX_ABI);
	return 0;
}

/* A controller has its folder locked, of whatever ABI it is, from its start to its end. */
static bool is_served(const char *folder)
{
	int lock = lock_pins(folder);

	if (lock >= 0)
		close(lock);
	return lock == -EWOULDBLOCK;
}

static enum drain look(struct successor *s, struct drain_facts *f)
{
	uint32_t capture = 0;

	f->settled = !s->head.capturing;
	f->unloaded = head_capture(s->former, &capture) || head_read(s->former, &s->head);
	f->capture = capture;
	f->alive = is_served(s->former) && (f->waited_ns < START_NS || controller_alive(&s->head, now_ns()));
	f->held = s->head.held + s->head.unwritten;
	return drain_judge(f);
}

static enum drain wait_drained(struct successor *s, uint64_t limit_ns)
{
	struct drain_facts f = {.limit_ns = limit_ns};
	uint64_t began = now_ns(), told = began;
	enum drain end;

	log_info("waiting until what version %u holds has ended, %u transactions now, at most %llu s; new ones pass "
		 "unhelped meanwhile",
		 s->head.abi, s->head.held, (unsigned long long)(limit_ns / 1000000000));
	while ((end = look(s, &f)) == DRAIN_WAITS) {
		if (now_ns() - told >= PROGRESS_NS) {
			told = now_ns();
			log_info("%u transactions are left and %u records to be written, after %llu s", s->head.held,
				 s->head.unwritten, (unsigned long long)((told - began) / 1000000000));
		}
		f.interrupted = wait_a_moment();
		f.waited_ns = now_ns() - began;
	}
	if (end == DRAIN_DONE)
		log_info("version %u holds nothing any more, after %.1f s", s->head.abi, (now_ns() - began) / 1e9);
	return end;
}

static void say_nobody_drains(const struct siprtx_meta *head)
{
	if (!head->held && !head->unwritten)
		return log_info("no controller of version %u is at work, and nothing is held", head->abi);
	log_warning("no controller of version %u is at work: %u transactions it held are left to the softswitch's own "
		    "copies, and %u records are not in the journal",
		    head->abi, head->held, head->unwritten);
}

int successor_drain(struct successor *s, uint64_t limit_ns, char *why, size_t why_size)
{
	const char *pin_path = s->config->pin_path;
	int err;

	if (!s->moved)
		return 0;
	s->lock = lock_pins(pin_path);
	err = s->lock < 0 ? s->lock : head_read(s->former, &s->head) ?: head_capture(s->former, &s->capture);
	/* the new maps first: by them a later load knows what it was */
	err = err ?: head_set_capture(pin_path, s->capture);
	if (!err && is_served(s->former)) {
		err = head_set_capture(s->former, 0);
		s->silenced = !err;
	}
	if (err)
		return because(why, why_size, err, "cannot switch capture off in the maps of version %u: %s.",
			       s->head.abi, strerror(-err));
	if (!s->silenced) {
		say_nobody_drains(&s->head);
		return 0;
	}
	switch (wait_drained(s, limit_ns)) {
	case DRAIN_DONE:
		return 0;
	case DRAIN_NO_CONTROLLER:
		say_nobody_drains(&s->head);
		return 0;
	case DRAIN_TIME_OVER:
		return because(
			why, why_size, -ETIMEDOUT,
			"version %u still holds %u transactions, and %u records are not in its journal: it stays "
			"in force. Give it more time (-t), or end its siprtxd: then the switch is made at once.",
			s->head.abi, s->head.held, s->head.unwritten);
	case DRAIN_CAPTURE_ON:
		return because(
			why, why_size, -EBUSY,
			"capture of version %u was switched on again: it stays in force. Run `siprtx load` again.",
			s->head.abi);
	case DRAIN_INTERRUPTED:
		return because(why, why_size, -EINTR, "interrupted: version %u stays in force.", s->head.abi);
	default:
		return because(why, why_size, -ENOENT,
			       "the maps of version %u were taken away meanwhile. Run `siprtx load` again.",
			       s->head.abi);
	}
}

/* A pin from folder to folder, if there is one. 0 or -errno. */
static int move_pin(const char *from, const char *to, const char *prefix, const char *name)
{
	char old[PATH_MAX], new[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s/%s%s", from, prefix, name) >= (int)sizeof(old) ||
	    snprintf(new, sizeof(new), "%s/%s%s", to, prefix, name) >= (int)sizeof(new))
		return -ENAMETOOLONG;
	return rename(old, new) && errno != ENOENT ? -errno : 0;
}

static int move_links(const struct config *c, const char *from, const char *to)
{
	/* attach() looks for the former programs where the links are */
	int err = move_pin(from, to, PROGRAM_PREFIX, "outside") ?: move_pin(from, to, PROGRAM_PREFIX, "inside");

	for (unsigned i = 0; i < c->n_outside && !err; i++)
		err = move_pin(from, to, LINK_PREFIX, c->outside[i])
			      ?: move_pin(from, to, EGRESS_PREFIX, c->outside[i])
			      ?: move_pin(from, to, QDISC_PREFIX, c->outside[i]);
	for (unsigned i = 0; i < c->n_inside && !err; i++)
		err = move_pin(from, to, LINK_PREFIX, c->inside[i]);
	return err;
}

int successor_take_links(struct successor *s, char *why, size_t why_size)
{
	int err = s->there ? move_links(s->config, s->former, s->config->pin_path) : 0;

	return err ? because(why, why_size, err, "cannot take over the links in %s: %s.", s->former, strerror(-err))
		   : 0;
}

void successor_undo(struct successor *s)
{
	const char *pin_path = s->config->pin_path;
	int err;

	if (!s->moved)
		return;
	err = move_links(s->config, pin_path, s->former);
	err = err ?: put_back(s->former, pin_path);
	if (!err && s->silenced)
		err = head_set_capture(pin_path, s->capture);
	if (err)
		log_error("the maps of version %u in %s cannot be put back: %s. Run `siprtx load` of that version.",
			  s->head.abi, s->former, strerror(-err));
}

void successor_finish(struct successor *s)
{
	int n, err;

	if (!s->there)
		return;
	n = tc_detach_others(s->former, NULL, 0);
	n = n < 0 ? n : detach_others(s->former, NULL, 0);
	err = n < 0 ? n : remove_folder(s->former);
	if (err)
		log_warning("what is left of the former maps in %s cannot be removed: %s. `siprtx load` tries again.",
			    s->former, strerror(-err));
	if (s->moved)
		log_info("version %u has taken over from version %u in place, nothing of that is left. A siprtxd of "
			 "version %u ends by itself; start the new one.",
			 SIPRTX_ABI, s->head.abi, s->head.abi);
}

void successor_end(struct successor *s)
{
	if (s->lock >= 0)
		close(s->lock);
	s->lock = -1;
	if (s->blocked)
		sigprocmask(SIG_SETMASK, &s->signals, NULL);
	s->blocked = false;
}
