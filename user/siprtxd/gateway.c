// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* tdestroy */
#include "gateway.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct siprtx_gateway_key)); /* the key comes first in a gateway */
}

static bool within(const struct config_gateway *c, const uint8_t addr[16])
{
	unsigned bytes = c->prefixlen / 8, bits = c->prefixlen % 8;

	if (memcmp(c->addr, addr, bytes))
		return false;
	return !bits || !((c->addr[bytes] ^ addr[bytes]) >> (8 - bits));
}

/* The entry with this port, else the longest prefix without one. NULL: none. */
static const struct config_gateway *configured(const struct config *config, const struct siprtx_gateway_key *key)
{
	const struct config_gateway *best = NULL;

	for (unsigned i = 0; i < config->n_gateways; i++) {
		const struct config_gateway *c = &config->gateway[i];

		if ((c->port && c->port != key->port) || !within(c, key->addr))
			continue;
		if (!best || c->port > best->port || (c->port == best->port && c->prefixlen > best->prefixlen))
			best = c;
	}
	return best;
}

static struct gateway *add(struct gateways *g, const struct siprtx_gateway_key *key)
{
	const struct config_gateway *config = configured(g->config, key);
	struct gateway *new = calloc(1, sizeof(*new));

	if (!new)
		return NULL;
	new->key = *key;
	new->value.profile = NO_PROFILE;
	new->value.last_retry_after = NO_RETRY_AFTER;
	if (!tsearch(new, &g->tree, by_key)) {
		free(new);
		return NULL;
	}
	if (config) {
		strcpy(new->value.name, config->name);
		new->value.on_exhausted = config->on_exhausted;
		new->value.on_down = config->on_down;
		strcpy(new->value.group, config->group);
	}
	new->next = g->list;
	g->list = new;
	g->n++;
	return new;
}

int gateways_open(struct gateways *g, const struct pins *pins, const struct config *config)
{
	struct siprtx_gateway_key key, *from = NULL;
	struct siprtx_gateway value;

	*g = (struct gateways){.config = config, .fd = pins->fd[PIN_gateways], .room = pins->entries[PIN_gateways]};
	while (!bpf_map_get_next_key(g->fd, from, &key)) {
		struct gateway *known = bpf_map_lookup_elem(g->fd, &key, &value) ? NULL : add(g, &key);

		if (known) {
			/* the configuration may be another than when it was written: the load cleared the name then */
			if (!*value.name && *known->value.name) {
				value.on_exhausted = known->value.on_exhausted;
				value.on_down = known->value.on_down;
				bpf_map_update_elem(g->fd, &key, &value, BPF_EXIST);
			}
			strcpy(value.name, known->value.name);
			strcpy(value.group, known->value.group);
			known->value = value;
		}
		from = &key;
	}
	return 0;
}

void gateways_close(struct gateways *g)
{
	tdestroy(g->tree, free);
	g->tree = g->list = NULL;
}

struct gateway *gateways_find(struct gateways *g, const uint8_t addr[16], uint16_t port)
{
	struct siprtx_gateway_key key = {.port = port};
	struct gateway **found, *new;

	memcpy(key.addr, addr, sizeof(key.addr));
	found = tfind(&key, &g->tree, by_key);
	if (found)
		return *found;
	new = g->n < g->room ? add(g, &key) : NULL;
	if (new)
		return new;
	if (!g->others.changed)
		log_warning("more than %u gateways were called: the map gateways counts none beyond them. Unload and "
			    "load siprtx to begin anew.",
			    g->n);
	g->others.changed = true;
	return &g->others;
}

uint32_t gateways_on_exhausted(const struct gateways *g, const struct gateway *gw)
{
	struct siprtx_gateway there;

	return bpf_map_lookup_elem(g->fd, &gw->key, &there) ? gw->value.on_exhausted : there.on_exhausted;
}

static void flush(struct gateways *g, struct gateway *gw)
{
	struct siprtx_gateway now = gw->value, there;

	if (!bpf_map_lookup_elem(g->fd, &gw->key, &there)) {
		now.profile = there.profile;
		now.on_exhausted = there.on_exhausted;
		now.on_down = there.on_down;
		now.admin = there.admin;
	}
	/* an operator's write in between is one he sees undone; kept where it fails, tried the next time */
	gw->changed = bpf_map_update_elem(g->fd, &gw->key, &now, BPF_ANY) && errno != E2BIG;
}

void gateways_flush(struct gateways *g)
{
	for (struct gateway *gw = g->list; gw; gw = gw->next)
		if (gw->changed)
			flush(g, gw);
}
