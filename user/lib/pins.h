/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pinned maps, opened and mapped: the only interface between kernel, controller and CLI. */
#ifndef SIPRTX_PINS_H
#define SIPRTX_PINS_H

#include <linux/limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Every pinned map. MAP(name, mapped into memory: 1; 2: of who may write alone) */
#define PINNED_MAPS(MAP)                                                                                               \
	MAP(tunables, 1)                                                                                               \
	MAP(profiles, 1)                                                                                               \
	MAP(in_force, 1)                                                                                               \
	MAP(profile_names, 0)                                                                                          \
	MAP(gw_profile, 0)                                                                                             \
	MAP(gateways, 0)                                                                                               \
	MAP(exhausted, 0)                                                                                              \
	MAP(txns, 2)                                                                                                   \
	MAP(slots, 1)                                                                                                  \
	MAP(free_slots, 1)                                                                                             \
	MAP(free_head, 1)                                                                                              \
	MAP(notes, 0)                                                                                                  \
	MAP(counters, 0)                                                                                               \
	MAP(stats, 1)                                                                                                  \
	MAP(lateness, 1)                                                                                               \
	MAP(events, 1)                                                                                                 \
	MAP(egress, 0)                                                                                                 \
	MAP(hash_key, 0)                                                                                               \
	MAP(configured, 0)                                                                                             \
	MAP(meta, 1)                                                                                                   \
	MAP(percpu, 0)                                                                                                 \
	MAP(offender, 0)                                                                                               \
	MAP(notify, 1)                                                                                                 \
	MAP(live_batch, 1)                                                                                             \
	MAP(ways, 0)

enum pin_id {
#define MAP(name, mapped) PIN_##name,
	PINNED_MAPS(MAP)
#undef MAP
		PIN_COUNT
};

struct pins {
	int fd[PIN_COUNT];	     /* -1: not opened */
	unsigned entries[PIN_COUNT]; /* max_entries */
	size_t length[PIN_COUNT];    /* bytes mapped */
	bool writable;
	bool copied;	     /* may be read and no more: the memory below is a copy, see pins_renew() */
	char path[PATH_MAX]; /* the folder */
	/* mapped memory; valid until pins_close() */
	struct siprtx_slot *slots;
	struct siprtx_bucket *txns; /* NULL where not writable */
	struct siprtx_meta *meta;
	struct siprtx_in_force *in_force;
	__u32 *profiles; /* stride: 8 bytes an entry, use pins_u32() */
	__u32 *tunables;
	__u32 *free_slots;
	__u64 *free_head;
	__u64 *stats;
	__u64 *lateness;
	struct siprtx_event *events;
	struct siprtx_sink *notify;
	struct siprtx_live *live_batch;
};

/* An ARRAY map rounds each value up to 8 bytes: entry i of a mapped u32 array. */
static inline __u32 *pins_u32(__u32 *base, unsigned i)
{
	return base + 2 * (size_t)i;
}

/* What pins_open() is for. Without PINS_SLOTS `slots` stays NULL: a million of them take 0.2 s to map. */
enum pins_use {
	PINS_READ = 0,
	PINS_WRITE = 1 << 0,
	PINS_SLOTS = 1 << 1,
};

/*
 * Opens every pinned map under `pin_path` and maps those that can be. `use`: enum pins_use; without PINS_WRITE
 * read-only. Returns 0; -ENOENT: nothing is loaded there; -EPERM / -EACCES: rights; -EPROTO: another ABI.
 * On failure *p holds nothing to close.
 */
int pins_open(struct pins *p, const char *pin_path, unsigned use);
/* Brings the copy of one map, or of all, up to date; nothing to do where memory is mapped. 0 or -errno. */
int pins_renew(struct pins *p, enum pin_id id);
int pins_renew_all(struct pins *p);
void pins_close(struct pins *p);
/* Of these maps, for as long as they are the ones under that path; 0: nothing is loaded there. */
uint64_t pins_ino(const char *pin_path);
const char *pin_name(enum pin_id id);

#endif
