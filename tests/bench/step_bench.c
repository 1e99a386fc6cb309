// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "step_bench.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "samples.h"
#include "slot.h"
#include "txns.h"

#define BRANCH	"z9hG4bK00000000.a3f9c1d27be4"
#define RUNS	200000 /* of a step that changes nothing */
#define STEPS	7      /* at most */
#define REPEATS 58     /* bursts of CALLS_HOT calls */

struct direction {
	const char *prefix; /* of the programs' names */
	const char *step[STEPS + 1];
	const char *hot[STEPS + 1], *cold[STEPS + 1]; /* the figures' names; the last one is that of all the rest */
	unsigned steps;
};

#define STEP(what) "steps." what "_hot_ns"
#define COLD(what) "steps." what "_cold_ns"
static const struct direction capture = {
	.prefix = "inside",
	.step = {"headers", "copy", "scan", "hash", "lookup", "route", "profile"},
	.hot = {STEP("capture_headers"), STEP("capture_copy"), STEP("capture_scan"), STEP("capture_hash"),
		STEP("capture_lookup"), STEP("capture_route"), STEP("capture_profile"), STEP("capture_rest")},
	.cold = {COLD("capture_headers"), COLD("capture_copy"), COLD("capture_scan"), COLD("capture_hash"),
		 COLD("capture_lookup"), COLD("capture_route"), COLD("capture_profile"), COLD("capture_rest")},
	.steps = 7,
};
static const struct direction match = {
	.prefix = "outside",
	.step = {"headers", "copy", "scan", "hash", "lookup"},
	.hot = {STEP("match_headers"), STEP("match_copy"), STEP("match_scan"), STEP("match_hash"), STEP("match_lookup"),
		STEP("match_rest")},
	.cold = {COLD("match_headers"), COLD("match_copy"), COLD("match_scan"), COLD("match_hash"),
		 COLD("match_lookup"), COLD("match_rest")},
	.steps = 5,
};

/* An INVITE of 1,024 bytes with three Vias. */
static void build_invite(struct frame *f)
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
}

/* A 180 of 500 bytes. */
static void build_response(struct frame *f)
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
}

/* Where in it the programs write another branch, and how many there are. */
static void renew_in(struct bench *b, const struct frame *f, int calls)
{
	b->programs->bss->calls = calls;
	b->programs->bss->branch_off = (char *)memmem(f->data, f->len, "z9hG4bK00000000", 15) - (char *)f->data + 7;
}

static struct held {
	struct siprtx_key key;
	uint32_t slot;
} held[CALLS_COLD];
static unsigned holding;

static int on_note(void *ctx, void *data, size_t size)
{
	const struct siprtx_note *n = data;

	(void)ctx;
	(void)size;
	if (n->kind == NOTE_NEW && holding < CALLS_COLD)
		held[holding++] = (struct held){n->key, n->slot};
	return 0;
}

static void read_notes(struct ring_buffer *notes)
{
	if (ring_buffer__consume(notes) < 0)
		give_up("the notes");
}

/* Ends all calls that are held. */
static void forget(struct bench *b)
{
	const struct free_list list = {b->edge.pins.free_slots, b->edge.pins.free_head};
	const struct txns t = txns_of(&b->edge.pins);

	while (holding) {
		holding--;
		txns_remove(&t, &held[holding].key);
		slot_free(&list, b->edge.pins.slots, held[holding].slot);
	}
}

/* Where there are more calls than a cache holds, nothing of them is in one. */
static void chill(int calls)
{
	static uint8_t other[64 << 20];

	if (calls == CALLS_COLD)
		memset(other, calls, sizeof(other));
}

static int program(struct bench *b, const char *prefix, const char *step)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", prefix, step);
	return bpf_program__fd(bpf_object__find_program_by_name(b->programs->obj, name));
}

/* ns a run of a program that has to do the same with each of `calls` calls, which `reason` counts; net of `nothing`. */
static double counted(struct bench *b, const struct frame *f, const struct bpf_program *prog,
		      const struct bpf_program *nothing, int calls, unsigned reason)
{
	uint64_t before = counter(&b->edge, reason);
	double base, all;

	renew_in(b, f, calls);
	base = cost(b, bpf_program__fd(nothing), f, calls);
	all = cost(b, bpf_program__fd(prog), f, calls);
	if (counter(&b->edge, reason) - before != (unsigned)calls)
		give_up("only %lu of %d packets did what they should", counter(&b->edge, reason) - before, calls);
	return all - base;
}

/* Samples the steps and, as the last one, what `whole` takes beyond them. */
static void steps(struct bench *b, const struct direction *d, const struct frame *f, int calls, double whole)
{
	const char *const *figure = calls == CALLS_HOT ? d->hot : d->cold;
	int runs = calls == CALLS_HOT ? RUNS / calls * calls : calls;
	double before, now = 0;

	renew_in(b, f, calls);
	before = cost(b, bpf_program__fd(b->programs->progs.bench_base), f, runs);
	whole += before;
	for (unsigned i = 0; i < d->steps; i++) {
		chill(calls);
		now = cost(b, program(b, d->prefix, d->step[i]), f, runs);
		sample(figure[i], now - before);
		before = now;
	}
	sample(figure[d->steps], whole - now);
}

/* The controller has taken the calls over, and their first datagrams are long past. */
static void take_over(struct bench *b)
{
	for (unsigned i = 0; i < holding; i++) {
		struct siprtx_slot *s = &b->edge.pins.slots[held[i].slot];

		s->word |= WORD_TAKEN;
		s->first_ns -= 1000000000;
	}
}

struct costs {
	double capture, egress, match, absorb;
};

/* Adds what all of it costs a call, once over; the calls are forgotten then. */
static void all_calls(struct bench *b, struct ring_buffer *notes, const struct frame *invite,
		      const struct frame *response, int n, struct costs *sum)
{
	struct bench_bpf *p = b->programs;

	chill(n);
	sum->capture += counted(b, invite, p->progs.bench_inside, p->progs.bench_base, n, CNT_captured);
	read_notes(notes);
	take_over(b);
	chill(n);
	sum->absorb += counted(b, invite, p->progs.bench_inside, p->progs.bench_base, n, CNT_absorbed);
	chill(n);
	sum->match += counted(b, response, p->progs.bench_outside, p->progs.bench_base, n, CNT_provisional);
	read_notes(notes);
	forget(b);
	chill(n);
	sum->egress += counted(b, invite, p->progs.bench_egress, p->progs.base_egress, n, CNT_captured);
	read_notes(notes);
	forget(b);
}

/* The steps of a match: each response finds its call. */
static void match_steps(struct bench *b, struct ring_buffer *notes, const struct frame *invite,
			const struct frame *response, int n, double whole)
{
	renew_in(b, invite, n);
	cost(b, bpf_program__fd(b->programs->progs.bench_inside), invite, n);
	read_notes(notes);
	steps(b, &match, response, n, whole);
	forget(b);
}

/* The steps that are alone what they are: no call is made. */
static void alone(struct bench *b, struct ring_buffer *notes, const struct frame *invite)
{
	const struct free_list list = {b->edge.pins.free_slots, b->edge.pins.free_head};
	struct bench_bpf *p = b->programs;
	int64_t slot = -1;
	double base;

	for (holding = 0; holding < CALLS_COLD; holding++)
		held[holding].slot = slot = free_list_below(&list, slot);
	renew_in(b, invite, CALLS_COLD);
	base = cost(b, bpf_program__fd(p->progs.bench_base), invite, CALLS_COLD);
	chill(CALLS_COLD);
	sample("steps.slot_cold_ns", cost(b, bpf_program__fd(p->progs.slot_alone), invite, CALLS_COLD) - base);
	while (holding)
		slot_free(&list, b->edge.pins.slots, held[--holding].slot);
	sample("steps.note_ns", cost(b, bpf_program__fd(p->progs.note_alone), invite, CALLS_COLD) - base);
	read_notes(notes);
}

void step_bench(struct bench *b)
{
	struct ring_buffer *notes = ring_buffer__new(b->edge.pins.fd[PIN_notes], on_note, NULL, NULL);
	struct costs hot = {}, cold = {};
	struct frame invite, response;

	if (!notes)
		give_up("the notes");
	build_invite(&invite);
	build_response(&response);
	all_calls(b, notes, &invite, &response, CALLS_COLD, &cold);
	for (int i = 0; i < REPEATS; i++)
		all_calls(b, notes, &invite, &response, CALLS_HOT, &hot);
	sample("invite_capture_ns", cold.capture);
	sample("invite_capture_hot_ns", hot.capture / REPEATS);
	sample("invite_capture_egress_ns", cold.egress);
	sample("invite_capture_egress_hot_ns", hot.egress / REPEATS);
	sample("response_match_ns", cold.match);
	sample("response_match_hot_ns", hot.match / REPEATS);
	sample("absorbed_copy_ns", cold.absorb);
	sample("absorbed_copy_hot_ns", hot.absorb / REPEATS);
	alone(b, notes, &invite);
	steps(b, &capture, &invite, CALLS_COLD, cold.capture);
	steps(b, &capture, &invite, CALLS_HOT, hot.capture / REPEATS);
	match_steps(b, notes, &invite, &response, CALLS_COLD, cold.match);
	match_steps(b, notes, &invite, &response, CALLS_HOT, hot.match / REPEATS);
	ring_buffer__free(notes);
}
