/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The netlink sockets that questions are asked on, of whatever protocol. */
#ifndef SIPRTX_NETLINK_ASK_H
#define SIPRTX_NETLINK_ASK_H

#include <libmnl/libmnl.h>
#include <stddef.h>

/* `groups`: RTMGRP_* to hear of; `flags`: of socket(2), SOCK_NONBLOCK. The descriptor, or -errno. */
int netlink_open(int protocol, unsigned groups, int flags);
/*
 * Sends a request for a dump, which begins with its struct nlmsghdr, and runs `fn` for each message of the answer. 0,
 * or -errno. A table that changed meanwhile is no error: what was told stands.
 */
int netlink_ask(int fd, const void *request, size_t size, mnl_cb_t fn, void *ctx);

#endif
