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

static struct group *find_group(const struct gateways *g, const char *name)
{
	struct group *group = g->groups;

	while (group && strcmp(group->name, name))
		group = group->next;
	return group;
}

/* All groups there are, with none of their gateways called yet. 0 or -ENOMEM. */
static int make_groups(struct gateways *g)
{
	g->called = calloc(g->config->n_gateways + 1, sizeof(*g->called));
	if (!g->called)
		return -ENOMEM;
	for (unsigned i = 0; i < g->config->n_gateways; i++) {
		const char *name = g->config->gateway[i].group;
		struct group *group = find_group(g, name);

		if (!*name)
			continue;
		if (!group) {
			group = calloc(1, sizeof(*group));
			if (!group)
				return -ENOMEM;
			strcpy(group->name, name);
			group->next = g->groups;
			g->groups = group;
		}
		group->uncalled++;
	}
	return 0;
}

static void join_group(struct gateways *g, struct gateway *gw, const struct config_gateway *config)
{
	bool *called = &g->called[config - g->config->gateway];

	gw->group = find_group(g, config->group);
	if (!gw->group)
		return;
	gw->group->uncalled -= !*called;
	*called = true;
	gw->member.next = gw->group->members;
	gw->group->members = &gw->member;
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
		join_group(g, new, config);
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
	if (make_groups(g))
		return -ENOMEM;
	while (!bpf_map_get_next_key(g->fd, from, &key)) {
		struct gateway *known = bpf_map_lookup_elem(g->fd, &key, &value) ? NULL : add(g, &key);

		if (known) {
			/* the configuration may be another than when it was written: the load cleared the name then */
			if (!*value.name && *known->value.name) {
				value.on_exhausted = known->value.on_exhausted;
				value.on_down = known->value.on_down;
			}
			strcpy(value.name, known->value.name);
			strcpy(value.group, known->value.group);
			bpf_map_update_elem(g->fd, &key, &value, BPF_EXIST);
			known->value = value;
		}
		from = &key;
	}
	return 0;
}

void gateways_close(struct gateways *g)
{
	struct group *group;

	tdestroy(g->tree, free);
	g->tree = g->list = g->look = NULL;
	while ((group = g->groups)) {
		g->groups = group->next;
		free(group);
	}
	free(g->called);
	g->called = NULL;
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

struct gateway *gateways_look(struct gateways *g)
{
	struct gateway *gw = g->look ?: g->list;
	struct siprtx_gateway there;
	bool other;

	if (!gw)
		return NULL;
	g->look = gw->next;
	if (bpf_map_lookup_elem(g->fd, &gw->key, &there))
		return NULL;
	gw->changed |= there.state != gw->value.state || there.bypass != gw->value.bypass;
	other = there.admin != gw->value.admin || there.on_down != gw->value.on_down;
	gw->value.admin = there.admin;
	gw->value.on_down = there.on_down;
	gw->value.on_exhausted = there.on_exhausted;
	gw->changed |= other; /* who wrote them wrote the counts of a moment ago beside them */
	return other ? gw : NULL;
}

void gateways_write(struct gateways *g, struct gateway *gw)
{
	struct siprtx_gateway now = gw->value, there;

	if (!bpf_map_lookup_elem(g->fd, &gw->key, &there)) {
		now.profile = there.profile;
		now.on_exhausted = gw->value.on_exhausted = there.on_exhausted;
		now.on_down = there.on_down;
		now.admin = there.admin;
		/* cleared by a load of another configuration: the next start sees by it what it says now */
		memcpy(now.name, there.name, sizeof(now.name));
		memcpy(now.group, there.group, sizeof(now.group));
	}
	/* an operator's write in between is one he sees undone; kept where it fails, tried the next time */
	gw->changed = bpf_map_update_elem(g->fd, &gw->key, &now, BPF_ANY) && errno != E2BIG;
}

void gateways_flush(struct gateways *g)
{
	for (struct gateway *gw = g->list; gw; gw = gw->next)
		if (gw->changed)
			gateways_write(g, gw);
}
