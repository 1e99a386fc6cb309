/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many elements of a hash map in one system call. */
#ifndef SIPRTX_MAP_BATCH_H
#define SIPRTX_MAP_BATCH_H

#include <linux/types.h>
#include <stddef.h>

/* Takes away `n` keys of `key_size` bytes each; those that are not there are passed over. */
void map_delete_keys(int fd, const void *keys, size_t key_size, __u32 n);

#endif
