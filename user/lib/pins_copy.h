/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps for who may read them and no more: the kernel maps no memory of those, so it is copied. */
#ifndef SIPRTX_PINS_COPY_H
#define SIPRTX_PINS_COPY_H

#include "pins.h"

/*
 * Copies the values of the ARRAY map `fd` to `to`, laid out as its mapped memory is. Of slots that hold nothing the
 * word alone is copied: to read a status must not take the memory of all of them. 0 or -errno.
 */
int pins_copy(int fd, enum pin_id id, void *to);

#endif
