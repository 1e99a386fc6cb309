// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames that the controller has siprtx_outside make (sender = live-frames): the slot's, byte for byte, or none. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"

#define SLOT 7

/* The slot is full of bytes to know again. */
static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	for (unsigned i = 0; i < SLOT_SIZE - SLOT_HEADER; i++)
		edge.pins.slots[SLOT].frame[i] = i * 7 + i / 256;
	return 0;
}

/* As the kernel runs it for a live frame, its page full of what was in it before. Returns the verdict. */
static int make(uint8_t out[SLOT_SIZE], unsigned *n)
{
	uint8_t in[LIVE_META + LIVE_FIRST];
	uint8_t room[SLOT_SIZE + LIVE_META];
	struct xdp_md ctx = {.data = LIVE_META, .data_end = sizeof(in)}, after = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(in), .data_out = room,
		    .data_size_out = sizeof(room), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &after,
		    .ctx_size_out = sizeof(after), .repeat = 1);

	memset(in, 0xee, sizeof(in));
	assert_int_equal(bpf_prog_test_run_opts(edge.outside, &opts), 0);
	*n = opts.data_size_out - after.data;
	memcpy(out, room + after.data, *n);
	return opts.retval;
}

static void ask(struct siprtx_live_frame f)
{
	struct siprtx_live *b = edge.pins.live_batch;

	b->next = b->made = 0;
	b->frame[0] = f;
}

static void test_bytes(void **state)
{
	static const unsigned tags[] = {0, 4, 8}, lengths[] = {15, 63, 64, 65, 600, 1400, SLOT_ROOM + 14};
	const struct siprtx_slot *slot = &edge.pins.slots[SLOT];
	uint8_t out[SLOT_SIZE];
	unsigned n;

	(void)state;
	for (unsigned t = 0; t < 3; t++) {
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			uint16_t off = SLOT_L3 - 14 - tags[t];

			ask((struct siprtx_live_frame){SLOT, edge.out_ifindex, off, lengths[i]});
			assert_int_equal(make(out, &n), REDIRECT);
			assert_int_equal(n, lengths[i]);
			assert_memory_equal(out, (const char *)slot + off, n);
			assert_int_equal(edge.pins.live_batch->made, 1);
			assert_int_equal(edge.pins.live_batch->next, 1);
		}
	}
}

/* Outside what a slot can hold nothing is made, nor past the end of the batch; and it is said so. */
static void test_none(void **state)
{
	static const struct siprtx_live_frame bad[] = {
		{64 + 4096, 1, SLOT_L3 - 14, 600},
		{SLOT, 1, SLOT_L3 - 14, 0},
		{SLOT, 1, SLOT_L3 - 14, SLOT_SIZE},
		{SLOT, 1, SLOT_L3 - 26, 600},
		{SLOT, 1, SLOT_L3, 600},
		{SLOT, 1, 0, 600},
		{SLOT, 1, SLOT_L3 - 14, SLOT_ROOM + 14 + 10},
		{SLOT, 1, 0xffff, 0xffff},
	};
	uint8_t out[SLOT_SIZE];
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask(bad[i]);
		assert_int_equal(make(out, &n), DROP);
		assert_int_equal(edge.pins.live_batch->made, 0);
		assert_int_equal(edge.pins.live_batch->next, 1);
	}
	ask((struct siprtx_live_frame){SLOT, 1, SLOT_L3 - 14, 600});
	edge.pins.live_batch->next = LIVE_BATCH;
	assert_int_equal(make(out, &n), DROP);
	assert_int_equal(edge.pins.live_batch->made, 0);
}

static void test_one_after_the_other(void **state)
{
	struct siprtx_live *b = edge.pins.live_batch;
	uint8_t out[SLOT_SIZE];
	unsigned n;

	(void)state;
	b->next = b->made = 0;
	for (unsigned i = 0; i < LIVE_BATCH; i++)
		b->frame[i] = (struct siprtx_live_frame){SLOT, 1, SLOT_L3 - 14, 100 + i};
	for (unsigned i = 0; i < LIVE_BATCH; i++) {
		assert_int_equal(make(out, &n), REDIRECT);
		assert_int_equal(n, 100 + i);
	}
	assert_int_equal(b->made, LIVE_BATCH);
	assert_int_equal(make(out, &n), DROP);
}

/* A packet without metadata is one like any other, whatever is in the batch. */
static void test_packets_pass(void **state)
{
	struct frame in;

	(void)state;
	ask((struct siprtx_live_frame){SLOT, 1, SLOT_L3 - 14, 600});
	frame_build(&in, &(struct shape){FROM_GATEWAY}, "hello", 5);
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	assert_int_equal(edge.pins.live_batch->next, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_packets_pass),
	};

	return cmocka_run_group_tests_name("prog: live frames", tests, up, down);
}
