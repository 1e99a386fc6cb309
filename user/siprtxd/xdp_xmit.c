// SPDX-License-Identifier: GPL-2.0-or-later
#include "xdp_xmit.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_ask.h"

/* linux/netdev.h, which headers of before 6.3 do not have */
#define NETDEV_FAMILY	  "netdev"
#define CMD_DEV_GET	  1
#define ATTR_IFINDEX	  1
#define ATTR_XDP_FEATURES 3
#define XDP_ACT_NDO_XMIT  (1u << 2)

struct answer {
	uint16_t attr; /* wanted */
	uint64_t value;
	int found;
};

static int take(const struct nlmsghdr *nlh, void *data)
{
	struct answer *a = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) != a->attr)
			continue;
		a->found = 1;
		a->value = mnl_attr_get_payload_len(attr) == sizeof(uint16_t) ? mnl_attr_get_u16(attr)
									      : mnl_attr_get_u64(attr);
	}
	return MNL_CB_STOP;
}

static struct nlmsghdr *request(char *buf, uint16_t family, uint8_t command)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = 1;
	return nlh;
}

static int ask(int fd, const struct nlmsghdr *nlh, struct answer *a)
{
	int err = netlink_ask(fd, nlh, nlh->nlmsg_len, take, a);

	return err ?: a->found ? 0 : -ENOENT;
}

int xdp_xmit_ready(uint32_t ifindex)
{
	struct answer family = {.attr = CTRL_ATTR_FAMILY_ID}, features = {.attr = ATTR_XDP_FEATURES};
	int fd = netlink_open(NETLINK_GENERIC, 0, 0), err;
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;

	if (fd < 0)
		return 0;
	nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	err = ask(fd, nlh, &family);
	if (!err) {
		nlh = request(buf, family.value, CMD_DEV_GET);
		mnl_attr_put_u32(nlh, ATTR_IFINDEX, ifindex);
		err = ask(fd, nlh, &features);
	}
	close(fd);
	return !err && !(features.value & XDP_ACT_NDO_XMIT) ? -EOPNOTSUPP : 0;
}
