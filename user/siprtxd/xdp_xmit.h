/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does an interface send the XDP frames that are redirected to it? */
#ifndef SIPRTXD_XDP_XMIT_H
#define SIPRTXD_XDP_XMIT_H

#include <stdint.h>

/*
 * Asks the kernel, over the generic netlink family "netdev" (Linux 6.3 and later). 0: it does, or the kernel cannot
 * tell; -EOPNOTSUPP: it does not, now. A veth does while its peer has GRO on or an XDP program.
 */
int xdp_xmit_ready(uint32_t ifindex);

#endif
