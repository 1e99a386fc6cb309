// SPDX-License-Identifier: GPL-2.0-or-later
/* A peer that drops and counts, at TC; and the bare sender of XDP live frames, out of a map (raw_senders.c). */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME_SIZE 2048

struct dropped {
	__u64 datagrams, first_ns, last_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dropped);
} dropped SEC(".maps");

struct frame {
	__u8 bytes[FRAME_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

/* by raw_senders.c */
__u32 next, length, ifindex;
/* what the kernel gives each frame before it is one of the map's */
#define FIRST_LENGTH 64

SEC("tc")
int drop(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct dropped *d;
	__u32 zero = 0;

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP ||
	    udp->dest != bpf_htons(5060))
		return TC_ACT_UNSPEC;
	d = bpf_map_lookup_elem(&dropped, &zero);
	if (!d)
		return TC_ACT_UNSPEC;
	d->last_ns = bpf_ktime_get_ns();
	if (!d->datagrams++)
		d->first_ns = d->last_ns;
	return TC_ACT_SHOT;
}

/* Frame after frame, each once. */
SEC("xdp")
int live(struct xdp_md *ctx)
{
	__u32 at = next++, n = length;
	struct frame *f = bpf_map_lookup_elem(&frames, &at);

	if (!f || bpf_xdp_adjust_tail(ctx, (int)n - FIRST_LENGTH))
		return XDP_DROP;
	asm volatile("%[n] &= 2047\n"
		     "if %[n] > 0 goto +1\n"
		     "%[n] = 1\n"
		     : [n] "+r"(n));
	if (bpf_xdp_store_bytes(ctx, 0, f, n))
		return XDP_DROP;
	return bpf_redirect(ifindex, 0);
}

/* The one frame that the kernel has filled its pages with. */
SEC("xdp")
int live_same(struct xdp_md *ctx)
{
	return bpf_redirect(ifindex, 0);
}

char _license[] SEC("license") = "GPL";
