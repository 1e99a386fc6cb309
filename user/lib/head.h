/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be told of pinned maps of any ABI: the head of `meta`, and the tunable `capture` (abi.h). */
#ifndef SIPRTX_HEAD_H
#define SIPRTX_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Fills the fields of the head from a value of `meta`, all others with 0. 0; -EPROTO: it is none of siprtx's. Pure. */
int head_take(const void *value, size_t size, struct siprtx_meta *head);
/* Of the maps pinned in this folder. 0; -ENOENT: there is no map meta; -EPROTO; -EACCES, -EPERM: rights; -errno. */
int head_read(const char *folder, struct siprtx_meta *head);
/* The tunable as it is written. 0 or -errno. */
int head_capture(const char *folder, uint32_t *value);
int head_set_capture(const char *folder, uint32_t value);
/*
 * Why pins_open() said -EPROTO, and what to do: a sentence in `why`. They are of another ABI, which a load takes
 * over from, or incomplete, or not siprtx's.
 */
void head_explain(const char *folder, char *why, size_t why_size);

#endif
