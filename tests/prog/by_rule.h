/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs must do with a datagram, told from the plain parser and the tables as they are before it: by which
 * counter it is counted, and whether the word of a held transaction may change.
 */
#ifndef TEST_BY_RULE_H
#define TEST_BY_RULE_H

#include "edge.h"

struct by_rule {
	unsigned counter;	  /* CNT_* */
	struct siprtx_slot *slot; /* the held transaction the datagram names, NULL: none */
	bool moves;		  /* its word changes */
};

/*
 * In a frame without IP options or extension headers; `ip`: bytes of IP and UDP header. For a live controller that
 * has taken no transaction over, match_source = 0, dup_window = 0, a route and a free slot.
 */
struct by_rule by_rule_inside(const struct edge *e, const uint8_t *data, size_t len, unsigned ip);
struct by_rule by_rule_outside(const struct edge *e, const uint8_t *data, size_t len, unsigned ip);

#endif
