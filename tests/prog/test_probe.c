// SPDX-License-Identifier: GPL-2.0-or-later
/* What answers an OPTIONS of siprtx is absorbed (rule 52); those of the softswitch are left alone. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_note.h"
#include "frame.h"
#include "key.h"
#include "sip.h"
#include "sip_make.h"
#include "slot.h"
#include "txns.h"

static char message[2048];

static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	return 0;
}

static void put_key(const struct siprtx_slot *s, uint32_t gen)
{
	const struct txns t = txns_of(&edge.pins);

	assert_int_equal(txns_put(&t, &s->key, txn_at(s - edge.pins.slots, gen, 0)), 0);
}

/* One that was sent, as the controller leaves it: made of an INVITE that is gone since. */
static struct siprtx_slot *probe(uint64_t branch)
{
	const struct free_list list = {edge.pins.free_slots, edge.pins.free_head};
	struct siprtx_slot *s = &edge.pins.slots[slot_obtain(&list)], *call;
	struct siprtx_hash_key secret;
	struct frame in;
	struct sip_msg m;
	char invite[32];
	__u32 zero = 0;

	snprintf(invite, sizeof(invite), "z9hG4bKp%llu", (unsigned long long)branch);
	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), invite, 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	call = last_captured(&edge);
	assert_non_null(call);
	assert_int_equal(make_options(call, &(struct sip_fresh){branch, 1, 2, 1000000}, s), 0);
	slot_free(&list, edge.pins.slots, call - edge.pins.slots);
	assert_int_equal(sip_scan(s, s->sip_off, s->sip_off + s->sip_len, &m), SIP_OK);
	assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_hash_key], &zero, &secret), 0);
	sip_key(s, &m, SIP_OPTIONS, &secret, &s->key);
	s->kind = KIND_PROBE;
	s->method = SIP_OPTIONS;
	s->first_ns = now_ns() - 1000000000;
	put_key(s, slot_call(s));
	edge.pins.in_force->captured_methods |= 1u << SIP_OPTIONS;
	counters_clear(&edge);
	return s;
}

static int answer_as(const struct shape *shape, uint64_t branch, int code, const char *extra)
{
	struct frame in, out;
	char text[32];
	int verdict;

	snprintf(text, sizeof(text), "z9hG4bK%016llx", (unsigned long long)branch);
	frame_build(&in, shape, message,
		    make_response(message, sizeof(message), text, 1000000, code, "OPTIONS", extra));
	verdict = run(edge.outside, &in, &out);
	if (verdict == PASS) {
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.data, in.data, in.len);
	}
	return verdict;
}

static int answer(uint64_t branch, int code)
{
	return answer_as(&(struct shape){FROM_GATEWAY}, branch, code, NULL);
}

static void expect_note(const struct siprtx_slot *s, unsigned code)
{
	assert_int_equal(note_kind(), NOTE_MOVED);
	assert_ptr_equal(&edge.pins.slots[noted.note.slot], s);
	assert_int_equal(noted.note.word, s->word);
	assert_int_equal(noted.note.code, code);
}

static void rule_52_the_answer_is_absorbed(void **state)
{
	static const int codes[] = {200, 302, 404, 483, 503, 603};

	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct siprtx_slot *s = probe(100 + i);

		assert_int_equal(answer(100 + i, codes[i]), DROP);
		assert_int_equal(word_state(s->word), ST_COMPLETED);
		assert_int_equal(word_code(s->word), codes[i]);
		expect_note(s, codes[i]);
		/* as is a repeat, that moves nothing */
		assert_int_equal(answer(100 + i, codes[i]), DROP);
		assert_int_equal(note_kind(), 0);
		assert_int_equal(counter(&edge, CNT_probe_absorbed), 2);
		assert_int_equal(counter(&edge, CNT_final), 0);
		assert_int_equal(counter(&edge, CNT_response_repeat), 0);
	}
}

static void rule_52_provisionals_are_absorbed(void **state)
{
	struct siprtx_slot *s = probe(200);

	(void)state;
	assert_int_equal(answer(200, 100), DROP);
	assert_int_equal(word_state(s->word), ST_PROCEEDING);
	expect_note(s, 100);
	assert_int_equal(answer(200, 100), DROP);
	assert_int_equal(note_kind(), 0);
	assert_int_equal(answer(200, 200), DROP);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	expect_note(s, 200);
	assert_int_equal(counter(&edge, CNT_probe_absorbed), 3);
}

/* Whether a controller is there or not: nobody else has asked. */
static void rule_52_absorbed_without_a_controller(void **state)
{
	__u64 beat = edge.pins.meta->heartbeat[0], alive = edge.pins.meta->alive_ns;
	struct siprtx_slot *s = probe(300);

	(void)state;
	edge.pins.meta->heartbeat[0] = 0;
	edge.pins.meta->alive_ns = 1;
	assert_int_equal(answer(300, 200), DROP);
	expect_note(s, 200);
	edge.pins.meta->heartbeat[0] = beat;
	edge.pins.meta->alive_ns = alive;
}

static void rule_52_what_is_not_its_answer_passes(void **state)
{
	struct siprtx_slot *s = probe(400);
	const __u64 word = s->word;

	(void)state;
	assert_int_equal(answer(401, 200), PASS);
	assert_int_equal(counter(&edge, CNT_response_unknown), 1);
	/* cut short (18.3) */
	assert_int_equal(answer_as(&(struct shape){FROM_GATEWAY}, 400, 200, "Content-Length: 9\r\n"), PASS);
	/* from elsewhere, match_source on (rule 31) */
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	assert_int_equal(answer_as(&(struct shape){.src = "10.77.2.9", .dst = SOFTSWITCH}, 400, 200, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_wrong_source), 1);
	assert_int_equal(s->word, word);
	assert_int_equal(note_kind(), 0);
	/* and from the gateway */
	assert_int_equal(answer(400, 200), DROP);
	note_kind();
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	/* the key of a former probe, left by a killed controller */
	slot_call(s);
	assert_int_equal(answer(400, 200), PASS);
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(note_kind(), 0);
	/* no key, as before a probe is sent and after the next one was */
	put_key(s, word_gen(s->word));
	txns_remove(&(struct txns){edge.pins.txns, edge.pins.entries[PIN_txns]}, &s->key);
	assert_int_equal(answer(400, 200), PASS);
	assert_int_equal(word_state(s->word), ST_CALLING);
}

/* A slot that is a call's again. */
static void rule_52_a_call_in_its_slot(void **state)
{
	struct siprtx_slot *s = probe(500);

	(void)state;
	s->kind = KIND_REQUEST;
	assert_int_equal(answer(500, 200), PASS);
	assert_int_equal(counter(&edge, CNT_final), 1);
	expect_note(s, 200);
}

static int own(const char *branch, struct frame *in)
{
	struct frame out;
	int verdict;

	frame_build(in, &(struct shape){0}, message,
		    snprintf(message, sizeof(message),
			     "OPTIONS sip:10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=%s;rport\r\n"
			     "Max-Forwards: 70\r\nFrom: <sip:10.77.1.2>;tag=f1\r\nTo: <sip:10.77.2.2>\r\n"
			     "Call-ID: own\r\nCSeq: 10 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			     branch));
	verdict = run(edge.inside, in, &out);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	return verdict;
}

/* Pings of the softswitch's own to the same gateway, twice each, and what answers them. */
static void rule_52_the_softswitch_pings_too(void **state)
{
	struct frame in, out;
	struct siprtx_slot *s = probe(600);
	const __u64 word = s->word;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(own("z9hG4bKown", &in), PASS);
		assert_int_equal(note_kind(), 0);
		frame_build(&in, &(struct shape){FROM_GATEWAY}, message,
			    make_response(message, sizeof(message), "z9hG4bKown", 10, 200, "OPTIONS", NULL));
		assert_int_equal(run(edge.outside, &in, &out), PASS);
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.data, in.data, in.len);
		assert_int_equal(note_kind(), 0);
	}
	assert_int_equal(counter(&edge, CNT_other_method), 2);
	assert_int_equal(counter(&edge, CNT_response_unknown), 2);
	assert_int_equal(s->word, word);
	/* taken, with `methods`: a request of its own, whose answer passes */
	edge.pins.in_force->tunables[TUN_methods] = 1u << SIP_OPTIONS;
	assert_int_equal(own("z9hG4bKtaken", &in), PASS);
	assert_int_equal(note_kind(), NOTE_NEW);
	frame_build(&in, &(struct shape){FROM_GATEWAY}, message,
		    make_response(message, sizeof(message), "z9hG4bKtaken", 10, 200, "OPTIONS", NULL));
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	assert_int_equal(note_kind(), NOTE_MOVED);
	edge.pins.in_force->tunables[TUN_methods] = 0;
	assert_int_equal(s->word, word);
}

/* The frame itself, back on the inside (a bridge, a mirror), is no request of the softswitch. */
static void rule_52_its_own_frame_comes_back(void **state)
{
	struct siprtx_slot *s = probe(700);
	struct frame in;

	(void)state;
	frame_sum(s);
	in.len = s->frame_len;
	memcpy(in.data, (char *)s + s->frame_off, in.len);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_int_not_equal(note_kind(), NOTE_NEW);
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(counter(&edge, CNT_captured_other), 0);
}

/* It passes, and the controller is told whose it is (rule 46). */
static void rule_46_51_icmp_that_quotes_one(void **state)
{
	struct siprtx_slot *s = probe(800);
	struct frame in, out;
	uint8_t *icmp;

	(void)state;
	frame_sum(s);
	frame_build(&in, &(struct shape){FROM_GATEWAY, .proto = IPPROTO_ICMP}, (char *)s + SLOT_L3,
		    s->sip_off + s->sip_len - SLOT_L3);
	icmp = in.data + 14 + 20;
	memset(icmp, 0, 8);
	icmp[0] = icmp[1] = 3;
	assert_int_equal(run(edge.outside, &in, &out), PASS);
	assert_memory_equal(out.data, in.data, in.len);
	assert_int_equal(note_kind(), NOTE_ICMP);
	assert_ptr_equal(&edge.pins.slots[noted.note.slot], s);
	assert_int_equal(word_state(s->word), ST_CALLING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_52_the_answer_is_absorbed),
		cmocka_unit_test(rule_52_provisionals_are_absorbed),
		cmocka_unit_test(rule_52_absorbed_without_a_controller),
		cmocka_unit_test(rule_52_what_is_not_its_answer_passes),
		cmocka_unit_test(rule_52_a_call_in_its_slot),
		cmocka_unit_test(rule_52_the_softswitch_pings_too),
		cmocka_unit_test(rule_52_its_own_frame_comes_back),
		cmocka_unit_test(rule_46_51_icmp_that_quotes_one),
	};

	return cmocka_run_group_tests(tests, up, down);
}
