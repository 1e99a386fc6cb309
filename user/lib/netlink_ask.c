// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink_ask.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 32768 /* what the kernel fills one answer of a dump up to */

int netlink_open(int protocol, unsigned groups, int flags)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
	int err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int netlink_ask(int fd, const void *request, size_t size, mnl_cb_t fn, void *ctx)
{
	char buf[BUFFER_BYTES];
	ssize_t n;
	int more;

	if (send(fd, request, size, 0) < 0)
		return -errno;
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		more = n < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, n, 0, 0, fn, ctx);
	} while (more > MNL_CB_STOP);
	return more == MNL_CB_STOP || errno == EINTR ? 0 : -errno;
}
