// SPDX-License-Identifier: GPL-2.0-or-later
#include "seed.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "hash.h"
#include "schedule.h"

/*
 * Ended calls leave their key behind for 32 s: three more for each slot. Then 60 entries of a hundred are taken, and
 * one key in some thousand finds no room (txn_table.h).
 */
#define KEYS_PER_TRANSACTION 4
#define KEYS_PER_BUCKET	     3

static const __u32 zero;

__u32 seed_slots(const struct config *c, int cpus)
{
	return c->max_transactions + cpus;
}

__u32 seed_txns(const struct config *c)
{
	return c->max_transactions * KEYS_PER_TRANSACTION / KEYS_PER_BUCKET + 1;
}

static int read_boot_id(char *out, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return -errno;
	if (fgets(out, size, f))
		out[strcspn(out, "\n")] = '\0';
	fclose(f);
	return 0;
}

int seed_new(struct pins *p, const struct config *c)
{
	struct siprtx_hash_key key;
	__u32 n = p->entries[PIN_slots];

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -errno;
	if (bpf_map_update_elem(p->fd[PIN_hash_key], &zero, &key, BPF_ANY))
		return -errno;
	for (__u32 i = 0; i < n; i++)
		*pins_u32(p->free_slots, i) = i + 1 < n ? i + 2 : 0;
	*p->free_head = free_head_moved(0, 1);
	p->meta->slots = n;
	p->meta->transactions = c->max_transactions;
	p->meta->next_seq = p->meta->next_event = 1;
	read_boot_id(p->meta->boot_id, sizeof(p->meta->boot_id));
	p->meta->abi = SIPRTX_ABI;
	return 0;
}

static void configured_values(const struct config *c, struct siprtx_in_force *v)
{
	static const __u32 tunable_default[MAX_TUNABLES] = {
#define TUNABLE(number, name, def, min, max, unit, help) [number] = def,
#include "tunables.def"
#undef TUNABLE
	};

	memset(v, 0, sizeof(*v));
	for (unsigned i = 0; i < MAX_PROFILES; i++)
		if (c->profile[i].name[0])
			memcpy(v->profiles + i * PROFILE_FIELDS, c->profile[i].field, sizeof(c->profile[i].field));
	memcpy(v->tunables, tunable_default, sizeof(tunable_default));
}

static void write_values(struct pins *p, const struct siprtx_in_force *now, const struct siprtx_in_force *before)
{
	for (unsigned i = 0; i < MAX_PROFILES * PROFILE_FIELDS; i++)
		if (now->profiles[i] != before->profiles[i])
			*pins_u32(p->profiles, i) = p->in_force->profiles[i] = now->profiles[i];
	for (unsigned i = 0; i < MAX_TUNABLES; i++)
		if (now->tunables[i] != before->tunables[i])
			*pins_u32(p->tunables, i) = p->in_force->tunables[i] = now->tunables[i];
}

static int write_names(struct pins *p, const struct config *c)
{
	for (__u32 i = 0; i < MAX_PROFILES; i++) {
		struct siprtx_name name = {};

		memcpy(name.name, c->profile[i].name, sizeof(name.name));
		if (bpf_map_update_elem(p->fd[PIN_profile_names], &i, &name, BPF_ANY))
			return -errno;
	}
	return 0;
}

static void clear_gateways(struct pins *p)
{
	struct siprtx_gateway_key key, next;
	struct siprtx_prefix prefix;
	struct siprtx_gateway g;
	bool more;

	while (!bpf_map_get_next_key(p->fd[PIN_gw_profile], NULL, &prefix))
		if (bpf_map_delete_elem(p->fd[PIN_gw_profile], &prefix))
			break;
	more = !bpf_map_get_next_key(p->fd[PIN_gateways], NULL, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(p->fd[PIN_gateways], &key, &next);
		if (bpf_map_lookup_elem(p->fd[PIN_gateways], &key, &g))
			continue;
		g.profile = NO_PROFILE;
		g.on_exhausted = 0;
		g.on_down = 0;
		memset(g.name, 0, sizeof(g.name));
		memset(g.group, 0, sizeof(g.group));
		bpf_map_update_elem(p->fd[PIN_gateways], &key, &g, BPF_EXIST);
	}
}

static int write_gateway(struct pins *p, const struct config_gateway *g)
{
	if (g->port) {
		struct siprtx_gateway_key key = {.port = g->port};
		struct siprtx_gateway value = {.last_retry_after = NO_RETRY_AFTER};

		memcpy(key.addr, g->addr, sizeof(key.addr));
		bpf_map_lookup_elem(p->fd[PIN_gateways], &key, &value);
		value.profile = g->profile;
		value.on_exhausted = g->on_exhausted;
		value.on_down = g->on_down;
		memcpy(value.name, g->name, sizeof(value.name));
		memcpy(value.group, g->group, sizeof(value.group));
		return bpf_map_update_elem(p->fd[PIN_gateways], &key, &value, BPF_ANY) ? -errno : 0;
	} else {
		struct siprtx_prefix prefix = {.prefixlen = g->prefixlen};

		memcpy(prefix.addr, g->addr, sizeof(prefix.addr));
		return bpf_map_update_elem(p->fd[PIN_gw_profile], &prefix, &g->profile, BPF_ANY) ? -errno : 0;
	}
}

int seed_values(struct pins *p, const struct config *c, __u64 load_hash)
{
	struct siprtx_configured before, now = {.load_hash = load_hash};
	int err;

	if (bpf_map_lookup_elem(p->fd[PIN_configured], &zero, &before))
		return -errno;
	configured_values(c, &now.values);
	now.gateways_hash = hash_bytes(HASH_START, c->gateway, c->n_gateways * sizeof(*c->gateway));
	write_values(p, &now.values, &before.values);
	err = write_names(p, c);
	if (!err && now.gateways_hash != before.gateways_hash) {
		clear_gateways(p);
		for (unsigned i = 0; i < c->n_gateways && !err; i++)
			err = write_gateway(p, &c->gateway[i]);
	}
	if (!err && bpf_map_update_elem(p->fd[PIN_configured], &zero, &now, BPF_ANY))
		err = -errno;
	return err;
}
