/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hangs on the clsact qdisc of an interface, as rtnetlink tells. Needs no rights. */
#ifndef SIPRTX_TC_FILTERS_H
#define SIPRTX_TC_FILTERS_H

#include <linux/types.h>
#include <stdbool.h>

/*
 * Where siprtx's own filter is: always the same place, so that an upgrade replaces it and nobody else's. The priority
 * is behind those tc chooses itself (49152 and down), for what others change in a packet is to be seen.
 */
#define EGRESS_HANDLE	1
#define EGRESS_PRIORITY 50600
#define EGRESS_PROGRAM	"siprtx_egress"

struct tc_filters {
	bool ingress;	 /* the older qdisc of that name is there, which has no egress: no filter is told of */
	__u32 prog_id;	 /* of siprtx's own filter, 0: it is not there */
	unsigned taken;	 /* filters of others at the priority of siprtx's */
	unsigned others; /* filters of others, those at ingress too */
};

/* 0 or -errno; an interface without the qdisc has no filters. */
int tc_filters(unsigned ifindex, struct tc_filters *out);

#endif
