// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * siprtx_inside and siprtx_egress see what the softswitch sends, the one at XDP as it comes in, the other at TC as it
 * leaves (capture = egress, host mode); siprtx_outside sees what the gateways answer and confirm. Whatever is in doubt
 * passes, with a counter that names the reason (counters.def). With forward = xdp what passes at XDP is forwarded there
 * where that is the same (forward.h). siprtx_lift is attached nowhere: the controller runs it; siprtx_outside too, to
 * send by XDP frames (live.h).
 */
#include <linux/pkt_cls.h>

#include "maps.h"

#include "absorb.h"
#include "capture.h"
#include "confirm.h"
#include "forward.h"
#include "icmp.h"
#include "lift.h"
#include "live.h"
#include "match.h"

/* First letters of the methods besides INVITE. ACK has none of them, a response the S of SUBSCRIBE. */
#define LETTER(c) (1u << ((c) - 'A'))
#define LETTERS                                                                                                        \
	(LETTER('B') | LETTER('C') | LETTER('I') | LETTER('M') | LETTER('N') | LETTER('O') | LETTER('P') |             \
	 LETTER('R') | LETTER('S') | LETTER('U'))

/*
 * An INVITE, or another request while some of them are taken, or a response while those are to be confirmed, or
 * something to be skipped before one (rule 34)? Then it is read straight into a slot.
 */
static __always_inline int may_be_kept(void *ctx, const struct packet *p, __u32 methods)
{
	__u8 first = p->first;

	if (p->first == FIRST_UNREAD && load_bytes(ctx, p->hook, p->l4_off + sizeof(struct udphdr), &first, 1))
		return 0;
	if (first == 'I' || first == '\r' || first == '\n' || first == '\t' || first == ' ' || first == 0)
		return 1;
	if ((first | 0x20) == 's' && tunable(TUN_confirm))
		return 1;
	return methods && first >= 'A' && first <= 'Z' && LETTERS & 1u << (first - 'A');
}

/* A message that is to be sent again until it is answered, in `buf`; `slot` is the same place, NULL: none was free. */
static __always_inline int keep(void *ctx, const struct packet *p, struct siprtx_percpu *cpu, struct siprtx_slot *slot,
				const struct siprtx_slot *buf, enum siprtx_kind kind)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	__u64 txn;
	struct siprtx_key key;

	if (!secret)
		return pass(CNT_no_controller);
	if (!kind_is_response(kind))
		sip_key(buf, &cpu->msg, cpu->msg.method, secret, &key);
	else if (dialog_key(buf, &cpu->msg, secret, &key))
		return pass(CNT_response_untagged);
	txn_look(&key, &cpu->place);
	txn = cpu->place.at;
	if (txn & TXN_CLAIMED)
		return pass(CNT_dup); /* another CPU has the same datagram in its hands */
	if (txn)
		return repeated(ctx, p, txn, &key, buf, &cpu->msg);
	if (kind == KIND_REQUEST && !has_method(tunable(TUN_methods), cpu->msg.method))
		return pass(CNT_other_method); /* not any more */
	if (!slot)
		return pass(CNT_no_slot);
	return new_transaction(ctx, p, cpu, slot, &key, kind);
}

/*
 * A packet of the softswitch; `reason` is what parse() said. The verdict is XDP's at both hooks: PASS or DROP, at XDP a
 * redirect too.
 */
static __always_inline int from_softswitch(void *ctx, const struct packet *p, int reason)
{
	struct siprtx_percpu *cpu = map_one(&percpu);
	struct siprtx_slot *slot = NULL, *buf;
	int kind = KIND_INVITE;
	__u32 methods;

	if (reason != PARSED || !cpu)
		return pass(reason);
	methods = methods_known();
	if (may_be_kept(ctx, p, methods))
		slot = spare_slot(cpu);
	buf = slot ?: &cpu->buf;
	if (read_message(ctx, p, buf, &cpu->msg) != SIP_OK)
		return XDP_PASS;
	if (cpu->msg.method == SIP_ACK && !cpu->msg.code && ack_of_reply(buf, &cpu->msg))
		return XDP_DROP;
	if (cpu->msg.code) {
		kind = awaited_kind(&cpu->msg);
		if (kind < 0)
			return pass(CNT_response_out);
	} else if (cpu->msg.method != SIP_INVITE) {
		reason = CNT_other_method;
		if (cpu->msg.method == SIP_CANCEL)
			reason = cancel(buf, &cpu->msg);
		if (!has_method(methods, cpu->msg.method))
			return pass(reason);
		/* a CANCEL is a request of its own too (9.1); its copies find the INVITE ended */
		if (reason == CNT_cancel || reason == CNT_word_lost)
			count(reason);
		kind = KIND_REQUEST;
	}
	return keep(ctx, p, cpu, slot, buf, kind);
}

static __always_inline int inside(struct xdp_md *ctx)
{
	struct packet p = {.hook = AT_XDP};
	int reason = parse(ctx, &p);

	return onward(ctx, reason, from_softswitch(ctx, &p, reason));
}

/* Absorbed is STOLEN: after SHOT the sender would get ENOBUFS; passed is UNSPEC: OK would end the chain for others. */
static __always_inline int leaving(struct __sk_buff *skb)
{
	struct packet p = {.hook = AT_EGRESS};
	int reason = parse_skb(skb, &p);

	if (reason == PARSED)
		reason = unfit_to_leave(skb) ?: PARSED;
	return from_softswitch(skb, &p, reason) == XDP_DROP ? TC_ACT_STOLEN : TC_ACT_UNSPEC;
}

/* A packet of a gateway; `reason` is what parse() said. */
static __always_inline int from_gateways(struct xdp_md *ctx, const struct packet *p, int reason)
{
	struct siprtx_percpu *cpu = map_one(&percpu);

	if (reason == CNT_not_udp && p->proto && cpu)
		return pass(icmp_error(ctx, p, cpu));
	if (reason != PARSED || !cpu)
		return pass(reason);
	if (read_message(ctx, p, &cpu->buf, &cpu->msg) != SIP_OK)
		return XDP_PASS;
	if (!cpu->msg.code)
		return pass(request_in(p, &cpu->buf, &cpu->msg));
	reason = response(ctx, p, cpu);
	count(reason);
	return is_absorbed(reason) ? XDP_DROP : XDP_PASS;
}

static __always_inline int outside(struct xdp_md *ctx)
{
	struct packet p = {.hook = AT_XDP};
	int reason;

	if (is_live(ctx))
		return live_frame(ctx);
	reason = parse(ctx, &p);
	return onward(ctx, reason, from_gateways(ctx, &p, reason));
}

SEC("xdp.frags")
int siprtx_inside(struct xdp_md *ctx)
{
	return inside(ctx);
}

SEC("xdp.frags")
int siprtx_outside(struct xdp_md *ctx)
{
	return outside(ctx);
}

SEC("tc")
int siprtx_egress(struct __sk_buff *skb)
{
	return leaving(skb);
}

SEC("tc")
int siprtx_lift(struct __sk_buff *skb)
{
	return lift(skb);
}

char _license[] SEC("license") = "GPL";
