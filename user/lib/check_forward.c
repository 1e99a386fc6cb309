// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_forward.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach.h"
#include "netlink_ask.h"
#include "ways.h"

static void check_one(const struct config *c, const char *name, struct problems *problems)
{
	enum siprtx_attach mode = attach_state(c->pin_path, name);
	struct ways_bar in, out;

	/* before the first load it shows what can be known by then */
	if (ways_look(name, mode == ATTACH_NONE ? ATTACH_NATIVE : mode, &in, &out))
		return;
	if (*in.why)
		problem_add(problems, PROBLEM_WARNING, config_where(c, "forward"), in.remedy,
			    "%s: what comes by it is left to the kernel's forwarding", in.why);
	if (*out.why && strcmp(in.why, out.why))
		problem_add(problems, PROBLEM_WARNING, config_where(c, "forward"), out.remedy,
			    "%s: what leaves by it is left to the kernel's forwarding", out.why);
}

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct fib_rule_hdr))
	{
		if (mnl_attr_get_type(attr) == FRA_FWMARK && mnl_attr_get_u32(attr))
			*(bool *)data = true;
	}
	return MNL_CB_OK;
}

/* A packet has no mark at XDP. */
static void check_rules(const struct config *c, struct problems *problems)
{
	static const unsigned char families[] = {AF_INET, AF_INET6};
	bool marks = false;

	for (unsigned i = 0; i < 2; i++) {
		struct {
			struct nlmsghdr nlh;
			struct fib_rule_hdr body;
		} request = {
			.nlh = {.nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETRULE,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
			.body = {.family = families[i]},
		};
		int fd = netlink_open(NETLINK_ROUTE, 0, 0);

		if (fd < 0)
			return;
		netlink_ask(fd, &request, sizeof(request), on_rule, &marks);
		close(fd);
	}
	if (marks)
		problem_add(problems, PROBLEM_WARNING, config_where(c, "forward"), "Write forward = kernel",
			    "this host routes by marks (ip rule, fwmark), and what siprtx forwards itself has none");
}

static int on_policy(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	*(bool *)data = true;
	return MNL_CB_OK;
}

static void check_ipsec(const struct config *c, struct problems *problems)
{
	struct {
		struct nlmsghdr nlh;
		struct xfrm_userpolicy_id body;
	} request = {
		.nlh = {.nlmsg_len = sizeof(request),
			.nlmsg_type = XFRM_MSG_GETPOLICY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	};
	int fd = netlink_open(NETLINK_XFRM, 0, 0);
	bool any = false;

	if (fd < 0)
		return; /* a kernel without it */
	netlink_ask(fd, &request, sizeof(request), on_policy, &any);
	close(fd);
	if (any)
		problem_add(
			problems, PROBLEM_WARNING, config_where(c, "forward"), "Write forward = kernel",
			"this host has IPsec policies (ip xfrm policy), and what siprtx forwards itself meets none of "
			"them");
}

void check_forward(const struct config *c, struct problems *problems)
{
	if (c->forward == FORWARD_KERNEL)
		return;
	for (unsigned i = 0; i < c->n_inside; i++)
		check_one(c, c->inside[i], problems);
	for (unsigned i = 0; i < c->n_outside; i++)
		check_one(c, c->outside[i], problems);
	check_rules(c, problems);
	check_ipsec(c, problems);
}
