// SPDX-License-Identifier: GPL-2.0-or-later
/* The tunable `confirm`: responses that leave are held until their ACK (RFC 3261) or PRACK (RFC 3262). */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "sip_msg.h"

static char message[2048];

/* A call of the gateway's: its messages in both directions, as those name it. */
struct call {
	const char *id, *from, *to; /* "": no tag */
	unsigned cseq, code, rseq;  /* of the response; rseq 0: no such header */
};

static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	edge.pins.in_force->tunables[TUN_confirm] = 1;
	return 0;
}

/* Each test begins with empty counters and free slots enough. */
static int fresh(void **state)
{
	(void)state;
	edge.pins.in_force->tunables[TUN_confirm] = 1;
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	last_captured(&edge);
	counters_clear(&edge);
	return 0;
}

static int pass_through(int program, const struct shape *shape, int len)
{
	struct frame in, out;
	int verdict;

	frame_build(&in, shape, message, len);
	verdict = run(program, &in, &out);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data, in.data, in.len);
	return verdict;
}

/* Start line, Via, dialog and CSeq; `more` are further header lines. */
static int write_message(const char *start, const struct call *c, const char *branch, unsigned cseq, const char *method,
			 const char *more)
{
	return snprintf(
		message, sizeof(message),
		"%s\r\nVia: SIP/2.0/UDP 10.77.2.2:5060;branch=z9hG4bK%s%s\r\nFrom: \"A\" <sip:a@10.77.2.2>%s%s\r\n"
		"To: <sip:b@10.77.1.2>%s%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%sContent-Length: 0\r\n\r\n",
		start, branch, c->id, *c->from ? ";tag=" : "", c->from, *c->to ? ";tag=" : "", c->to, c->id, cseq,
		method, more);
}

static int respond_with(const struct call *c, const char *method, const char *more)
{
	char start[64], rseq[64] = "";
	int len;

	snprintf(start, sizeof(start), "SIP/2.0 %u Whatever", c->code);
	if (c->rseq)
		snprintf(rseq, sizeof(rseq), "Require: 100rel\r\nRSeq: %u\r\n%s", c->rseq, more);
	len = write_message(start, c, "i", c->cseq, method, c->rseq ? rseq : more);
	return pass_through(edge.inside, &(struct shape){0}, len);
}

static int respond(const struct call *c)
{
	return respond_with(c, "INVITE", "");
}

/* A response as old as the duplicate window asks. */
static struct siprtx_slot *held(const struct call *c)
{
	struct siprtx_slot *s;

	assert_int_equal(respond(c), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	s->first_ns -= 1000000000;
	return s;
}

static void ack_from(const struct call *c, const char *branch, const char *src)
{
	int len = write_message("ACK sip:b@10.77.1.2 SIP/2.0", c, branch, c->cseq, "ACK", "");

	assert_int_equal(pass_through(edge.outside, &(struct shape){.src = src, .dst = SOFTSWITCH}, len), PASS);
}

static void ack(const struct call *c)
{
	ack_from(c, "ack", GATEWAY);
}

/* `rack` as it stands in the header. */
static void prack(const struct call *c, const char *rack)
{
	char line[64];
	int len;

	snprintf(line, sizeof(line), "RAck: %s\r\n", rack);
	len = write_message("PRACK sip:b@10.77.1.2 SIP/2.0", c, "prack", c->cseq + 1, "PRACK", line);
	assert_int_equal(pass_through(edge.outside, &(struct shape){FROM_GATEWAY}, len), PASS);
}

static void invite(const struct call *c)
{
	struct call first = *c;
	int len;

	first.to = "";
	len = write_message("INVITE sip:b@10.77.1.2 SIP/2.0", &first, "i", c->cseq, "INVITE", "");
	assert_int_equal(pass_through(edge.outside, &(struct shape){FROM_GATEWAY}, len), PASS);
}

static void expect_held(const struct siprtx_slot *s, const struct call *c)
{
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(word_code(s->word), c->code);
}

static void expect_confirmed(const struct siprtx_slot *s, const struct call *c)
{
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	assert_int_equal(word_code(s->word), c->code);
	assert_int_equal(counter(&edge, CNT_confirmed), 1);
}

/* As long as it is off nothing is held, and what it would count is counted as ever. */
static void test_off(void **state)
{
	const struct call c = {"off", "f", "t", 1, 200, 0}, early = {"off", "f", "t", 1, 183, 1};

	(void)state;
	edge.pins.in_force->tunables[TUN_confirm] = 0;
	assert_int_equal(respond(&c), PASS);
	assert_int_equal(respond(&c), PASS);
	assert_int_equal(respond(&early), PASS);
	assert_null(last_captured(&edge));
	assert_int_equal(counter(&edge, CNT_response_out), 3);
	ack(&c);
	prack(&early, "1 1 INVITE");
	invite(&c);
	assert_int_equal(counter(&edge, CNT_request_in), 3);
	for (unsigned i = CNT_response_captured; i <= CNT_confirm_unknown; i++)
		assert_int_equal(counter(&edge, i), 0);
	edge.pins.in_force->tunables[TUN_confirm] = 1;
	assert_int_equal(respond(&c), PASS);
	assert_non_null(last_captured(&edge));
}

static void test_final(void **state)
{
	static const unsigned codes[] = {200, 299, 302, 401, 486, 487, 503, 603};

	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		char id[16];
		struct call c = {id, "f", "t", 7, codes[i], 0};
		struct siprtx_slot *s;

		snprintf(id, sizeof(id), "final%u", codes[i]);
		fresh(NULL);
		s = held(&c);
		assert_int_equal(s->kind, KIND_FINAL);
		assert_int_equal(s->method, SIP_INVITE);
		assert_int_equal(s->cseq, 7);
		assert_int_equal(s->dport, 5060);
		expect_held(s, &c);
		assert_int_equal(counter(&edge, CNT_response_captured), 1);
		assert_int_equal(counter(&edge, CNT_captured), 0);
		/* the ACK to a 2xx has a branch of its own (13.2.2.4), the other the INVITE's (17.1.1.3) */
		ack_from(&c, codes[i] < 300 ? "own" : "i", GATEWAY);
		expect_confirmed(s, &c);
		/* copies after it pass, another ACK names nothing held */
		assert_int_equal(respond(&c), PASS);
		assert_int_equal(counter(&edge, CNT_copy_answered), 1);
		ack(&c);
		assert_int_equal(counter(&edge, CNT_confirm_unknown), 1);
		assert_null(last_captured(&edge));
	}
}

static void test_ack_of_another(void **state)
{
	const struct call c = {"mine", "f", "t", 7, 200, 0};
	const struct call others[] = {{"mine", "f", "t", 8, 200, 0}, {"mine", "g", "t", 7, 200, 0},
				      {"mine", "f", "u", 7, 200, 0}, {"mine2", "f", "t", 7, 200, 0},
				      {"Mine", "f", "t", 7, 200, 0}, {"mine", "t", "f", 7, 200, 0},
				      {"mine", "f", "", 7, 200, 0},  {"mine", "", "t", 7, 200, 0}};
	struct siprtx_slot *s = held(&c);
	int len;

	(void)state;
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
		ack(&others[i]);
		expect_held(s, &c);
		assert_int_equal(counter(&edge, CNT_confirm_unknown), i + 1);
	}
	/* a PRACK confirms no final response, whatever it names; nor does another request */
	prack(&c, "1 7 INVITE");
	prack(&c, "0 7 INVITE");
	len = write_message("BYE sip:b@10.77.1.2 SIP/2.0", &c, "bye", 7, "BYE", "");
	assert_int_equal(pass_through(edge.outside, &(struct shape){FROM_GATEWAY}, len), PASS);
	expect_held(s, &c);
	/* nor does one that came cut short (18.3) */
	len = write_message("ACK sip:b@10.77.1.2 SIP/2.0", &c, "ack", 7, "ACK", "Subject: a\r\n");
	memcpy(strstr(message, "Content-Length: 0"), "Content-Length: 9", 17);
	assert_int_equal(pass_through(edge.outside, &(struct shape){FROM_GATEWAY}, len), PASS);
	assert_int_equal(counter(&edge, CNT_short_body), 1);
	expect_held(s, &c);
	/* nor one the softswitch sends */
	len = write_message("ACK sip:b@10.77.1.2 SIP/2.0", &c, "ack", 7, "ACK", "");
	assert_int_equal(pass_through(edge.inside, &(struct shape){0}, len), PASS);
	expect_held(s, &c);
	ack(&c);
	expect_confirmed(s, &c);
}

static void rule_31_ack_from_elsewhere(void **state)
{
	const struct call c = {"elsewhere", "f", "t", 1, 200, 0}, other = {"elsewhere", "f", "t2", 1, 200, 0};
	struct siprtx_slot *s = held(&c), *o = held(&other);

	(void)state;
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	ack_from(&c, "ack", "10.77.2.3");
	assert_int_equal(counter(&edge, CNT_wrong_source), 1);
	expect_held(s, &c);
	ack_from(&c, "ack", GATEWAY);
	expect_confirmed(s, &c);
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	ack_from(&other, "ack", "10.77.2.3");
	assert_int_equal(word_state(o->word), ST_COMPLETED);
}

static void test_reliable(void **state)
{
	const struct call first = {"rel", "f", "t", 7, 183, 4294967294u}, second = {"rel", "f", "t", 7, 183, 2},
			  fork = {"rel", "f", "t2", 7, 183, 2}, final = {"rel", "f", "t", 7, 200, 0};
	static const char *const others[] = {"3 7 INVITE",  "1 7 INVITE", "2 8 INVITE",
					     "2 7 OPTIONS", "2 7",	  "0 7 INVITE"};
	struct siprtx_slot *a = held(&first), *b = held(&second), *c = held(&fork), *d = held(&final);

	(void)state;
	assert_int_equal(counter(&edge, CNT_response_captured), 4);
	assert_int_equal(a->kind, KIND_RELIABLE);
	assert_int_equal(d->kind, KIND_FINAL);
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
		prack(&second, others[i]);
	ack(&fork);
	assert_int_equal(counter(&edge, CNT_confirm_unknown), sizeof(others) / sizeof(*others) + 1);
	expect_held(a, &first);
	expect_held(b, &second);
	expect_held(c, &fork);
	prack(&second, "2 7 INVITE");
	expect_confirmed(b, &second);
	expect_held(a, &first);
	expect_held(c, &fork);
	prack(&first, "4294967294 007 INVITE");
	assert_int_equal(word_state(a->word), ST_COMPLETED);
	expect_held(d, &final);
	ack(&final);
	assert_int_equal(word_state(d->word), ST_COMPLETED);
	expect_held(c, &fork);
}

/* What awaits no confirmation, or cannot be told apart. */
static void test_not_held(void **state)
{
	const struct call ringing = {"not", "f", "t", 1, 180, 0}, trying = {"not", "f", "t", 1, 100, 5},
			  ok = {"not", "f", "t", 1, 200, 0}, untagged = {"not", "f", "", 1, 486, 0},
			  early = {"not", "f", "", 1, 183, 1}, rel = {"not", "f", "t", 1, 183, 1};

	(void)state;
	assert_int_equal(respond(&ringing), PASS);
	assert_int_equal(respond(&trying), PASS);
	assert_int_equal(respond_with(&ok, "BYE", ""), PASS);
	assert_int_equal(respond_with(&rel, "PRACK", ""), PASS);
	assert_int_equal(counter(&edge, CNT_response_out), 4);
	assert_int_equal(respond(&untagged), PASS);
	assert_int_equal(respond(&early), PASS);
	assert_int_equal(respond_with(&rel, "INVITE", "RSeq: 2\r\n"), PASS);
	assert_int_equal(counter(&edge, CNT_response_untagged), 3);
	assert_null(last_captured(&edge));
	/* RSeq in a final response means nothing (RFC 3262, 7.1): it is not in its key */
	assert_int_equal(respond_with(&ok, "INVITE", "RSeq: 2\r\n"), PASS);
	assert_non_null(last_captured(&edge));
	ack(&ok);
	assert_int_equal(counter(&edge, CNT_confirmed), 1);
}

/* Only from the softswitch to the gateway (rule 28). */
static void rule_28_response_from_the_gateway(void **state)
{
	const struct call c = {"inward", "f", "t", 1, 200, 0};
	int len = write_message("SIP/2.0 200 OK", &c, "i", 1, "INVITE", "");

	(void)state;
	assert_int_equal(pass_through(edge.outside, &(struct shape){FROM_GATEWAY}, len), PASS);
	assert_int_equal(counter(&edge, CNT_response_unknown), 1);
	/* and where it leaves by no outside interface */
	assert_int_equal(pass_through(edge.inside, &(struct shape){.dst = "10.77.1.3"}, len), PASS);
	assert_int_equal(counter(&edge, CNT_response_captured), 0);
	assert_int_equal(counter(&edge, CNT_not_outside) + counter(&edge, CNT_no_route), 1);
	assert_null(last_captured(&edge));
}

static void rule_30_32_copies(void **state)
{
	const struct call c = {"copies", "f", "t", 1, 200, 0}, unlike = {"copies", "f", "t", 1, 486, 0};
	struct siprtx_slot *s = held(&c);

	(void)state;
	s->word |= WORD_TAKEN;
	assert_int_equal(respond(&c), DROP);
	assert_int_equal(counter(&edge, CNT_absorbed), 1);
	assert_true(s->copy_ns > s->first_ns);
	/* seen twice */
	s->first_ns = now_ns();
	edge.pins.in_force->tunables[TUN_dup_window] = 100;
	assert_int_equal(respond(&c), PASS);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	assert_int_equal(counter(&edge, CNT_dup), 1);
	s->first_ns -= 1000000000;
	/* not the same response: no copy of what is held */
	assert_int_equal(respond(&unlike), PASS);
	assert_int_equal(counter(&edge, CNT_response_unlike), 1);
	expect_held(s, &c);
	/* not taken over, or nothing is sent: passes and counts as a send */
	edge.pins.in_force->tunables[TUN_absorb] = 0;
	assert_int_equal(respond(&c), PASS);
	edge.pins.in_force->tunables[TUN_absorb] = 1;
	assert_int_equal(counter(&edge, CNT_copy_passed), 1);
	/* switched off in between: the work is the softswitch's again */
	edge.pins.in_force->tunables[TUN_confirm] = 0;
	assert_int_equal(respond(&c), PASS);
	edge.pins.in_force->tunables[TUN_confirm] = 1;
	/* ended: the key alone is remembered (rule 23) */
	s->word = (__u64)(word_gen(s->word) + 1) << 32 | ST_CALLING;
	assert_int_equal(respond(&c), PASS);
	ack(&c);
	assert_int_equal(counter(&edge, CNT_remembered), 1);
	assert_int_equal(counter(&edge, CNT_confirm_unknown), 1);
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_null(last_captured(&edge));
}

/* The answer to a repeat of the INVITE passes, once, and is no copy of the softswitch's own timer. */
static void test_asked_for(void **state)
{
	const struct call c = {"asked", "f", "t", 1, 200, 0}, other = {"asked2", "f", "t", 1, 200, 0};
	struct siprtx_slot *s;

	(void)state;
	invite(&c);
	s = held(&c);
	s->word |= WORD_TAKEN;
	/* the INVITE itself, before the response, asks for nothing more */
	edge.pins.in_force->tunables[TUN_dup_window] = 0;
	s->first_ns = now_ns();
	assert_int_equal(respond(&c), DROP);
	s->copy_ns = 0;
	invite(&other);
	assert_int_equal(respond(&c), DROP);
	s->copy_ns = 0;
	invite(&c);
	assert_int_equal(respond(&c), PASS);
	assert_int_equal(counter(&edge, CNT_response_asked), 1);
	assert_int_equal(s->copy_ns, 0);
	assert_int_equal(respond(&c), DROP);
	edge.pins.in_force->tunables[TUN_dup_window] = 5;
	assert_int_equal(counter(&edge, CNT_request_in), 3);
}

#define FRESH(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(test_off),
		FRESH(test_final),
		FRESH(test_ack_of_another),
		FRESH(rule_31_ack_from_elsewhere),
		FRESH(test_reliable),
		FRESH(test_not_held),
		FRESH(rule_28_response_from_the_gateway),
		FRESH(rule_30_32_copies),
		FRESH(test_asked_for),
	};

	return cmocka_run_group_tests_name("prog: confirm", tests, up, down);
}
