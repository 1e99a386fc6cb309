/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MACs a frame needs, kept as netlink tells of them: of next hops, and of the links themselves. */
#ifndef SIPRTXD_NEIGHBOUR_H
#define SIPRTXD_NEIGHBOUR_H

#include <stdint.h>

#include "netlink.h"

struct mac_key {
	uint32_t ifindex;
	uint8_t addr[16]; /* all zero: the link itself */
};

struct known_mac {
	struct mac_key key;
	uint8_t mac[6];
};

struct neighbours {
	void *tree;
	uint32_t epoch; /* rises with every MAC that is another than before: a slot asks again only then */
	/* what neighbours_next_hop() found last, in this epoch: most frames of a host go to one router */
	struct known_mac last;
	uint32_t last_epoch;
};

void neighbours_free(struct neighbours *n);
void neighbours_learn(struct neighbours *n, const struct netlink_neighbour *told);
void neighbours_learn_link(struct neighbours *n, const struct netlink_link *told);
/* Of the next hop `addr` on the link `ifindex`; NULL: not known. Valid until the next call that learns. */
const uint8_t *neighbours_mac(const struct neighbours *n, uint32_t ifindex, const uint8_t addr[16]);
/*
 * The next hop of what goes to `daddr` on the link by that MAC: `daddr` where it is a neighbour with this MAC, else the
 * one address of its family that has it. NULL: none has, or several have. Valid as above.
 */
const uint8_t *neighbours_next_hop(struct neighbours *n, uint32_t ifindex, const uint8_t mac[6],
				   const uint8_t daddr[16]);
const uint8_t *neighbours_link_mac(const struct neighbours *n, uint32_t ifindex);

#endif
