/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the controller share: controller.c (its life and its loop), controller_ops.c,
 * controller_beat.c. */
#ifndef SIPRTXD_CONTROLLER_PRIVATE_H
#define SIPRTXD_CONTROLLER_PRIVATE_H

#include "alarms.h"
#include "clock.h"
#include "conntrack_watch.h"
#include "controller.h"
#include "lapse.h"
#include "ledger.h"
#include "lift.h"
#include "probe.h"
#include "reclaim.h"
#include "reply.h"
#include "sender.h"
#include "service.h"
#include "transaction.h"

struct controller {
	const struct config *config;
	struct pins pins;
	int lock, epoll, signals, netlink;
	int features; /* xdp_features_listen(), -1: nothing is to be heard */
	struct ring_buffer *notes;
	unsigned notes_taken;
	struct calls *calls;
	struct transactions *transactions;
	struct replies *replies;
	struct probes *probes;
	struct siprtx_hash_key hash_key; /* of the maps, for the keys of probes */
	struct sender sender;
	struct lift lift;
	struct ledger ledger;
	struct free_list free;
	struct siprtx_in_force seen; /* of the operator's values */
	struct service service;
	struct alarms alarms;
	struct conntrack_watch conntrack;
	struct lapse lapse[MAX_OUTSIDE];
	uint64_t small_chores_ns, chores_ns, reload_ns, reclaim_ns;
	bool vlans_changed, reload, reload_failed;
	bool may_load, ready, stop;
};

/* Slots in use that come to their end by themselves; those of probes stay as long as a gateway is not up. */
static inline uint32_t controller_held(const struct controller *c)
{
	return transactions_held(c->transactions) + c->pins.stats[STAT_reply_slots];
}

/* controller_ops.c: what transactions, replies and probes ask of the rest. Their ctx is the struct controller. */
extern const struct transaction_ops controller_transaction_ops;
extern const struct reply_ops controller_reply_ops;
extern const struct probe_ops controller_probe_ops;
void controller_settled(void *ctx, uint32_t slot);
/* probes_adopt(): is this gateway to be probed on? */
int controller_probe_begin(void *ctx, uint32_t slot, uint64_t now);
void controller_probe_end(void *ctx, const struct siprtx_gateway_key *gateway);
bool controller_probes_on(void *ctx, const struct siprtx_gateway_key *gateway);

/* controller_beat.c: last in a round, says to the XDP programs what this round has shown to be true. */
void controller_beat(struct controller *c, uint64_t now);

#endif
