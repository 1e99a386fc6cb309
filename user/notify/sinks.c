// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "cursor.h"
#include "first.h"
#include "log.h"

#define BATCH	    64 /* records for one consumer, before it is the next one's turn */
#define RETRY_NS    1000000000ull
#define NUMBER_JUMP 1000000000ull /* numbers begun anew by the clock, not records that were lost */

struct sink_slot {
	struct sink sink;	   /* first: sink_failed() and the others find the rest by it */
	struct siprtx_sink shadow; /* its place while no maps are there */
	struct journal_place place;
	struct first first; /* what it is told of before all else */
	unsigned index;
	bool open;
	bool entered; /* its cursor is known */
	bool giving_up;
	uint64_t retry_ns;
};

static const struct sink_kind *const kinds[] = {
	[NOTIFY_JSONRPC] = &sink_jsonrpc,
	[NOTIFY_EXEC] = &sink_exec,
	[NOTIFY_STREAM] = &sink_stream,
	[NOTIFY_CDR] = &sink_cdr,
};

void sink_failed(struct sink *s, const char *format, ...)
{
	char error[256];
	va_list args;

	va_start(args, format);
	vsnprintf(error, sizeof(error), format, args);
	va_end(args);
	if (!*s->status->error)
		log_warning("notify %s: %s", s->config->name, error);
	else
		log_debug("notify %s: %s", s->config->name, error);
	s->status->failed++;
	s->status->error_ns = now_ns();
	snprintf(s->status->error, sizeof(s->status->error), "%.*s", SINK_ERROR - 1, error);
}

void sink_delivered(struct sink *s, uint64_t now)
{
	if (*s->status->error)
		log_info("notify %s: it goes on", s->config->name);
	*s->status->error = '\0';
	s->status->sent++;
	s->status->last_ns = now;
}

static struct sink_slot *slot_of(struct sink *s)
{
	return (struct sink_slot *)s;
}

int sink_watch(struct sink *s, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)(slot_of(s)->index + 1) << 32 | (uint32_t)fd};

	if (!epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e))
		return 0;
	return errno == EEXIST && !epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &e) ? 0 : -errno;
}

void sink_unwatch(struct sink *s, int fd)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void open_sink(struct sink_slot *slot, uint64_t now)
{
	struct sink *s = &slot->sink;

	if (slot->open || now < slot->retry_ns)
		return;
	slot->retry_ns = now + RETRY_NS;
	slot->open = !s->kind->open(s);
}

static void close_sink(struct sink_slot *slot)
{
	if (slot->open)
		slot->sink.kind->close(&slot->sink);
	slot->open = false;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_same(const struct config_notify *a, const struct config_notify *b)
{
	bool same = !strcmp(a->name, b->name) && a->kind == b->kind && !strcmp(a->to, b->to) &&
		    !strcmp(a->run, b->run) && a->events == b->events && a->queue == b->queue && a->rate == b->rate &&
		    a->timeout_ms == b->timeout_ms && a->at_once == b->at_once;

	for (unsigned e = 0; same && e < CONFIG_RECORD_EVENTS; e++)
		same = same_text(a->template_of[e], b->template_of[e]);
	return same;
}

static struct sink_slot *find(const struct sinks *s, const char *name, enum config_notify_kind kind)
{
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (s->slot[i] && !strcmp(s->slot[i]->sink.config->name, name) && s->slot[i]->sink.config->kind == kind)
			return s->slot[i];
	return NULL;
}

static void set_name(const struct sink *s, struct siprtx_sink *place)
{
	snprintf(place->name, sizeof(place->name), "%s", s->config->name);
	snprintf(place->kind, sizeof(place->kind), "%s", s->kind->name);
}

static bool is_of(const struct siprtx_sink *place, const struct sink *s)
{
	return !strncmp(place->name, s->config->name, NAME_LEN) && !strcmp(place->kind, s->kind->name);
}

/* Its place in the map, from a former life or a free one; what was counted without maps comes along. */
static void find_place(struct sinks *s, struct sink_slot *slot)
{
	struct siprtx_sink *list = s->feed->notify, *place = NULL;

	for (unsigned i = 0; i < MAX_SINKS && !place; i++)
		if (is_of(&list[i], &slot->sink))
			place = &list[i];
	for (unsigned i = 0; i < MAX_SINKS && !place; i++) {
		if (*list[i].name)
			continue;
		place = &list[i];
		*place = slot->shadow;
	}
	/* there are as many as consumers can be */
	if (!place)
		return;
	set_name(&slot->sink, place);
	slot->sink.status = place;
}

static void free_places(struct sinks *s)
{
	for (unsigned i = 0; i < MAX_SINKS; i++) {
		struct siprtx_sink *place = &s->feed->notify[i];
		bool wanted = false;

		for (unsigned k = 0; k < MAX_SINKS && *place->name && !wanted; k++)
			wanted = s->slot[k] && is_of(place, &s->slot[k]->sink);
		if (*place->name && !wanted)
			memset(place, 0, sizeof(*place));
	}
}

static void enter(struct sinks *s, struct sink_slot *slot)
{
	struct cursor_facts facts = {.kept = slot->entered ? slot->shadow.next_seq : 0,
				     .state = state_read(s->state, slot->sink.config->name),
				     .next = feed_next(s->feed)};
	bool first;

	find_place(s, slot);
	facts.place = slot->sink.status->next_seq;
	slot->sink.status->next_seq = cursor_start(&facts, &first);
	slot->sink.status->subscribers = slot->shadow.subscribers;
	slot->entered = true;
	if (first && slot->sink.kind->take && slot->sink.config->kind != NOTIFY_CDR)
		first_collect(&slot->first, s->feed, slot->sink.config->events);
}

void sinks_enter(struct sinks *s)
{
	free_places(s);
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (s->slot[i])
			enter(s, s->slot[i]);
}

void sinks_leave(struct sinks *s)
{
	for (unsigned i = 0; i < MAX_SINKS; i++) {
		struct sink_slot *slot = s->slot[i];

		if (!slot || slot->sink.status == &slot->shadow)
			continue;
		slot->shadow = *slot->sink.status;
		slot->sink.status = &slot->shadow;
	}
}

static void drop_slot(struct sinks *s, unsigned i)
{
	close_sink(s->slot[i]);
	first_free(&s->slot[i]->first);
	free(s->slot[i]);
	s->slot[i] = NULL;
}

static struct sink_slot *new_slot(struct sinks *s, unsigned index, const struct config_notify *n)
{
	struct sink_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->index = index;
	slot->sink = (struct sink){
		.kind = kinds[n->kind], .config = n, .status = &slot->shadow, .epoll = s->epoll, .feed = s->feed};
	set_name(&slot->sink, &slot->shadow);
	return slot;
}

int sinks_configure(struct sinks *s, struct config *config)
{
	struct sink_slot *anew[MAX_SINKS] = {NULL}, *old;

	for (unsigned i = 0; i < config->n_notify; i++) {
		const struct config_notify *n = &config->notify[i];

		old = find(s, n->name, n->kind);
		if (old && is_same(old->sink.config, n))
			continue;
		anew[i] = new_slot(s, 0, n);
		if (anew[i])
			continue;
		while (i--)
			free(anew[i]);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < MAX_SINKS; i++) {
		const struct config_notify *same = NULL;

		for (unsigned k = 0; s->slot[i] && k < config->n_notify && !same; k++)
			if (is_same(s->slot[i]->sink.config, &config->notify[k]))
				same = &config->notify[k];
		if (same)
			s->slot[i]->sink.config = same;
		else if (s->slot[i])
			drop_slot(s, i);
	}
	for (unsigned i = 0, at = 0; i < config->n_notify; i++) {
		if (!anew[i])
			continue;
		while (s->slot[at])
			at++;
		anew[i]->index = at;
		s->slot[at] = anew[i];
	}
	if (s->config) {
		config_free(s->config);
		free(s->config);
	}
	s->config = config;
	if (!s->feed->open)
		return 0;
	free_places(s);
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (s->slot[i] && !s->slot[i]->entered)
			enter(s, s->slot[i]);
	return 0;
}

/* Counts n records as not told. */
static void drop(struct sink_slot *slot, uint64_t n, const char *why)
{
	struct siprtx_sink *status = slot->sink.status;

	status->dropped += n;
	if (!slot->giving_up)
		log_warning("notify %s: records from %" PRIu64 " on are given up: %s", slot->sink.config->name,
			    (uint64_t)status->next_seq, why);
	slot->giving_up = true;
}

static void give_up(struct sinks *s, struct sink_slot *slot, uint64_t next)
{
	const struct config_notify *config = slot->sink.config;
	struct siprtx_sink *status = slot->sink.status;
	bool limited = config->kind == NOTIFY_JSONRPC || config->kind == NOTIFY_EXEC;
	uint64_t n = cursor_too_many(status->next_seq, next, limited ? config->queue : 0);
	/* of what the map has no more, all count */
	uint64_t gone = n > MAX_RECORDS ? n - MAX_RECORDS : 0, wanted = gone;
	struct siprtx_record r;

	if (!n) {
		/* a row of them is over once it has caught up by half */
		if (next - status->next_seq <= config->queue / 2)
			slot->giving_up = false;
		return;
	}
	for (uint64_t i = gone; i < n; i++) {
		bool known = feed_peek(s->feed, status->next_seq + i, &r);

		/* how a gateway is at last is told in any case */
		if (!known || (config->events & 1u << r.event && !first_keep(&slot->first, &r)))
			wanted++;
	}
	if (wanted)
		drop(slot, wanted, "it is slower than they come, or gone; the journal has them");
	status->next_seq += n;
}

/* What was told first of all. True: that is over. */
static bool tell_first(struct sink_slot *slot, uint64_t now)
{
	struct siprtx_record *r;

	while ((r = first_peek(&slot->first)))
		if (slot->sink.kind->take(&slot->sink, r, now) == -EAGAIN)
			return false;
		else
			first_pop(&slot->first);
	return true;
}

/* One record. -EAGAIN: not now. */
static int deliver(struct sinks *s, struct sink_slot *slot, uint64_t next, uint64_t now)
{
	struct siprtx_sink *status = slot->sink.status;
	struct siprtx_record r;
	int err = feed_record(s->feed, &slot->place, status->next_seq, &r);

	if (err == -ENOENT) {
		r.seq = next;
		r.event = 0;
	} else if (err) {
		return -EAGAIN;
	}
	if (r.seq > status->next_seq && r.seq - status->next_seq < NUMBER_JUMP)
		drop(slot, r.seq - status->next_seq, "neither the map exhausted nor the journal has them");
	status->next_seq = r.seq;
	if (err)
		return 0;
	if (slot->sink.config->events & 1u << r.event && slot->sink.kind->take(&slot->sink, &r, now) == -EAGAIN)
		return -EAGAIN;
	status->next_seq = r.seq + 1;
	return 0;
}

static bool turn(struct sinks *s, struct sink_slot *slot, uint64_t now)
{
	struct siprtx_sink *status = slot->sink.status;
	uint64_t next = feed_next(s->feed);
	unsigned n = 0;

	status->alive_ns = now;
	if (!slot->sink.kind->take)
		return false;
	give_up(s, slot, next);
	if (!slot->open || !tell_first(slot, now))
		return false;
	while (status->next_seq < next && n < BATCH && !deliver(s, slot, next, now))
		n++;
	return n == BATCH;
}

bool sinks_turn(struct sinks *s, uint64_t now)
{
	bool more = false;

	for (unsigned i = 0; i < MAX_SINKS; i++) {
		struct sink_slot *slot = s->slot[i];
		uint64_t before;

		if (!slot)
			continue;
		open_sink(slot, now);
		if (s->feed->open)
			more |= turn(s, slot, now);
		before = slot->sink.status->sent;
		if (slot->open && slot->sink.kind->run)
			slot->sink.kind->run(&slot->sink, now);
		/* one that reads by itself goes on as long as it gets rid of anything */
		more |= !slot->sink.kind->take && slot->sink.status->sent != before;
	}
	return more;
}

void sinks_ready(struct sinks *s, uint64_t data, uint32_t events, uint64_t now)
{
	unsigned i = (data >> 32) - 1;

	if (i < MAX_SINKS && s->slot[i] && s->slot[i]->open && s->slot[i]->sink.kind->ready)
		s->slot[i]->sink.kind->ready(&s->slot[i]->sink, (int)(uint32_t)data, events, now);
}

void sinks_keep(struct sinks *s, bool sync)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (s->slot[i] && s->slot[i]->entered && s->slot[i]->sink.kind->take)
			fprintf(f, "%s %" PRIu64 "\n", s->slot[i]->sink.config->name,
				(uint64_t)s->slot[i]->sink.status->next_seq);
	if (!fclose(f))
		state_write(s->state, text, sync);
	free(text);
}

void sinks_close(struct sinks *s)
{
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (s->slot[i])
			drop_slot(s, i);
	if (s->config) {
		config_free(s->config);
		free(s->config);
	}
	s->config = NULL;
}
