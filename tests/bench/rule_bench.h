/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cost of single rules (docs/matching.md) for the messages they concern. */
#ifndef RULE_BENCH_H
#define RULE_BENCH_H

#include "edge.h"
#include "sip_msg.h"

struct rule_costs {	    /* ns; [0] with the tunable off, [1] on */
	double bye_ns[2];   /* a BYE of the softswitch: methods */
	double final_ns[2]; /* a 200 of the softswitch to an INVITE: confirm */
	double ack_ns[2];   /* an ACK of the gateway: confirm */
	double icmp_ns;	    /* port unreachable that quotes an INVITE of nobody */
	double echo_ns;	    /* any other ICMP */
};

/* `cost`: ns a run, over `repeat` runs of a program; `empty`: the program to be taken off. */
void rule_bench(const struct edge *e, int empty, double (*cost)(int prog_fd, const struct frame *f, int repeat),
		struct rule_costs *out);

#endif
