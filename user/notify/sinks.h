/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All consumers of a configuration: opened, given what is theirs, closed. */
#ifndef SIPRTX_NOTIFY_SINKS_H
#define SIPRTX_NOTIFY_SINKS_H

#include "feed.h"
#include "sink.h"
#include "state.h"

struct sinks {
	struct config *config; /* owned; what a sink's config points into */
	struct feed *feed;
	struct state *state;
	int epoll;
	struct sink_slot *slot[MAX_SINKS]; /* owned; NULL: none */
};

/*
 * Goes by `config` from now on, which it takes over: who is in it as before stays open, others are closed and opened.
 * 0 or -ENOMEM: nothing changed then, and `config` is the caller's.
 */
int sinks_configure(struct sinks *s, struct config *config);
/* The maps were opened: places in `notify`, and from where each goes on. They are about to be closed. */
void sinks_enter(struct sinks *s);
void sinks_leave(struct sinks *s);
/* Hands out what is new, lets each do what is due. True: there is more to hand out at once. */
bool sinks_turn(struct sinks *s, uint64_t now);
/* What epoll told of. */
void sinks_ready(struct sinks *s, uint64_t data, uint32_t events, uint64_t now);
/* Keeps in the state's file from where each goes on. */
void sinks_keep(struct sinks *s, bool sync);
void sinks_close(struct sinks *s);

#endif
