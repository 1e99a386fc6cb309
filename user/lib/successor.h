/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ABI takes over from another without a packet lost. The former pins are moved aside as one folder, their programs
 * stay attached; the new maps are made in their place; a controller of the former ones is told to take nothing new, and
 * is waited for until what it holds has come to its end; then each link gets its new program in place. A load that was
 * broken off before that last step is undone by the next one, one broken off in it is gone on with.
 */
#ifndef SIPRTX_SUCCESSOR_H
#define SIPRTX_SUCCESSOR_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"

/* What a drain may take unless told otherwise: the longest hold of an answered call, as shipped. */
#define SUCCESSOR_LIMIT_NS 300000000000ull

struct successor {
	const struct config *config;
	char former[PATH_MAX];	 /* where the former pins are, whether there are any or not */
	bool there;		 /* there are some */
	bool moved;		 /* by this load */
	bool silenced;		 /* their capture was switched off by this load */
	struct siprtx_meta head; /* theirs: the head of it */
	uint32_t capture;	 /* theirs before */
	int lock;		 /* on the new folder, so that nobody serves it yet; -1 */
	bool blocked;		 /* signals wait */
	sigset_t signals;	 /* those that did before */
};

/* The folder that pins of `pin_path` are moved aside to. 0 or -ENAMETOOLONG. */
int successor_folder(const char *pin_path, char folder[PATH_MAX]);
/* Has a load been broken off there, or is it under way? */
bool successor_pending(const char *pin_path);
/*
 * Moves pins of another ABI aside. Nothing is done where there are none. 0, or -errno with a sentence in `why`, as for
 * the next two; successor_end() in any case.
 */
int successor_begin(struct successor *s, const struct config *c, char *why, size_t why_size);
/* After the new maps were made: lets the former ones come to their end. -ETIMEDOUT, -EINTR among others. */
int successor_drain(struct successor *s, uint64_t limit_ns, char *why, size_t why_size);
/* Brings the links of the configured interfaces to pin_path, where attach() finds them. */
int successor_take_links(struct successor *s, char *why, size_t why_size);
/* Takes back all of the above, and the new folder with it: the former pins are in force as they were. */
void successor_undo(struct successor *s);
/* What is left of the former pins goes; said in the log. */
void successor_finish(struct successor *s);
void successor_end(struct successor *s);

#endif
