// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A held call, and its own INVITE and response with one thing changed: cut at every byte, every bit turned, every byte
 * of the response made every other. The INVITEs change nothing of the call. A response moves it when, and only when,
 * the plain parser reads the same sent-by, branch and CSeq number, the method INVITE, and a whole body.
 */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "../fuzz/plain_sip.h"
#include "by_rule.h"
#include "one_edge.h"
#include "slot_sum.h"

#define HEADERS (14 + 28) /* Ethernet, IPv4, UDP */

static struct siprtx_slot *victim;
static __u64 word;		    /* the victim's */
static char invite[2048];	    /* the victim's */
static struct plain_msg plain;	    /* of it */
static uint64_t counted[CNT_COUNT]; /* by rule */
static unsigned tried, moved;

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=4096", NULL};

	(void)state;
	edge_up(&edge, more);
	edge.pins.in_force->tunables[TUN_dup_window] = 0;
	return 0;
}

static int hold(void **state)
{
	struct frame in;
	int len = make_invite(invite, sizeof(invite), "z9hG4bKvictim.Aa1", 1, NULL);

	(void)state;
	plain_sip((uint8_t *)invite, len, &plain);
	frame_build(&in, &(struct shape){0}, invite, len);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	victim = last_captured(&edge);
	assert_non_null(victim);
	word = victim->word;
	counters_clear(&edge);
	memset(counted, 0, sizeof(counted));
	tried = moved = 0;
	return 0;
}

static int let_go(void **state)
{
	(void)state;
	free_all(&edge);
	last_captured(&edge);
	assert_int_equal(slot_sum(&edge).held, 0);
	return 0;
}

static void expect_sum(const char *of)
{
	struct slot_sum sum = slot_sum(&edge);

	assert_int_equal(sum.held, 1 + counted[CNT_captured]);
	for (unsigned i = 0; i < CNT_COUNT; i++)
		if (counter(&edge, i) != counted[i])
			fail_msg("%s: counter %u says %lu, by rule it is %lu", of, i, counter(&edge, i), counted[i]);
	print_message("%s: %u tried, %u moved the call; slots: %u free, %u held, %u spare\n", of, tried, moved,
		      sum.free, sum.held, sum.spare);
}

static void __attribute__((noreturn)) wrong(const char *what, const uint8_t *data, size_t len)
{
	fail_msg("%s; word %llx, was %llx; by:\n%.*s", what, victim->word, word, (int)len, (const char *)data);
	__builtin_unreachable();
}

static void try_invite(const struct frame *in, size_t len)
{
	const uint8_t *data = in->data + HEADERS;
	struct by_rule r = by_rule_inside(&edge, data, len, 28);

	tried++;
	counted[r.counter]++;
	if (run(edge.inside, in, NULL) != PASS)
		wrong("did not pass", data, len);
	if (victim->word != word)
		wrong("an INVITE changed the call", data, len);
	if (r.counter == CNT_captured)
		last_captured(&edge); /* takes the note from the ring */
}

static void test_invite_cut(void **state)
{
	struct frame in;

	(void)state;
	for (size_t len = 0; len <= strlen(invite); len++) {
		frame_build(&in, &(struct shape){0}, invite, len);
		try_invite(&in, len);
	}
	/* all that are whole but for the body are the softswitch's own copies */
	assert_int_equal(counted[CNT_captured], 0);
	assert_int_equal(counted[CNT_copy_passed], strlen(invite) - plain.body + 1);
	expect_sum("INVITE cut");
}

static void test_invite_bits(void **state)
{
	size_t len = strlen(invite);
	struct frame in;

	(void)state;
	frame_build(&in, &(struct shape){0}, invite, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		in.data[HEADERS + bit / 8] ^= 1 << bit % 8;
		try_invite(&in, len);
		in.data[HEADERS + bit / 8] ^= 1 << bit % 8;
	}
	assert_true(counted[CNT_captured] > 100);
	assert_true(counted[CNT_copy_passed] > len);
	expect_sum("INVITE, each bit turned");
}

/* A response by the fields of the key, without one: is it the call's own, and whole? */
static bool is_its_own(const uint8_t *data, size_t len)
{
	struct plain_msg m;

	plain_sip(data, len, &m);
	return m.verdict == SIP_OK && m.code && m.method == SIP_INVITE && m.cseq == plain.cseq &&
	       m.port == plain.port && m.host.len == plain.host.len && m.branch.len == plain.branch.len &&
	       strncasecmp((const char *)data + m.host.at, invite + plain.host.at, plain.host.len) == 0 &&
	       memcmp(data + m.branch.at, invite + plain.branch.at, plain.branch.len) == 0 &&
	       (m.content_length == ~0u || m.content_length <= len - m.body);
}

static void try_response(const struct frame *in, size_t len)
{
	const uint8_t *data = in->data + HEADERS;
	struct by_rule r = by_rule_outside(&edge, data, len, 28);
	bool own = is_its_own(data, len);

	tried++;
	counted[r.counter]++;
	if (run(edge.outside, in, NULL) != PASS)
		wrong("did not pass", data, len);
	if (own != r.moves || own != (victim->word != word))
		wrong(own ? "the call's own response moved nothing" : "not the call's response, and it moved it", data,
		      len);
	if (!own)
		return;
	moved++;
	if (word_gen(victim->word) != word_gen(word) || word_state(victim->word) == ST_FREE)
		wrong("the slot went free", data, len);
	victim->word = word;
}

static const char body[] = "Content-Length: 10\r\n\r\nv=0\r\ns=-\r\n";

static int answer(char *out, size_t size)
{
	/* make_response() ends with CRLF of its own behind the body, which Content-Length does not count */
	return make_response(out, size, "z9hG4bKvictim.Aa1", 1, 183, "INVITE", body);
}

static void rule_41_response_cut(void **state)
{
	char text[2048];
	struct frame in;
	size_t len = answer(text, sizeof(text));

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		frame_build(&in, &(struct shape){FROM_GATEWAY}, text, cut);
		try_response(&in, cut);
	}
	assert_int_equal(moved, 3); /* the whole body, and with CR and LF behind it */
	assert_int_equal(counted[CNT_short_body], 10);
	expect_sum("response cut");
}

static void test_response_bytes(void **state)
{
	char text[2048];
	struct frame in;
	size_t len = answer(text, sizeof(text));

	(void)state;
	frame_build(&in, &(struct shape){FROM_GATEWAY}, text, len);
	for (size_t at = 0; at < len; at++) {
		for (unsigned other = 1; other < 256; other++) {
			in.data[HEADERS + at] = (uint8_t)text[at] ^ other;
			try_response(&in, len);
		}
		in.data[HEADERS + at] = text[at];
		last_captured(&edge); /* takes the notes from the ring */
	}
	assert_true(moved > tried / 4 && moved < tried);
	expect_sum("response, each byte changed");
}

/*
 * Below SIP: every bit of Ethernet, IP and UDP headers turned, and the frame cut short of what its headers say. Nothing
 * is dropped or aborted. The INVITE never moves the call; the response does where what was turned is no part of it.
 */
static void test_headers(void **state)
{
	struct frame frames[2], in;
	char text[2048];
	int programs[] = {edge.inside, edge.outside};

	(void)state;
	frame_build(&frames[0], &(struct shape){0}, invite, strlen(invite));
	frame_build(&frames[1], &(struct shape){FROM_GATEWAY}, text, answer(text, sizeof(text)));
	for (int i = 0; i < 2; i++) {
		in = frames[i];
		for (unsigned bit = 0; bit < HEADERS * 8; bit++) {
			in.data[bit / 8] ^= 1 << bit % 8;
			assert_int_equal(run(programs[i], &in, NULL), PASS);
			in.data[bit / 8] ^= 1 << bit % 8;
			tried++;
			if (victim->word == word)
				continue;
			assert_int_equal(i, 1);
			assert_int_equal(word_state(victim->word), ST_PROCEEDING);
			victim->word = word;
			moved++;
		}
		for (in.len = 14; in.len < frames[i].len; in.len++) {
			assert_int_equal(run(programs[i], &in, NULL), PASS);
			assert_int_equal(victim->word, word);
			tried++;
		}
	}
	/* the MACs, and of IP what may be anything; not EtherType, version, protocol, fragment, nor both ports */
	assert_in_range(moved, 12 * 8, HEADERS * 8 - 16);
	assert_int_equal(counter(&edge, CNT_captured), 0);
	assert_int_equal(slot_sum(&edge).held, 1);
}

#define MUTATED(function) cmocka_unit_test_setup_teardown(function, hold, let_go)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MUTATED(test_invite_cut),     MUTATED(test_invite_bits), MUTATED(rule_41_response_cut),
		MUTATED(test_response_bytes), MUTATED(test_headers),
	};

	return cmocka_run_group_tests_name("prog: mutations", tests, up, down);
}
