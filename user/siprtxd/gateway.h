/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each gateway did: counted in memory, written to the `gateways` map now and then. */
#ifndef SIPRTXD_GATEWAY_H
#define SIPRTXD_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "group.h"
#include "pins.h"

/* What gateway_health.c keeps of a gateway beside its value. Times are CLOCK_MONOTONIC, ns; 0: never. */
struct gateway_signs {
	uint64_t heard_ns;  /* its last response of any kind, an answered probe too */
	uint64_t proved_ns; /* the last one that says more than that its host is there (bad_codes) */
	uint64_t slot_gen;  /* an INVITE to it that was held lately: slot + 1 << 32 | generation; 0: none */
	uint32_t missed;    /* probes not answered since the last one that was, or since it is suspect */
	uint32_t answers;   /* probes answered in a row */
	bool probing;	    /* it is probed now */
	bool responded;	    /* to a call, since its state is what it is */
	bool orphaned;	    /* not up by a former controller, and no probe of it is left */
	bool held;	    /* the operator held it so far */
	bool watched;	    /* on the list of those looked at again and again */
	struct gateway *next_watched;
};

struct gateway {
	struct siprtx_gateway_key key;
	bool changed; /* set by whoever counts: gateways_flush() writes it */
	struct siprtx_gateway value;
	uint64_t full_ns; /* its budget of retransmissions (bucket.h) */
	struct gateway *next;
	struct gateway_signs signs;
	struct group *group; /* NULL: none */
	struct group_member member;
};

static inline struct gateway *gateway_of_member(struct group_member *m)
{
	return (struct gateway *)((char *)m - offsetof(struct gateway, member));
}

struct gateways {
	const struct config *config;
	int fd;
	uint32_t room;
	uint32_t n;
	void *tree;
	struct gateway *list;
	struct group *groups;
	bool *called;	       /* by the place in config->gateway: one of them was called */
	struct gateway *look;  /* the next one whose operator's fields are looked at */
	struct gateway others; /* counts for those there is no room for; never written, never judged */
};

/* Begins with what the map holds. `config` must stay. 0 or -errno. */
int gateways_open(struct gateways *g, const struct pins *pins, const struct config *config);
void gateways_close(struct gateways *g);
/* Finds or adds. Never NULL, valid until gateways_close(). */
struct gateway *gateways_find(struct gateways *g, const uint8_t addr[16], uint16_t port);
/* NULL: it is among the others. */
static inline struct gateway *gateways_judged(const struct gateways *g, struct gateway *gw)
{
	return gw == &g->others ? NULL : gw;
}
/*
 * Takes over on_down and admin of the next gateway in turn from the map. It, where they are others than before; else
 * NULL. One whose state somebody wrote over is flushed again.
 */
struct gateway *gateways_look(struct gateways *g);
/* Writes this one now; the operator's fields in the map stay as they are. */
void gateways_write(struct gateways *g, struct gateway *gw);
/* Writes those that changed. */
void gateways_flush(struct gateways *g);

#endif
