/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Have the softswitch's own copies of a held request stopped? They have when they are missing for twice their last gap
 * and 0.5 s: a list may double, and timers are coarse. Nothing else tells of a softswitch that gives up before a 1xx,
 * for it must not CANCEL then (RFC 3261, 9.1). One that never sends copies never seems to. Times are CLOCK_MONOTONIC,
 * ns.
 */
#ifndef SIPRTX_COPIES_H
#define SIPRTX_COPIES_H

#include <stdint.h>

#include "abi.h"

/* When they are, or will be, missing for too long, by what is known now; UINT64_MAX: none was seen. */
uint64_t copies_missed_ns(const struct siprtx_slot *s);
/* When the next one is expected, not before `from`, whether their list doubles or not; UINT64_MAX: none is. */
uint64_t copies_next_ns(const struct siprtx_slot *s, uint64_t from);
/*
 * When to look next. A copy that is absorbed makes no note, so a first one after `now` is thought of; one that comes
 * after a gap of less than two thirds of the last may be missed later than it should.
 */
uint64_t copies_look_ns(const struct siprtx_slot *s, uint64_t now);

#endif
