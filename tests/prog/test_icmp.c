// SPDX-License-Identifier: GPL-2.0-or-later
/* ICMP that quotes a datagram of ours (rule 46), and what a final response says of when to come again (rule 47). */
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"

static char message[2048];

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=4096", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

static struct frame captured; /* the INVITE of the last call() */

static struct siprtx_slot *call(const struct shape *shape, const char *branch)
{
	struct siprtx_slot *s;

	frame_build(&captured, shape, message, make_invite(message, sizeof(message), branch, 1, NULL));
	assert_int_equal(run(edge.inside, &captured, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	return s;
}

struct error { /* zero is port unreachable from the gateway with the whole of the datagram */
	struct shape outer;
	uint8_t type, code;
	unsigned cut;	   /* quote no more than so many bytes of IP */
	unsigned words;	   /* RFC 4884: the quote's length as the header says it */
	const char *after; /* what stands behind the quote */
};

/* The IP packet of `f`, which has `tags` VLAN tags. */
static void icmp_build(struct frame *out, const struct error *e, const struct frame *f, unsigned tags)
{
	unsigned l3 = 14 + 4 * tags, len = f->len - l3, more = e->after ? strlen(e->after) : 0;
	struct shape outer = e->outer;
	uint8_t quote[4096], *icmp;

	if (e->cut && len > e->cut)
		len = e->cut;
	memcpy(quote, f->data + l3, len);
	memcpy(quote + len, e->after ?: "", more);
	outer.v6 = f->data[l3] >> 4 == 6;
	outer.proto = outer.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	outer.src = outer.src ?: outer.v6 ? GATEWAY6 : GATEWAY;
	outer.dst = outer.v6 ? SOFTSWITCH6 : SOFTSWITCH;
	frame_build(out, &outer, quote, len + more);
	icmp = out->data + out->len - outer.padding - len - more - 8;
	memset(icmp, 0, 8);
	icmp[0] = e->type ?: outer.v6 ? 1 : 3;
	icmp[1] = e->type ? e->code : outer.v6 ? 4 : 3;
	icmp[outer.v6 ? 4 : 5] = e->words;
}

static struct siprtx_note noted[8];
static unsigned n_noted;

static int on_note(void *ctx, void *data, size_t size)
{
	(void)ctx;
	if (n_noted < 8)
		memcpy(&noted[n_noted++], data, size);
	return 0;
}

/* Runs it at the outside interface: it passes as it came and is counted under `reason`, with a note or without. */
static void expect_of(const struct frame *in, unsigned reason)
{
	struct ring_buffer *ring = ring_buffer__new(edge.pins.fd[PIN_notes], on_note, NULL, NULL);
	struct frame out;

	assert_non_null(ring);
	ring_buffer__consume(ring);
	n_noted = 0;
	counters_clear(&edge);
	assert_int_equal(run(edge.outside, in, &out), PASS);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	for (unsigned c = 0; c < CNT_COUNT; c++)
		if (counter(&edge, c) != (c == reason))
			fail_msg("counter %u is %llu, %u was to count", c, (unsigned long long)counter(&edge, c),
				 reason);
	assert_int_equal(n_noted, reason == CNT_icmp);
}

static void expect(const struct error *e, const struct frame *quoted, unsigned tags, unsigned reason)
{
	struct frame in;

	icmp_build(&in, e, quoted, tags);
	expect_of(&in, reason);
}

static void rule_46_unreachable_is_noted(void **state)
{
	static const uint8_t hop_by_hop[] = {IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0};
	static const struct shape shapes[] = {
		{0},
		{.v6 = true},
		{.tags = 1},
		{.tags = 2, .v6 = true},
		{.ip_options = 12},
		{.v6 = true, .ext = hop_by_hop, .ext_len = 8, .ext_first = 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		char branch[32];
		struct siprtx_slot *s;
		__u64 word;

		snprintf(branch, sizeof(branch), "z9hG4bKshape%u", i);
		s = call(&shapes[i], branch);
		word = s->word;
		expect(&(struct error){0}, &captured, shapes[i].tags, CNT_icmp);
		assert_int_equal(noted[0].kind, NOTE_ICMP);
		assert_int_equal(noted[0].code, shapes[i].v6 ? 1 << 8 | 4 : 3 << 8 | 3);
		assert_ptr_equal(&edge.pins.slots[noted[0].slot], s);
		assert_int_equal(noted[0].word, word);
		assert_memory_equal(&noted[0].key, &s->key, sizeof(s->key));
		/* the program itself changes nothing: what it means is the controller's to say */
		assert_int_equal(s->word, word);
		/* a router on the way, behind VLAN tags, with IP options of its own, padded */
		expect(&(struct error){.outer = {.tags = 2,
						 .ip_options = shapes[i].v6 ? 0 : 8,
						 .padding = 6,
						 .src = shapes[i].v6 ? "fd77:9::1" : "198.51.100.1"}},
		       &captured, shapes[i].tags, CNT_icmp);
	}
}

static void rule_46_types_and_codes(void **state)
{
	static const struct {
		bool v6;
		uint8_t type, code;
		unsigned reason;
	} cases[] = {
		{false, 3, 0, CNT_icmp},     {false, 3, 1, CNT_icmp},	  {false, 3, 13, CNT_icmp},
		{false, 3, 255, CNT_icmp},   {false, 3, 4, CNT_not_udp}, /* fragmentation needed */
		{false, 11, 0, CNT_not_udp}, {false, 12, 0, CNT_not_udp}, {false, 8, 0, CNT_not_udp},
		{false, 1, 4, CNT_not_udp},  {true, 1, 0, CNT_icmp},	  {true, 1, 3, CNT_icmp},
		{true, 2, 0, CNT_not_udp},   {true, 3, 0, CNT_not_udp},	  {true, 128, 0, CNT_not_udp},
		{true, 135, 0, CNT_not_udp},
	};
	struct frame of[2];

	(void)state;
	call(&(struct shape){0}, "z9hG4bKtypes");
	of[0] = captured;
	call(&(struct shape){.v6 = true}, "z9hG4bKtypes6");
	of[1] = captured;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect(&(struct error){.type = cases[i].type, .code = cases[i].code}, &of[cases[i].v6], 0,
		       cases[i].reason);
}

/* A quote names the transaction as soon as its top Via and CSeq are whole. */
static void rule_46_quotes_of_every_length(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		unsigned ip = v6 ? 40 : 20, whole;

		call(&(struct shape){.v6 = v6}, v6 ? "z9hG4bKcut6" : "z9hG4bKcut");
		whole = strstr(message, "INVITE\r\nContact") + 8 - message + 1;
		for (unsigned cut = 1; cut < captured.len - 14; cut++) {
			unsigned sip = cut > ip + 8 ? cut - ip - 8 : 0;

			expect(&(struct error){.cut = cut}, &captured, 0,
			       cut < ip + 8   ? CNT_not_udp /* no ports: nobody's */
			       : sip >= whole ? CNT_icmp
					      : CNT_icmp_short);
		}
		/* what routers must quote at least: 8 bytes in RFC 792; 576 in all and 1280 in all since */
		expect(&(struct error){.cut = (v6 ? 1280 : 576) - ip - 8}, &captured, 0, CNT_icmp);
	}
}

/* RFC 4884: what stands behind the quote is no part of it, even where it would complete it. */
static void rule_46_objects_behind_the_quote(void **state)
{
	(void)state;
	call(&(struct shape){0}, "z9hG4bKobjects");
	expect(&(struct error){.cut = 128, .words = 32, .after = "\x20\0\0\0MPLS"}, &captured, 0, CNT_icmp_short);
	expect(&(struct error){.cut = 400, .words = 100, .after = "\x20objects"}, &captured, 0, CNT_icmp);
	/* a length beyond what is there */
	expect(&(struct error){.cut = 400, .words = 255}, &captured, 0, CNT_icmp);
	call(&(struct shape){.v6 = true}, "z9hG4bKobjects6");
	expect(&(struct error){.cut = 128, .words = 16, .after = "\x20objects"}, &captured, 0, CNT_icmp_short);
	expect(&(struct error){.cut = 400, .words = 50, .after = "\x20objects"}, &captured, 0, CNT_icmp);
	/* the line that is cut goes on in what is no part of the quote */
	call(&(struct shape){0}, "z9hG4bKtail");
	for (unsigned words = 20; words < 100; words++) {
		unsigned whole = strstr(message, "INVITE\r\nContact") + 8 - message + 1;

		expect(&(struct error){.words = words}, &captured, 0,
		       4 * words >= 28 + whole ? CNT_icmp : CNT_icmp_short);
	}
}

/* It must quote what this slot sends: address for address, port for port. */
static void rule_46_quote_of_another_gateway(void **state)
{
	static const struct shape others[] = {
		{.dst = "10.77.2.3"},
		{.src = "10.77.1.3"},
		{.dport = 5070},
		{.sport = 5070},
		{.src = GATEWAY, .dst = SOFTSWITCH},
		{.v6 = true},
	};
	static const struct shape others6[] = {
		{.v6 = true, .dst = "fd77:2::3"},
		{.v6 = true, .src = "fd77:1::3"},
		{.v6 = true, .dport = 5070},
		{.v6 = true, .dst = "::ffff:10.77.2.2", .src = "::ffff:10.77.1.2"},
	};
	struct frame quoted;
	int len;

	(void)state;
	call(&(struct shape){0}, "z9hG4bKwhose");
	len = make_invite(message, sizeof(message), "z9hG4bKwhose", 1, NULL);
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
		frame_build(&quoted, &others[i], message, len);
		expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	}
	call(&(struct shape){.v6 = true}, "z9hG4bKwhose6");
	len = make_invite(message, sizeof(message), "z9hG4bKwhose6", 1, NULL);
	for (unsigned i = 0; i < sizeof(others6) / sizeof(*others6); i++) {
		frame_build(&quoted, &others6[i], message, len);
		expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	}
	expect(&(struct error){0}, &captured, 0, CNT_icmp);
}

static void rule_46_quotes_that_are_nobodys(void **state)
{
	struct frame quoted;
	struct siprtx_slot *s;
	int len;

	(void)state;
	/* a call that was never captured */
	len = make_invite(message, sizeof(message), "z9hG4bKnever", 1, NULL);
	frame_build(&quoted, &(struct shape){0}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	/* no ports of SIP, no UDP, a later fragment, a quote within a quote */
	frame_build(&quoted, &(struct shape){.sport = 4000, .dport = 4002}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_not_udp);
	frame_build(&quoted, &(struct shape){.proto = IPPROTO_TCP}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_not_udp);
	frame_build(&quoted, &(struct shape){.frag = 100}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_not_udp);
	call(&(struct shape){0}, "z9hG4bKtwice");
	icmp_build(&quoted, &(struct error){0}, &captured, 0);
	expect(&(struct error){0}, &quoted, 0, CNT_not_udp);
	/* whole, but no SIP to name a call by */
	frame_build(&quoted, &(struct shape){0}, "\r\n\r\n", 4);
	expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	/* our response */
	len = make_response(message, sizeof(message), "z9hG4bKtwice", 1, 200, "INVITE", NULL);
	frame_build(&quoted, &(struct shape){0}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	/* the CANCEL shares the branch */
	len = make_invite(message, sizeof(message), "z9hG4bKtwice", 1, NULL);
	memcpy(message, "CANCEL", 6);
	memcpy(strstr(message, "CSeq: 1 INVITE") + 8, "CANCEL", 6);
	frame_build(&quoted, &(struct shape){0}, message, len);
	expect(&(struct error){0}, &quoted, 0, CNT_icmp_unknown);
	/* answered: still evidence; ended: no more */
	s = call(&(struct shape){0}, "z9hG4bKended");
	s->word = word_moved(s->word, ST_PROCEEDING, STAGE_RINGING, 180);
	expect(&(struct error){0}, &captured, 0, CNT_icmp);
	s->word = word_moved(s->word, ST_COMPLETED, STAGE_RINGING, 200);
	expect(&(struct error){0}, &captured, 0, CNT_icmp_unknown);
	s->word = (__u64)(word_gen(s->word) + 1) << 32 | ST_CALLING;
	expect(&(struct error){0}, &captured, 0, CNT_icmp_unknown);
}

/* What comes from the softswitch's side quotes what came from the gateway. */
static void rule_46_inside_is_left_alone(void **state)
{
	struct siprtx_slot *s = call(&(struct shape){0}, "z9hG4bKinside");
	__u64 word = s->word;
	struct frame in;

	(void)state;
	icmp_build(&in, &(struct error){0}, &captured, 0);
	counters_clear(&edge);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_not_udp), 1);
	assert_int_equal(s->word, word);
}

/* ICMP whose lengths lie, and ICMP that is no more than its header. */
static void rule_46_broken_icmp(void **state)
{
	struct frame in;

	(void)state;
	call(&(struct shape){0}, "z9hG4bKbroken");
	icmp_build(&in, &(struct error){0}, &captured, 0);
	for (unsigned len = 14; len < 14 + 20 + 8 + 20 + 8; len++) {
		struct frame cut = in, out;

		cut.len = len;
		assert_int_equal(run(edge.outside, &cut, &out), PASS);
		assert_memory_equal(out.data, cut.data, len);
	}
	/* cut by the wire, though the IP header says otherwise */
	in.len -= 100;
	expect_of(&in, CNT_icmp_short);
	icmp_build(&in, &(struct error){.outer = {.ip_len_off = -10000}}, &captured, 0);
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	icmp_build(&in, &(struct error){.outer = {.frag = 0x2000}}, &captured, 0);
	expect_of(&in, CNT_not_udp);
}

static void respond(const char *branch, int code, const char *extra)
{
	struct frame in;

	frame_build(&in, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, message,
		    make_response(message, sizeof(message), branch, 1, code, "INVITE", extra));
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
}

static void rule_47_retry_after(void **state)
{
	struct siprtx_slot *s = call(&(struct shape){0}, "z9hG4bKretry");

	(void)state;
	assert_int_equal(s->retry_after, NO_RETRY_AFTER);
	respond("z9hG4bKretry", 180, "Retry-After: 5\r\n");
	assert_int_equal(s->retry_after, NO_RETRY_AFTER);
	respond("z9hG4bKretry", 503, "Retry-After: 120 (busy);duration=60\r\n");
	assert_int_equal(s->retry_after, 120);
	assert_int_equal(word_state(s->word), ST_COMPLETED);
	/* only the first final response counts */
	respond("z9hG4bKretry", 503, "Retry-After: 7\r\n");
	assert_int_equal(s->retry_after, 120);
	s = call(&(struct shape){0}, "z9hG4bKretry2");
	respond("z9hG4bKretry2", 408, "Retry-After: soon\r\n");
	assert_int_equal(s->retry_after, NO_RETRY_AFTER);
	assert_int_equal(word_code(s->word), 408);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_46_unreachable_is_noted),
		cmocka_unit_test(rule_46_types_and_codes),
		cmocka_unit_test(rule_46_quotes_of_every_length),
		cmocka_unit_test(rule_46_objects_behind_the_quote),
		cmocka_unit_test(rule_46_quote_of_another_gateway),
		cmocka_unit_test(rule_46_quotes_that_are_nobodys),
		cmocka_unit_test(rule_46_inside_is_left_alone),
		cmocka_unit_test(rule_46_broken_icmp),
		cmocka_unit_test(rule_47_retry_after),
	};

	return cmocka_run_group_tests(tests, up, down);
}
