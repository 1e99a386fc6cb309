/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AF_XDP transmission out of the `slots` map itself (decisions 1 and 13): a UMEM over the map's memory and one TX
 * socket, for each outside interface. Each has a UMEM of its own over the same pages, for a shared one is bound to
 * its first interface for good, and would take all others with it when that one vanishes.
 */
#ifndef SIPRTXD_XSK_H
#define SIPRTXD_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct xsk; /* opaque */

/* What to send from: the memory of the map `slots`, mapped at `slots`, `bytes` long, a multiple of the page. */
struct xsk_memory {
	struct siprtx_slot *slots;
	size_t bytes;
	int map_fd;
};

/*
 * Binds to queue 0 of the interface: in copy mode, or in zero-copy mode where that is wanted and the driver has it.
 * 0; -EOPNOTSUPP: the driver has no zero-copy mode; -EBUSY: the interface's queue is still bound, try again;
 * -ENOBUFS: over RLIMIT_MEMLOCK; -errno.
 */
int xsk_open(struct xsk **out, const char *ifname, const struct xsk_memory *memory, bool zerocopy);
/* Descriptors still with the kernel never come back by xsk_reap() then: they were sent, or never will be. NULL is fine.
 */
void xsk_close(struct xsk *x);

/* One frame of a slot into the ring; it may be sent at once with those before it. 0, or -EAGAIN: no room now. */
int xsk_send(struct xsk *x, uint32_t slot, uint16_t offset, uint16_t length);
/*
 * Has the kernel send what is in the ring. 0: all of it was taken; -EAGAIN: not all of it yet; -ENETDOWN, -ENXIO
 * and other -errno: the socket is of no use any more.
 */
int xsk_flush(struct xsk *x);
/* Slots whose frame the kernel is done with, at most `n`. Returns how many. */
unsigned xsk_reap(struct xsk *x, uint32_t *slot, unsigned n);
/* Wake-ups since the last call. */
uint64_t xsk_wakeups(struct xsk *x);

#endif
