// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "record.h"
#include "record_parse.h"

void feed_init(struct feed *f, const char *journal)
{
	*f = (struct feed){0};
	journal_reader_init(&f->journal, journal);
}

static void forget_lines(struct feed *f)
{
	for (unsigned i = 0; i < FEED_LINES; i++) {
		free(f->line[i].text);
		f->line[i].text = NULL;
	}
}

/* Only this map is written; the others are mapped for reading. */
static int map_notify(struct feed *f)
{
	void *at = MAP_FAILED;

	if (f->pins.copied)
		return -EACCES;
	at = mmap(NULL, f->pins.length[PIN_notify], PROT_READ | PROT_WRITE, MAP_SHARED, f->pins.fd[PIN_notify], 0);
	if (at == MAP_FAILED)
		return -errno;
	f->notify = at;
	return 0;
}

int feed_open(struct feed *f, const char *pin_path)
{
	int err;

	f->ino = pins_ino(pin_path);
	err = pins_open(&f->pins, pin_path, PINS_READ);
	if (err)
		return err;
	f->open = true;
	/* until then the number is none of siprtxd's, which goes on from that of the journal */
	err = __atomic_load_n(&f->pins.meta->started_ns, __ATOMIC_ACQUIRE) ? 0 : -EAGAIN;
	if (!err)
		err = map_notify(f);
	if (err)
		feed_close(f);
	return err;
}

void feed_close(struct feed *f)
{
	if (f->notify)
		munmap(f->notify, f->pins.length[PIN_notify]);
	f->notify = NULL;
	if (f->open)
		pins_close(&f->pins);
	f->open = false;
	forget_lines(f);
}

void feed_free(struct feed *f)
{
	feed_close(f);
	journal_reader_close(&f->journal);
}

bool feed_is_gone(const struct feed *f)
{
	return f->open && pins_ino(f->pins.path) != f->ino;
}

uint64_t feed_next(const struct feed *f)
{
	return __atomic_load_n(&f->pins.meta->next_seq, __ATOMIC_ACQUIRE);
}

bool feed_peek(const struct feed *f, uint64_t seq, struct siprtx_record *out)
{
	return !bpf_map_lookup_elem(f->pins.fd[PIN_exhausted], &seq, out);
}

/* The lowest number from `seq` on that the map has, 0: none. Dear, and only for where numbers are missing. */
static uint64_t next_in_map(const struct feed *f, uint64_t seq)
{
	uint64_t key, best = 0, *from = NULL;

	for (; !bpf_map_get_next_key(f->pins.fd[PIN_exhausted], from, &key); from = &key)
		if (key >= seq && (!best || key < best))
			best = key;
	return best < feed_next(f) ? best : 0;
}

/*
 * Where the record is when the map does not have it: *found its number, and it is in the journal's line unless *mapped.
 * It left the map only after its line was on disk, so the journal is asked second.
 */
static int find_elsewhere(struct feed *f, struct journal_place *place, uint64_t seq, uint64_t *found, size_t *n,
			  bool *mapped)
{
	uint64_t next;
	int err = journal_find(&f->journal, place, seq, found, n);

	*mapped = false;
	/* what the map has is told all the same */
	if (err && err != -ENOENT && err != f->journal_error)
		log_warning(
			"the journal %s cannot be read: %s. What is no longer in the map exhausted is not told; give "
			"siprtx-notify's user the right to read it.",
			f->journal.path, strerror(-err));
	f->journal_error = err;
	if (!err && *found == seq)
		return 0;
	next = next_in_map(f, seq);
	if (next && (err || next < *found)) {
		*found = next;
		*mapped = true;
		return 0;
	}
	return err ? -ENOENT : 0;
}

int feed_record(struct feed *f, struct journal_place *place, uint64_t seq, struct siprtx_record *out)
{
	uint64_t found = 0;
	bool mapped;
	size_t n = 0;
	int err;

	if (feed_peek(f, seq, out))
		return 0;
	err = find_elsewhere(f, place, seq, &found, &n, &mapped);
	if (err || found >= feed_next(f))
		return err ?: -ENOENT;
	if (mapped)
		return feed_peek(f, found, out) ? 0 : -EAGAIN;
	err = record_parse(f->journal.line, n, out);
	return err == -EBADMSG ? -ENOENT : err;
}

/* The line of a record in the map; kept, for one reader comes after the other. */
static const char *map_line(struct feed *f, uint64_t seq)
{
	struct siprtx_record r;
	unsigned i = seq % FEED_LINES;

	if (f->line[i].text && f->line[i].seq == seq)
		return f->line[i].text;
	if (!feed_peek(f, seq, &r))
		return NULL;
	free(f->line[i].text);
	f->line[i].seq = seq;
	f->line[i].text = record_line(&r);
	return f->line[i].text;
}

int feed_line(struct feed *f, struct journal_place *place, uint64_t seq, uint64_t *found, unsigned *event,
	      const char **line, size_t *n)
{
	bool mapped = true;
	int err = 0;

	*found = seq;
	*line = map_line(f, seq);
	if (!*line)
		err = find_elsewhere(f, place, seq, found, n, &mapped);
	if (err || *found >= feed_next(f))
		return err ?: -ENOENT;
	if (!*line)
		*line = mapped ? map_line(f, *found) : f->journal.line;
	if (!*line)
		return -EAGAIN;
	if (mapped)
		*n = strlen(*line);
	*event = record_line_event(*line);
	return 0;
}
