/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.bpf.c, loaded: what the scanner says of a packet when the kernel's JIT has compiled it. */
#ifndef TEST_SCAN_RUN_H
#define TEST_SCAN_RUN_H

#include "edge.h"
#include "scan.h"

struct scan_bpf;

struct scan_run {
	struct scan_bpf *skel;
	int prog;
	/* mapped memory of the program */
	struct siprtx_slot *buf;
	struct scan_result *result;
};

/*
 * Loads it with `hash_key_fd` for the map of the secret, -1: one of its own with `secret` in it. `ports`: as in
 * maps.h, NULL: every port. Fails the test on any error.
 */
void scan_up(struct scan_run *s, int hash_key_fd, const struct siprtx_hash_key *secret, const uint64_t *ports);
void scan_down(struct scan_run *s);
/* The frame as it stands is read into *buf over what lies there; the answer is in *result. */
void scan_frame(struct scan_run *s, const struct frame *f);

#endif
