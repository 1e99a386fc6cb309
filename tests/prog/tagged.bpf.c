// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * siprtx_egress given an skb whose VLAN tag is beside the frame, as one that leaves by a VLAN device: BPF_PROG_TEST_RUN
 * cannot make it so.
 */
#include "../../bpf/siprtx.bpf.c"

#define TAG 0x2064 /* priority 1, VLAN 100 */

SEC("tc")
int tagged_egress(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), TAG) ? TC_ACT_SHOT : leaving(skb);
}
