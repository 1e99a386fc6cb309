// SPDX-License-Identifier: GPL-2.0-or-later
/* What happens to a held transaction: the softswitch's copies, responses, CANCEL. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "txns.h"

static char message[2048];

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=4096", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

/* A fresh transaction, as old as the duplicate window asks. */
static struct siprtx_slot *call(const char *branch)
{
	struct frame in;
	struct siprtx_slot *s;

	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), branch, 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	s->first_ns -= 1000000000;
	return s;
}

static int invite_again(const char *branch)
{
	struct frame in;

	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), branch, 1, NULL));
	return run(edge.inside, &in, NULL);
}

static void respond_as(const struct shape *shape, const char *branch, int code, const char *method, const char *extra)
{
	struct frame in, out;

	frame_build(&in, shape, message, make_response(message, sizeof(message), branch, 1, code, method, extra));
	assert_int_equal(run(edge.outside, &in, &out), PASS);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data, in.data, in.len);
}

static void respond(const char *branch, int code)
{
	respond_as(&(struct shape){FROM_GATEWAY}, branch, code, "INVITE", NULL);
}

static void cancel_call(const char *branch)
{
	struct frame in;
	int len = make_invite(message, sizeof(message), branch, 1, NULL);

	(void)len;
	memcpy(message, "CANCEL", 6);
	memcpy(strstr(message, "CSeq: 1 INVITE") + 8, "CANCEL", 6);
	frame_build(&in, &(struct shape){0}, message, len);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
}

static struct siprtx_note noted[64];
static unsigned n_noted;

static int on_note(void *ctx, void *data, size_t size)
{
	(void)ctx;
	if (n_noted < 64)
		memcpy(&noted[n_noted++], data, size);
	return 0;
}

static void take_notes(void)
{
	struct ring_buffer *ring = ring_buffer__new(edge.pins.fd[PIN_notes], on_note, NULL, NULL);

	n_noted = 0;
	assert_non_null(ring);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

static void rule_30_32_own_copies(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKcopy");
	__u64 beat = edge.pins.meta->heartbeat[0];

	(void)state;
	counters_clear(&edge);
	/* not taken over yet: passes and counts as a send */
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	assert_int_equal(counter(&edge, CNT_copy_passed), 1);
	take_notes();
	assert_int_equal(n_noted, 1);
	assert_int_equal(noted[0].kind, NOTE_COPY);
	assert_true(s->copy_ns > s->first_ns);
	/* taken over, interface alive: absorbed */
	s->word |= WORD_TAKEN;
	assert_int_equal(invite_again("z9hG4bKcopy"), DROP);
	assert_int_equal(counter(&edge, CNT_absorbed), 1);
	take_notes();
	assert_int_equal(n_noted, 0);
	/* heartbeat gone stale or off: the work is the softswitch's again */
	edge.pins.meta->heartbeat[0] = now_ns() - HEARTBEAT_NS - 1;
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	edge.pins.meta->heartbeat[0] = 0;
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	edge.pins.meta->heartbeat[0] = beat;
	assert_int_equal(invite_again("z9hG4bKcopy"), DROP);
	edge.pins.in_force->tunables[TUN_absorb] = 0;
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	edge.pins.in_force->tunables[TUN_absorb] = 1;
	/* seen twice by a mirror or bond: no send, and not dropped */
	s->first_ns = now_ns();
	edge.pins.in_force->tunables[TUN_dup_window] = 100;
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	assert_int_equal(counter(&edge, CNT_dup), 1);
	s->first_ns -= 1000000000;
	/* once a response was seen the copy passes, so that the gateway repeats its answer (rule 32) */
	respond("z9hG4bKcopy", 180);
	assert_int_equal(invite_again("z9hG4bKcopy"), PASS);
	assert_int_equal(counter(&edge, CNT_copy_answered), 1);
}

/* Flagged for one copy to pass: the first one does and takes the flag along, the next one is absorbed. */
static void one_copy_in_place_of_ours(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKturn");
	__u64 word;

	(void)state;
	s->word |= WORD_TAKEN;
	word = s->word;
	counters_clear(&edge);
	for (unsigned turn = 1; turn <= 2; turn++) {
		s->word |= WORD_YIELD;
		assert_int_equal(invite_again("z9hG4bKturn"), PASS);
		assert_int_equal(s->word, word);
		take_notes();
		assert_int_equal(n_noted, 1);
		assert_int_equal(noted[0].kind, NOTE_COPY);
		assert_int_equal(noted[0].code, 1);
		assert_int_equal(invite_again("z9hG4bKturn"), DROP);
		assert_int_equal(counter(&edge, CNT_refreshed), turn);
		assert_int_equal(counter(&edge, CNT_absorbed), turn);
		take_notes();
		assert_int_equal(n_noted, 0);
	}
	/* one that passes for another reason leaves the flag to the controller */
	s->word |= WORD_YIELD;
	edge.pins.in_force->tunables[TUN_absorb] = 0;
	assert_int_equal(invite_again("z9hG4bKturn"), PASS);
	edge.pins.in_force->tunables[TUN_absorb] = 1;
	assert_int_equal(s->word, word | WORD_YIELD);
	take_notes();
	assert_int_equal(n_noted, 1);
	assert_int_equal(noted[0].code, 0);
	/* and an answer leaves it without a meaning */
	respond("z9hG4bKturn", 180);
	assert_int_equal(invite_again("z9hG4bKturn"), PASS);
	assert_int_equal(counter(&edge, CNT_refreshed), 2);
	assert_int_equal(counter(&edge, CNT_copy_answered), 1);
	take_notes();
}

/* What tells the controller that the copies have stopped, and a copy after it was so (rules 18, 30). */
static void rule_18_30_gap_between_copies(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKgap");
	__u64 before;

	(void)state;
	assert_int_equal(s->copy_ns, 0);
	edge.pins.in_force->tunables[TUN_dup_window] = 100;
	assert_int_equal(invite_again("z9hG4bKgap"), PASS);
	assert_int_equal(s->copy_gap_ns, s->copy_ns - s->first_ns);
	/* that copy, seen twice */
	before = s->copy_ns;
	assert_int_equal(invite_again("z9hG4bKgap"), PASS);
	assert_int_equal(s->copy_ns, before);
	assert_int_equal(s->copy_gap_ns, before - s->first_ns);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	/* absorbed ones count too */
	s->word |= WORD_TAKEN;
	before = s->copy_ns -= 2000000000;
	assert_int_equal(invite_again("z9hG4bKgap"), DROP);
	assert_in_range(s->copy_gap_ns, 2000000000, 3000000000);
	assert_int_equal(s->copy_gap_ns, s->copy_ns - before);
	/* given up: it passes, and the controller is told */
	s->word = (s->word & ~(__u64)WORD_TAKEN) | END_ABANDONED << 12;
	take_notes();
	assert_int_equal(invite_again("z9hG4bKgap"), PASS);
	take_notes();
	assert_int_equal(n_noted, 1);
	assert_int_equal(noted[0].kind, NOTE_COPY);
	assert_int_equal(word_end(noted[0].word), END_ABANDONED);
	/* and a CANCEL is one */
	cancel_call("z9hG4bKgap");
	assert_int_equal(word_state(s->word), ST_TERMINATED);
	assert_int_equal(word_end(s->word), END_CANCELLED);

	s = call("z9hG4bKgap2");
	s->word |= END_SUPERSEDED << 12;
	respond("z9hG4bKgap2", 180);
	assert_int_equal(word_state(s->word), ST_PROCEEDING);
	assert_int_equal(word_end(s->word), END_NONE);
}

static void rule_20_21_stages(void **state)
{
	static const struct {
		int code;
		const char *extra;
		enum siprtx_stage stage; /* after it */
		bool moves;
	} steps[] = {
		{100, NULL, STAGE_TRYING, true},
		{100, NULL, STAGE_TRYING, false},
		{183, NULL, STAGE_PROGRESS, true},
		{199, NULL, STAGE_PROGRESS, false},
		{183, "Content-Length: 4\r\n\r\nv=0", STAGE_PROGRESS_SDP, true},
		{180, NULL, STAGE_RINGING, true},
		{183, NULL, STAGE_RINGING, false},
		{180, NULL, STAGE_RINGING, false},
	};
	struct siprtx_slot *s = call("z9hG4bKstage");

	(void)state;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		take_notes();
		respond_as(&(struct shape){FROM_GATEWAY}, "z9hG4bKstage", steps[i].code, "INVITE", steps[i].extra);
		assert_int_equal(word_state(s->word), ST_PROCEEDING);
		assert_int_equal(word_stage(s->word), steps[i].stage);
		take_notes();
		assert_int_equal(n_noted, steps[i].moves);
		if (steps[i].moves) {
			assert_int_equal(noted[0].kind, NOTE_MOVED);
			assert_int_equal(noted[0].word, s->word);
			assert_int_equal(noted[0].code, steps[i].code);
		}
	}
	respond("z9hG4bKstage", 200);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	assert_int_equal(word_code(s->word), 200);
	counters_clear(&edge);
	respond("z9hG4bKstage", 200);
	assert_int_equal(counter(&edge, CNT_response_repeat), 1);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
}

static void rule_19_47_any_response_counts(void **state)
{
	static const int codes[] = {100, 180, 181, 183, 199, 200, 302, 404, 408, 486, 503, 603};

	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		char branch[32];
		struct siprtx_slot *s;

		snprintf(branch, sizeof(branch), "z9hG4bKcode%d", codes[i]);
		s = call(branch);
		respond(branch, codes[i]);
		assert_int_equal(word_state(s->word), codes[i] < 200 ? ST_PROCEEDING : ST_COMPLETED);
		assert_int_equal(word_code(s->word), codes[i]);
	}
}

/* Responses that must not stop the timer. */
static void rule_01_07_22_31_41_not_ours(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKmine");
	__u64 word = s->word;

	(void)state;
	counters_clear(&edge);
	respond("z9hG4bKother", 200);
	assert_int_equal(counter(&edge, CNT_response_unknown), 1);
	respond("z9hG4bKMINE", 200); /* the branch is compared by bytes (rule 7) */
	assert_int_equal(counter(&edge, CNT_response_unknown), 2);
	respond_as(&(struct shape){FROM_GATEWAY}, "z9hG4bKmine", 200, "CANCEL", NULL); /* rule 1 */
	respond_as(&(struct shape){FROM_GATEWAY}, "z9hG4bKmine", 200, "PRACK", NULL);  /* rule 22 */
	assert_int_equal(counter(&edge, CNT_response_other), 2);
	respond_as(&(struct shape){FROM_GATEWAY}, "z9hG4bKmine", 200, "INVITE",
		   "Content-Length: 500\r\n"); /* rule 41 */
	assert_int_equal(counter(&edge, CNT_short_body), 1);
	assert_int_equal(s->word, word);
	/* from the inside it is the softswitch's own response */
	{
		struct frame in;

		frame_build(&in, &(struct shape){0}, message,
			    make_response(message, sizeof(message), "z9hG4bKmine", 1, 200, "INVITE", NULL));
		assert_int_equal(run(edge.inside, &in, NULL), PASS);
		assert_int_equal(counter(&edge, CNT_response_out), 1);
		assert_int_equal(s->word, word);
	}
	/* rule 31, both ways */
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	respond_as(&(struct shape){.src = "10.77.2.3", .dst = SOFTSWITCH}, "z9hG4bKmine", 180, "INVITE", NULL);
	assert_int_equal(counter(&edge, CNT_wrong_source), 1);
	assert_int_equal(s->word, word);
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	respond_as(&(struct shape){.src = "10.77.2.3", .dst = SOFTSWITCH}, "z9hG4bKmine", 180, "INVITE", NULL);
	assert_int_equal(word_state(s->word), ST_PROCEEDING);
}

static void rule_31_ipv6_source(void **state)
{
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	frame_build(&in, &(struct shape){.v6 = true}, message,
		    make_invite(message, sizeof(message), "z9hG4bKv6", 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	s = last_captured(&edge);
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	respond_as(&(struct shape){.v6 = true, .src = "fd77:2::3", .dst = SOFTSWITCH6}, "z9hG4bKv6", 180, "INVITE",
		   NULL);
	assert_int_equal(word_state(s->word), ST_CALLING);
	respond_as(&(struct shape){.v6 = true, .src = GATEWAY6, .dst = SOFTSWITCH6}, "z9hG4bKv6", 180, "INVITE", NULL);
	assert_int_equal(word_state(s->word), ST_PROCEEDING);
	edge.pins.in_force->tunables[TUN_match_source] = 0;
}

/* What the map says of the last one, if it is from there; a former one is made old first. */
static void expect_offender(const char *address, uint16_t port)
{
	struct siprtx_offender o;
	__u8 want[16] = {[10] = 0xff, [11] = 0xff};
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_offender], &zero, &o), 0);
	if (inet_pton(AF_INET6, address, want) != 1)
		assert_int_equal(inet_pton(AF_INET, address, want + 12), 1);
	assert_memory_equal(o.addr, want, sizeof(want));
	assert_int_equal(o.port, port);
	assert_int_equal(o.ns, o.begun_ns);
	assert_true(o.ns <= now_ns());
}

static void make_offender_old(void)
{
	struct siprtx_offender o;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_offender], &zero, &o), 0);
	o.begun_ns = o.ns -= o.ns ? OFFENDER_NS : 0;
	assert_int_equal(bpf_map_update_elem(edge.pins.fd[PIN_offender], &zero, &o, BPF_ANY), 0);
}

/* Who it was is kept for the log: a first one at once, then one in 100 ms; the gateway itself never is. */
static void rule_31_offender(void **state)
{
	static const struct shape from[] = {
		{.src = "10.77.2.3", .dst = SOFTSWITCH},
		{.src = "10.77.2.9", .dst = SOFTSWITCH, .sport = 5070, .dport = 5060, .tags = 1},
		{.v6 = true, .src = "fd77:2::3", .dst = SOFTSWITCH6, .sport = 65535, .dport = 5060},
	};
	struct siprtx_slot *s = call("z9hG4bKwho");

	(void)state;
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	counters_clear(&edge);
	make_offender_old();
	respond_as(&from[0], "z9hG4bKwho", 180, "INVITE", NULL);
	expect_offender("10.77.2.3", 5060);
	respond_as(&from[1], "z9hG4bKwho", 180, "INVITE", NULL);
	expect_offender("10.77.2.3", 5060);
	make_offender_old();
	respond_as(&from[1], "z9hG4bKwho", 180, "INVITE", NULL);
	expect_offender("10.77.2.9", 5070);
	make_offender_old();
	respond_as(&from[2], "z9hG4bKwho", 180, "INVITE", NULL);
	expect_offender("fd77:2::3", 65535);
	assert_int_equal(counter(&edge, CNT_wrong_source), 4);
	assert_int_equal(word_state(s->word), ST_CALLING);
	make_offender_old();
	respond("z9hG4bKwho", 200);
	expect_offender("fd77:2::3", 65535);
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	take_notes();
}

static void rule_17_23_cancel(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKcan");

	(void)state;
	counters_clear(&edge);
	cancel_call("z9hG4bKnobody");
	assert_int_equal(counter(&edge, CNT_cancel_unknown), 1);
	take_notes();
	cancel_call("z9hG4bKcan");
	assert_int_equal(counter(&edge, CNT_cancel), 1);
	assert_int_equal(word_state(s->word), ST_TERMINATED);
	assert_int_equal(word_end(s->word), END_CANCELLED);
	take_notes();
	assert_int_equal(n_noted, 1);
	/* the INVITE's own copy arms nothing any more (rule 23) */
	assert_int_equal(invite_again("z9hG4bKcan"), PASS);
	assert_int_equal(counter(&edge, CNT_remembered), 1);
}

/* The key of an ended transaction: the slot has gone on to another generation (rules 23 and 24). */
static void rule_23_24_remembered(void **state)
{
	struct siprtx_slot *s = call("z9hG4bKgone");
	struct siprtx_key key = s->key;
	const struct txns t = txns_of(&edge.pins);
	uint64_t at;
	__u64 word;

	(void)state;
	counters_clear(&edge);
	word = s->word = (__u64)(word_gen(s->word) + 1) << 32 | ST_CALLING; /* the next call in the same slot */
	respond("z9hG4bKgone", 200);
	assert_int_equal(counter(&edge, CNT_response_repeat), 1);
	assert_int_equal(invite_again("z9hG4bKgone"), PASS);
	assert_int_equal(counter(&edge, CNT_remembered), 1);
	cancel_call("z9hG4bKgone");
	assert_int_equal(counter(&edge, CNT_cancel_unknown), 1);
	assert_int_equal(s->word, word);
	/* ended by exhaustion 30 ms ago: the response is late */
	assert_true(txns_find(&t, &key, &at) >= 0);
	assert_int_equal(txns_put(&t, &key, txn_at(txn_slot(at), now_ns() / 1000000 - 30, TXN_EXHAUSTED)), 0);
	take_notes();
	respond("z9hG4bKgone", 200);
	assert_int_equal(counter(&edge, CNT_response_late), 1);
	take_notes();
	assert_int_equal(n_noted, 1);
	assert_int_equal(noted[0].kind, NOTE_LATE);
	assert_int_equal(noted[0].code, 200);
	assert_in_range(noted[0].slot, 30, 2000);
	assert_int_equal(invite_again("z9hG4bKgone"), PASS);
	assert_int_equal(counter(&edge, CNT_remembered), 2);
	assert_int_equal(s->word, word);
}

/* Rules 2, 3 and 25: another sent-by, CSeq number or branch is another transaction. */
static void rule_02_03_25_other_transactions(void **state)
{
	struct siprtx_slot *first = call("z9hG4bKsame"), *second;
	struct frame in;
	char *at;

	(void)state;
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), "z9hG4bKsame", 2, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	second = last_captured(&edge);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	make_invite(message, sizeof(message), "z9hG4bKsame", 1, NULL);
	at = strstr(message, "10.77.1.2:5060");
	memcpy(at, "10.77.1.2:5062", 14);
	frame_build(&in, &(struct shape){0}, message, strlen(message));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_non_null(last_captured(&edge));
	assert_non_null(call("z9hG4bKsamf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_30_32_own_copies),
		cmocka_unit_test(one_copy_in_place_of_ours),
		cmocka_unit_test(rule_18_30_gap_between_copies),
		cmocka_unit_test(rule_20_21_stages),
		cmocka_unit_test(rule_19_47_any_response_counts),
		cmocka_unit_test(rule_01_07_22_31_41_not_ours),
		cmocka_unit_test(rule_31_ipv6_source),
		cmocka_unit_test(rule_31_offender),
		cmocka_unit_test(rule_17_23_cancel),
		cmocka_unit_test(rule_23_24_remembered),
		cmocka_unit_test(rule_02_03_25_other_transactions),
	};

	return cmocka_run_group_tests_name("prog: match", tests, up, down);
}
