/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a consumer is told of before all else: one that nobody knows yet of the gateways that are not up, one that was
 * slow or away of what became last of each gateway meanwhile.
 */
#ifndef SIPRTX_NOTIFY_FIRST_H
#define SIPRTX_NOTIFY_FIRST_H

#include "feed.h"

#define FIRST_KEPT 64

struct first {
	struct siprtx_record *record; /* owned */
	unsigned n, at;
};

/*
 * The record by which each gateway became what it is, as far as it is one of `events` (bits 1 << RECORD_*). Where the
 * map `exhausted` has it no more it is made from the map `gateways`, with seq 0.
 */
void first_collect(struct first *first, const struct feed *feed, uint32_t events);
/*
 * Keeps a gateway's record that would be given up, in place of an older one of that gateway. False: it is none of a
 * gateway's, or FIRST_KEPT are kept already.
 */
bool first_keep(struct first *first, const struct siprtx_record *r);
/* The next one; NULL: no more. */
struct siprtx_record *first_peek(struct first *first);
void first_pop(struct first *first);
void first_free(struct first *first);

#endif
