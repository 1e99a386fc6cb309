// SPDX-License-Identifier: GPL-2.0-or-later
#include "tc_filters.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink_ask.h"

struct one_filter {
	char kind[16], program[sizeof(EGRESS_PROGRAM)]; /* cut: libbpf adds the id to the name */
	__u32 prog_id;
};

struct dump {
	struct tc_filters *out;
	unsigned ifindex;
	__u32 parent;
	bool clsact;
};

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	size_t n = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	n = n < size ? n : size - 1;
	memcpy(to, mnl_attr_get_payload(attr), n);
	to[n] = '\0';
}

static int on_option(const struct nlattr *attr, void *data)
{
	struct one_filter *f = data;

	if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
		copy_text(f->program, sizeof(f->program), attr);
	else if (mnl_attr_get_type(attr) == TCA_BPF_ID)
		f->prog_id = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

/* A message without a handle tells of a priority, the others of a filter each. */
static int on_filter(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct one_filter f = {};
	struct dump *d = data;
	const struct nlattr *attr;
	bool place;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || !tc->tcm_handle)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*tc))
	{
		if (mnl_attr_get_type(attr) == TCA_KIND)
			copy_text(f.kind, sizeof(f.kind), attr);
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS && !strcmp(f.kind, "bpf"))
			mnl_attr_parse_nested(attr, on_option, &f);
	}
	place = d->parent == TC_H_MIN_EGRESS && tc->tcm_info >> 16 == EGRESS_PRIORITY;
	if (place && tc->tcm_handle == EGRESS_HANDLE && !strcmp(f.program, EGRESS_PROGRAM)) {
		d->out->prog_id = f.prog_id;
		return MNL_CB_OK;
	}
	d->out->taken += place;
	d->out->others++;
	return MNL_CB_OK;
}

static int on_qdisc(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct dump *d = data;
	const struct nlattr *attr;
	char kind[16] = "";

	if (tc->tcm_ifindex != (int)d->ifindex || tc->tcm_parent != TC_H_CLSACT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*tc))
	{
		if (mnl_attr_get_type(attr) == TCA_KIND)
			copy_text(kind, sizeof(kind), attr);
	}
	d->clsact = !strcmp(kind, "clsact");
	d->out->ingress = !d->clsact;
	return MNL_CB_OK;
}

static int dump(int fd, __u16 type, mnl_cb_t fn, struct dump *d)
{
	struct {
		struct nlmsghdr nlh;
		struct tcmsg body;
	} request = {
		.nlh = {.nlmsg_len = sizeof(request), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.tcm_ifindex = (int)d->ifindex, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, d->parent)},
	};

	return netlink_ask(fd, &request, sizeof(request), fn, d);
}

int tc_filters(unsigned ifindex, struct tc_filters *out)
{
	static const __u32 sides[] = {TC_H_MIN_EGRESS, TC_H_MIN_INGRESS};
	int fd = netlink_open(NETLINK_ROUTE, 0, 0), err;
	struct tc_filters found = {};
	struct dump d = {.out = &found, .ifindex = ifindex};

	if (fd < 0)
		return fd;
	err = dump(fd, RTM_GETQDISC, on_qdisc, &d);
	for (unsigned i = 0; i < 2 && d.clsact && !err; i++) {
		d.parent = sides[i];
		err = dump(fd, RTM_GETTFILTER, on_filter, &d);
	}
	close(fd);
	if (!err)
		*out = found;
	return err;
}
