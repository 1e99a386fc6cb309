/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The per-CPU counters of the XDP programs (counters.def), over all CPUs. */
#ifndef SIPRTX_COUNTER_SUM_H
#define SIPRTX_COUNTER_SUM_H

#include <stdint.h>

#include "pins.h"

/* Of `n` counters from `first` on; one that cannot be read is 0. 0 or -errno. */
int counter_sum(const struct pins *pins, uint32_t first, uint32_t n, uint64_t *sums);

#endif
