/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTX_CHECK_FORWARD_H
#define SIPRTX_CHECK_FORWARD_H

#include "config.h"
#include "problem.h"

/*
 * With forward = xdp: from or to which interfaces is nothing redirected, and what does this host do with what it
 * forwards that a redirect would leave out (IPsec, routing by marks)? Netfilter: check_netfilter.h. IPsec's policies
 * can be asked for with CAP_NET_ADMIN alone.
 */
void check_forward(const struct config *c, struct problems *problems);

#endif
