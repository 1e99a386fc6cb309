/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who serves the maps under a pin_path, or takes them away: an exclusive lock on a folder of its own beside the pins.
 * Only the daemon's user and root may enter that one. The group that reads the pins may open their folder, and who may
 * open a file may lock it.
 */
#ifndef SIPRTX_LOCK_H
#define SIPRTX_LOCK_H

#include <stdbool.h>

#include "owner.h"

/* Makes the folder where it is missing, and gives it to the owner of the maps; takes it away. 0 or -errno. */
int lock_make(const char *pin_path);
int lock_give(const char *pin_path, const struct owner *o);
int lock_remove(const char *pin_path);
bool lock_is_there(const char *pin_path);
/*
 * Held until the descriptor is closed, so at the latest when the process ends, however it does. Returns that, or
 * -errno: -EWOULDBLOCK: somebody has it; -ENOENT: there is nothing to lock; -EACCES: neither root nor the daemon's
 * user.
 */
int lock_pins(const char *pin_path);
/* Is what this descriptor has locked still the one of pin_path? */
bool lock_is_of(int lock, const char *pin_path);

#endif
