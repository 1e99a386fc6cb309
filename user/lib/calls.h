/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names the calls in the slots, and which held slots are of one call: the same Call-ID and From tag, byte for byte
 * (RFC 3261, 8.1.1.3 and 8.1.1.4). Strangers choose both, so the hash is keyed, and a walk never longer than it may be.
 */
#ifndef SIPRTX_CALLS_H
#define SIPRTX_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "sip_detail.h"

/* Slots that calls_same() names at most, the newest; a call has one for each gateway that is tried at a time. */
#define CALLS_SAME 8

struct call_name {
	struct sip_span call_id, from_tag, branch; /* len 0: not there, or not readable */
	bool in_dialog;				   /* a request with a To tag */
};

struct calls; /* opaque */

struct calls *calls_new(const struct siprtx_slot *slots, uint32_t n_slots); /* NULL: no memory. `slots` must stay. */
void calls_free(struct calls *c);

/* Of the message in this slot, read once a generation. */
const struct call_name *calls_name(struct calls *c, uint32_t slot);
/* Adds a slot, unless it is in it; one without Call-ID or From tag is left out. calls_remove() may be told of any. */
void calls_add(struct calls *c, uint32_t slot);
void calls_remove(struct calls *c, uint32_t slot);
/* The other slots of the same call, newest first, that have another branch. Returns how many are in `out`. */
unsigned calls_same(struct calls *c, uint32_t slot, uint32_t out[CALLS_SAME]);
/* Those that have the same branch: further responses to one request. */
unsigned calls_same_branch(struct calls *c, uint32_t slot, uint32_t out[CALLS_SAME]);

#endif
