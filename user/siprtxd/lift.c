// SPDX-License-Identifier: GPL-2.0-or-later
#include "lift.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "frame.h"
#include "log.h"

#define DROPPED 1 /* the kernel's NET_RX_DROP */

int lift_open(struct lift *l, const char *pin_path, __u64 *stats)
{
	char path[PATH_MAX];

	*l = (struct lift){.fd = -1, .stats = stats};
	if (snprintf(path, sizeof(path), "%s/" PROGRAM_LIFT, pin_path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	l->fd = bpf_obj_get(path);
	return l->fd < 0 ? -errno : 0;
}

void lift_close(struct lift *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int run(int fd, const struct siprtx_slot *frame, uint32_t ifindex)
{
	struct __sk_buff skb = {.ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = (const uint8_t *)frame + frame->frame_off,
		    .data_size_in = frame->frame_len, .ctx_in = &skb, .ctx_size_in = sizeof(skb), .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	return opts.retval == DROPPED ? -EAGAIN : (int)opts.retval;
}

int lift_send(struct lift *l, struct siprtx_slot *frame, uint32_t ifindex)
{
	int err = ifindex ? 0 : -ENETDOWN;

	frame_sum(frame);
	err = err ?: run(l->fd, frame, ifindex);
	if (!err) {
		l->stats[STAT_lifted]++;
		return 0;
	}
	l->stats[STAT_not_lifted]++;
	if (err != -EAGAIN && err != -ENETDOWN && !l->complained) {
		l->complained = true;
		log_warning(
			"a reply cannot be handed to this host's network stack: %s. Exhausted calls are recorded, and "
			"not answered; run `siprtx check`, or load again.",
			strerror(-err));
	}
	return err;
}
