// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the programs, ns net of an empty XDP_PASS program, by BPF_PROG_TEST_RUN on one CPU. Prints
 * one line of JSON. Each INVITE is a new call and each response ends the wait of another one (bench.bpf.c), over as
 * many slots as a live edge has: so slots and table entries are as cold as they are there.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bench.skel.h"
#include "edge.h"
#include "rule_bench.h"
#include "slot.h"
#include "txns.h"

#define ROUNDS 9
#define REPEAT 1000000 /* runs of a packet that changes nothing */
#define CALLS  60000
#define BRANCH "z9hG4bK00000000.a3f9c1d27be4"

static struct edge edge;
static struct bench_bpf *bench;
static int empty;

static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

static int load_empty(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", pass, 2, NULL);

	if (fd < 0)
		give_up("an empty XDP program");
	return fd;
}

/* The bench's programs over the very maps the product has pinned. */
static void load_bench(void)
{
	char path[PATH_MAX];

	bench = bench_bpf__open();
	if (!bench)
		give_up("bench.bpf.o");
	for (int id = 0; id < PIN_COUNT; id++) {
		struct bpf_map *map = bpf_object__find_map_by_name(bench->obj, pin_name(id));

		snprintf(path, sizeof(path), "%s/%s", edge.pin_path, pin_name(id));
		if (!map || bpf_map__reuse_fd(map, edge.pins.fd[id]))
			give_up("map %s", pin_name(id));
	}
	bench->rodata->sip_ports[5060 >> 6] = 1ull << (5060 & 63);
	bench->rodata->txn_buckets = edge.pins.entries[PIN_txns];
	bpf_program__set_autoload(bench->progs.siprtx_inside, false);
	bpf_program__set_autoload(bench->progs.siprtx_outside, false);
	if (bench_bpf__load(bench))
		give_up("loading bench.bpf.o");
}

/* ns a run, over `repeat` runs of the same program */
static double cost(int prog_fd, const struct frame *f, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len, .repeat = repeat);
	struct __sk_buff skb = {.ifindex = edge.out_ifindex};
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(prog_fd, &info, &size) && info.type == BPF_PROG_TYPE_SCHED_CLS) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	bench->bss->run_number = 0;
	if (bpf_prog_test_run_opts(prog_fd, &opts))
		give_up("BPF_PROG_TEST_RUN");
	return opts.duration;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), ascending);
	return v[ROUNDS / 2];
}

static double tax(int prog, int nothing)
{
	char payload[172] = {(char)0x80};
	double net[ROUNDS];
	struct frame rtp;

	frame_build(&rtp, &(struct shape){.sport = 30000, .dport = 40000}, payload, sizeof(payload));
	for (int i = 0; i < ROUNDS; i++)
		net[i] = cost(prog, &rtp, REPEAT) - cost(nothing, &rtp, REPEAT);
	return median(net);
}

/* An INVITE of 1,024 bytes with three Vias. */
static unsigned build_invite(struct frame *f)
{
	static const char headers[] =
		"Via: SIP/2.0/UDP "
		"192.0.2.77:5060;branch=z9hG4bK-524287-1---f0a93bd1c0e5;received=198.51.100.7;rport=5060\r\n"
		"Via: SIP/2.0/UDP 192.168.11.20:5060;branch=z9hG4bK1c77a09d8f;rport\r\n"
		"User-Agent: VOS3000 V2.1.9.07\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER\r\n"
		"Supported: 100rel, timer, replaces\r\nSession-Expires: 1800\r\nMin-SE: 90\r\nX-Trace: ";
	char message[2048], extra[1024];
	int len = make_invite(message, sizeof(message), BRANCH, 1, headers) + 2;

	snprintf(extra, sizeof(extra), "%s%0*d\r\n", headers, 1024 - len, 7);
	len = make_invite(message, sizeof(message), BRANCH, 1, extra);
	if (len != 1024)
		give_up("an INVITE of %d bytes", len);
	frame_build(f, &(struct shape){0}, message, len);
	return len;
}

static unsigned build_response(struct frame *f)
{
	static const char headers[] =
		"Contact: <sip:1001@10.77.2.2:5060>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n"
		"Content-Length: 0\r\nServer: ";
	char message[2048], extra[1024];
	int len = make_response(message, sizeof(message), BRANCH, 1, 180, "INVITE", headers) + 2;

	snprintf(extra, sizeof(extra), "%s%0*d\r\n", headers, 500 - len, 7);
	len = make_response(message, sizeof(message), BRANCH, 1, 180, "INVITE", extra);
	if (len != 500)
		give_up("a response of %d bytes", len);
	frame_build(f, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, message, len);
	return len;
}

static unsigned branch_offset(const struct frame *f)
{
	return (char *)memmem(f->data, f->len, "z9hG4bK00000000", 15) - (char *)f->data + 7;
}

/* A clean table for the next round. */
static void forget_all(void)
{
	const struct free_list list = {edge.pins.free_slots, edge.pins.free_head};
	const struct txns t = txns_of(&edge.pins);

	last_captured(&edge);
	for (size_t i = 0; i < txns_entries(&t); i++)
		txns_entry(&t, i)->at = 0;
	for (unsigned i = 0; i < edge.pins.meta->slots; i++)
		if (word_state(edge.pins.slots[i].word) != ST_FREE)
			slot_free(&list, edge.pins.slots, i);
}

/* Runs of prog over CALLS calls, each of which must be counted under `reason`: ns a run, net of `nothing`. */
static double counted(const struct frame *f, const struct bpf_program *prog, const struct bpf_program *nothing,
		      unsigned reason)
{
	uint64_t before = counter(&edge, reason);
	double base, all;

	bench->bss->branch_off = branch_offset(f);
	base = cost(bpf_program__fd(nothing), f, CALLS);
	all = cost(bpf_program__fd(prog), f, CALLS);
	if (counter(&edge, reason) - before != CALLS)
		give_up("only %lu of %d packets did what they should", counter(&edge, reason) - before, CALLS);
	return all - base;
}

static void calls(double *capture, double *egress, double *match, unsigned *invite_bytes, unsigned *response_bytes)
{
	double captured[ROUNDS], leaving[ROUNDS], matched[ROUNDS];
	struct frame invite, response;

	*invite_bytes = build_invite(&invite);
	*response_bytes = build_response(&response);
	for (int i = 0; i < ROUNDS; i++) {
		leaving[i] = counted(&invite, bench->progs.bench_egress, bench->progs.base_egress, CNT_captured);
		forget_all();
		captured[i] = counted(&invite, bench->progs.bench_inside, bench->progs.bench_base, CNT_captured);
		last_captured(&edge);
		matched[i] = counted(&response, bench->progs.bench_outside, bench->progs.bench_base, CNT_provisional);
		forget_all();
	}
	*capture = median(captured);
	*egress = median(leaving);
	*match = median(matched);
}

int main(void)
{
	char *more[] = {"siprtx.max_transactions=65536", NULL};
	unsigned invite_bytes = 0, response_bytes = 0;
	double capture, egress, match, non_sip, non_sip_egress;
	struct rule_costs rule;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	edge_up(&edge, more);
	empty = load_empty();
	load_bench();
	non_sip = tax(edge.inside, empty);
	non_sip_egress = tax(bpf_program__fd(bench->progs.siprtx_egress), bpf_program__fd(bench->progs.empty_egress));
	rule_bench(&edge, empty, cost, &rule);
	calls(&capture, &egress, &match, &invite_bytes, &response_bytes);
	printf("{\"non_sip_tax_ns\": %.1f, \"non_sip_tax_egress_ns\": %.1f, \"invite_capture_ns\": %.1f, "
	       "\"invite_capture_egress_ns\": %.1f, \"response_match_ns\": %.1f, \"invite_bytes\": "
	       "%u, \"response_bytes\": %u, \"rules\": {\"bye_ns\": %.0f, \"bye_methods_ns\": %.0f, "
	       "\"final_ns\": %.0f, \"final_confirm_ns\": %.0f, \"ack_ns\": %.0f, \"ack_confirm_ns\": %.0f, "
	       "\"icmp_unreachable_ns\": %.0f, \"icmp_other_ns\": %.0f}}\n",
	       non_sip, non_sip_egress, capture, egress, match, invite_bytes, response_bytes, rule.bye_ns[0],
	       rule.bye_ns[1], rule.final_ns[0], rule.final_ns[1], rule.ack_ns[0], rule.ack_ns[1], rule.icmp_ns,
	       rule.echo_ns);
	bench_bpf__destroy(bench);
	edge_down(&edge);
	return 0;
}
