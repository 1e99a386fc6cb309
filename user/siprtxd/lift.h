/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies to an INVITE that was taken at TC egress (SLOT_AT_EGRESS): nobody knows which way it came there, this host's
 * own network stack does. So a reply comes in from the gateway by the outside interface that the INVITE left by:
 * conntrack takes it for the flow's answer and undoes NAT, and routing brings it to the softswitch's socket, or to its
 * host.
 *
 * The program siprtx_lift does that, run by BPF_PROG_RUN, which takes the right to open its pin and no capability. One
 * call takes a few microseconds, and the frame is with the stack, or in the socket, when it returns. XDP frames
 * (BPF_F_TEST_XDP_LIVE_FRAMES) took three times as long: they make a page pool for each call.
 */
#ifndef SIPRTXD_LIFT_H
#define SIPRTXD_LIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

/* siprtx_slot.outside of a frame that is to be lifted: this, and the number of the outside interface. */
#define LIFT_OUTSIDE 0x80

struct lift {
	int fd; /* of the program, -1: it cannot be had */
	__u64 *stats;
	bool complained;
};

/* Opens what is pinned under pin_path; `stats` (STAT_*) must stay. 0 or -errno; lift_close() in either case. */
int lift_open(struct lift *l, const char *pin_path, __u64 *stats);
void lift_close(struct lift *l);
/*
 * The frame comes in by the interface with this number, 0: it is down. Makes its checksums whole. 0; -EAGAIN: the stack
 * has no room now; -errno, with a sentence logged once.
 */
int lift_send(struct lift *l, struct siprtx_slot *frame, uint32_t ifindex);

#endif
