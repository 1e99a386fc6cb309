// SPDX-License-Identifier: GPL-2.0-or-later
#include "recorder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "map_batch.h"
#include "owner.h"

#define FLUSH_MAX      64   /* records that wait for recorder_flush() */
#define GROUP_MAX      2048 /* records one write and one fdatasync take */
#define GROUP_GAP_MS   20   /* rest after a group, so that the next one is worth its fdatasync (50 ms at most) */
#define RETRY_MS       1000 /* after the journal refused */
#define LINES_A_SECOND 20   /* of the log; what is over is summed up */

struct recorder {
	const struct pins *pins;
	const char *path;
	gid_t readers;		       /* who may read the file beside its owner; -1: his own group */
	uint64_t oldest;	       /* the lowest number in the map; the sending loop's own */
	struct siprtx_record *waiting; /* for recorder_flush() */
	unsigned n_waiting;
	int wake; /* eventfd */
	pthread_t thread;
	bool stop, reopen; /* told to the thread, atomically */
	/* the thread's own */
	struct journal journal; /* may not be open yet */
	uint64_t written;	/* the last number appended, on disk or not yet */
	uint64_t former; /* the last number of former controllers, which may have appended it and not come to say so */
	struct siprtx_record *group;
	char *text; /* its lines */
	size_t room;
	time_t log_second;
	unsigned logged;
	uint64_t unlogged;
};

static void wake(struct recorder *r)
{
	eventfd_write(r->wake, 1);
}

uint64_t recorder_next_seq(const struct recorder *r)
{
	return r->pins->meta->next_seq + r->n_waiting;
}

bool recorder_is_waiting(const struct recorder *r, uint64_t seq)
{
	return seq >= r->pins->meta->next_seq && seq < recorder_next_seq(r);
}

static void evict_oldest(struct recorder *r)
{
	bool gone = !bpf_map_delete_elem(r->pins->fd[PIN_exhausted], &r->oldest);

	if (gone && r->oldest > __atomic_load_n(&r->pins->meta->journaled_seq, __ATOMIC_ACQUIRE))
		r->pins->stats[STAT_records_lost]++;
	r->oldest++;
}

/* Those over MAX_RECORDS that the journal has. */
static void evict(struct recorder *r, uint64_t next)
{
	uint64_t journaled = __atomic_load_n(&r->pins->meta->journaled_seq, __ATOMIC_ACQUIRE);
	uint64_t end = next > MAX_RECORDS ? next - MAX_RECORDS : 0;
	uint64_t seq[FLUSH_MAX];

	if (end > journaled + 1)
		end = journaled + 1;
	while (r->oldest < end) {
		__u32 n = end - r->oldest < FLUSH_MAX ? end - r->oldest : FLUSH_MAX;

		for (__u32 i = 0; i < n; i++)
			seq[i] = r->oldest + i;
		map_delete_keys(r->pins->fd[PIN_exhausted], seq, sizeof(*seq), n);
		r->oldest += n;
	}
}

/* One by one, for there may be no room until the oldest are gone. */
static void put(struct recorder *r, const struct siprtx_record *record)
{
	while (bpf_map_update_elem(r->pins->fd[PIN_exhausted], &record->seq, record, BPF_ANY)) {
		if (r->oldest >= record->seq) {
			r->pins->stats[STAT_records_lost]++;
			break;
		}
		evict_oldest(r);
	}
}

void recorder_flush(struct recorder *r)
{
	struct siprtx_meta *m = r->pins->meta;
	__u32 n = r->n_waiting, put_n = n;
	uint64_t seq[FLUSH_MAX];

	if (!n)
		return;
	for (__u32 i = 0; i < n; i++)
		seq[i] = r->waiting[i].seq;
	if (!bpf_map_update_batch(r->pins->fd[PIN_exhausted], seq, r->waiting, &put_n, NULL))
		put_n = n;
	else if (errno == EFAULT || put_n > n)
		put_n = 0;
	for (__u32 i = put_n; i < n; i++)
		put(r, &r->waiting[i]);
	r->n_waiting = 0;
	__atomic_store_n(&m->next_seq, m->next_seq + n, __ATOMIC_RELEASE);
	evict(r, m->next_seq);
	wake(r);
}

void recorder_add(struct recorder *r, const struct siprtx_record *record)
{
	r->waiting[r->n_waiting++] = *record;
	if (r->n_waiting == FLUSH_MAX)
		recorder_flush(r);
}

/* One line a call while there are few. */
static void log_call(struct recorder *r, const struct siprtx_record *record)
{
	char gateway[64], name[sizeof(record->gateway_name) + 4] = "";
	time_t second = time(NULL);

	if (record_is_of_gateway(record))
		return; /* the loop has told of it */
	if (second != r->log_second) {
		if (r->unlogged)
			log_info("%llu more calls ended without a final response; the journal names them",
				 (unsigned long long)r->unlogged);
		r->log_second = second;
		r->logged = r->unlogged = 0;
	}
	if (r->logged++ >= LINES_A_SECOND) {
		r->unlogged++;
		return;
	}
	if (record->gateway_name[0])
		snprintf(name, sizeof(name), " (%s)", record->gateway_name);
	format_endpoint(record->daddr, record->dport, gateway, sizeof(gateway));
	if (record->event == RECORD_LATE_RESPONSE) {
		log_info("gateway %s%s: late %u, %s call-id %s, %.3f s after record %llu", gateway, name,
			 record->last_code, record->method, record->call_id, record->delay_ms / 1000.0,
			 (unsigned long long)record->of_seq);
		return;
	}
	log_info("gateway %s%s: %s, %s call-id %s after %u sends in %.1f s", gateway, name,
		 record_reason_name(record->reason), record->method, record->call_id, record->sends,
		 record->duration_ms / 1000.0);
}

/* The records after the last one written, lost ones stepped over. Returns how many; *last is the last number looked at.
 */
static unsigned collect(struct recorder *r, uint64_t *last)
{
	uint64_t next = __atomic_load_n(&r->pins->meta->next_seq, __ATOMIC_ACQUIRE);
	unsigned n = 0;

	*last = r->written;
	while (*last + 1 < next && n < GROUP_MAX) {
		uint64_t seq = ++*last;

		if (!bpf_map_lookup_elem(r->pins->fd[PIN_exhausted], &seq, &r->group[n]))
			n++;
	}
	return n;
}

static int append_group(struct recorder *r, unsigned n, uint64_t last)
{
	size_t size = 0;

	for (unsigned i = 0; i < n; i++) {
		if (r->room - size < RECORD_LINE_ROOM) {
			size_t room = 2 * r->room + RECORD_LINE_ROOM;
			char *text = realloc(r->text, room);

			if (!text)
				return -ENOMEM;
			r->text = text;
			r->room = room;
		}
		size += record_write(&r->group[i], r->text + size);
	}
	return journal_append(&r->journal, r->text, size, last);
}

static void report(struct recorder *r, int err)
{
	struct siprtx_meta *m = r->pins->meta;

	if (err)
		r->pins->stats[STAT_journal_errors]++;
	if (m->journal_errno == (__u32)-err)
		return;
	if (err)
		log_error("the journal %s cannot be %s: %s. Records wait in the map exhausted, which keeps the newest "
			  "%u; make room or mend it, it is tried again every second.",
			  r->path, r->journal.fd < 0 ? "opened" : "written",
			  err == -EBADMSG ? "it is not one of siprtx's" : strerror(-err), MAX_RECORDS);
	else
		log_info("the journal %s is written again", r->path);
	m->journal_errno = -err;
}

/* One group onto the disk. 0 or -errno. */
static int write_group(struct recorder *r)
{
	uint64_t last;
	unsigned n = collect(r, &last);
	int err = n ? append_group(r, n, last) : 0;

	if (!err) {
		r->written = last;
		r->pins->stats[STAT_journal_lines] += n;
		for (unsigned i = 0; i < n; i++)
			log_call(r, &r->group[i]);
		err = journal_sync(&r->journal);
	}
	report(r, err);
	if (!err)
		__atomic_store_n(&r->pins->meta->journaled_seq, r->written, __ATOMIC_RELEASE);
	return err;
}

/* Root's file, where he serves for himself: the service's group reads it as it reads the maps. */
static gid_t readers(void)
{
	struct owner service;

	return !geteuid() && !owner_find("", &service) && service.set ? service.gid : (gid_t)-1;
}

static void give_to_readers(const struct recorder *r)
{
	if (r->readers != (gid_t)-1 && fchown(r->journal.fd, -1, r->readers))
		log_warning("the journal %s cannot be given to the group of user " SERVICE_USER ": %s", r->path,
			    strerror(errno));
}

static int open_journal(struct recorder *r)
{
	int err = journal_open(&r->journal, r->path);

	if (!err)
		give_to_readers(r);
	return err;
}

static void say_torn(const struct journal *j)
{
	if (j->torn)
		log_warning("the journal %s ended in the middle of a line: %llu bytes cut off", j->path,
			    (unsigned long long)j->torn);
}

/* A journal that could not be opened at the start. What the map holds and the file does not is still to be written. */
static int open_late(struct recorder *r)
{
	int err = open_journal(r);

	report(r, err);
	if (err)
		return err;
	say_torn(&r->journal);
	if (r->written < r->journal.last_seq && r->journal.last_seq <= r->former)
		r->written = r->journal.last_seq;
	__atomic_store_n(&r->pins->meta->journaled_seq, r->written, __ATOMIC_RELEASE);
	return 0;
}

static bool is_behind(const struct recorder *r)
{
	return r->pins->meta->journaled_seq + 1 < __atomic_load_n(&r->pins->meta->next_seq, __ATOMIC_ACQUIRE);
}

static void reopen(struct recorder *r)
{
	int err = journal_reopen(&r->journal);

	if (err)
		log_error("the journal %s cannot be opened anew: %s. The former file stays in use; mend it and send "
			  "SIGHUP again.",
			  r->path, strerror(-err));
	else
		log_info("the journal %s was opened anew", r->path);
	if (!err)
		give_to_readers(r);
}

static void *work(void *arg)
{
	struct recorder *r = arg;
	struct pollfd p = {.fd = r->wake, .events = POLLIN};
	int timeout = 0;
	bool stop;

	do {
		eventfd_t n;

		if (poll(&p, 1, timeout) > 0)
			eventfd_read(r->wake, &n);
		stop = __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE);
		if (__atomic_exchange_n(&r->reopen, false, __ATOMIC_ACQ_REL) && r->journal.fd >= 0)
			reopen(r);
		timeout = RETRY_MS;
		if (r->journal.fd < 0 && open_late(r))
			continue;
		timeout = r->unlogged ? RETRY_MS : -1;
		while (is_behind(r)) {
			if (write_group(r)) {
				timeout = RETRY_MS;
				break;
			}
			if (!stop)
				nanosleep(&(struct timespec){.tv_nsec = GROUP_GAP_MS * 1000000}, NULL);
		}
	} while (!stop);
	return NULL;
}

/*
 * The first number of new maps where nothing can be asked of the journal: higher than any in it, by the clock. Unix ms,
 * for records are fewer than a thousand a second in the long run.
 */
static uint64_t first_by_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* Numbers go on from the higher of map and journal; what the map has over the journal is still to be written. */
static void resume(struct recorder *r)
{
	struct siprtx_meta *m = r->pins->meta;
	__u64 key, *from = NULL;

	if (m->next_seq <= 1 && r->journal.fd < 0) {
		m->next_seq = first_by_clock();
		m->journaled_seq = m->next_seq - 1;
	}
	if (m->next_seq <= r->journal.last_seq)
		m->next_seq = r->journal.last_seq + 1;
	if (!m->next_seq)
		m->next_seq = 1;
	r->former = m->next_seq - 1;
	/* a journal that was rotated away begins anew: what the map says is on disk is in the former file */
	if (m->journaled_seq < r->journal.last_seq)
		m->journaled_seq = r->journal.last_seq;
	if (m->journaled_seq >= m->next_seq)
		m->journaled_seq = m->next_seq - 1;
	r->written = m->journaled_seq;
	r->oldest = m->next_seq;
	for (; !bpf_map_get_next_key(r->pins->fd[PIN_exhausted], from, &key); from = &key)
		if (key < r->oldest)
			r->oldest = key;
}

static int start_thread(struct recorder *r)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&r->thread, NULL, work, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void release(struct recorder *r)
{
	journal_close(&r->journal);
	if (r->wake >= 0)
		close(r->wake);
	free(r->group);
	free(r->text);
	free(r->waiting);
	free(r);
}

int recorder_start(struct recorder **out, const struct pins *pins, const char *journal_path)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->pins = pins;
	r->path = journal_path;
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->group = calloc(GROUP_MAX, sizeof(*r->group));
	r->waiting = calloc(FLUSH_MAX, sizeof(*r->waiting));
	r->readers = readers();
	err = open_journal(r);
	/* another's file is a slip of the configuration; what else may go by, calls are served until then */
	if (err == -EBADMSG)
		log_error("the journal %s cannot be opened: it is not one of siprtx's. Name another file (journal = "
			  "...).",
			  journal_path);
	if (err == -EBADMSG) {
		release(r);
		return err;
	}
	report(r, err);
	say_torn(&r->journal);
	resume(r);
	err = r->wake < 0 ? -errno : r->group && r->waiting ? start_thread(r) : -ENOMEM;
	if (err) {
		log_error("no thread for the journal: %s", strerror(-err));
		release(r);
		return err;
	}
	*out = r;
	return 0;
}

void recorder_stop(struct recorder *r)
{
	if (!r)
		return;
	recorder_flush(r);
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	wake(r);
	pthread_join(r->thread, NULL);
	release(r);
}

void recorder_reopen(struct recorder *r)
{
	__atomic_store_n(&r->reopen, true, __ATOMIC_RELEASE);
	wake(r);
}
