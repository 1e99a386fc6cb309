// SPDX-License-Identifier: GPL-2.0-or-later
/* What this host sent itself comes back on the inside, as from a bridge or a mirror: it is no copy of the softswitch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"

static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	return 0;
}

/* Taken over, long ago, so that a copy is absorbed. `in` is the softswitch's frame. */
static struct siprtx_slot *held(const struct shape *shape, const char *branch, struct frame *in)
{
	struct siprtx_slot *s;
	char message[2048];

	frame_build(in, shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
	assert_int_equal(run(edge.inside, in, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	s->first_ns -= 1000000000;
	s->word |= WORD_TAKEN;
	counters_clear(&edge);
	return s;
}

/* The frame in the slot, as it leaves. */
static void sent(const struct siprtx_slot *s, struct frame *f)
{
	memset(f, 0, sizeof(*f));
	f->len = s->frame_len;
	memcpy(f->data, (const uint8_t *)s + s->frame_off, f->len);
}

static void rule_29_own_frames_come_back(void **state)
{
	static const struct {
		struct shape shape;
		const char *branch;
		unsigned ttl_at; /* of the frame that leaves, which has no tags */
	} cases[] = {
		{{0}, "z9hG4bKown4", 14 + 8},
		{{.ip_options = 8}, "z9hG4bKown4o", 14 + 8},
		{{.tags = 2}, "z9hG4bKown4t", 14 + 8},
		{{.v6 = true}, "z9hG4bKown6", 14 + 7},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame in, back, out;
		struct siprtx_slot *s = held(&cases[i].shape, cases[i].branch, &in);
		__u64 word = s->word;

		sent(s, &back);
		if (!cases[i].shape.v6)
			back.data[14 + 4] ^= 0x55; /* an IP ID of its own */
		assert_int_equal(run(edge.inside, &back, &out), PASS);
		assert_int_equal(out.len, back.len);
		assert_memory_equal(out.data, back.data, back.len);
		assert_int_equal(counter(&edge, CNT_own_copy), 1);
		assert_int_equal(counter(&edge, CNT_absorbed), 0);
		assert_int_equal(s->copy_ns, 0);
		assert_int_equal(s->word, word);
		assert_null(last_captured(&edge));

		/* the softswitch's: by another path, whose TTL is lower; with this host's MAC before it was routed */
		sent(s, &back);
		back.data[11] ^= 1;
		assert_int_equal(run(edge.inside, &back, NULL), DROP);
		sent(s, &back);
		back.data[cases[i].ttl_at]++;
		assert_int_equal(run(edge.inside, &back, NULL), DROP);
		assert_int_equal(run(edge.inside, &in, NULL), DROP);
		assert_int_equal(counter(&edge, CNT_absorbed), 3);
		assert_int_equal(counter(&edge, CNT_own_copy), 1);
		assert_true(s->copy_ns != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_29_own_frames_come_back),
	};

	return cmocka_run_group_tests_name("prog: own copy", tests, up, down);
}
