/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One reading of all that is counted, so that two of them give rates. */
#ifndef SIPRTX_SAMPLE_H
#define SIPRTX_SAMPLE_H

#include <stdint.h>

#include "pins.h"

struct sample {
	uint64_t ns;			 /* CLOCK_MONOTONIC, when it was read */
	uint64_t loaded_ns;		 /* which load of the maps it is of */
	uint64_t counters[MAX_COUNTERS]; /* over all CPUs */
	uint64_t stats[MAX_STATS];
	uint64_t answered; /* transactions that saw a response, of all gateways */
};

/* 0 or -errno; *s is untouched then. */
int sample_take(const struct pins *pins, struct sample *s);

struct gateway {
	struct siprtx_gateway_key key;
	struct siprtx_gateway value;
};
/* All gateways, in the order of name, address and port; *list is the caller's (free). 0 or -errno. */
int gateways_read(const struct pins *pins, struct gateway **list, unsigned *n);

/* Transactions in each state, counted in the slots: right also when no controller runs. */
struct held {
	uint32_t in_state[16]; /* by enum siprtx_state */
	uint32_t replies;      /* slots of a reply, CANCEL or ACK of siprtx: their state is ST_FREE */
	uint32_t slots;	       /* in use: all of these but ST_FREE */
	uint32_t probes;       /* and those of OPTIONS to gateways that are not up, in none of these */
	uint32_t given_back;   /* still sent, but a copy was left out: the softswitch's own copies pass */
};
void held_count(const struct pins *pins, struct held *held);

#endif
