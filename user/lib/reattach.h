/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces that went and came back get their programs again, without a load. */
#ifndef SIPRTX_REATTACH_H
#define SIPRTX_REATTACH_H

#include "config.h"
#include "pins.h"

/*
 * For each interface of `c` that has no program now: the one its former link, or its pin at TC egress, holds. `meta`
 * and the map egress learn its number. 0; -errno: it takes a load().
 */
int reattach(const struct config *c, struct pins *pins);

#endif
