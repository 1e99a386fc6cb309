// SPDX-License-Identifier: GPL-2.0-or-later
#include "egress.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "netlink.h"

struct vlans {
	struct netlink_link *list;
	unsigned n;
	int err;
};

static void on_link(void *ctx, const struct netlink_link *l)
{
	struct vlans *all = ctx;
	struct netlink_link *list;

	if (!l->vlan || !l->parent)
		return;
	list = reallocarray(all->list, all->n + 1, sizeof(*list));
	if (!list) {
		all->err = -ENOMEM;
		return;
	}
	all->list = list;
	all->list[all->n++] = *l;
}

/* Adds the VLAN devices that stand on `below`, then those that stand on them: two tags at most. */
static int put_vlans(int fd, const struct vlans *all, __u32 ifindex, const struct siprtx_egress *below)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct siprtx_egress entry = *below;
		const struct netlink_link *v = &all->list[i];
		int err;

		if (v->parent != ifindex || below->tags == 2)
			continue;
		entry.tpid[entry.tags] = htons(v->tpid);
		entry.tci[entry.tags++] = htons(v->vid);
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
	const struct netlink_handlers handlers = {.link = on_link, .ctx = &all};
	int err = netlink_dump(&handlers) ?: all.err;

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
