/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of what happens: events, counts of the gateways, exhausted records, keys of ended transactions. */
#ifndef SIPRTXD_LEDGER_H
#define SIPRTXD_LEDGER_H

#include <stdint.h>

#include "config.h"
#include "events.h"
#include "gateway.h"
#include "pins.h"
#include "recorder.h"
#include "remember.h"
#include "transaction.h"

struct ledger {
	const struct pins *pins;
	struct events events;
	struct gateways gateways;
	struct gateway **gateway; /* by slot, NULL: not looked up yet */
	struct remembered remembered;
	struct recorder *recorder;
	struct siprtx_name profile[MAX_PROFILES];
	char node[64];
};

/* `pins`, `calls` and `c` must stay. 0, or -errno with a sentence logged; ledger_close() in either case. */
int ledger_open(struct ledger *l, const struct pins *pins, struct calls *calls, const struct config *c,
		uint64_t now_ns);
/* Writes what is left to write. */
void ledger_close(struct ledger *l);
/* The gateway this slot's frame goes to; NULL: it is one of those there is no room for. */
struct gateway *ledger_gateway(struct ledger *l, uint32_t slot);
/* transaction_ops.event and .ended */
void ledger_event(struct ledger *l, uint32_t slot, const struct transaction_event *e);
/* `reply`: with what siprtx answers it itself, 0: it does not; else its key is remembered by ledger_forget(). */
void ledger_ended(struct ledger *l, uint32_t slot, enum siprtx_end end, uint16_t reply, uint64_t now_ns);
/* The slot of one that was answered goes. */
void ledger_forget(struct ledger *l, uint32_t slot, uint64_t now_ns);
/* With what an exhausted INVITE to this gateway is to be answered, 0: with nothing. */
uint16_t ledger_reply(struct ledger *l, uint32_t slot);
/* reply_ops.late */
void ledger_late_replied(struct ledger *l, uint32_t slot, uint16_t code, uint64_t now_ns, uint64_t delay_ns);
/* A response after the end (NOTE_LATE). */
void ledger_late(struct ledger *l, const struct siprtx_note *n);

#endif
