/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `events` map: the newest MAX_EVENTS events in a circle; readers take what they can (event_read.h). */
#ifndef SIPRTXD_EVENTS_H
#define SIPRTXD_EVENTS_H

#include <stdint.h>

#include "calls.h"
#include "pins.h"
#include "transaction.h"

/* Which call an event is of: what is in its slot, in a form that outlives it. */
struct call {
	uint64_t first_ns;
	uint32_t slot, gen;
	uint16_t port, sends;
	uint8_t addr[16]; /* gateway */
	uint8_t kind, method;
	char call_id[sizeof(((struct siprtx_event *)0)->call_id)];
};

struct events {
	const struct pins *pins;
	struct calls *calls;
};

void events_call(struct events *ev, uint32_t slot, struct call *out);
void events_write(struct events *ev, const struct call *c, const struct transaction_event *e);

#endif
