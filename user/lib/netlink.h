/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and neighbours as rtnetlink tells of them: all of them once, then each change; and what is taken off at TC. */
#ifndef SIPRTX_NETLINK_H
#define SIPRTX_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	bool gone;
	bool wanted_up;	 /* administratively */
	bool up;	 /* that, and with a carrier */
	uint16_t type;	 /* ARPHRD_* */
	uint32_t mtu;	 /* bytes of an IP packet; 0: not told */
	uint32_t parent; /* ifindex of what it stands on, 0: nothing, or something in another network namespace */
	uint32_t master; /* ifindex of the bridge, bond or VRF it belongs to, 0: none */
	bool veth;
	bool vlan;
	uint16_t tpid, vid; /* of a VLAN device, host order */
};

struct netlink_neighbour {
	uint32_t ifindex;
	uint8_t addr[16]; /* network order, IPv4-mapped */
	uint8_t mac[6];
	bool known; /* the MAC may be used */
};

struct netlink_handlers {
	void (*link)(void *ctx, const struct netlink_link *l);
	/* NULL: a dump leaves the neighbours out */
	void (*neighbour)(void *ctx, const struct netlink_neighbour *n);
	/* a filter or a qdisc was taken off this interface; no part of a dump */
	void (*tc_gone)(void *ctx, uint32_t ifindex);
	void *ctx;
};

/* A non-blocking socket of this network namespace that hears of every change. The fd, close()d by the caller; or
 * -errno. */
int netlink_listen(void);
/*
 * Hands on what has come in. 0 when nothing is left; -ENOBUFS: the kernel had to drop some, dump again; -errno.
 */
int netlink_read(int fd, const struct netlink_handlers *h);
/* Every link and every neighbour there is. Waits for the kernel's answer. 0 or -errno. */
int netlink_dump(const struct netlink_handlers *h);

#endif
