/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exhausted records on their way to the `exhausted` map, the journal and the log. The map is written by the sending
 * loop, once a round; the file by a thread of its own, so that a slow disk never delays a copy.
 */
#ifndef SIPRTXD_RECORDER_H
#define SIPRTXD_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "pins.h"
#include "record.h"

struct recorder; /* opaque */

/*
 * Opens and repairs the journal, starts the thread. One that cannot be opened is tried again every second: records wait
 * in the map until then. -EBADMSG: it is somebody else's. `pins` and `journal_path` must stay. 0, or -errno with a
 * sentence logged.
 */
int recorder_start(struct recorder **out, const struct pins *pins, const char *journal_path);
/* Writes what is left, as far as the journal takes it, and ends the thread. NULL is fine. */
void recorder_stop(struct recorder *r);
/* After logrotate. */
void recorder_reopen(struct recorder *r);
/* The number the next record gets: they are added one after the other. */
uint64_t recorder_next_seq(const struct recorder *r);
/* Takes the record with that number. It is in the map after recorder_flush(), at the latest. */
void recorder_add(struct recorder *r, const struct siprtx_record *record);
/* Until then nothing may go that the record could be made of anew. */
bool recorder_is_waiting(const struct recorder *r, uint64_t seq);
/* Into the map with all that wait, where the oldest go when it is full; and the thread is told. */
void recorder_flush(struct recorder *r);

#endif
