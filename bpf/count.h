/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One counter a reason: whatever passes untouched is counted under the reason why. */
#ifndef BPF_COUNT_H
#define BPF_COUNT_H

#include "maps.h"

static __always_inline void count(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &reason);

	if (n)
		(*n)++;
}

static __always_inline int pass(__u32 reason)
{
	count(reason);
	return XDP_PASS;
}

/* The scanner's verdicts and their counters stand in the same order. */
_Static_assert(CNT_keepalive + SIP_CSEQ_MISMATCH - SIP_KEEPALIVE == CNT_cseq_mismatch, "verdicts and counters");
_Static_assert(CNT_keepalive + SIP_TOO_LONG - SIP_KEEPALIVE == CNT_too_long, "verdicts and counters");

static __always_inline int pass_unread(int verdict)
{
	return pass(CNT_keepalive + ((verdict - SIP_KEEPALIVE) & 7));
}

#endif
