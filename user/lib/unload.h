/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes the kernel side away. */
#ifndef SIPRTX_UNLOAD_H
#define SIPRTX_UNLOAD_H

#include <stddef.h>

/*
 * Detaches everything pinned under `pin_path`, of whatever ABI, and removes the pins; those that a load that was broken
 * off has moved aside too. 0; -ENOENT: nothing was there; -EBUSY: a siprtxd serves them (lock.h); -errno with a
 * sentence in `why`.
 */
int unload(const char *pin_path, char *why, size_t why_size);
/* Removes a folder of pins, maps and links of whatever ABI. 0 or -errno. */
int remove_folder(const char *pin_path);
/* The maps of this ABI alone. */
void unpin_maps(const char *pin_path);

#endif
