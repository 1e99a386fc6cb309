/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver's XDP can do, as the kernel's netlink family `netdev` tells (Linux 6.3). */
#ifndef SIPRTX_XDP_FEATURES_H
#define SIPRTX_XDP_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#define XDP_FEATURE_NDO_XMIT 4 /* NETDEV_XDP_ACT_NDO_XMIT: takes what is redirected to it */

/* NETDEV_XDP_ACT_* of an interface of this network namespace. 0; -EOPNOTSUPP: this kernel does not tell; -errno. */
int xdp_features(uint32_t ifindex, uint64_t *features);
/* A non-blocking socket that hears when they change. The fd, or -errno as above. */
int xdp_features_listen(void);
/* Has something come in since? It is read. */
bool xdp_features_changed(int fd);

#endif
