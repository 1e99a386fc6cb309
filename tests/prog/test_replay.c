// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages of others through the product's own programs, each from the softswitch and from the gateway: it passes as
 * it came, is counted as the plain parser says it must be, and at the end every slot is accounted for.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "by_rule.h"
#include "messages.h"
#include "one_edge.h"
#include "slot_sum.h"

static uint64_t counted[CNT_COUNT]; /* by rule */
static unsigned messages;

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=1024", NULL};

	(void)state;
	edge_up(&edge, more);
	edge_run("ip link set out0 mtu 4096");
	edge.pins.in_force->tunables[TUN_dup_window] = 0;
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	free_all(&edge);
	counters_clear(&edge);
	memset(counted, 0, sizeof(counted));
	messages = 0;
	return 0;
}

/* One side. Counters are read at the end, all together. */
static void through(int prog, const struct frame *in, const struct by_rule *r, const char *name)
{
	__u64 before = r->slot ? r->slot->word : 0;
	struct frame out;
	int verdict = run(prog, in, &out);

	if (verdict != PASS)
		fail_msg("%s: verdict %d", name, verdict);
	if (out.len != in->len || memcmp(out.data, in->data, in->len))
		fail_msg("%s: the frame was touched", name);
	if (r->slot && (r->slot->word != before) != r->moves)
		fail_msg("%s: the word went from %llx to %llx", name, before, r->slot->word);
	counted[r->counter]++;
}

static void replay(void *ctx, const char *name, const uint8_t *data, size_t len)
{
	struct by_rule r;
	struct frame in;

	(void)ctx;
	messages++;
	frame_build(&in, &(struct shape){0}, data, len);
	r = by_rule_inside(&edge, data, len, 28);
	through(edge.inside, &in, &r, name);
	frame_build(&in, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, data, len);
	r = by_rule_outside(&edge, data, len, 28);
	through(edge.outside, &in, &r, name);
}

static void all_counted(const char *of)
{
	struct slot_sum sum = slot_sum(&edge);

	for (unsigned i = 0; i < CNT_COUNT; i++)
		if (counter(&edge, i) != counted[i])
			fail_msg("counter %u says %lu, by rule it is %lu", i, counter(&edge, i), counted[i]);
	assert_int_equal(sum.held, counted[CNT_captured]);
	assert_in_range(sum.spare, 0, libbpf_num_possible_cpus());
	last_captured(&edge); /* takes the notes from the ring */
	print_message("%s: %u messages both ways, %lu captured, slots: %u free, %u held, %u spare\n", of, messages,
		      counted[CNT_captured], sum.free, sum.held, sum.spare);
}

static void test_messages_of_others(void **state)
{
	(void)state;
	if (!corpus_messages(replay, NULL) || !capture_messages(replay, NULL)) {
		print_message("no corpus in %s, set SIPRTX_CORPUS: skipped\n", corpus_folder());
		skip();
	}
	all_counted("RFC 4475, RFC 5118 and captures");
	/* these are in it */
	assert_true(counted[CNT_captured] > 0);
	assert_true(counted[CNT_copy_passed] > 0);
	assert_true(counted[CNT_cancel] > 0);
	assert_true(counted[CNT_final] > 0);
}

static void test_fuzz_corpus(void **state)
{
	(void)state;
	if (!kept_messages(replay, NULL)) {
		print_message("no tests/fuzz here, run from the top of the tree: skipped\n");
		skip();
	}
	all_counted("tests/fuzz");
}

static void test_own_messages(void **state)
{
	(void)state;
	replay(NULL, "own INVITE", (const uint8_t *)own_invite, strlen(own_invite));
	replay(NULL, "own response", (const uint8_t *)own_response, strlen(own_response));
	replay(NULL, "own INVITE again", (const uint8_t *)own_invite, strlen(own_invite));
	all_counted("own");
	assert_int_equal(counted[CNT_captured], 1);
	assert_int_equal(counted[CNT_provisional], 1);
	assert_int_equal(counted[CNT_copy_answered], 1);
}

/* Every truncation of the own messages; those that are whole but for the body count as such. */
static void test_truncations(void **state)
{
	(void)state;
	for (size_t len = 0; len <= strlen(own_invite); len++)
		replay(NULL, "cut INVITE", (const uint8_t *)own_invite, len);
	for (size_t len = 0; len <= strlen(own_response); len++)
		replay(NULL, "cut response", (const uint8_t *)own_response, len);
	all_counted("truncations");
	assert_int_equal(counted[CNT_captured], 1);
	assert_int_equal(counted[CNT_provisional], 1);
	assert_true(counted[CNT_short_body] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_messages_of_others, fresh),
		cmocka_unit_test_setup(test_fuzz_corpus, fresh),
		cmocka_unit_test_setup(test_own_messages, fresh),
		cmocka_unit_test_setup(test_truncations, fresh),
	};

	return cmocka_run_group_tests_name("prog: replay", tests, up, down);
}
