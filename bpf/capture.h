/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new message from the softswitch becomes a transaction; the packet itself goes on, but for an INVITE that is refused
 * in the place of a gateway that is down.
 */
#ifndef BPF_CAPTURE_H
#define BPF_CAPTURE_H

#include "egress.h"
#include "key.h"
#include "rate.h"
#include "refuse.h"
#include "route.h"
#include "txn.h"

/* A profile without a first interval is none. */
static __always_inline int is_profile(const struct siprtx_in_force *f, __u32 profile)
{
	return profile < MAX_PROFILES && f->profiles[(profile & (MAX_PROFILES - 1)) * PROFILE_FIELDS];
}

/*
 * The profile of a gateway: its own entry's, then that of its address or prefix, then `standard`. Where one of them
 * does not exist, the one last in force for this gateway stays. *bypass: what its state asks for (enum siprtx_bypass).
 */
static __always_inline __u32 profile_of(const struct siprtx_slot *slot, __u32 *bypass)
{
	struct siprtx_gateway_key exact = {.port = slot->dport};
	struct siprtx_prefix prefix = {.prefixlen = 128};
	struct siprtx_in_force *f = map_one(&in_force);
	struct siprtx_gateway *gateway;
	__u32 *profile;

	if (!f)
		return 0;
	__builtin_memcpy(exact.addr, slot->daddr, 16);
	gateway = bpf_map_lookup_elem(&gateways, &exact);
	if (gateway)
		*bypass = gateway->bypass;
	if (gateway && is_profile(f, gateway->profile))
		return gateway->profile;
	__builtin_memcpy(prefix.addr, slot->daddr, 16);
	profile = bpf_map_lookup_elem(&gw_profile, &prefix);
	if (profile ? is_profile(f, *profile) : !gateway || gateway->profile == NO_PROFILE)
		return profile ? *profile : 0;
	count(CNT_bad_profile);
	return gateway && is_profile(f, gateway->last_profile) ? gateway->last_profile : 0;
}

/* Makes the slot findable and tells the controller: all of it or nothing. 0, or the counter of what was full. */
static __always_inline int commit(struct siprtx_percpu *cpu, struct siprtx_slot *slot, __u64 now)
{
	__u32 index = cpu->spare - 1;
	struct siprtx_note *n;
	__u64 word = slot->word;
	int err;

	n = bpf_ringbuf_reserve(&notes, sizeof(*n), 0);
	if (!n)
		return CNT_no_note;
	err = txn_add(&slot->key, &cpu->place, txn_at(index, word_gen(word), 0));
	if (err) {
		bpf_ringbuf_discard(n, BPF_RB_NO_WAKEUP);
		/* there: another CPU had the same datagram */
		return err == TABLE_THERE ? CNT_dup : err == TABLE_FULL ? CNT_no_txn : CNT_word_lost;
	}
	word = word_moved(word, ST_CALLING, STAGE_NOTHING, cpu->msg.code);
	__sync_lock_test_and_set(&slot->word, word);
	spare_used(cpu);
	n->ns = now;
	n->word = word;
	n->key = slot->key;
	n->slot = index;
	n->kind = NOTE_NEW;
	n->code = 0;
	bpf_ringbuf_submit(n, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Its responses and copies are to be looked for from now on. */
static __always_inline void mark_captured(__u32 method)
{
	struct siprtx_in_force *f = map_one(&in_force);

	if (f && !has_method(f->captured_methods, method))
		__sync_fetch_and_or(&f->captured_methods, 1u << (method & 31));
}

/* The message was read into the CPU's spare slot, `key` is unknown. */
static __always_inline int new_transaction(void *ctx, const struct packet *p, struct siprtx_percpu *cpu,
					   struct siprtx_slot *slot, const struct siprtx_key *key,
					   enum siprtx_kind kind)
{
	struct siprtx_meta *m = map_one(&meta);
	__u64 now = bpf_ktime_get_ns();
	__u32 bypass = BYPASS_NONE;
	int reason;

	if (!m || !controller_alive(m, now) || !tunable(TUN_capture))
		return pass(CNT_no_controller);
	if (p->hook == AT_XDP && p->ttl <= 1)
		return pass(CNT_ttl);
	keep_addresses(slot, p);
	reason = is_limited() ? over_rate(slot, now) : 0;
	if (reason)
		return pass(reason);
	reason = p->hook == AT_EGRESS ? keep_as_it_leaves(ctx, p, slot) : keep_as_routed(ctx, p, cpu, slot, now);
	if (reason)
		return pass(reason);
	slot->key = *key;
	slot->first_ns = now;
	slot->cseq = cpu->msg.cseq;
	slot->kind = kind;
	slot->method = cpu->msg.method;
	slot->profile = profile_of(slot, &bypass);
	slot->bypass = bypass = kind == KIND_INVITE ? bypass_of(m, slot, &cpu->msg, bypass, now) : BYPASS_NONE;
	slot->copy_gap_ns = slot->copy_ns = slot->resp_ns = slot->due_ns = slot->last_send_ns = 0;
	slot->retry_after = NO_RETRY_AFTER;
	slot->late_us_max = 0;
	slot->sends = slot->step = 0;
	reason = commit(cpu, slot, now);
	if (reason)
		return pass(reason);
	if (bypass == BYPASS_REFUSED)
		return drop_refused();
	if (kind == KIND_REQUEST)
		mark_captured(cpu->msg.method);
	count(kind == KIND_INVITE ? CNT_captured : kind == KIND_REQUEST ? CNT_captured_other : CNT_response_captured);
	return XDP_PASS;
}

#endif
