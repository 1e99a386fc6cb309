/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of a configuration, asked for by netlink: /sys shows another network namespace under nsenter --net. */
#ifndef SIPRTX_CHECK_LINK_H
#define SIPRTX_CHECK_LINK_H

#include "config.h"
#include "problem.h"

/* Error: not there, no Ethernet, a VLAN device. Warning: down. */
/* Error: another XDP program is on one of them, and none of siprtx's; another filter in the place of siprtx's. */
void check_attached(const struct config *c, struct problems *problems);
void check_links(const struct config *c, struct problems *problems);

#endif
