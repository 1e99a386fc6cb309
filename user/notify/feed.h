/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records by number: from the map `exhausted` while it has them, else from the journal. */
#ifndef SIPRTX_NOTIFY_FEED_H
#define SIPRTX_NOTIFY_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"
#include "journal_find.h"
#include "pins.h"

#define FEED_LINES 256 /* of the newest, kept for further readers */

struct feed {
	struct pins pins;
	bool open;		    /* pins are */
	uint64_t ino;		    /* of the pins, to see them taken away */
	struct siprtx_sink *notify; /* the map, writable */
	struct journal_reader journal;
	int journal_error; /* of the last look at it */
	struct {
		uint64_t seq;
		char *text;
	} line[FEED_LINES];
};

void feed_init(struct feed *f, const char *journal);
/*
 * Opens the pinned maps. 0; -ENOENT: nothing is loaded; -EAGAIN: no siprtxd has begun to number yet; -EPROTO: of
 * another version; -EACCES, -EPERM: no right to write the map `notify`.
 */
int feed_open(struct feed *f, const char *pin_path);
void feed_close(struct feed *f);
void feed_free(struct feed *f);
/* Were the maps taken away, or others put in their place? */
bool feed_is_gone(const struct feed *f);
/* The number of the next record; all before it may be read. Only while it is open. */
uint64_t feed_next(const struct feed *f);

/* The record, if the map has it. */
bool feed_peek(const struct feed *f, uint64_t seq, struct siprtx_record *out);
/*
 * The record `seq`, or where it is lost or no longer kept the first one after it; `place` as for journal_find(). 0;
 * -ENOENT: nothing from there on; -EAGAIN: it went while it was looked for; -ENOMEM. A journal that cannot be read is
 * logged once, and has nothing.
 */
int feed_record(struct feed *f, struct journal_place *place, uint64_t seq, struct siprtx_record *out);
/*
 * The same as the line that the journal has, with its '\n': *line lasts until the next call of either, *found is its
 * number and *event its RECORD_*.
 */
int feed_line(struct feed *f, struct journal_place *place, uint64_t seq, uint64_t *found, unsigned *event,
	      const char **line, size_t *n);

#endif
