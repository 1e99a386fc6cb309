/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can this host run this configuration? Looks only, changes nothing. */
#ifndef SIPRTX_CHECK_H
#define SIPRTX_CHECK_H

#include "config.h"
#include "pins.h"
#include "problem.h"

/* What it is to do: load, send what is loaded (and load what is not), or either. */
enum check_purpose { CHECK_ALL, CHECK_LOAD, CHECK_SERVE };

/*
 * Interfaces (there, by netlink; not a VLAN device; not on both sides), rights (effective capabilities, by name;
 * the user siprtxd becomes), kernel (XDP, AF_XDP, bpf_link: by probing where it can, else at least 6.1), bpffs mounted
 * at the pin path, RLIMIT_MEMLOCK for the UMEM, the journal's folder (there, writable, room for a day's worth: 16 MiB),
 * conntrack in the way, a pace (tick_sends) too slow for what is loaded, and advice: timeout_invite = 0 while the list
 * outlives Kamailio's and VOS3000's own INVITE timer. Errors stop siprtxd, warnings do not.
 */
void check_host(const struct config *c, enum check_purpose purpose, struct problems *problems);

/* Out-of-range values in the pinned profiles and tunables, each named with the bpftool line or `siprtx set` that mends
 * it. */
void check_values(const struct pins *pins, struct problems *problems);

#endif
