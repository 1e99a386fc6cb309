// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

struct link {
	unsigned short type; /* ARPHRD_* */
	unsigned flags;	     /* IFF_* */
	unsigned parent;     /* ifindex, 0: none */
	bool vlan;
};

static int read_kind(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		link->vlan = !strcmp(mnl_attr_get_str(attr), "vlan");
	return MNL_CB_OK;
}

static int read_attr(const struct nlattr *attr, void *data)
{
	struct link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_LINK)
		link->parent = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attr, read_kind, data);
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct link *link = data;

	link->type = info->ifi_type;
	link->flags = info->ifi_flags;
	return mnl_attr_parse(message, sizeof(*info), read_attr, data) == MNL_CB_OK ? MNL_CB_STOP : MNL_CB_ERROR;
}

/* 0 or -errno; -ENODEV: there is none of that name. */
static int ask(struct mnl_socket *netlink, const char *name, struct link *out)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	struct link link = {0};
	ssize_t n;

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (mnl_socket_sendto(netlink, message, message->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, n, 0, mnl_socket_get_portid(netlink), read_link, &link) < 0)
		return -errno;
	*out = link;
	return 0;
}

static void check_one(struct mnl_socket *netlink, const char *name, const char *key, struct problems *problems)
{
	char remedy[128], parent[IFNAMSIZ];
	struct link link = {0};
	int err = ask(netlink, name, &link);

	if (err == -ENODEV) {
		problem_add(problems, PROBLEM_ERROR, key, "Take the name from the output of: ip link",
			    "there is no interface %s", name);
	} else if (err) {
		problem_add(problems, PROBLEM_ERROR, key, NULL, "interface %s cannot be looked at: %s", name,
			    strerror(-err));
	} else if (link.type != ARPHRD_ETHER) {
		problem_add(problems, PROBLEM_ERROR, key, "Name an Ethernet interface", "%s carries no Ethernet", name);
	} else if (link.vlan) {
		/* a parent in another network namespace has no name here */
		if (link.parent && if_indextoname(link.parent, parent))
			snprintf(remedy, sizeof(remedy), "Name its parent, %s: siprtx reads the tags itself", parent);
		else
			snprintf(remedy, sizeof(remedy), "Name its parent: siprtx reads the tags itself");
		problem_add(problems, PROBLEM_ERROR, key, remedy, "%s is a VLAN device", name);
	} else if (!(link.flags & IFF_UP)) {
		snprintf(remedy, sizeof(remedy), "Run: ip link set %s up", name);
		problem_add(problems, PROBLEM_WARNING, key, remedy, "%s is down", name);
	}
}

void check_links(const struct config *c, struct problems *problems)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
		problem_add(problems, PROBLEM_ERROR, "interfaces", NULL, "netlink cannot be asked: %s",
			    strerror(errno));
	} else {
		for (unsigned i = 0; i < c->n_inside; i++)
			check_one(netlink, c->inside[i], "inside", problems);
		for (unsigned i = 0; i < c->n_outside; i++)
			check_one(netlink, c->outside[i], "outside", problems);
	}
	if (netlink)
		mnl_socket_close(netlink);
}
