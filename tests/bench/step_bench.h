/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What capture, match and absorption cost, whole and step by step, with many calls and with few. */
#ifndef STEP_BENCH_H
#define STEP_BENCH_H

#include "bench.skel.h"
#include "edge.h"

/* Calls that no cache holds: as many as a large edge has pending, but for the slots of one pass. */
#define CALLS_COLD 60000
/* Calls whose slots are used again and again, as where calls end: the free list gives the last one first. */
#define CALLS_HOT 512

struct bench {
	struct edge edge;
	struct bench_bpf *programs;
	int empty; /* XDP program that passes */
};

/* ns a run, over `repeat` runs of the program. */
double cost(struct bench *b, int prog_fd, const struct frame *f, int repeat);
void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...);

/* One round: samples "steps.*", "invite_capture_*", "response_match_*" and "absorbed_copy_*" (samples.h). */
void step_bench(struct bench *b);

#endif
