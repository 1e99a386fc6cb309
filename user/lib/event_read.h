/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the log in a circle (map `events`) while the controller writes it. Pure, but for the shared memory. */
#ifndef SIPRTX_EVENT_READ_H
#define SIPRTX_EVENT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

/* Where to begin so as to see the last `back` events first. */
uint64_t event_start(const __u64 *next_event, uint64_t back);

/*
 * Copies event number *pos and steps on. Events the writer overtook, or that a controller killed in the middle
 * left half written, are stepped over and added to *missed. False: none is ready.
 */
bool event_next(const struct siprtx_event *ring, const __u64 *next_event, uint64_t *pos, struct siprtx_event *out,
		uint64_t *missed);

#endif
