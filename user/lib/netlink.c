// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_ask.h"

#define BUFFER_BYTES 32768     /* of changes read at once */
#define QUEUE_BYTES  (4 << 20) /* room for a storm of changes while the reader is busy sending */

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static int on_vlan(const struct nlattr *attr, void *data)
{
	struct netlink_link *l = data;

	if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
		l->vid = mnl_attr_get_u16(attr);
	else if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
		l->tpid = ntohs(mnl_attr_get_u16(attr));
	return MNL_CB_OK;
}

/* The kind comes before the data that is of that kind. */
static int on_link_info(const struct nlattr *attr, void *data)
{
	struct netlink_link *l = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) {
		l->vlan = !strcmp(mnl_attr_get_str(attr), "vlan");
		l->veth = !strcmp(mnl_attr_get_str(attr), "veth");
	} else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && l->vlan) {
		mnl_attr_parse_nested(attr, on_vlan, l);
	}
	return MNL_CB_OK;
}

static void on_link(const struct nlmsghdr *nlh, const struct netlink_handlers *h)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct netlink_link l = {
		.ifindex = info->ifi_index,
		.gone = nlh->nlmsg_type == RTM_DELLINK,
		.wanted_up = nlh->nlmsg_type != RTM_DELLINK && info->ifi_flags & IFF_UP,
		.type = info->ifi_type,
		.tpid = ETH_P_8021Q,
	};
	const struct nlattr *attr;
	bool elsewhere = false;

	if (info->ifi_family != AF_UNSPEC)
		return; /* a bridge telling of its port */
	mnl_attr_for_each(attr, nlh, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			strncpy(l.name, mnl_attr_get_str(attr), sizeof(l.name) - 1);
		else if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == sizeof(l.mac))
			memcpy(l.mac, mnl_attr_get_payload(attr), sizeof(l.mac));
		else if (mnl_attr_get_type(attr) == IFLA_MTU)
			l.mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINK)
			l.parent = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
			elsewhere = true;
		else if (mnl_attr_get_type(attr) == IFLA_MASTER)
			l.master = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			mnl_attr_parse_nested(attr, on_link_info, &l);
	}
	if (elsewhere)
		l.parent = 0;
	l.up = l.wanted_up && info->ifi_flags & IFF_LOWER_UP;
	h->link(h->ctx, &l);
}

static void on_neighbour(const struct nlmsghdr *nlh, const struct netlink_handlers *h)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct netlink_neighbour n = {.ifindex = nd->ndm_ifindex};
	const struct nlattr *attr;
	bool addr = false, mac = false;

	mnl_attr_for_each(attr, nlh, sizeof(*nd))
	{
		const void *data = mnl_attr_get_payload(attr);
		unsigned type = mnl_attr_get_type(attr), length = mnl_attr_get_payload_len(attr);

		if (type == NDA_DST && length == 4) {
			memcpy(n.addr, mapped, sizeof(mapped));
			memcpy(n.addr + sizeof(mapped), data, 4);
			addr = true;
		} else if (type == NDA_DST && length == 16) {
			memcpy(n.addr, data, 16);
			addr = true;
		} else if (type == NDA_LLADDR && length == sizeof(n.mac)) {
			memcpy(n.mac, data, sizeof(n.mac));
			mac = true;
		}
	}
	n.known = mac && nlh->nlmsg_type == RTM_NEWNEIGH && nd->ndm_state & NUD_USABLE;
	if (addr)
		h->neighbour(h->ctx, &n);
}

static void on_tc_gone(const struct nlmsghdr *nlh, const struct netlink_handlers *h)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (h->tc_gone)
		h->tc_gone(h->ctx, tc->tcm_ifindex);
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link(nlh, data);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neighbour(nlh, data);
		break;
	case RTM_DELTFILTER:
	case RTM_DELQDISC:
		on_tc_gone(nlh, data);
		break;
	}
	return MNL_CB_OK;
}

int netlink_listen(void)
{
	int fd = netlink_open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_TC, SOCK_NONBLOCK),
	    bytes = QUEUE_BYTES;

	/* as far as rights allow: too small a queue means another dump, no more */
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return fd;
}

int netlink_read(int fd, const struct netlink_handlers *h)
{
	char buf[BUFFER_BYTES];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0)
		mnl_cb_run(buf, n, 0, 0, on_message, (void *)h);
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static int dump(int fd, uint16_t type, const struct netlink_handlers *h)
{
	struct {
		struct nlmsghdr nlh;
		struct rtgenmsg body;
	} request = {
		.nlh = {.nlmsg_len = sizeof(request), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.rtgen_family = AF_UNSPEC},
	};

	/* what changes meanwhile comes to the listening socket */
	return netlink_ask(fd, &request, sizeof(request), on_message, (void *)h);
}

int netlink_dump(const struct netlink_handlers *h)
{
	int fd = netlink_open(NETLINK_ROUTE, 0, 0), err;

	if (fd < 0)
		return fd;
	err = dump(fd, RTM_GETLINK, h);
	if (!err && h->neighbour)
		err = dump(fd, RTM_GETNEIGH, h);
	close(fd);
	return err;
}
