/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of one program: the edge they share, how it goes down, and what a verdict is called. */
#ifndef TEST_ONE_EDGE_H
#define TEST_ONE_EDGE_H

#include <linux/bpf.h>

#include "edge.h"

#define DROP	 XDP_DROP
#define PASS	 XDP_PASS
#define REDIRECT XDP_REDIRECT

#define FROM_GATEWAY .src = GATEWAY, .dst = SOFTSWITCH

static struct edge edge;

static inline int down(void **state)
{
	(void)state;
	edge_down(&edge);
	return 0;
}

#endif
