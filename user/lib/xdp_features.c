// SPDX-License-Identifier: GPL-2.0-or-later
#include "xdp_features.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_ask.h"

/* of <linux/netdev.h>, which the headers of Linux 6.1 do not have */
#define FAMILY	     "netdev"
#define GROUP	     "mgmt"
#define DEV_GET	     1 /* NETDEV_CMD_DEV_GET */
#define DEV_IFINDEX  1 /* NETDEV_A_DEV_IFINDEX */
#define DEV_FEATURES 3 /* NETDEV_A_DEV_XDP_FEATURES */

struct family {
	uint16_t id;
	uint32_t group;
};

struct group {
	uint32_t id;
	bool wanted;
};

static int on_group(const struct nlattr *attr, void *data)
{
	struct group *g = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
		g->id = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
		g->wanted = !strcmp(mnl_attr_get_str(attr), GROUP);
	return MNL_CB_OK;
}

static int on_groups(const struct nlattr *attr, void *data)
{
	struct group g = {};

	mnl_attr_parse_nested(attr, on_group, &g);
	if (g.wanted)
		*(uint32_t *)data = g.id;
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	struct family *f = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			f->id = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			mnl_attr_parse_nested(attr, on_groups, &f->group);
	}
	return MNL_CB_OK;
}

struct asked {
	uint32_t ifindex;
	uint64_t features;
	int err;
};

static int on_device(const struct nlmsghdr *nlh, void *data)
{
	struct asked *a = data;
	const struct nlattr *attr;
	uint64_t features = 0;
	uint32_t ifindex = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == DEV_IFINDEX)
			ifindex = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == DEV_FEATURES)
			features = mnl_attr_get_u64(attr);
	}
	if (ifindex == a->ifindex) {
		a->features = features;
		a->err = 0;
	}
	return MNL_CB_OK;
}

/* One command with one attribute at most, which is a string or a number. */
struct request {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	struct nlattr attr;
	char value[8];
};

static int ask(int fd, uint16_t type, uint16_t flags, uint8_t command, const char *name, mnl_cb_t fn, void *ctx)
{
	struct request r = {
		.nlh = {.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN)},
		.genl = {.cmd = command, .version = 1},
	};

	if (name) {
		r.attr.nla_type = CTRL_ATTR_FAMILY_NAME;
		r.attr.nla_len = sizeof(r.attr) + strlen(name) + 1;
		memcpy(r.value, name, strlen(name) + 1);
		r.nlh.nlmsg_len = sizeof(r);
	}
	return netlink_ask(fd, &r, r.nlh.nlmsg_len, fn, ctx);
}

/* NLM_F_ACK ends an answer that is no dump. */
static int find_family(int fd, struct family *f)
{
	int err = ask(fd, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, FAMILY, on_family, f);

	return err == -ENOENT || (!err && !f->id) ? -EOPNOTSUPP : err;
}

int xdp_features(uint32_t ifindex, uint64_t *features)
{
	struct asked a = {.ifindex = ifindex, .err = -ENODEV};
	struct family f = {};
	int fd = netlink_open(NETLINK_GENERIC, 0, 0), err;

	if (fd < 0)
		return fd;
	err = find_family(fd, &f) ?: ask(fd, f.id, NLM_F_DUMP, DEV_GET, NULL, on_device, &a) ?: a.err;
	if (!err)
		*features = a.features;
	close(fd);
	return err;
}

int xdp_features_listen(void)
{
	int fd = netlink_open(NETLINK_GENERIC, 0, 0), err;
	struct family f = {};

	if (fd < 0)
		return fd;
	err = find_family(fd, &f);
	if (!err && !f.group)
		err = -EOPNOTSUPP;
	if (!err && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &f.group, sizeof(f.group)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

bool xdp_features_changed(int fd)
{
	bool changed = false;
	char buf[8192];

	/* ENOBUFS: some were dropped, so there were some; a storm of them is for the next time */
	for (int i = 0; i < 64 && (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS); i++)
		changed = true;
	return changed;
}
