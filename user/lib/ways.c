// SPDX-License-Identifier: GPL-2.0-or-later
#include "ways.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"
#include "sysctl.h"
#include "xdp_features.h"

#define WAYS_MAX 1024 /* entries of the map */

struct links {
	struct netlink_link *list;
	unsigned n;
	int err;
};

struct entry {
	struct siprtx_way_key key;
	struct siprtx_way way;
};

struct ways {
	struct entry *list;
	unsigned n;
};

static void on_link(void *ctx, const struct netlink_link *l)
{
	struct links *all = ctx;
	struct netlink_link *list = reallocarray(all->list, all->n + 1, sizeof(*list));

	if (!list) {
		all->err = -ENOMEM;
		return;
	}
	all->list = list;
	all->list[all->n++] = *l;
}

static int read_links(struct links *all)
{
	const struct netlink_handlers handlers = {.link = on_link, .ctx = all};

	return netlink_dump(&handlers) ?: all->err;
}

static const struct netlink_link *find_link(const struct links *all, __u32 ifindex)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->list[i].ifindex == ifindex)
			return &all->list[i];
	return NULL;
}

static bool has_vlans(const struct links *all, __u32 ifindex)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->list[i].vlan && all->list[i].parent == ifindex)
			return true;
	return false;
}

/* Does the interface take tags out of frames before XDP sees them? Where it cannot be told, it does. */
static bool strips_tags(const char *ifname)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (void *)&flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return true;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	err = ioctl(fd, SIOCETHTOOL, &request);
	close(fd);
	return err || flags.data & ETH_FLAG_RXVLAN;
}

static void __attribute__((format(printf, 3, 4))) bar(struct ways_bar *b, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(b->why, sizeof(b->why), format, args);
	va_end(args);
	snprintf(b->remedy, sizeof(b->remedy), "%s", remedy);
}

static void look_in(const struct links *all, const struct netlink_link *l, struct ways_bar *in)
{
	const struct netlink_link *master = find_link(all, l->master);
	char remedy[64];

	if (l->master) {
		bar(in, "Name an interface that has the addresses itself", "%s belongs to %s, which has its packets",
		    l->name, master ? master->name : "another device");
	} else if (l->veth && has_vlans(all, l->ifindex)) {
		/* the tag may be beside the frame, whatever the settings of this end are */
		bar(in, "Write forward = kernel", "%s is a veth with VLANs, whose tags XDP need not see", l->name);
	} else if (has_vlans(all, l->ifindex) && strips_tags(l->name)) {
		snprintf(remedy, sizeof(remedy), "Run: ethtool -K %s rxvlan off", l->name);
		bar(in, remedy, "%s takes VLAN tags away before XDP sees them", l->name);
	}
}

static void look_out(const struct netlink_link *l, struct ways_bar *out)
{
	uint64_t features = 0;
	int err = xdp_features(l->ifindex, &features);

	if (err && l->veth)
		bar(out, "Boot Linux 6.3 or later",
		    "%s is a veth, and this kernel does not tell whether its peer takes what is redirected", l->name);
	else if (!err && !(features & XDP_FEATURE_NDO_XMIT) && l->veth)
		bar(out, "Run where the peer is: ethtool -K PEER gro on",
		    "the peer of %s has neither GRO nor an XDP program, and would lose what is redirected", l->name);
	else if (!err && !(features & XDP_FEATURE_NDO_XMIT))
		bar(out, "Write forward = kernel", "the driver of %s takes nothing that is redirected", l->name);
}

static void look(const struct links *all, const struct netlink_link *l, enum siprtx_attach attach, struct ways_bar *in,
		 struct ways_bar *out)
{
	*in = *out = (struct ways_bar){};
	if (attach != ATTACH_NATIVE) {
		bar(in, "A driver with XDP support mends it", "%s has no native XDP", l->name);
		*out = *in;
		return;
	}
	look_in(all, l, in);
	look_out(l, out);
}

int ways_look(const char *ifname, enum siprtx_attach attach, struct ways_bar *in, struct ways_bar *out)
{
	struct links all = {};
	int err = read_links(&all), found = -ENODEV;

	for (unsigned i = 0; i < all.n && !err; i++) {
		if (!strcmp(all.list[i].name, ifname)) {
			look(&all, &all.list[i], attach, in, out);
			found = 0;
		}
	}
	free(all.list);
	return err ?: found;
}

/* The kernel takes the greater of the two (Documentation/networking/ip-sysctl). */
static __u8 source_flag(const char *ifname)
{
	return sysctl_number("/proc/sys/net/ipv4/conf/all/rp_filter") > 0 ||
			       sysctl_number("/proc/sys/net/ipv4/conf/%s/rp_filter", ifname) > 0
		       ? WAY_SOURCE
		       : 0;
}

static void put(struct ways *w, const struct siprtx_way_key *key, const struct siprtx_way *way)
{
	if (w->n < WAYS_MAX)
		w->list[w->n++] = (struct entry){*key, *way};
}

/* The VLAN devices on `below`, whose tags and flags are in *base, then those on them: two tags at most. */
static void put_vlans(struct ways *w, const struct links *all, __u32 below, const struct siprtx_way *base)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct netlink_link *v = &all->list[i];
		struct siprtx_way_key in = {.ifindex = base->ifindex}, out = {.ifindex = v->ifindex};
		struct siprtx_way came, leaves = *base;

		if (!v->vlan || v->parent != below || !v->wanted_up || v->master || base->tags == 2)
			continue;
		leaves.tag[2 * base->tags] = htons(v->tpid);
		leaves.tag[2 * base->tags + 1] = htons(v->vid);
		leaves.tags++;
		memcpy(leaves.mac, v->mac, sizeof(leaves.mac));
		put_vlans(w, all, v->ifindex, &leaves);
		memcpy(in.tag, leaves.tag, sizeof(in.tag));
		came = leaves;
		came.ifindex = v->ifindex;
		came.flags = (base->flags & WAY_IN) | source_flag(v->name);
		leaves.flags &= WAY_OUT;
		put(w, &in, &came);
		put(w, &out, &leaves);
	}
}

static void put_interface(struct ways *w, const struct links *all, const struct siprtx_interface *itf)
{
	const struct netlink_link *l = find_link(all, itf->ifindex);
	struct siprtx_way_key key = {.ifindex = itf->ifindex};
	struct siprtx_way base = {.ifindex = itf->ifindex};
	struct ways_bar in, out;

	if (!l || !itf->ifindex)
		return;
	look(all, l, itf->attach, &in, &out);
	base.flags = (*in.why ? 0 : WAY_IN) | (*out.why ? 0 : WAY_OUT);
	memcpy(base.mac, l->mac, sizeof(base.mac));
	put_vlans(w, all, l->ifindex, &base);
	base.flags |= source_flag(l->name);
	put(w, &key, &base);
}

static bool has_key(const struct ways *w, const struct siprtx_way_key *key)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!memcmp(&w->list[i].key, key, sizeof(*key)))
			return true;
	return false;
}

static void drop_others(int fd, const struct ways *w)
{
	struct siprtx_way_key key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!has_key(w, &key))
			bpf_map_delete_elem(fd, &key);
	}
}

int ways_refresh(int ways_fd, const struct siprtx_meta *meta, enum siprtx_forward forward)
{
	struct ways w = {.list = calloc(WAYS_MAX, sizeof(*w.list))};
	struct links all = {};
	int err = w.list ? 0 : -ENOMEM;

	if (!err && forward != FORWARD_KERNEL)
		err = read_links(&all);
	for (unsigned i = 0; i < meta->interfaces && !err && forward != FORWARD_KERNEL; i++)
		put_interface(&w, &all, &meta->interface[i]);
	/* first what must not be any more */
	if (!err)
		drop_others(ways_fd, &w);
	for (unsigned i = 0; i < w.n && !err; i++)
		if (bpf_map_update_elem(ways_fd, &w.list[i].key, &w.list[i].way, BPF_ANY))
			err = -errno;
	free(all.list);
	free(w.list);
	return err;
}
