/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A limit to new transactions a second, per source address and in all: past it no state is made, and the message goes
 * on. What is held already is served as ever.
 * A bucket is one time (bucket.h), so one compare-and-swap is all.
 */
#ifndef BPF_RATE_H
#define BPF_RATE_H

#include "bucket.h"
#include "slot.h"

/* 0: it is empty. Where the swap is lost that often the message is served without being counted. */
static __always_inline int take(__u64 *full_ns, __u64 cost, __u64 now)
{
	__u64 seen, next;
	int i;

	for (i = 0; i < WORD_TRIES; i++) {
		seen = *(volatile __u64 *)full_ns;
		next = bucket_taken(seen, cost, now);
		if (!next)
			return 0;
		if (__sync_val_compare_and_swap(full_ns, seen, next) == seen)
			break;
	}
	return 1;
}

/*
 * May this message become a transaction? 0, or the counter of the limit it is over. What its source may not have is
 * not taken from what all have. A function of its own, so that the verifier walks it once and not once a caller.
 */
__noinline int over_rate(const struct siprtx_slot *slot, __u64 now)
{
	__u32 limit = tunable(TUN_rate_source);
	__u64 *full_ns, first;
	__u8 source[16]; /* 6.1 takes no key out of an argument's memory */

	if (!slot)
		return 0;
	if (limit) {
		__builtin_memcpy(source, slot->saddr, sizeof(source));
		full_ns = bpf_map_lookup_elem(&rate_sources, source);
		first = now + BUCKET_NS / limit;
		if (!full_ns) /* where it cannot be made there is no limit */
			bpf_map_update_elem(&rate_sources, source, &first, BPF_NOEXIST);
		else if (!take(full_ns, BUCKET_NS / limit, now))
			return CNT_over_rate_source;
	}
	limit = tunable(TUN_rate);
	full_ns = limit ? map_one(&rate_all) : NULL;
	return full_ns && !take(full_ns, BUCKET_NS / limit, now) ? CNT_over_rate : 0;
}

/* As shipped there is no limit: that costs one look. */
static __always_inline int is_limited(void)
{
	struct siprtx_in_force *f = map_one(&in_force);

	return f && (f->tunables[TUN_rate_source] | f->tunables[TUN_rate]);
}

#endif
