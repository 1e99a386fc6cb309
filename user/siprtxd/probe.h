/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OPTIONS to gateways that are not up, one each tunable `probe` ms, from the softswitch's own address and port (RFC
 * 3261 11.1): made out of an INVITE that was sent there, in a slot of its own (KIND_PROBE), whose key is in `txns` like
 * any request's, so that the XDP program finds and absorbs the answer. A probe is never sent again; the next one has
 * another branch, Call-ID, CSeq number, key and generation, and is made of the one before. After an answer the next
 * ones follow quicker, until probes_end().
 *
 * A final response alone is an answer: a 1xx may be that of a proxy on the way, which says nothing of who is behind it.
 *
 * The slot stays through a restart: probes_adopt() goes on with it. What of it outlives a crash: the frame, the key,
 * `sends` (1: this one was sent), last_send_ns, due_ns (when the next one is), resp_ns (when its answer was told of).
 */
#ifndef SIPRTXD_PROBE_H
#define SIPRTXD_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "slot.h"

struct probe_ops {
	/* As reply_ops has them. What cannot be sent now is tried again, and never told of as missed. */
	int (*send)(void *ctx, uint32_t slot);
	bool (*in_flight)(void *ctx, uint32_t slot);
	void (*made)(void *ctx, uint32_t slot);
	/* The map txns: a key comes, with the slot and its generation, or goes. 0 or -errno. */
	int (*add_key)(void *ctx, const struct siprtx_key *key, uint32_t slot, uint32_t gen);
	void (*remove_key)(void *ctx, const struct siprtx_key *key);
	/*
	 * One was sent. A final response (code) to it came; or none did until the next one was due. At most one of each
	 * a probe; a late answer may come after `missed`. Each of these and `lost` may call probes_begin() and
	 * probes_end().
	 */
	void (*sent)(void *ctx, const struct siprtx_gateway_key *gateway);
	void (*answered)(void *ctx, const struct siprtx_gateway_key *gateway, uint16_t code, uint64_t now);
	void (*missed)(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now);
	/* It is probed no more: the way its INVITE took leads elsewhere now, or takes no message of this size. */
	void (*lost)(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now);
};

struct probe_env {
	struct siprtx_slot *slots;
	uint32_t n_slots;
	struct siprtx_in_force *in_force; /* captured_methods gets OPTIONS with the first probe */
	const struct siprtx_hash_key *hash_key;
	struct free_list free;
	__u64 *stats; /* STAT_* */
	const struct probe_ops *ops;
	void *ctx;
};

struct probes; /* opaque */

struct probes *probes_new(const struct probe_env *env); /* NULL: no memory */
void probes_free(struct probes *p);
/*
 * Takes up the probe slots of a former controller; `found` is called for each with its gateway, and ends those it
 * answers false to. 0 or -ENOMEM.
 */
int probes_adopt(struct probes *p, bool (*found)(void *ctx, const struct siprtx_gateway_key *gateway), uint64_t now);
/*
 * Begins to probe the gateway of the INVITE held in this slot; the first probe goes out with the next probes_run().
 * 0, also where it is probed already; -ENOSPC: no slot is free; -EBADMSG: the INVITE cannot be read; -ENOMEM; or what
 * getrandom() says.
 */
int probes_begin(struct probes *p, uint32_t invite, uint64_t now);
/* It is probed no more; its slot and key go, where an answer may still come after the time for one. */
void probes_end(struct probes *p, const struct siprtx_gateway_key *gateway);
bool probes_has(const struct probes *p, const struct siprtx_gateway_key *gateway);
/* A note whose slot is a KIND_PROBE; NOTE_MOVED alone says something here. */
void probes_note(struct probes *p, const struct siprtx_note *n, uint64_t now);
/* Sends what is due, a bounded number. 0 or -ENOMEM as transactions_run(). */
int probes_run(struct probes *p, uint64_t now);
/* When the next is due, UINT64_MAX: none. */
uint64_t probes_next(const struct probes *p);
/* A descriptor of this slot came back. */
void probes_sent(struct probes *p, uint32_t slot);
/* How many slots are in use here. */
uint32_t probes_held(const struct probes *p);

#endif
