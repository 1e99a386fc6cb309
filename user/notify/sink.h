/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A consumer of notifications. Each has a cursor into the one sequence of records that siprtxd writes (the map
 * `exhausted`, and the journal behind it), so nothing is queued: one that is slow lags behind, and only one that lags
 * more than `queue` records gives up the oldest.
 *
 * Nothing here blocks: what takes time is waited for in the loop's epoll. An open() that fails is tried again every
 * second, and then has nothing to close.
 */
#ifndef SIPRTX_NOTIFY_SINK_H
#define SIPRTX_NOTIFY_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"

struct sink;
struct feed;

struct sink_kind {
	const char *name; /* as in siprtx_sink.kind */
	/* Makes sink->own out of sink->config. 0 or -errno with sink_failed() told. */
	int (*open)(struct sink *s);
	void (*close)(struct sink *s);
	/*
	 * The next record that the consumer wants. 0: taken, the cursor goes on; -EAGAIN: not now, the same one is
	 * offered again; another -errno: it is lost, and sink_failed() was told. NULL: it reads s->feed itself, in
	 * run(), and keeps s->status->next_seq.
	 */
	int (*take)(struct sink *s, const struct siprtx_record *r, uint64_t now);
	/* Time-outs, a retry that is due. NULL: none. Called after each turn of the loop, at least each 100 ms. */
	void (*run)(struct sink *s, uint64_t now);
	/* An fd of sink_watch() is ready. */
	void (*ready)(struct sink *s, int fd, uint32_t events, uint64_t now);
};

struct sink {
	const struct sink_kind *kind;
	const struct config_notify *config;
	struct siprtx_sink *status; /* its place in the map `notify` */
	int epoll;
	void *own;
	struct feed *feed; /* the records, by number */
};

extern const struct sink_kind sink_jsonrpc, sink_exec, sink_stream, sink_cdr;

/* Counts a failure and keeps the sentence for `siprtx status`; logs the first of a row. */
void sink_failed(struct sink *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Counts a delivery; a failure before it is over. */
void sink_delivered(struct sink *s, uint64_t now);
/* epoll of `fd` for this sink. 0 or -errno. */
int sink_watch(struct sink *s, int fd, uint32_t events);
void sink_unwatch(struct sink *s, int fd);

#endif
