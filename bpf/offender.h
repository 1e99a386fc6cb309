/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whence a message came that counts for nothing with match_source (rule 31): the counter does not say. */
#ifndef BPF_OFFENDER_H
#define BPF_OFFENDER_H

#include "wire.h"

/* A function of its own, so that the verifier walks it once and not once a caller. The packet is at SLOT_L3 of buf. */
__noinline int keep_offender(const struct siprtx_slot *buf, __u32 v6, __u32 port)
{
	struct siprtx_offender *o = map_one(&offender);
	__u64 now = bpf_ktime_get_ns(), seen;

	if (!buf || !o)
		return 0;
	seen = *(volatile __u64 *)&o->begun_ns;
	if (now - seen < OFFENDER_NS || __sync_val_compare_and_swap(&o->begun_ns, seen, now) != seen)
		return 0;
	if (v6)
		__builtin_memcpy(o->addr, &((struct ipv6hdr *)((void *)buf + SLOT_L3))->saddr, 16);
	else
		map_ipv4(o->addr, ((struct iphdr *)((void *)buf + SLOT_L3))->saddr);
	o->port = port;
	__sync_lock_test_and_set(&o->ns, now);
	return 0;
}

/* From elsewhere than its message went to: counted, and passed. */
static __always_inline int wrong_source(const struct siprtx_slot *buf, const struct packet *p)
{
	keep_offender(buf, p->v6, p->sport);
	return CNT_wrong_source;
}

#endif
