// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* tdestroy, twalk_r */
#include "neighbour.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t link_itself[16];

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac_key)); /* the key comes first in a struct known_mac */
}

static struct mac_key key_of(uint32_t ifindex, const uint8_t addr[16])
{
	struct mac_key key = {.ifindex = ifindex};

	memcpy(key.addr, addr, sizeof(key.addr));
	return key;
}

static void forget(struct neighbours *n, const struct mac_key *key)
{
	struct known_mac **found = tfind(key, &n->tree, by_key), *e;

	if (!found)
		return;
	e = *found;
	tdelete(e, &n->tree, by_key);
	free(e);
	n->epoch++;
}

static void learn(struct neighbours *n, const struct mac_key *key, const uint8_t mac[6], uint32_t mtu)
{
	struct known_mac **found = tfind(key, &n->tree, by_key), *e;

	if (found && !memcmp((*found)->mac, mac, sizeof((*found)->mac)) && (*found)->mtu == mtu)
		return;
	n->epoch++;
	if (found) {
		memcpy((*found)->mac, mac, sizeof((*found)->mac));
		(*found)->mtu = mtu;
		return;
	}
	/* without memory it stays unknown: the frame then keeps the MAC it has */
	e = malloc(sizeof(*e));
	if (!e)
		return;
	e->key = *key;
	memcpy(e->mac, mac, sizeof(e->mac));
	e->mtu = mtu;
	if (!tsearch(e, &n->tree, by_key))
		free(e);
}

void neighbours_learn(struct neighbours *n, const struct netlink_neighbour *told)
{
	struct mac_key key = key_of(told->ifindex, told->addr);

	if (told->known)
		learn(n, &key, told->mac, 0);
	else
		forget(n, &key);
}

void neighbours_learn_link(struct neighbours *n, const struct netlink_link *told)
{
	struct mac_key key = key_of(told->ifindex, link_itself);

	if (told->gone)
		forget(n, &key);
	else
		learn(n, &key, told->mac, told->mtu);
}

const uint8_t *neighbours_mac(const struct neighbours *n, uint32_t ifindex, const uint8_t addr[16])
{
	struct mac_key key = key_of(ifindex, addr);
	struct known_mac **found = tfind(&key, &n->tree, by_key);

	return found ? (*found)->mac : NULL;
}

struct search {
	uint32_t ifindex;
	const uint8_t *mac;
	bool ipv4;
	const uint8_t *addr;
	unsigned found;
};

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(addr, mapped, sizeof(mapped));
}

static void look(const void *node, VISIT visit, void *data)
{
	const struct known_mac *e = *(struct known_mac *const *)node;
	struct search *s = data;

	if ((visit != postorder && visit != leaf) || e->key.ifindex != s->ifindex ||
	    memcmp(e->mac, s->mac, sizeof(e->mac)) || !memcmp(e->key.addr, link_itself, sizeof(link_itself)) ||
	    is_ipv4(e->key.addr) != s->ipv4)
		return;
	s->addr = e->key.addr;
	s->found++;
}

const uint8_t *neighbours_next_hop(struct neighbours *n, uint32_t ifindex, const uint8_t mac[6],
				   const uint8_t daddr[16])
{
	const uint8_t *direct = neighbours_mac(n, ifindex, daddr);
	struct search s = {.ifindex = ifindex, .mac = mac, .ipv4 = is_ipv4(daddr)};

	if (direct && !memcmp(direct, mac, sizeof(n->last.mac)))
		return daddr;
	if (n->last_epoch == n->epoch && n->last.key.ifindex == ifindex && is_ipv4(n->last.key.addr) == s.ipv4 &&
	    !memcmp(n->last.mac, mac, sizeof(n->last.mac)))
		return n->last.key.addr;
	twalk_r(n->tree, look, &s);
	if (s.found != 1)
		return NULL;
	n->last.key = key_of(ifindex, s.addr);
	memcpy(n->last.mac, mac, sizeof(n->last.mac));
	n->last_epoch = n->epoch;
	return n->last.key.addr;
}

const uint8_t *neighbours_link_mac(const struct neighbours *n, uint32_t ifindex)
{
	return neighbours_mac(n, ifindex, link_itself);
}

uint32_t neighbours_link_mtu(const struct neighbours *n, uint32_t ifindex)
{
	struct mac_key key = key_of(ifindex, link_itself);
	struct known_mac **found = tfind(&key, &n->tree, by_key);

	return found && (*found)->mtu ? (*found)->mtu : UINT32_MAX;
}

void neighbours_free(struct neighbours *n)
{
	tdestroy(n->tree, free);
	n->tree = NULL;
}
