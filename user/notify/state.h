/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.state beside the journal: from which record each consumer goes on, across an unload and a reboot. While the
 * maps are loaded the map `notify` says it better.
 */
#ifndef SIPRTX_NOTIFY_STATE_H
#define SIPRTX_NOTIFY_STATE_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

struct state {
	char path[PATH_MAX];
	int lock;   /* -1: not held */
	char *text; /* as it was written last; owned */
	int error;  /* of the last write */
};

/*
 * The file beside `journal`; its lock, which one siprtx-notify holds. 0; -EWOULDBLOCK: another one does; -errno: the
 * folder cannot be written.
 */
int state_open(struct state *s, const char *journal);
/* The number kept for the consumer of that name, 0: none. */
uint64_t state_read(const struct state *s, const char *name);
/*
 * Puts `text`, lines of "NAME NUMBER\n", in the file's place, all or nothing; where it says what is there already,
 * nothing is written. `sync`: it is on disk afterwards. A failure is logged once.
 */
void state_write(struct state *s, const char *text, int sync);
void state_close(struct state *s);

#endif
