/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pinned maps (abi.h says what is in them). Sizes that depend on the configuration are set by the loader. */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "sip.h"
#include "txn_table.h"

#define ARRAY_MAP(map, entries, value_type, kind)                                                                      \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                      \
		__uint(max_entries, entries);                                                                          \
		__uint(map_flags, FLAGS_##kind);                                                                       \
		__type(key, __u32);                                                                                    \
		__type(value, value_type);                                                                             \
	} map SEC(".maps")
#define FLAGS_plain 0
#define FLAGS_mmap  BPF_F_MMAPABLE

ARRAY_MAP(tunables, MAX_TUNABLES, __u32, mmap);
ARRAY_MAP(profiles, MAX_PROFILES *PROFILE_FIELDS, __u32, mmap);
ARRAY_MAP(in_force, 1, struct siprtx_in_force, mmap);
ARRAY_MAP(profile_names, MAX_PROFILES, struct siprtx_name, plain);
ARRAY_MAP(slots, 1, struct siprtx_slot, mmap);
ARRAY_MAP(txns, 1, struct siprtx_bucket, mmap);
ARRAY_MAP(free_slots, 1, __u32, mmap);
ARRAY_MAP(free_head, 1, __u64, mmap);
ARRAY_MAP(stats, MAX_STATS, __u64, mmap);
ARRAY_MAP(lateness, LATENESS_BUCKETS, __u64, mmap);
ARRAY_MAP(events, MAX_EVENTS, struct siprtx_event, mmap);
ARRAY_MAP(configured, 1, struct siprtx_configured, plain);
ARRAY_MAP(hash_key, 1, struct siprtx_hash_key, plain);
ARRAY_MAP(meta, 1, struct siprtx_meta, mmap);
ARRAY_MAP(offender, 1, struct siprtx_offender, plain);
ARRAY_MAP(notify, MAX_SINKS, struct siprtx_sink, mmap);
ARRAY_MAP(live_batch, 1, struct siprtx_live, mmap);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct siprtx_prefix);
	__type(value, __u32);
} gw_profile SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct siprtx_gateway_key);
	__type(value, struct siprtx_gateway);
} gateways SEC(".maps");

/* One more than are kept: the newest goes in before the oldest goes out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_RECORDS + 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct siprtx_record);
} exhausted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct siprtx_egress);
} egress SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct siprtx_way_key);
	__type(value, struct siprtx_way);
} ways SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} notes SEC(".maps");

/* INVITEs of the gateways, with `confirm` on: transaction key -> when it was seen last. Not pinned: one that is missing
 * costs nothing but that the answer to its repeat passes for a copy of the softswitch's own timer. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct siprtx_key);
	__type(value, __u64);
} asked SEC(".maps");

/* Buckets of rate.h, with `rate_source` or `rate` set. Not pinned: a new one is full, and that is all it costs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u8[16]); /* source address */
	__type(value, __u64);
} rate_sources SEC(".maps");
ARRAY_MAP(rate_all, 1, __u64, plain);

/* Where a key was looked for in `txns`. */
struct txn_place {
	__u64 at;      /* what is said of it, or claimed, 0: it was not found */
	__u64 version; /* of its first bucket, before it was looked for */
	__u32 first, second;
};

/* What the kernel said of a route, for the next packets on the same way (route.h). */
struct kept_route {
	__u64 ns; /* when it said so, 0: not to be used again */
	__u64 way[2];
	__u8 saddr[16], daddr[16];
	struct bpf_fib_lookup fib;
};
#define ROUTES_PER_CPU 32 /* a power of two */

/*
 * What a CPU needs for one packet. `spare` is a slot it took from the free list and did not use: the next
 * request is read straight into that slot, so that a captured message is copied once and a slot is never
 * given back from here.
 */
struct siprtx_percpu {
	__u32 spare; /* slot + 1, 0: none */
	__u32 pad;
	struct sip_msg msg;
	struct txn_place place;
	struct siprtx_slot buf; /* for messages that are not to be kept */
	struct kept_route routes[ROUTES_PER_CPU];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct siprtx_percpu);
} percpu SEC(".maps");

/* Set by the loader from the configuration. */
const volatile __u64 sip_ports[1024]; /* a bit a port */
const volatile __u32 forward_by;      /* enum siprtx_forward */
const volatile __u32 txn_buckets;     /* entries of `txns` */

static __always_inline void *map_one(void *map)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(map, &zero);
}

static __always_inline __u32 tunable(__u32 index)
{
	struct siprtx_in_force *f = map_one(&in_force);

	return f ? f->tunables[index & (MAX_TUNABLES - 1)] : 0;
}

/* Methods besides INVITE that are taken, or were: what is held of them is served to its end. */
static __always_inline __u32 methods_known(void)
{
	struct siprtx_in_force *f = map_one(&in_force);

	return f ? f->tunables[TUN_methods] | f->captured_methods : 0;
}

static __always_inline int has_method(__u32 methods, __u32 method)
{
	return (methods & METHODS_ALL) >> (method & 31) & 1;
}

#endif
