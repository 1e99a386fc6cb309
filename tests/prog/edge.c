// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "edge.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "load.h"
#include "unload.h"

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void edge_run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command)) // NOLINT(cert-env33-c): the test's own command
		fail_msg("failed: %s", command);
	usleep(ROUTE_KEPT_NS / 1000); /* what the kernel said of routes before is used no more */
}

static int program_on(const char *ifname)
{
	__u32 id = 0;

	assert_int_equal(bpf_xdp_query_id(if_nametoindex(ifname), 0, &id), 0);
	assert_true(id);
	return bpf_prog_get_fd_by_id(id);
}

static int pinned_egress(const struct edge *e)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/egress_out0", e->pin_path);
	return bpf_obj_get(path);
}

static void make_links(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	edge_run("ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1;"
		 "ip link add in0 type veth peer name s0; ip link add out0 type veth peer name g0;"
		 /* nobody but the test sends: no neighbour discovery of the peers is counted */
		 "for d in s0 g0; do sysctl -qw net.ipv6.conf.$d.disable_ipv6=1; ip link set $d arp off; done;"
		 "for d in in0 s0 out0 g0; do sysctl -qw net.ipv6.conf.$d.accept_dad=0; ip link set $d up; done;"
		 "ip link set out0 address 02:00:00:00:02:01; ip addr add 10.77.1.1/24 dev in0; ip addr add "
		 "10.77.2.1/24 dev out0;"
		 "ip addr add fd77:1::1/64 dev in0 nodad; ip addr add fd77:2::1/64 dev out0 nodad;"
		 "ip neigh add " GATEWAY " lladdr 02:00:00:00:02:02 dev out0; ip neigh add " GATEWAY6
		 " lladdr 02:00:00:00:02:02 dev out0");
}

/* What a test that was killed has left. */
static void sweep(void)
{
	char why[256], path[64];
	struct dirent *entry;
	DIR *dir = opendir("/sys/fs/bpf");
	int pid;

	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "siprtx-prog-%d", &pid) != 1 || !kill(pid, 0))
			continue;
		snprintf(path, sizeof(path), "/sys/fs/bpf/siprtx-prog-%d", pid);
		unload(path, why, sizeof(why));
	}
	if (dir)
		closedir(dir);
}

void edge_up(struct edge *e, char *const *overrides)
{
	static const char text[] =
		"[siprtx]\nmode = inline\ninside = in0\noutside = out0\nsip_ports = 5060\nmax_transactions = 64\n"
		"journal = /nonexistent/x.jsonl\n";
	struct problems problems = {};
	char conf[] = "/tmp/siprtx-prog-XXXXXX", why[512] = "", pin[96];
	char *given[16] = {pin};
	unsigned n = 1;
	int fd = mkstemp(conf);

	sweep();
	memset(e, 0, sizeof(*e));
	snprintf(e->pin_path, sizeof(e->pin_path), "/sys/fs/bpf/siprtx-prog-%d", getpid());
	snprintf(pin, sizeof(pin), "siprtx.pin_path=%s", e->pin_path);
	while (overrides && overrides[n - 1] && n < 16) {
		given[n] = overrides[n - 1];
		n++;
	}
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	if (config_load(conf, given, n, &e->config, &problems))
		problems_print(&problems, stderr, "edge_up");
	assert_int_equal(problems.errors, 0);
	problems_free(&problems);
	unlink(conf);
	make_links();
	if (load(&e->config, 0, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(pins_open(&e->pins, e->pin_path, PINS_WRITE | PINS_SLOTS), 0);
	e->in_ifindex = if_nametoindex("in0");
	e->out_ifindex = if_nametoindex("out0");
	e->outside = program_on("out0");
	e->inside = config_takes_egress(&e->config) ? -1 : program_on("in0");
	e->egress = config_takes_egress(&e->config) ? pinned_egress(e) : -1;
	assert_true(e->outside >= 0 && (e->inside >= 0 || e->egress >= 0));
	e->pins.meta->alive_ns = e->pins.meta->heartbeat[0] = now_ns() + 3600000000000ull;
}

void edge_down(struct edge *e)
{
	char why[256];

	close(e->inside);
	close(e->outside);
	close(e->egress);
	pins_close(&e->pins);
	assert_int_equal(unload(e->pin_path, why, sizeof(why)), 0);
	config_free(&e->config);
}

uint16_t plain_sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *at = data;
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put16(struct frame *f, uint16_t v)
{
	f->data[f->len++] = v >> 8;
	f->data[f->len++] = v;
}

static void put(struct frame *f, const void *data, size_t n)
{
	memcpy(f->data + f->len, data, n);
	f->len += n;
}

static void put_ipv4(struct frame *f, const struct shape *s, unsigned udp_len)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5 + s->ip_options / 4, .ttl = s->ttl ?: 64, .protocol = s->proto ?: IPPROTO_UDP};
	unsigned at = f->len;

	ip.tot_len = htons(20 + s->ip_options + udp_len + s->ip_len_off);
	ip.id = htons(0x1234);
	ip.frag_off = htons(s->frag);
	ip.tos = 0x68;
	inet_pton(AF_INET, s->src ?: SOFTSWITCH, &ip.saddr);
	inet_pton(AF_INET, s->dst ?: GATEWAY, &ip.daddr);
	put(f, &ip, sizeof(ip));
	memset(f->data + f->len, 1, s->ip_options); /* no-operation */
	f->len += s->ip_options;
	ip.check = htons(plain_sum(f->data + at, f->len - at, 0));
	memcpy(f->data + at, &ip, sizeof(ip));
}

static void put_ipv6(struct frame *f, const struct shape *s, unsigned udp_len)
{
	struct ipv6hdr ip = {.version = 6, .hop_limit = s->ttl ?: 64, .nexthdr = s->ext ? s->ext_first : s->proto ?: IPPROTO_UDP};

	ip.payload_len = htons(s->ext_len + udp_len + s->ip_len_off);
	inet_pton(AF_INET6, s->src ?: SOFTSWITCH6, &ip.saddr);
	inet_pton(AF_INET6, s->dst ?: GATEWAY6, &ip.daddr);
	put(f, &ip, sizeof(ip));
	if (s->ext)
		put(f, s->ext, s->ext_len);
}

/* Of the UDP datagram at `at`; the addresses stand before it, `addrs` bytes of both. */
static uint16_t udp_sum(const struct frame *f, unsigned at, const void *addrs, unsigned addrs_len, bool half)
{
	unsigned len = f->len - at;
	uint32_t pseudo = (uint16_t)~plain_sum(addrs, addrs_len, IPPROTO_UDP + len);
	uint16_t sum = half ? pseudo : plain_sum(f->data + at, len, pseudo);

	return sum ?: 0xffff;
}

void frame_build(struct frame *f, const struct shape *s, const void *message, size_t len)
{
	unsigned udp_len = 8 + len, l3, at;
	uint16_t sum;

	memset(f, 0, sizeof(*f));
	put(f, "\x02\0\0\0\1\1\x02\0\0\0\1\2", 12);
	for (unsigned i = 0; i < s->tags; i++) {
		put16(f, i + 1 < s->tags ? ETH_P_8021AD : ETH_P_8021Q);
		put16(f, 100 + i);
	}
	put16(f, s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	l3 = f->len;
	if (s->v6)
		put_ipv6(f, s, udp_len);
	else
		put_ipv4(f, s, udp_len);
	at = f->len;
	put16(f, s->sport ?: 5060);
	put16(f, s->dport ?: 5060);
	put16(f, udp_len + s->udp_len_off);
	put16(f, 0);
	put(f, message, len);
	sum = htons(s->v6 ? udp_sum(f, at, f->data + l3 + 8, 32, s->half_sum)
			  : udp_sum(f, at, f->data + l3 + 12, 8, s->half_sum));
	memcpy(f->data + at + 6, &sum, 2);
	f->len += s->padding;
}

int run_from(int prog_fd, unsigned ifindex, const struct frame *in, struct frame *out)
{
	struct xdp_md ctx = {.data_end = in->len, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = out->data,
		    .data_size_out = sizeof(out->data), .repeat = 1, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));

	if (bpf_prog_test_run_opts(prog_fd, &opts))
		fail_msg("BPF_PROG_TEST_RUN: %m");
	out->len = opts.data_size_out;
	return opts.retval;
}

int run_skb(int prog_fd, const struct frame *in, struct frame *out, struct __sk_buff *skb)
{
	struct frame after;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = after.data,
		    .data_size_out = sizeof(after.data), .repeat = 1, .ctx_in = skb,
		    .ctx_size_in = skb ? sizeof(*skb) : 0);

	if (bpf_prog_test_run_opts(prog_fd, &opts))
		fail_msg("BPF_PROG_TEST_RUN: %m");
	after.len = opts.data_size_out;
	if (out)
		*out = after;
	return opts.retval;
}

int run(int prog_fd, const struct frame *in, struct frame *out)
{
	return run_skb(prog_fd, in, out, NULL);
}

uint64_t counter(const struct edge *e, unsigned index)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t each[cpus], sum = 0;

	assert_int_equal(bpf_map_lookup_elem(e->pins.fd[PIN_counters], &index, each), 0);
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	return sum;
}

void counters_clear(const struct edge *e)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t zero[cpus];

	memset(zero, 0, sizeof(zero));
	for (unsigned i = 0; i < CNT_COUNT; i++)
		assert_int_equal(bpf_map_update_elem(e->pins.fd[PIN_counters], &i, zero, BPF_ANY), 0);
}

int make_invite(char *out, size_t size, const char *branch, unsigned cseq, const char *extra)
{
	static const char body[] = "v=0\r\no=- 1 1 IN IP4 10.77.1.2\r\ns=-\r\nc=IN IP4 10.77.1.2\r\nt=0 0\r\nm=audio "
				   "30000 RTP/AVP 8 0\r\n";

	return snprintf(
		out, size,
		"INVITE sip:1001@10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=%s;rport\r\nMax-Forwards: "
		"70\r\n"
		"From: <sip:a@10.77.1.2>;tag=f1\r\nTo: <sip:1001@10.77.2.2>\r\nCall-ID: prog-%s\r\nCSeq: %u INVITE\r\n"
		"Contact: <sip:a@10.77.1.2>\r\n%sContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		branch, branch, cseq, extra ?: "", sizeof(body) - 1, body);
}

int make_response(char *out, size_t size, const char *branch, unsigned cseq, int code, const char *method,
		  const char *extra)
{
	return snprintf(
		out, size,
		"SIP/2.0 %d Whatever\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=%s;received=10.77.1.2;rport=5060\r\n"
		"From: <sip:a@10.77.1.2>;tag=f1\r\nTo: <sip:1001@10.77.2.2>;tag=g\r\nCall-ID: prog-%s\r\nCSeq: %u "
		"%s\r\n%s\r\n",
		code, branch, branch, cseq, method, extra ?: "Content-Length: 0\r\n");
}

static int on_note(void *ctx, void *data, size_t size __attribute__((unused)))
{
	const struct siprtx_note *n = data;

	if (n->kind == NOTE_NEW)
		*(int64_t *)ctx = n->slot;
	return 0;
}

struct siprtx_slot *last_captured(struct edge *e)
{
	int64_t slot = -1;
	struct ring_buffer *ring = ring_buffer__new(e->pins.fd[PIN_notes], on_note, &slot, NULL);

	assert_non_null(ring);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return slot < 0 ? NULL : &e->pins.slots[slot];
}
