/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FNV-1a, 64 bits: to see whether something changed. Not for keys that a stranger may choose. */
#ifndef SIPRTX_HASH_H
#define SIPRTX_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325ull

static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
	const uint8_t *at = data;

	while (n--)
		hash = (hash ^ *at++) * 0x100000001b3ull;
	return hash;
}

#endif
