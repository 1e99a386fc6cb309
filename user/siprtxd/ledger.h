/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of what happens: events, counts of the gateways, exhausted records, keys of ended transactions. */
#ifndef SIPRTXD_LEDGER_H
#define SIPRTXD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "events.h"
#include "gateway.h"
#include "gateway_health.h"
#include "pins.h"
#include "recorder.h"
#include "remember.h"
#include "transaction.h"

/* As probes_begin() and probes_end() (probe.h). NULL: nothing can be probed. */
struct ledger_probes {
	int (*begin)(void *ctx, uint32_t slot, uint64_t now);
	void (*end)(void *ctx, const struct siprtx_gateway_key *gateway);
	void *ctx;
};

/* Ended slots whose record is not in the map yet. */
#define LEDGER_RECORDED 64

struct ledger {
	const struct pins *pins;
	struct events events;
	struct gateways gateways;
	struct gateway_health *health;
	struct ledger_probes probes; /* set by the caller, after ledger_open() */
	struct gateway **gateway;    /* by slot, NULL: not looked up yet */
	struct remembered remembered;
	struct recorder *recorder;
	uint64_t first_seq; /* of the records this process makes, or less; a former one's numbers in the slots may be
			       higher, and those records were never written */
	uint32_t recorded[LEDGER_RECORDED];
	unsigned n_recorded;
	/* the record of this slot is in the map; set by the caller, after ledger_open() */
	void (*settled)(void *ctx, uint32_t slot);
	void *ctx;
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
/* Is the slot needed on, for its record is not in the map yet? settled() tells when it is. */
bool ledger_holds(const struct ledger *l, uint32_t slot);
/* Puts the records made since into the map, once a round, before anything goes out that is to come after them. */
void ledger_settle(struct ledger *l);
/* The slot of one that was answered goes. */
void ledger_forget(struct ledger *l, uint32_t slot, uint64_t now_ns);
/* With what an exhausted INVITE to this gateway is to be answered, 0: with nothing. */
uint16_t ledger_reply(struct ledger *l, uint32_t slot);
/* reply_ops.late */
void ledger_late_replied(struct ledger *l, uint32_t slot, uint16_t code, uint64_t now_ns, uint64_t delay_ns);
/* A response after the end (NOTE_LATE). */
void ledger_late(struct ledger *l, const struct siprtx_note *n);

/* ledger_gateways.c: gateways that are judged (gateway_health.h) */

/* NULL: no memory */
struct gateway_health *ledger_new_health(struct ledger *l);
/* Goes on with the states in the map, before any transaction is taken up; and with the calls, once they are. */
void ledger_adopt_gateways(struct ledger *l, uint64_t now_ns);
int ledger_adopt_calls(struct ledger *l, uint64_t now_ns); /* 0 or -ENOMEM */
/* A probe that a former controller left: is it to go on? Before ledger_adopt_gateways(). */
bool ledger_probe_found(struct ledger *l, const struct siprtx_gateway_key *gateway);
/* As probe_ops has them; `code` 0: missed. */
void ledger_probe_sent(struct ledger *l, const struct siprtx_gateway_key *gateway);
void ledger_probe(struct ledger *l, const struct siprtx_gateway_key *gateway, uint16_t code, uint64_t now_ns);
void ledger_probe_lost(struct ledger *l, const struct siprtx_gateway_key *gateway, uint64_t now_ns);
/* What an event, or a note of the NOTE_REPLY_ kinds, says about its gateway. */
void ledger_judge(struct ledger *l, uint32_t slot, const struct transaction_event *e);
void ledger_reply_note(struct ledger *l, const struct siprtx_note *n);
/* Takes over what the operator wrote of some gateways: of all in a quarter of a second, called each 10 ms. */
void ledger_look(struct ledger *l, uint64_t now_ns);
/* Changes states that are due to change. 0 or -ENOMEM as transactions_run(). */
int ledger_run(struct ledger *l, uint64_t now_ns);

#endif
