/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second sender (sender = live-frames): frames of the slots, copied into XDP frames of the kernel's own and
 * redirected to their interface by siprtx_outside, which BPF_PROG_RUN runs with BPF_F_TEST_XDP_LIVE_FRAMES. That takes
 * the right to open its pin and no capability.
 *
 * Frames are collected, and sent many in one call, for each call makes a page pool: some 20 us here, as much as a dozen
 * copies over AF_XDP. The program has to be one that is attached somewhere: else the kernel changes the dispatcher of
 * XDP programs at each call, and waits for all CPUs to have seen it, twice, tens of milliseconds.
 */
#ifndef SIPRTXD_LIVE_H
#define SIPRTXD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct live {
	const char *pin_path;
	struct siprtx_live *batch;
	int fd;	    /* of siprtx_outside, -1: not open */
	uint32_t n; /* frames collected */
	uint64_t calls;
};

/* `batch`: the map live_batch. Both must stay. */
void live_open(struct live *l, const char *pin_path, struct siprtx_live *batch);
void live_close(struct live *l);
/*
 * Opens the program anew, for another may be loaded by now, and has the kernel run it once, with nothing to send. 0;
 * -ENOENT: it is not pinned; -EINVAL: this kernel (before 5.18) has no live frames; -errno.
 */
int live_ready(struct live *l);
/* One frame of a slot, for the interface of this number. False: the batch is full, live_send() first. */
bool live_add(struct live *l, uint32_t slot, uint32_t ifindex, uint16_t offset, uint16_t length);
/*
 * Sends what was collected. How many frames were handed to their drivers, or -errno. Whether a driver has taken them,
 * no one is told. The slots are slot[0] to slot[*n - 1]; the kernel is done with all of them.
 */
int live_send(struct live *l, uint32_t slot[LIVE_BATCH], unsigned *n);

#endif
