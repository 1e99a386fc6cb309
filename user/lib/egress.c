// SPDX-License-Identifier: GPL-2.0-or-later
#include "egress.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct vlan {
	__u32 ifindex, parent;
	__be16 tpid, tci;
};

struct vlans {
	struct vlan *list;
	unsigned n;
};

static int on_info(const struct nlattr *attr, void *data)
{
	const struct nlattr **found = data;
	unsigned type = mnl_attr_get_type(attr);

	if (type <= IFLA_INFO_MAX)
		found[type] = attr;
	return MNL_CB_OK;
}

static int on_vlan(const struct nlattr *attr, void *data)
{
	struct vlan *v = data;

	if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
		v->tci = htons(mnl_attr_get_u16(attr));
	else if (mnl_attr_get_type(attr) == IFLA_VLAN_PROTOCOL)
		v->tpid = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *info[IFLA_INFO_MAX + 1] = {}, *attr;
	struct vlan v = {.ifindex = link->ifi_index, .tpid = htons(0x8100)};
	struct vlans *all = data;
	struct vlan *list;

	mnl_attr_for_each(attr, nlh, sizeof(*link)) {
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			v.parent = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			mnl_attr_parse_nested(attr, on_info, info);
	}
	if (!info[IFLA_INFO_KIND] || !info[IFLA_INFO_DATA] || !v.parent ||
	    strcmp(mnl_attr_get_str(info[IFLA_INFO_KIND]), "vlan"))
		return MNL_CB_OK;
	mnl_attr_parse_nested(info[IFLA_INFO_DATA], on_vlan, &v);
	list = realloc(all->list, (all->n + 1) * sizeof(*list));
	if (!list)
		return MNL_CB_ERROR;
	all->list = list;
	all->list[all->n++] = v;
	return MNL_CB_OK;
}

static int dump_vlans(struct vlans *all)
{
	char buf[32768];
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *link;
	unsigned seq = time(NULL);
	int n = -1, err = 0;

	if (!nl)
		return -errno;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 && mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0) {
		while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0) {
			n = mnl_cb_run(buf, n, seq, mnl_socket_get_portid(nl), on_link, all);
			if (n <= MNL_CB_STOP)
				break;
		}
	}
	if (n < 0)
		err = -errno;
	mnl_socket_close(nl);
	return err;
}

/* Adds the VLAN devices that stand on `below`, then those that stand on them: two tags at most. */
static int put_vlans(int fd, const struct vlans *all, __u32 ifindex, const struct siprtx_egress *below)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct siprtx_egress entry = *below;
		const struct vlan *v = &all->list[i];
		int err;

		if (v->parent != ifindex || below->tags == 2)
			continue;
		entry.tpid[entry.tags] = v->tpid;
		entry.tci[entry.tags++] = v->tci;
		if (bpf_map_update_elem(fd, &v->ifindex, &entry, BPF_ANY))
			return -errno;
		err = put_vlans(fd, all, v->ifindex, &entry);
		if (err)
			return err;
	}
	return 0;
}

/* Does ifindex stand, through VLAN devices alone, on an outside interface? */
static bool leads_outside(const struct vlans *all, const struct siprtx_meta *meta, __u32 ifindex, int depth)
{
	for (unsigned i = 0; i < meta->interfaces; i++)
		if (meta->interface[i].side == SIDE_OUTSIDE && meta->interface[i].ifindex == ifindex)
			return true;
	for (unsigned i = 0; i < all->n && depth < 2; i++)
		if (all->list[i].ifindex == ifindex)
			return leads_outside(all, meta, all->list[i].parent, depth + 1);
	return false;
}

static void drop_others(int fd, const struct vlans *all, const struct siprtx_meta *meta)
{
	__u32 key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!leads_outside(all, meta, key, 0))
			bpf_map_delete_elem(fd, &key);
	}
}

int egress_refresh(int egress_fd, const struct siprtx_meta *meta)
{
	struct vlans all = {};
	int err = dump_vlans(&all);

	for (unsigned i = 0; !err && i < meta->interfaces; i++) {
		const struct siprtx_interface *itf = &meta->interface[i];
		struct siprtx_egress entry = {.ifindex = itf->ifindex, .outside = itf->outside};

		if (itf->side != SIDE_OUTSIDE || !itf->ifindex)
			continue;
		if (bpf_map_update_elem(egress_fd, &itf->ifindex, &entry, BPF_ANY))
			err = -errno;
		else
			err = put_vlans(egress_fd, &all, itf->ifindex, &entry);
	}
	if (!err)
		drop_others(egress_fd, &all, meta);
	free(all.list);
	return err;
}
