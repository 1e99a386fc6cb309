// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scanner and the key alone, of the headers the product is made of, read as the product reads (bpf/parse.h). What
 * they say lies where the test sees it, for messages of every kind, those too that the product only counts.
 */
#include "../../bpf/parse.h"

#include "key.h"
#include "scan.h"

struct siprtx_slot buf;
struct scan_result result;

SEC("xdp.frags")
int scan(struct xdp_md *ctx)
{
	struct siprtx_hash_key *secret = map_one(&hash_key);
	struct packet p = {.hook = AT_XDP};

	result.reason = parse(ctx, &p);
	if (result.reason != PARSED || !secret)
		return XDP_PASS;
	if (p.ip_len > SLOT_ROOM) {
		result.verdict = SIP_TOO_LONG;
		return XDP_PASS;
	}
	if (load_packet(ctx, &p, &buf)) {
		result.reason = CNT_truncated;
		return XDP_PASS;
	}
	result.beg = SLOT_L3 + (p.l4_off - p.l3_off) + sizeof(struct udphdr);
	result.end = result.beg + p.sip_len;
	result.verdict = sip_scan(&buf, result.beg, result.end, &result.msg);
	if (result.verdict != SIP_OK)
		return XDP_PASS;
	sip_key(&buf, &result.msg, scan_key_method(&result.msg), secret, &result.key);
	result.dialog_verdict = sip_dialog(&buf, &result.msg, &result.dialog);
	if (result.dialog_verdict == SIP_OK)
		sip_dialog_key(&buf, &result.dialog, secret, &result.dialog_key);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
