/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gateways that stand in for each other (`group` in the configuration): the last one of them is never closed off. Pure.
 */
#ifndef SIPRTXD_GROUP_H
#define SIPRTXD_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

/* One gateway as its group sees it. */
struct group_member {
	struct group_member *next;
	uint64_t down_ns; /* since when it is down, 0: it is not */
	uint32_t action;  /* enum siprtx_bypass: what its calls are to meet with while it is down */
	uint32_t bypass;  /* and what they do meet with; written by group_settle() */
};

struct group {
	char name[NAME_LEN];
	struct group_member *members;
	unsigned uncalled; /* configured ones that were never called: they count as up */
	struct group *next;
};

/*
 * Decides the bypass of each: its action while it is down and another one of the group takes calls as ever, be it up,
 * or down with nothing to be done about it, or not called yet (`another`). Where none of them would be left, the one
 * that went down last stays open.
 */
void group_settle(struct group_member *members, bool another);

#endif
