// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_link.h"

#include <bpf/libbpf.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "attach.h"
#include "netlink.h"
#include "tc_filters.h"

struct wanted {
	const char *name;
	struct netlink_link link; /* ifindex 0: not found */
};

static void on_link(void *ctx, const struct netlink_link *l)
{
	struct wanted *w = ctx;

	if (!strcmp(l->name, w->name))
		w->link = *l;
}

static void check_one(const char *name, const char *where, struct problems *problems)
{
	struct wanted w = {.name = name};
	const struct netlink_handlers handlers = {.link = on_link, .ctx = &w};
	const struct netlink_link *link = &w.link;
	char remedy[128], parent[IFNAMSIZ];
	int err = netlink_dump(&handlers);

	if (!err && !link->ifindex) {
		problem_add(problems, PROBLEM_ERROR, where, "Take the name from the output of: ip link",
			    "there is no interface %s", name);
	} else if (err) {
		problem_add(problems, PROBLEM_ERROR, where, NULL, "interface %s cannot be looked at: %s", name,
			    strerror(-err));
	} else if (link->type != ARPHRD_ETHER) {
		problem_add(problems, PROBLEM_ERROR, where, "Name an Ethernet interface", "%s carries no Ethernet",
			    name);
	} else if (link->vlan) {
		/* a parent in another network namespace has no name here */
		if (link->parent && if_indextoname(link->parent, parent))
			snprintf(remedy, sizeof(remedy), "Name its parent, %s: siprtx reads the tags itself", parent);
		else
			snprintf(remedy, sizeof(remedy), "Name its parent: siprtx reads the tags itself");
		problem_add(problems, PROBLEM_ERROR, where, remedy, "%s is a VLAN device", name);
	} else if (!link->wanted_up) {
		snprintf(remedy, sizeof(remedy), "Run: ip link set %s up", name);
		problem_add(problems, PROBLEM_WARNING, where, remedy, "%s is down", name);
	}
}

void check_links(const struct config *c, struct problems *problems)
{
	for (unsigned i = 0; i < c->n_inside; i++)
		check_one(c->inside[i], config_where(c, "inside"), problems);
	for (unsigned i = 0; i < c->n_outside; i++)
		check_one(c->outside[i], config_where(c, "outside"), problems);
}

static void check_program(const struct config *c, const char *name, const char *where, struct problems *problems)
{
	unsigned ifindex = if_nametoindex(name);
	char remedy[128];
	__u32 id = 0;

	if (!ifindex || attach_state(c->pin_path, name) != ATTACH_NONE || bpf_xdp_query_id(ifindex, 0, &id) || !id)
		return;
	snprintf(remedy, sizeof(remedy), "Take it off: ip link set %s xdp off", name);
	problem_add(problems, PROBLEM_ERROR, where, remedy, "another XDP program (id %u) is on %s", id, name);
}

static void check_egress(const char *name, const char *where, struct problems *problems)
{
	unsigned ifindex = if_nametoindex(name);
	struct tc_filters found;
	char remedy[128];

	if (!ifindex || tc_filters(ifindex, &found))
		return;
	if (found.ingress) {
		snprintf(remedy, sizeof(remedy), "Replace it by clsact: tc qdisc del dev %s ingress", name);
		problem_add(problems, PROBLEM_ERROR, where, remedy, "%s has the qdisc \"ingress\", which has no egress",
			    name);
	}
	if (!found.taken)
		return;
	snprintf(remedy, sizeof(remedy),
		 "Take it off: tc filter del dev %s egress pref %u, or give it another priority", name,
		 EGRESS_PRIORITY);
	problem_add(problems, PROBLEM_ERROR, where, remedy,
		    "another filter has siprtx's priority %u at TC egress of %s", EGRESS_PRIORITY, name);
}

void check_attached(const struct config *c, struct problems *problems)
{
	bool egress = config_takes_egress(c);

	for (unsigned i = 0; i < c->n_inside && !egress; i++)
		check_program(c, c->inside[i], config_where(c, "inside"), problems);
	for (unsigned i = 0; i < c->n_outside; i++) {
		check_program(c, c->outside[i], config_where(c, "outside"), problems);
		if (egress)
			check_egress(c->outside[i], config_where(c, "outside"), problems);
	}
}
