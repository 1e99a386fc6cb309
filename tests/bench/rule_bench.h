/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cost of single rules (docs/matching.md) for the messages they concern. */
#ifndef RULE_BENCH_H
#define RULE_BENCH_H

#include "step_bench.h"

/* One round: samples "rules.*". */
void rule_bench(struct bench *b);

#endif
