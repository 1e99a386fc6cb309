/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the offload active? One judgement from what the maps and the configuration say. Pure. */
#ifndef SIPRTX_HEALTH_H
#define SIPRTX_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "config.h"
#include "problem.h"

enum health {
	HEALTH_ACTIVE,	 /* every configured interface is served */
	HEALTH_DEGRADED, /* calls are retransmitted, but not all, or not all is recorded */
	HEALTH_INACTIVE, /* no new call is helped */
};

struct health_facts {
	const struct config *config;
	const struct siprtx_meta *meta;
	const struct siprtx_interface *attached; /* those with a program attached now; by name */
	unsigned n_attached;
	const char (*egress)[IFNAMSIZ]; /* those with the filter at TC egress now */
	unsigned n_egress;
	bool capture;	 /* the tunable in force */
	bool gone;	 /* there is no process of the controller's number */
	uint64_t now_ns; /* CLOCK_MONOTONIC, read after meta */
};

/* Adds every reason to `reasons`: an error makes inactive, a warning degraded. The first error is the weightiest. */
enum health health_judge(const struct health_facts *f, struct problems *reasons);
/* Adds what does not harm the offload yet, but will: it changes no judgement. */
void health_warn(uint32_t slots_used, uint32_t slots_total, struct problems *warnings);

/* The interface of that name in meta, NULL: the controller does not know it. */
const struct siprtx_interface *meta_interface(const struct siprtx_meta *meta, const char *name);

/* How long ago, ns; a moment ahead of `now` is now. */
static inline uint64_t age_ns(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* Has the controller been seen lately (ALIVE_NS)? */
bool controller_alive(const struct siprtx_meta *meta, uint64_t now_ns);

#endif
