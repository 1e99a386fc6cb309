// SPDX-License-Identifier: GPL-2.0-or-later
#include "live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "attach.h"

/* Frames in the kernel's own batch: a veth's NAPI takes as many in one turn, and its ring holds four times that. */
#define KERNEL_BATCH 64

void live_open(struct live *l, const char *pin_path, struct siprtx_live *batch)
{
	*l = (struct live){.pin_path = pin_path, .batch = batch, .fd = -1};
}

void live_close(struct live *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int run(struct live *l, uint32_t times)
{
	uint8_t frame[LIVE_META + LIVE_FIRST] = {};
	struct xdp_md ctx = {.data = LIVE_META, .data_end = sizeof(frame)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .repeat = times,
		    .batch_size = times < KERNEL_BATCH ? times : KERNEL_BATCH);

	return bpf_prog_test_run_opts(l->fd, &opts) ? -errno : 0;
}

int live_ready(struct live *l)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" PROGRAM_OUTSIDE, l->pin_path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	live_close(l);
	l->fd = fd;
	l->batch->next = LIVE_BATCH;
	return run(l, 1);
}

bool live_add(struct live *l, uint32_t slot, uint32_t ifindex, uint16_t offset, uint16_t length)
{
	if (l->n == LIVE_BATCH)
		return false;
	l->batch->frame[l->n++] = (struct siprtx_live_frame){slot, ifindex, offset, length};
	return true;
}

int live_send(struct live *l, uint32_t slot[LIVE_BATCH], unsigned *n)
{
	struct siprtx_live *b = l->batch;
	int err = 0;

	*n = l->n;
	for (unsigned i = 0; i < *n; i++)
		slot[i] = b->frame[i].slot;
	l->n = 0;
	if (!*n)
		return 0;
	b->next = b->made = 0;
	/* a signal, as of who stops this process, ends a call between two batches */
	do {
		err = run(l, *n - b->next);
		l->calls++;
	} while (err == -EINTR && b->next < *n);
	if (err == -EINTR)
		err = 0;
	b->next = LIVE_BATCH;
	return err ?: (int)b->made;
}
