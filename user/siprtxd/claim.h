/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One controller a folder of pins: loaded, locked, opened. */
#ifndef SIPRTXD_CLAIM_H
#define SIPRTXD_CLAIM_H

#include <stdbool.h>

#include "config.h"
#include "pins.h"

/*
 * Loads what is not loaded yet and opens the maps, writable; *lock is an fd that keeps other controllers off for as
 * long as it is open. 0, or -errno with a sentence logged; -EWOULDBLOCK: another controller is there. *lock may be
 * open on failure too, *pins is not.
 */
int claim_pins(const struct config *config, struct pins *pins, int *lock);

/*
 * Attaches or loads again what an interface is without, unless somebody else has done so meanwhile. 1: it did; 0, or
 * -errno with a sentence in `why`; -EPERM: `may_load` is false; -EBUSY: the folder locked is there no longer, another
 * version takes over.
 */
int claim_again(const struct config *config, struct pins *pins, int lock, bool may_load, char *why, size_t why_size);

/* Was the folder removed, by a successor or by hand? Then no program works on these maps any more. Logged. */
bool claim_is_over(const struct config *config, int lock);

#endif
