/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One controller a folder of pins: loaded, locked, opened. */
#ifndef SIPRTXD_CLAIM_H
#define SIPRTXD_CLAIM_H

#include "config.h"
#include "pins.h"

/*
 * Loads what is not loaded yet and opens the maps, writable; *lock is an fd that keeps other controllers off for as
 * long as it is open. 0, or -errno with a sentence logged; -EWOULDBLOCK: another controller is there. *lock may be
 * open on failure too, *pins is not.
 */
int claim_pins(const struct config *config, struct pins *pins, int *lock);

/*
 * Loads again what an interface is without, unless somebody else has done so meanwhile. 1: it did; 0, or -errno with a
 * sentence in `why`; -EPERM: `may_load` is false.
 */
int claim_again(const struct config *config, bool may_load, char *why, size_t why_size);

#endif
