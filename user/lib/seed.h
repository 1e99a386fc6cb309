/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First contents of the maps, and what a changed configuration changes in them. */
#ifndef SIPRTX_SEED_H
#define SIPRTX_SEED_H

#include "config.h"
#include "pins.h"

/* Entries of the maps whose size hangs on the configuration; `cpus` as libbpf_num_possible_cpus() says. */
__u32 seed_slots(const struct config *c, int cpus); /* max_transactions and one in each CPU's hand */
__u32 seed_txns(const struct config *c);	    /* buckets: room for the keys of ended ones too */

/* Maps made just now: ABI number, hash key, free list. 0 or -errno. */
int seed_new(struct pins *p, const struct config *c);
/*
 * Profiles, tunables, gateways: writes what the configuration says otherwise than when it was last loaded, and
 * leaves alone what was tuned live since. 0 or -errno.
 */
int seed_values(struct pins *p, const struct config *c, __u64 load_hash);

#endif
