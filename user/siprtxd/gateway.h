/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each gateway did: counted in memory, written to the `gateways` map now and then. */
#ifndef SIPRTXD_GATEWAY_H
#define SIPRTXD_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "pins.h"

struct gateway {
	struct siprtx_gateway_key key;
	bool changed; /* set by whoever counts: gateways_flush() writes it */
	struct siprtx_gateway value;
	uint64_t full_ns; /* its budget of retransmissions (bucket.h) */
	struct gateway *next;
};

struct gateways {
	const struct config *config;
	int fd;
	uint32_t room;
	uint32_t n;
	void *tree;
	struct gateway *list;
	struct gateway others; /* counts for those there is no room for; never written */
};

/* Begins with what the map holds. `config` must stay. 0 or -errno. */
int gateways_open(struct gateways *g, const struct pins *pins, const struct config *config);
void gateways_close(struct gateways *g);
/* Finds or adds. Never NULL, valid until gateways_close(). */
struct gateway *gateways_find(struct gateways *g, const uint8_t addr[16], uint16_t port);
/* What the operator wants done (enum siprtx_on_exhausted): as the map has it now. */
uint32_t gateways_on_exhausted(const struct gateways *g, const struct gateway *gw);
/* Writes what changed; the operator's fields in the map stay as they are. */
void gateways_flush(struct gateways *g);

#endif
