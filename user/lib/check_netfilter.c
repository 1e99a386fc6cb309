// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_netfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conntrack.h"
#include "netlink_ask.h"

struct chain {
	char table[40], name[40], type[16];
	uint32_t hook, rules, policy;
	bool base;
};

struct found {
	char nat[112], filter[112], other[112]; /* the first of each, in words; empty: none */
};

static int on_hook(const struct nlattr *attr, void *data)
{
	struct chain *c = data;

	if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM) {
		c->hook = ntohl(mnl_attr_get_u32(attr));
		c->base = true;
	}
	return MNL_CB_OK;
}

static void read_attribute(const struct nlattr *attr, struct chain *c)
{
	switch (mnl_attr_get_type(attr)) {
	case NFTA_CHAIN_TABLE:
		snprintf(c->table, sizeof(c->table), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_CHAIN_NAME:
		snprintf(c->name, sizeof(c->name), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_CHAIN_TYPE:
		snprintf(c->type, sizeof(c->type), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_CHAIN_HOOK:
		mnl_attr_parse_nested(attr, on_hook, c);
		break;
	case NFTA_CHAIN_USE:
		c->rules = ntohl(mnl_attr_get_u32(attr));
		break;
	case NFTA_CHAIN_POLICY:
		c->policy = ntohl(mnl_attr_get_u32(attr));
		break;
	}
}

static int on_chain(const struct nlmsghdr *nlh, void *data)
{
	const struct nfgenmsg *nf = mnl_nlmsg_get_payload(nlh);
	struct chain c = {.policy = NF_ACCEPT};
	struct found *found = data;
	const struct nlattr *attr;

	/* at the ingress or egress of a device */
	if (nf->nfgen_family == NFPROTO_NETDEV) {
		mnl_attr_for_each(attr, nlh, sizeof(*nf))
		{
			read_attribute(attr, &c);
		}
		if (c.base && (c.rules || c.policy == NF_DROP) && !*found->other)
			snprintf(found->other, sizeof(found->other), "nftables chain %s of table %s", c.name, c.table);
		return MNL_CB_OK;
	}
	if (nf->nfgen_family != NFPROTO_IPV4 && nf->nfgen_family != NFPROTO_IPV6 && nf->nfgen_family != NFPROTO_INET)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*nf))
	{
		read_attribute(attr, &c);
	}
	if (c.base && !strcmp(c.type, "nat") && c.rules && !*found->nat)
		snprintf(found->nat, sizeof(found->nat), "nftables chain %s of table %s", c.name, c.table);
	if (c.base && !strcmp(c.type, "filter") && c.hook == NF_INET_FORWARD && (c.rules || c.policy == NF_DROP) &&
	    !*found->filter)
		snprintf(found->filter, sizeof(found->filter), "nftables chain %s of table %s", c.name, c.table);
	/* mangle, raw, and whatever filters before or after */
	else if (c.base && strcmp(c.type, "nat") && (c.rules || c.policy == NF_DROP) && !*found->other &&
		 (c.hook == NF_INET_PRE_ROUTING || c.hook == NF_INET_FORWARD || c.hook == NF_INET_POST_ROUTING))
		snprintf(found->other, sizeof(found->other), "nftables chain %s of table %s", c.name, c.table);
	return MNL_CB_OK;
}

/* 0, or -errno: -EPERM without CAP_NET_ADMIN, -EINVAL or -EPROTONOSUPPORT on a kernel without nftables. */
static int ask_nftables(struct found *found)
{
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg body;
	} request = {
		.nlh = {.nlmsg_len = sizeof(request),
			.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0},
	};
	int fd = netlink_open(NETLINK_NETFILTER, 0, 0), err;

	if (fd < 0)
		return fd;
	err = netlink_ask(fd, &request, sizeof(request), on_chain, found);
	close(fd);
	return err;
}

/* The older iptables has tables of its own, whose rules cannot be asked for so; the file is root's. */
static void ask_iptables(struct found *found)
{
	static const char *const files[] = {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"};
	char table[32];

	for (unsigned i = 0; i < 2 && !*found->nat; i++) {
		FILE *f = fopen(files[i], "re");

		while (f && fgets(table, sizeof(table), f)) {
			table[strcspn(table, "\n")] = '\0';
			if (!strcmp(table, "nat"))
				snprintf(found->nat, sizeof(found->nat), "iptables table nat");
			else
				snprintf(found->other, sizeof(found->other), "iptables table %s", table);
		}
		if (f)
			fclose(f);
	}
}

/* What forward = xdp redirects meets no netfilter at all, in no hook. */
static void check_redirected(const struct config *c, const struct found *found, struct problems *problems)
{
	const char *what = *found->nat ? found->nat : *found->filter ? found->filter : found->other;

	if (c->forward != FORWARD_KERNEL && *what)
		problem_add(
			problems, PROBLEM_WARNING, config_where(c, "forward"),
			"Write forward = kernel, or take the rules away where they are not needed",
			"netfilter of this host has rules (%s), and %s that siprtx forwards itself meets none of them",
			what, c->forward == FORWARD_XDP_ALL ? "what" : "SIP");
}

void check_netfilter(const struct config *c, struct problems *problems)
{
	static const char remedy[] = "Write capture = egress: messages are taken behind netfilter then, as they leave";
	struct found found = {};
	struct conntrack tracked = {};
	int err;

	if (c->mode != MODE_INLINE || config_takes_egress(c))
		return;
	err = ask_nftables(&found);
	ask_iptables(&found);
	if (err == -EPERM)
		conntrack_read(&tracked);
	check_redirected(c, &found, problems);
	if (*found.nat)
		problem_add(problems, PROBLEM_WARNING, "netfilter", remedy,
			    "this host translates addresses (%s), and the copies siprtx sends are not translated",
			    found.nat);
	else if (*found.filter)
		problem_add(problems, PROBLEM_WARNING, "netfilter", remedy,
			    "this host filters what it forwards (%s), and the copies siprtx sends pass no filter",
			    found.filter);
	else if (tracked.flows)
		problem_add(problems, PROBLEM_WARNING, "netfilter", remedy,
			    "conntrack is active (flows now: %u): where this host translates addresses or filters, the "
			    "copies siprtx sends know nothing of it",
			    tracked.flows);
}
