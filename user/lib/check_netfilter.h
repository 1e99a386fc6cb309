/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_CHECK_NETFILTER_H
#define SIPRTX_CHECK_NETFILTER_H

#include "config.h"
#include "problem.h"

/*
 * Warns where messages are taken at XDP, before netfilter, and netfilter of this host translates addresses or filters
 * what is forwarded: the copies know nothing of either. With forward = xdp of any rule: what is redirected meets none.
 * Its rules can be asked for with CAP_NET_ADMIN alone; without it conntrack at work is the sign.
 */
void check_netfilter(const struct config *c, struct problems *problems);

#endif
