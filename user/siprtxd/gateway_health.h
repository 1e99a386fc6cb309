/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a gateway, judged by the calls to it. Pure: the clock and what is done about it are the caller's.
 *
 * up -> suspect: `suspect_calls` INVITEs in a row each had no response `suspect_after` ms after its first send, nor has
 * the gateway answered anything since then (WHY_SILENT). A call cancelled, given up or ended by ICMP before that says
 * nothing.
 *
 * suspect -> down: `down_calls` INVITEs in a row ended by END_NO_RESPONSE, the gateway having answered nothing since
 * the first send of each; and where it is probed, a probe was missed since it is suspect or last answered one
 * (WHY_EXHAUSTED). So the bad numbers of one caller mark no gateway that answers others, or OPTIONS. END_UNREACHABLE
 * never counts, for ICMP can be forged. One that is up becomes suspect first, so that it is probed.
 *
 * -> up: it answered a call (WHY_RESPONSE), or `probe_answers` probes in a row (WHY_PROBED); nothing is left to probe
 * it with after a new start (WHY_UNKNOWN). Any response, to whatever it was asked and however late, begins both rows
 * anew.
 *
 * Requests inside a dialog never count against a gateway. With `bad_codes` a final 408, or 503, to an INVITE counts as
 * an exhausted call and is no answer, nor is such a one to a probe. A 100 before it does not end the row of exhausted
 * calls then, for it comes before either.
 *
 * No state is left before `state_hold` ms are over; what asks for another one meanwhile is looked at when they are, by
 * what is true then. But the operator's word (admin) acts at once, and so does `health` 0: all are up. What he holds no
 * longer is judged from up.
 *
 * bypass is what the calls to a gateway meet with: on_down while it is down, unless its group has no other way
 * (group.h). Calls are refused only while probes, or the operator, can end it: where there are no probes they are sent
 * by the shorter schedule instead.
 */
#ifndef SIPRTXD_GATEWAY_HEALTH_H
#define SIPRTXD_GATEWAY_HEALTH_H

#include "abi.h"
#include "gateway.h"

struct gateway_health_ops {
	/* The gateway of the call in this slot. NULL: one that is not judged. */
	struct gateway *(*gateway)(void *ctx, uint32_t slot);
	/* Is the INVITE in this slot one of a dialog? */
	bool (*in_dialog)(void *ctx, uint32_t slot);
	/* Its state or bypass is another: its value belongs into the map now. */
	void (*write)(void *ctx, struct gateway *gw);
	/* Its state became another, and why is in its value; so many calls (or probes, WHY_PROBED) in a row did it. */
	void (*changed)(void *ctx, struct gateway *gw, uint32_t in_a_row, uint64_t now);
	/* As probes_begin() and probes_end(); probe_begin may fail with anything, then it is not probed. */
	int (*probe_begin)(void *ctx, uint32_t slot, uint64_t now);
	void (*probe_end)(void *ctx, const struct siprtx_gateway_key *gateway);
};

struct gateway_health_env {
	const struct siprtx_slot *slots;
	uint32_t n_slots;
	const struct siprtx_in_force *in_force;
	struct gateways *gateways;
	__u64 *stats; /* STAT_* */
	const struct gateway_health_ops *ops;
	void *ctx;
};

struct gateway_health; /* opaque */

struct gateway_health *gateway_health_new(const struct gateway_health_env *env); /* NULL: no memory */
void gateway_health_free(struct gateway_health *h);

/* A probe of a former controller goes on. Before gateway_health_adopt(). */
void gateway_health_probed(struct gateway *gw);
/* Goes on from the states, and the rows, that the gateways' values have. Before anything else is told. */
void gateway_health_adopt(struct gateway_health *h, uint64_t now);
/* And with the calls in the slots. 0 or -ENOMEM. */
int gateway_health_adopt_calls(struct gateway_health *h, uint64_t now);

/* An INVITE to it was captured. */
void gateway_health_call(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint64_t now);
/* It answered what is in this slot with `code`, at `ns`. The slot is still whole. */
void gateway_health_response(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint16_t code, uint64_t ns,
			     uint64_t now);
/* It answered an INVITE that had ended. */
void gateway_health_late(struct gateway_health *h, struct gateway *gw, uint16_t code, uint64_t ns, uint64_t now);
/* The INVITE in this slot ended by END_NO_RESPONSE. The slot is still whole. */
void gateway_health_exhausted(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint64_t now);
/*
 * It answered a probe with `code`; 0: it did not, until the next one was due. Such an answer may still come then. Or:
 * it is probed no more, though nothing here asked for that.
 */
void gateway_health_probe(struct gateway_health *h, struct gateway *gw, uint16_t code, uint64_t now);
void gateway_health_probe_lost(struct gateway_health *h, struct gateway *gw, uint64_t now);
/* The operator's fields in its value, on_down or admin, are others. */
void gateway_health_operator(struct gateway_health *h, struct gateway *gw, uint64_t now);
/* Does what is due. 0 or -ENOMEM: calls without any answer are not counted any more. */
int gateway_health_run(struct gateway_health *h, uint64_t now);

#endif
