/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads, attaches and pins the kernel side. Needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. */
#ifndef SIPRTX_LOAD_H
#define SIPRTX_LOAD_H

#include "config.h"
#include "pins.h"

/*
 * Makes what `c` says true: maps pinned (those there already are kept, with the live transactions in
 * them), values of the configuration written into new maps, programs attached to each interface by a
 * pinned bpf_link or, at TC egress, as a filter, replaced in place where one is there already; those of
 * interfaces no longer named are taken away. Nothing is left half done: on failure what this call made is undone.
 * Maps of another ABI are taken over from (successor.h); what their controller holds is waited for `limit_ns` at most.
 * Returns 0 or -errno with a sentence in `why` (cause and remedy).
 */
int load(const struct config *c, __u64 limit_ns, char *why, size_t why_size);

/* True when programs of this ABI are attached under c->pin_path to the interfaces `c` names. */
bool load_is_done(const struct config *c);

#endif
