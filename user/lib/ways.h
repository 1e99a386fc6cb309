/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward = xdp: the map `ways`, how frames come in and packets leave by siprtx's interfaces and the VLANs on them. */
#ifndef SIPRTX_WAYS_H
#define SIPRTX_WAYS_H

#include "abi.h"

/* One direction of an interface: empty where a redirect goes that way, else why it does not and what mends it. */
struct ways_bar {
	char why[120], remedy[120];
};

/*
 * Makes the map `ways_fd` say what the links of this network namespace are now, for the interfaces of `meta` and the
 * VLAN devices on them; empty where `forward` is FORWARD_KERNEL. Asks netlink, ethtool's ioctl and /proc/sys. 0 or
 * -errno; the map may then be partly renewed.
 */
int ways_refresh(int ways_fd, const struct siprtx_meta *meta, enum siprtx_forward forward);
/* Why nothing is redirected from (*in) or to (*out) an interface whose program is attached in this mode. 0 or -errno.
 */
int ways_look(const char *ifname, enum siprtx_attach attach, struct ways_bar *in, struct ways_bar *out);

#endif
