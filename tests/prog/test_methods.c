// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests other than INVITE (rule 48): what the tunable `methods` takes, and what it leaves alone. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "methods.h"

static char message[2048];

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=1024", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

/* As if the controller had found it valid; forgets what was captured before. */
static int nothing_on(void **state)
{
	(void)state;
	edge.pins.in_force->tunables[TUN_methods] = 0;
	edge.pins.in_force->captured_methods = 0;
	last_captured(&edge);
	counters_clear(&edge);
	return 0;
}

static void turn_on(uint32_t methods)
{
	edge.pins.in_force->tunables[TUN_methods] = methods;
}

static int make_request(const char *method, const char *branch, const char *to_tag)
{
	return snprintf(message, sizeof(message),
			"%s sip:1001@10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=%s;rport\r\n"
			"Max-Forwards: 70\r\nFrom: <sip:a@10.77.1.2>;tag=f1\r\nTo: <sip:1001@10.77.2.2>%s\r\n"
			"Call-ID: prog-%s\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
			method, branch, to_tag, branch, method);
}

static int send_request_as(const struct shape *shape, const char *method, const char *branch)
{
	struct frame in, out;
	int verdict;

	frame_build(&in, shape, message, make_request(method, branch, ""));
	verdict = run(edge.inside, &in, &out);
	if (verdict == PASS) {
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.data, in.data, in.len);
	}
	return verdict;
}

static int send_request(const char *method, const char *branch)
{
	return send_request_as(&(struct shape){0}, method, branch);
}

/* Its slot, as old as the duplicate window asks; NULL: not captured. */
static struct siprtx_slot *captured(const char *method, const char *branch)
{
	struct siprtx_slot *s;

	assert_int_equal(send_request(method, branch), PASS);
	s = last_captured(&edge);
	if (s)
		s->first_ns -= 1000000000;
	return s;
}

static void respond(const char *method, const char *branch, int code)
{
	struct frame in;

	frame_build(&in, &(struct shape){FROM_GATEWAY}, message,
		    make_response(message, sizeof(message), branch, 1, code, method, NULL));
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
}

static void branch_of(char *out, size_t size, const char *what, unsigned method)
{
	snprintf(out, size, "z9hG4bK%s%u", what, method);
}

/* Captured with a key of its own, taken over, absorbed, proceeding and absorbed still, completed. */
static void rule_48_each_method_from_capture_to_final(void **state)
{
	char branch[32];

	(void)state;
	for (unsigned method = SIP_CANCEL; method < SIP_METHODS; method++) {
		const char *name = method_name(method);
		struct siprtx_slot *s;

		turn_on(1u << method);
		counters_clear(&edge);
		branch_of(branch, sizeof(branch), "each", method);
		s = captured(name, branch);
		assert_non_null(s);
		assert_int_equal(s->kind, KIND_REQUEST);
		assert_int_equal(s->method, method);
		assert_memory_equal((char *)s + s->sip_off, message, s->sip_len);
		assert_int_equal(counter(&edge, CNT_captured_other), 1);
		assert_int_equal(counter(&edge, CNT_captured), 0);
		assert_int_equal(counter(&edge, CNT_cancel_unknown), 0);
		s->word |= WORD_TAKEN;
		assert_int_equal(send_request(name, branch), DROP);
		/* the response to another method of this branch is not its own (rule 1) */
		respond(method == SIP_BYE ? "OPTIONS" : "BYE", branch, 200);
		assert_int_equal(word_state(s->word), ST_CALLING);
		respond(name, branch, 100);
		assert_int_equal(word_state(s->word), ST_PROCEEDING);
		assert_true(s->word & WORD_TAKEN);
		assert_int_equal(send_request(name, branch), DROP);
		assert_int_equal(counter(&edge, CNT_absorbed), 2);
		respond(name, branch, method % 2 ? 200 : 481);
		assert_int_equal(word_state(s->word), ST_COMPLETED);
		assert_int_equal(word_code(s->word), method % 2 ? 200 : 481);
		assert_int_equal(send_request(name, branch), PASS);
		assert_int_equal(counter(&edge, CNT_copy_answered), 1);
		/* its key is remembered */
		s->word += 1ull << 32;
		assert_int_equal(send_request(name, branch), PASS);
		assert_int_equal(counter(&edge, CNT_remembered), 1);
		assert_null(last_captured(&edge));
	}
}

/* No bit of another method does; with none at all nothing is looked at. */
static void rule_48_only_the_methods_asked_for(void **state)
{
	char branch[32];

	(void)state;
	for (unsigned method = SIP_CANCEL; method < SIP_METHODS; method++) {
		branch_of(branch, sizeof(branch), "only", method);
		turn_on(0);
		assert_null(captured(method_name(method), branch));
		turn_on(METHODS_ALL & ~(1u << method));
		assert_null(captured(method_name(method), branch));
		respond(method_name(method), branch, 200);
	}
	assert_int_equal(counter(&edge, CNT_other_method), 2 * 11);
	assert_int_equal(counter(&edge, CNT_cancel_unknown), 2);
	assert_int_equal(counter(&edge, CNT_response_other), 12);
	assert_int_equal(counter(&edge, CNT_captured_other), 0);
}

/* Not before a final, not after, and whatever stands in the map: nothing answers it. */
static void rule_16_48_ack_never_arms(void **state)
{
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	turn_on(~0u);
	assert_null(captured("ACK", "z9hG4bKack"));
	assert_int_equal(counter(&edge, CNT_other_method), 1);
	/* that of the INVITE's own branch */
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), "z9hG4bKinv16", 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	assert_int_equal(s->kind, KIND_INVITE);
	respond("INVITE", "z9hG4bKinv16", 486);
	assert_null(captured("ACK", "z9hG4bKinv16"));
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	/* a method nobody has heard of, and one in small letters (rule 6) */
	assert_null(captured("FOO", "z9hG4bKfoo"));
	assert_null(captured("bye", "z9hG4bKbye"));
}

/* With PRACK, UPDATE and INFO on: a 200 to one of them never completes the INVITE. */
static void rule_22_48_early_requests_leave_the_invite(void **state)
{
	static const char *const methods[] = {"PRACK", "UPDATE", "INFO"};
	struct siprtx_slot *invite, *s;
	struct frame in;
	__u64 word;

	(void)state;
	turn_on(METHODS_ALL);
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), "z9hG4bKinv22", 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	invite = last_captured(&edge);
	assert_non_null(invite);
	word = invite->word;
	for (unsigned i = 0; i < 3; i++) {
		/* of the INVITE's own branch, which no stack does, to leave the CSeq method alone to tell them apart */
		s = captured(methods[i], "z9hG4bKinv22");
		assert_non_null(s);
		assert_ptr_not_equal(s, invite);
		respond(methods[i], "z9hG4bKinv22", 200);
		assert_int_equal(word_state(s->word), ST_COMPLETED);
		assert_int_equal(invite->word, word);
	}
	respond("INVITE", "z9hG4bKinv22", 180);
	assert_int_equal(word_state(invite->word), ST_PROCEEDING);
}

/* It ends the INVITE and is itself held till its 200; its copies end nothing more. */
static void rule_17_48_cancel_ends_and_is_held(void **state)
{
	struct siprtx_slot *invite, *s;
	struct frame in;

	(void)state;
	turn_on(1 << SIP_CANCEL);
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), "z9hG4bKinv17", 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	invite = last_captured(&edge);
	assert_non_null(invite);
	s = captured("CANCEL", "z9hG4bKinv17");
	assert_non_null(s);
	assert_ptr_not_equal(s, invite);
	assert_int_equal(word_state(invite->word), ST_TERMINATED);
	assert_int_equal(word_end(invite->word), END_CANCELLED);
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(counter(&edge, CNT_cancel), 1);
	s->word |= WORD_TAKEN;
	assert_int_equal(send_request("CANCEL", "z9hG4bKinv17"), DROP);
	respond("INVITE", "z9hG4bKinv17", 487);
	assert_int_equal(word_state(s->word), ST_CALLING);
	respond("CANCEL", "z9hG4bKinv17", 200);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	assert_int_equal(word_state(invite->word), ST_TERMINATED);
	assert_int_equal(counter(&edge, CNT_cancel), 1);
	assert_int_equal(counter(&edge, CNT_cancel_unknown), 0);
}

/* The bit is cleared: what is held is absorbed and answered as before; nothing new is taken. */
static void rule_48_held_to_its_end_after_a_change(void **state)
{
	struct siprtx_slot *s;

	(void)state;
	turn_on(1 << SIP_BYE | 1 << SIP_OPTIONS);
	s = captured("BYE", "z9hG4bKheld");
	assert_non_null(s);
	s->word |= WORD_TAKEN;
	turn_on(0);
	counters_clear(&edge);
	assert_int_equal(send_request("BYE", "z9hG4bKheld"), DROP);
	assert_null(captured("BYE", "z9hG4bKheld2"));
	assert_int_equal(counter(&edge, CNT_other_method), 1);
	/* of OPTIONS none was ever captured: not even looked for */
	respond("OPTIONS", "z9hG4bKheld", 200);
	assert_int_equal(counter(&edge, CNT_response_other), 1);
	respond("BYE", "z9hG4bKheld", 200);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
}

/* Armed from the softswitch to a gateway alone (rule 28), inside a dialog or not, IPv6 too; twice at once is one (30).
 */
static void rule_28_30_48_where_and_how_often(void **state)
{
	struct siprtx_slot *s;
	struct frame in;

	(void)state;
	turn_on(METHODS_ALL);
	frame_build(&in, &(struct shape){FROM_GATEWAY}, message, make_request("BYE", "z9hG4bKin", ""));
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_request_in), 1);
	assert_null(last_captured(&edge));
	frame_build(&in, &(struct shape){0}, message, make_request("BYE", "z9hG4bKdialog", ";tag=g"));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_non_null(last_captured(&edge));
	assert_int_equal(send_request_as(&(struct shape){.v6 = true}, "OPTIONS", "z9hG4bKsix"), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	edge.pins.in_force->tunables[TUN_dup_window] = 100;
	assert_int_equal(send_request_as(&(struct shape){.v6 = true}, "OPTIONS", "z9hG4bKsix"), PASS);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	assert_int_equal(counter(&edge, CNT_dup), 1);
	assert_int_equal(counter(&edge, CNT_captured_other), 2);
}

/* A slot a request was read into and that did not become one is the next one's. */
static void rule_48_no_slot_is_lost(void **state)
{
	struct siprtx_slot *first, *s;
	char branch[32];

	(void)state;
	turn_on(1 << SIP_BYE);
	first = captured("BYE", "z9hG4bKspare");
	assert_non_null(first);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(branch, sizeof(branch), "z9hG4bKmany%u", i);
		assert_null(captured(i % 2 ? "OPTIONS" : "REGISTER", branch));
	}
	s = captured("BYE", "z9hG4bKspare2");
	assert_non_null(s);
	assert_int_equal(counter(&edge, CNT_no_slot), 0);
}

#define CASE(f) cmocka_unit_test_setup(f, nothing_on)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_48_each_method_from_capture_to_final),
		CASE(rule_48_only_the_methods_asked_for),
		CASE(rule_16_48_ack_never_arms),
		CASE(rule_22_48_early_requests_leave_the_invite),
		CASE(rule_17_48_cancel_ends_and_is_held),
		CASE(rule_48_held_to_its_end_after_a_change),
		CASE(rule_28_30_48_where_and_how_often),
		CASE(rule_48_no_slot_is_lost),
	};

	return cmocka_run_group_tests_name("prog: methods", tests, up, down);
}
