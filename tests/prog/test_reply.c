// SPDX-License-Identifier: GPL-2.0-or-later
/* What is absorbed once siprtx has answered an INVITE itself, and what passes all the same. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_note.h"
#include "sip_msg.h"
#include "slot.h"

static char message[2048];

static int up(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	return 0;
}

/* An INVITE that was answered when nothing came. */
static struct siprtx_slot *answered(const char *branch)
{
	struct siprtx_slot *s;
	struct frame in;

	frame_build(&in, &(struct shape){0}, message, make_invite(message, sizeof(message), branch, 1, NULL));
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	s->first_ns -= 1000000000;
	s->word = word_moved(s->word, ST_TERMINATED, STAGE_NOTHING, 0) | END_NO_RESPONSE << 12 | WORD_REPLIED;
	return s;
}

/* A request of the softswitch with this branch, made of the INVITE. */
static int request(const char *method, const char *branch)
{
	char invite[2048], *uri, *cseq;
	struct frame in;

	make_invite(invite, sizeof(invite), branch, 1, NULL);
	uri = invite + sizeof("INVITE") - 1;
	cseq = strstr(invite, "CSeq: 1 INVITE") + sizeof("CSeq: 1 ") - 1;
	snprintf(message, sizeof(message), "%s%.*s%s%s", method, (int)(cseq - uri), uri, method,
		 cseq + sizeof("INVITE") - 1);
	frame_build(&in, &(struct shape){0}, message, strlen(message));
	return run(edge.inside, &in, NULL);
}

static int response_from(const char *src, const char *branch, int code, const char *method)
{
	struct frame in;

	frame_build(&in, &(struct shape){.src = src, .dst = SOFTSWITCH}, message,
		    make_response(message, sizeof(message), branch, 1, code, method, NULL));
	return run(edge.outside, &in, NULL);
}

static int response(const char *branch, int code, const char *method)
{
	return response_from(GATEWAY, branch, code, method);
}

static void give_back(uint32_t slot)
{
	slot_free(&(struct free_list){edge.pins.free_slots, edge.pins.free_head}, edge.pins.slots, slot);
}

static void rule_50_the_softswitch_has_its_answer(void **state)
{
	struct siprtx_slot *s = answered("z9hG4bKr1");

	(void)state;
	counters_clear(&edge);
	assert_int_equal(request("INVITE", "z9hG4bKr1"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_REPEAT);
	assert_ptr_equal(&edge.pins.slots[noted.note.slot], s);
	assert_int_equal(request("ACK", "z9hG4bKr1"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_ACKED);
	assert_ptr_equal(&edge.pins.slots[noted.note.slot], s);
	assert_int_equal(counter(&edge, CNT_repeat_answered), 1);
	assert_int_equal(counter(&edge, CNT_reply_ack_absorbed), 1);
	/* the ACK of another transaction, and a CANCEL, are the gateway's */
	assert_int_equal(request("ACK", "z9hG4bKr1x"), PASS);
	assert_int_equal(request("CANCEL", "z9hG4bKr1"), PASS);
	assert_int_equal(note_kind(), 0);
}

static void rule_50_the_gateway_is_spoken_for(void **state)
{
	struct siprtx_slot *s = answered("z9hG4bKr2"), *kept;

	(void)state;
	counters_clear(&edge);
	assert_int_equal(response("z9hG4bKr2", 180, "INVITE"), PASS);
	assert_int_equal(note_kind(), NOTE_REPLY_LATE);
	assert_int_equal(noted.note.code, 180);
	/* that of the softswitch's own CANCEL passes, that of siprtx's does not */
	assert_int_equal(response("z9hG4bKr2", 200, "CANCEL"), PASS);
	assert_int_equal(note_kind(), 0);
	s->word |= WORD_CANCELLED;
	assert_int_equal(response("z9hG4bKr2", 200, "CANCEL"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_CANCEL_OK);
	assert_int_equal(response("z9hG4bKr2x", 200, "CANCEL"), PASS);
	assert_int_equal(response("z9hG4bKr2", 200, "PRACK"), PASS);
	/* handed over whole */
	assert_int_equal(response("z9hG4bKr2", 487, "INVITE"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_LATE_FINAL);
	assert_ptr_equal(&edge.pins.slots[noted.note.slot], s);
	assert_int_equal(noted.note.code, 487);
	kept = &edge.pins.slots[noted.response];
	assert_ptr_not_equal(kept, s);
	assert_int_equal(word_state(kept->word), ST_FREE);
	assert_int_equal(kept->sip_len, strlen(message));
	assert_memory_equal((char *)kept + kept->sip_off, message, kept->sip_len);
	give_back(noted.response);
	assert_int_equal(counter(&edge, CNT_late_absorbed), 1);
	assert_int_equal(counter(&edge, CNT_cancel_ok_absorbed), 1);
	assert_int_equal(counter(&edge, CNT_response_late), 1);
}

static void rule_50_a_late_2xx_passes(void **state)
{
	struct siprtx_slot *s = answered("z9hG4bKr3");

	(void)state;
	assert_int_equal(response("z9hG4bKr3", 202, "INVITE"), PASS);
	assert_int_equal(note_kind(), NOTE_REPLY_LATE);
	assert_int_equal(word_code(s->word), 202);
	assert_int_equal(word_state(s->word), ST_TERMINATED);
	assert_int_equal(word_end(s->word), END_NO_RESPONSE);
	/* the softswitch may have taken it after all: what it says about it passes */
	assert_int_equal(request("ACK", "z9hG4bKr3"), PASS);
	assert_int_equal(request("INVITE", "z9hG4bKr3"), PASS);
	assert_int_equal(note_kind(), 0);
	assert_int_equal(response("z9hG4bKr3", 200, "INVITE"), PASS);
	note_kind();
}

/* With CANCEL among the methods, one of the softswitch's that is held has its response; siprtx's none the less. */
static void rule_48_50_whose_cancel_is_answered(void **state)
{
	struct siprtx_slot *s = answered("z9hG4bKr6");

	(void)state;
	edge.pins.in_force->tunables[TUN_methods] = 1 << SIP_CANCEL;
	s->word |= WORD_CANCELLED;
	assert_int_equal(response("z9hG4bKr6", 200, "CANCEL"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_CANCEL_OK);
	assert_int_equal(request("CANCEL", "z9hG4bKr6"), PASS);
	assert_int_equal(note_kind(), NOTE_NEW);
	assert_int_equal(response("z9hG4bKr6", 200, "CANCEL"), PASS);
	assert_int_equal(note_kind(), NOTE_MOVED);
	edge.pins.in_force->tunables[TUN_methods] = 0;
}

static void expect_all_pass(const char *branch)
{
	assert_int_equal(request("INVITE", branch), PASS);
	assert_int_equal(request("ACK", branch), PASS);
	assert_int_equal(response(branch, 180, "INVITE"), PASS);
	assert_int_equal(response(branch, 487, "INVITE"), PASS);
	assert_int_equal(response(branch, 200, "CANCEL"), PASS);
	assert_int_equal(note_kind(), 0);
}

static void rule_50_nothing_without_the_controller(void **state)
{
	struct siprtx_slot *s = answered("z9hG4bKr4");
	__u64 beat = edge.pins.meta->heartbeat[0];

	(void)state;
	s->word |= WORD_CANCELLED;
	edge.pins.meta->heartbeat[0] = now_ns() - HEARTBEAT_NS - 1000000;
	expect_all_pass("z9hG4bKr4");
	edge.pins.meta->heartbeat[0] = 0;
	expect_all_pass("z9hG4bKr4");
	edge.pins.meta->heartbeat[0] = beat;
	assert_int_equal(request("ACK", "z9hG4bKr4"), DROP);
	note_kind();
	/* the flag gone, or the slot another call's */
	s->word &= ~(__u64)WORD_REPLIED;
	expect_all_pass("z9hG4bKr4");
	s->word = (s->word | WORD_REPLIED) + (1ull << 32);
	expect_all_pass("z9hG4bKr4");
}

static void rule_50_in_doubt_it_passes(void **state)
{
	__u64 *head = edge.pins.free_head, all;

	(void)state;
	answered("z9hG4bKr5");
	/* from elsewhere, match_source on (rule 31) */
	edge.pins.in_force->tunables[TUN_match_source] = 1;
	assert_int_equal(response_from("10.77.2.9", "z9hG4bKr5", 486, "INVITE"), PASS);
	assert_int_equal(note_kind(), 0);
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	/* no slot for the response: nobody would send its ACK */
	all = *head;
	*head = all >> 32 << 32;
	while (response("z9hG4bKr5", 486, "INVITE") == DROP)
		note_kind(); /* a CPU's spare one */
	assert_int_equal(note_kind(), 0);
	*head = all;
	assert_int_equal(response("z9hG4bKr5", 486, "INVITE"), DROP);
	assert_int_equal(note_kind(), NOTE_REPLY_LATE_FINAL);
}

static void rule_50_the_way_back_is_kept(void **state)
{
	static const struct shape shapes[] = {{0}, {.tags = 1}, {.tags = 2}, {.v6 = true, .tags = 1}};
	static const unsigned tags[] = {0, 1, 2 | SLOT_IN_8021AD, 1};

	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct siprtx_slot *s;
		struct frame in;
		char branch[32];

		snprintf(branch, sizeof(branch), "z9hG4bKw%u", i);
		frame_build(&in, &shapes[i], message, make_invite(message, sizeof(message), branch, 1, NULL));
		assert_int_equal(run(edge.inside, &in, NULL), PASS);
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_not_equal(s->ingress, 0);
		assert_memory_equal(s->from_mac, in.data + 6, 6);
		assert_int_equal(s->in_tags, tags[i]);
		for (unsigned t = 0; t < shapes[i].tags; t++)
			assert_memory_equal(&s->in_tci[t], in.data + 14 + 4 * t, 2);
		assert_int_equal(s->reply_tag, 0);
	}
}

/* XDP in generic mode sees what siprtx lifts: by its identification or flow label it is known for siprtx's own. */
static void rule_50_its_own_reply_passes(void **state)
{
	static const __u32 tag = 0xabcd1234;

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		char branch[] = "z9hG4bKo0";
		struct shape leaves = {.v6 = v6},
			     comes = {.v6 = v6, .src = v6 ? GATEWAY6 : GATEWAY, .dst = v6 ? SOFTSWITCH6 : SOFTSWITCH};
		struct siprtx_slot *s;
		struct frame in;
		unsigned at = v6 ? 14 + 1 : 14 + 4;

		branch[8] += v6;
		frame_build(&in, &leaves, message, make_invite(message, sizeof(message), branch, 1, NULL));
		assert_int_equal(run(edge.inside, &in, NULL), PASS);
		s = last_captured(&edge);
		assert_non_null(s);
		s->word = word_moved(s->word, ST_TERMINATED, STAGE_NOTHING, 0) | END_NO_RESPONSE << 12 | WORD_REPLIED;
		s->reply_tag = tag;
		frame_build(&in, &comes, message,
			    make_response(message, sizeof(message), branch, 1, 408, "INVITE", NULL));
		/* bits 19..0 of the first word, or the identification */
		if (v6)
			in.data[at] = (in.data[at] & 0xf0) | (lift_flow_label(tag) >> 16);
		in.data[at + v6] = lift_id(tag) >> 8;
		in.data[at + v6 + 1] = lift_id(tag) & 0xff;
		/* one of an INVITE taken at XDP goes another way: this is the gateway's */
		counters_clear(&edge);
		assert_int_equal(run(edge.outside, &in, NULL), DROP);
		assert_int_equal(note_kind(), NOTE_REPLY_LATE_FINAL);
		give_back(noted.response);
		s->in_tags = SLOT_AT_EGRESS;
		assert_int_equal(run(edge.outside, &in, NULL), PASS);
		assert_int_equal(note_kind(), 0);
		assert_int_equal(counter(&edge, CNT_own_copy), 1);
		in.data[at + v6 + 1] ^= 1;
		assert_int_equal(run(edge.outside, &in, NULL), DROP);
		assert_int_equal(note_kind(), NOTE_REPLY_LATE_FINAL);
		give_back(noted.response);
		assert_int_equal(counter(&edge, CNT_late_absorbed), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_50_the_softswitch_has_its_answer),
		cmocka_unit_test(rule_50_the_gateway_is_spoken_for),
		cmocka_unit_test(rule_50_a_late_2xx_passes),
		cmocka_unit_test(rule_48_50_whose_cancel_is_answered),
		cmocka_unit_test(rule_50_nothing_without_the_controller),
		cmocka_unit_test(rule_50_in_doubt_it_passes),
		cmocka_unit_test(rule_50_the_way_back_is_kept),
		cmocka_unit_test(rule_50_its_own_reply_passes),
	};

	return cmocka_run_group_tests(tests, up, down);
}
