/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MACs a frame needs, kept as netlink tells of them: of next hops, and of the links themselves. */
#ifndef SIPRTXD_NEIGHBOUR_H
#define SIPRTXD_NEIGHBOUR_H

#include <stdint.h>

#include "netlink.h"

struct neighbours {
	void *tree;
	uint32_t epoch; /* rises with every MAC that is another than before: a slot asks again only then */
};

void neighbours_free(struct neighbours *n);
void neighbours_learn(struct neighbours *n, const struct netlink_neighbour *told);
void neighbours_learn_link(struct neighbours *n, const struct netlink_link *told);
/* Of the next hop `addr` on the link `ifindex`; NULL: not known. Valid until the next call that learns. */
const uint8_t *neighbours_mac(const struct neighbours *n, uint32_t ifindex, const uint8_t addr[16]);
const uint8_t *neighbours_link_mac(const struct neighbours *n, uint32_t ifindex);

#endif
