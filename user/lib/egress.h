/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interfaces lead outside: the `egress` map, from ifindex to {outside interface, VLAN tags}. */
#ifndef SIPRTX_EGRESS_H
#define SIPRTX_EGRESS_H

#include "abi.h"

/*
 * Makes the map `egress_fd` say what the links of this network namespace are now: each outside interface of
 * `meta`, the VLAN devices on it (802.1Q or 802.1ad) and the VLAN devices on those. Entries of links
 * that are gone go. Asks netlink. Returns 0 or -errno; the map may then be partly renewed.
 */
int egress_refresh(int egress_fd, const struct siprtx_meta *meta);

#endif
