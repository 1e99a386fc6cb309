// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the programs, net of an empty XDP_PASS program, by BPF_PROG_TEST_RUN on one CPU. Prints JSON.
 * A captured INVITE must be a new one each time: so it runs a packet as often as there are slots, each with its own
 * branch, and the kernel's own time of each run is added up; the empty program is run in just the same way.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge.h"

#define ROUNDS 9
#define REPEAT 200000

static struct edge edge;
static int empty;

static int load_empty(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", pass, 2, NULL);

	if (fd < 0) {
		perror("an empty XDP program");
		exit(1);
	}
	return fd;
}

/* ns a run; repeat as given */
static double cost(int prog_fd, struct frame *f, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len, .repeat = repeat);

	if (bpf_prog_test_run_opts(prog_fd, &opts)) {
		perror("BPF_PROG_TEST_RUN");
		exit(1);
	}
	return opts.duration;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), ascending);
	return v[n / 2];
}

/* The same packet over and over, against the empty program in alternation. */
static double steady(int prog_fd, struct frame *f)
{
	double net[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double base = cost(empty, f, REPEAT);

		net[i] = cost(prog_fd, f, REPEAT) - base;
	}
	return median(net, ROUNDS);
}

static int via_and_body(char *out, size_t size, const char *branch)
{
	static const char more[] =
		"Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK-524287-1---f0a93bd1c0e5;received=198.51.100.7;rport=5060\r\n"
		"Via: SIP/2.0/UDP 192.168.11.20:5060;branch=z9hG4bK1c77a09d8f;rport\r\n"
		"User-Agent: VOS3000 V2.1.9.07\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER\r\n"
		"Supported: 100rel, timer, replaces\r\nSession-Expires: 1800\r\nMin-SE: 90\r\nX-Trace: ";
	char extra[1024];
	int len = make_invite(out, size, branch, 1, NULL), room = 1024 - len - (int)sizeof(more) + 1 - 2;

	snprintf(extra, sizeof(extra), "%s%.*s\r\n", more, room,
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	return make_invite(out, size, branch, 1, extra);
}

/* Takes back what was captured: a clean table for the next round. */
static void forget_all(void)
{
	struct siprtx_key key;

	last_captured(&edge);
	while (!bpf_map_get_next_key(edge.pins.fd[PIN_txns], NULL, &key))
		bpf_map_delete_elem(edge.pins.fd[PIN_txns], &key);
	for (unsigned i = 0; i < edge.pins.meta->slots; i++)
		if (word_state(edge.pins.slots[i].word) != ST_FREE) {
			edge.pins.slots[i].word = (__u64)(word_gen(edge.pins.slots[i].word) + 1) << 32;
			*pins_u32(edge.pins.free_slots, edge.pins.free_pos->tail & (edge.pins.entries[PIN_free_slots] - 1)) = i;
			edge.pins.free_pos->tail++;
		}
}

static double capture(unsigned *size)
{
	double net[ROUNDS];
	char message[2048], branch[64];
	struct frame f;
	unsigned calls = edge.config.max_transactions;

	for (int i = 0; i < ROUNDS; i++) {
		double sum = 0;

		for (unsigned n = 0; n < calls; n++) {
			snprintf(branch, sizeof(branch), "z9hG4bK%08x.%08x.bench", n * 2654435761u, i);
			*size = via_and_body(message, sizeof(message), branch);
			frame_build(&f, &(struct shape){0}, message, *size);
			sum += cost(edge.inside, &f, 1) - cost(empty, &f, 1);
		}
		net[i] = sum / calls;
		if (counter(&edge, CNT_captured) < (uint64_t)(i + 1) * calls) {
			fprintf(stderr, "only %lu of %u INVITEs were captured\n", counter(&edge, CNT_captured), (i + 1) * calls);
			exit(1);
		}
		forget_all();
	}
	return median(net, ROUNDS);
}

/* A 500-byte response that moves a transaction, each to one of its own; made by putting the word back each time. */
static double match(unsigned *size)
{
	double net[ROUNDS];
	char message[2048], extra[256];
	struct siprtx_slot *s;
	struct frame f;

	frame_build(&f, &(struct shape){0}, message, via_and_body(message, sizeof(message), "z9hG4bK12345678.match.bench"));
	run(edge.inside, &f, NULL);
	s = last_captured(&edge);
	if (!s)
		exit(1);
	snprintf(extra, sizeof(extra), "Server: gateway\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\nContact: <sip:1001@10.77.2.2:5060>\r\nX-P: %.*s\r\nContent-Length: 0\r\n",
		 74, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
	*size = make_response(message, sizeof(message), "z9hG4bK12345678.match.bench", 1, 180, "INVITE", extra);
	frame_build(&f, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, message, *size);
	for (int i = 0; i < ROUNDS; i++) {
		double sum = 0;
		int n;

		for (n = 0; n < 4000; n++) {
			s->word = (s->word & ~0xffull) | ST_CALLING;
			sum += cost(edge.outside, &f, 1) - cost(empty, &f, 1);
			if (word_state(s->word) != ST_PROCEEDING)
				exit(1);
		}
		last_captured(&edge);
		net[i] = sum / n;
	}
	return median(net, ROUNDS);
}

int main(void)
{
	char *more[] = {"siprtx.max_transactions=4096", NULL};
	unsigned invite_size = 0, response_size = 0;
	double tax, invite, response;
	char payload[172] = {(char)0x80};
	struct frame rtp;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	edge_up(&edge, more);
	empty = load_empty();
	frame_build(&rtp, &(struct shape){.sport = 30000, .dport = 40000}, payload, sizeof(payload));
	tax = steady(edge.inside, &rtp);
	invite = capture(&invite_size);
	response = match(&response_size);
	printf("{\"non_sip_tax_ns\": %.1f, \"invite_capture_ns\": %.1f, \"response_match_ns\": %.1f, \"invite_bytes\": %u, \"response_bytes\": %u}\n",
	       tax, invite, response, invite_size, response_size);
	edge_down(&edge);
	return 0;
}
