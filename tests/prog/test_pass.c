// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything that is none of siprtx's business passes untouched, counted under its reason. */
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

/* Both programs pass it byte for byte under this one reason, and capture nothing. */
static void expect_pass(const struct frame *in, unsigned reason)
{
	int programs[] = {edge.inside, edge.outside};
	struct frame out;

	for (int i = 0; i < 2; i++) {
		counters_clear(&edge);
		assert_int_equal(run(programs[i], in, &out), PASS);
		assert_int_equal(out.len, in->len);
		assert_memory_equal(out.data, in->data, in->len);
		for (unsigned c = 0; c < CNT_COUNT; c++)
			if (counter(&edge, c) != (c == reason))
				fail_msg("counter %u is %lu, the reason should be %u alone", c, counter(&edge, c),
					 reason);
		assert_null(last_captured(&edge));
	}
}

struct below_case {
	struct shape shape;
	unsigned reason;
};

static void run_below(const struct below_case *cases, size_t n)
{
	char message[2048];
	struct frame in;
	int len = make_invite(message, sizeof(message), "z9hG4bKpass", 1, NULL);

	for (size_t i = 0; i < n; i++) {
		frame_build(&in, &cases[i].shape, message, len);
		expect_pass(&in, cases[i].reason);
	}
}

#define RUN_BELOW(cases) run_below(cases, sizeof(cases) / sizeof(*(cases)))

static void rule_37_tcp(void **state)
{
	static const struct below_case cases[] = {
		{{.proto = 6}, CNT_not_udp},
		{{.v6 = true, .proto = 6}, CNT_not_udp},
	};

	(void)state;
	RUN_BELOW(cases);
}

/* A first fragment is not kept either: expect_pass() sees that nothing was captured. */
static void rule_38_fragments(void **state)
{
	static const uint8_t first[] = {17, 0, 0, 1, 0, 0, 0, 9}, later[] = {17, 0, 0, 16, 0, 0, 0, 9};
	static const struct below_case cases[] = {
		{{.frag = 0x2000}, CNT_fragment},
		{{.frag = 0x0010}, CNT_fragment},
		{{.v6 = true, .ext = first, .ext_len = 8, .ext_first = 44}, CNT_fragment},
		{{.v6 = true, .ext = later, .ext_len = 8, .ext_first = 44}, CNT_fragment},
	};

	(void)state;
	RUN_BELOW(cases);
}

/* IPv4 and IPv6 in IPv4 or IPv6, GRE, ESP. */
static void rule_39_tunnels(void **state)
{
	static const struct below_case cases[] = {
		{{.proto = 4}, CNT_not_udp},
		{{.proto = 41}, CNT_not_udp},
		{{.proto = 47}, CNT_not_udp},
		{{.proto = 50}, CNT_not_udp},
		{{.v6 = true, .proto = 41}, CNT_not_udp},
		{{.v6 = true, .proto = 47}, CNT_not_udp},
		{{.v6 = true, .proto = 50}, CNT_ipv6_ext},
	};

	(void)state;
	RUN_BELOW(cases);
}

static void test_below_sip(void **state)
{
	static const uint8_t hop[] = {6, 0, 1, 4, 0, 0, 0, 0}, dest[] = {17, 255, 1, 4, 0, 0, 0, 0};
	static const struct below_case cases[] = {
		{{.sport = 4000, .dport = 4001}, CNT_other_port},
		{{.sport = 5061, .dport = 5059}, CNT_other_port},
		{{.v6 = true, .ext = hop, .ext_len = 8, .ext_first = 0}, CNT_ipv6_ext},
		{{.v6 = true, .ext = dest, .ext_len = 8, .ext_first = 60}, CNT_truncated},
		{{.udp_len_off = 1}, CNT_truncated},
		{{.ip_len_off = 1}, CNT_truncated},
		{{.tags = 3}, CNT_not_ip},
	};
	char message[2048];
	struct frame in;
	int len = make_invite(message, sizeof(message), "z9hG4bKpass", 1, NULL);

	(void)state;
	RUN_BELOW(cases);
	frame_build(&in, &(struct shape){0}, message, len);
	in.data[14 + 20 + 4] = 0; /* shorter than its own header */
	in.data[14 + 20 + 5] = 7;
	expect_pass(&in, CNT_truncated);
	frame_build(&in, &(struct shape){0}, message, len);
	in.data[12] = 8; /* ARP */
	in.data[13] = 6;
	expect_pass(&in, CNT_not_ip);
}

static void rule_11_14_33_35_36_45_not_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t len; /* 0: strlen */
		unsigned reason;
	} table[] = {
		{"", 0, CNT_keepalive},
		{"\r\n\r\n", 0, CNT_keepalive},
		{"\0\0\0\0", 4, CNT_keepalive},
		{"hello", 0, CNT_keepalive},
		{"\0\1\0\0\x21\x12\xa4\x42"
		 "abcdefghijkl",
		 20, CNT_stun},
		{"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", 0, CNT_not_sip},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, CNT_not_sip},
		{"INVITE sip:a@b SIP/7.0\r\nVia: SIP/7.0/UDP a;branch=z9hG4bK1\r\n\r\n", 0, CNT_bad_version},
		{"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n", 0, CNT_malformed},
		{"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		 "<sip:a@b>\r\nCall-ID: 1\r\n"
		 "CSeq: 1 INVITE\r\n\r\n",
		 0, CNT_legacy},
		{"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		 "<sip:a@b>\r\nCall-ID: 1\r\n"
		 "CSeq: 1 OPTIONS\r\n\r\n",
		 0, CNT_cseq_mismatch},
	};
	struct frame in;

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		frame_build(&in, &(struct shape){0}, table[i].bytes, table[i].len ?: strlen(table[i].bytes));
		expect_pass(&in, table[i].reason);
	}
}

static void rule_40_too_long(void **state)
{
	char message[4000], filler[3000];
	struct frame in;
	int room, len;

	(void)state;
	memset(filler, 'x', sizeof(filler));
	memcpy(filler, "X-Filler: ", 10);
	/* the largest message a slot holds, and one byte more */
	len = make_invite(message, sizeof(message), "z9hG4bKlong", 1, NULL);
	room = SLOT_ROOM - 28 - len;
	snprintf(filler + room - 2, 3, "\r\n");
	len = make_invite(message, sizeof(message), "z9hG4bKlong", 1, filler);
	assert_int_equal(len, SLOT_ROOM - 28);
	edge_run("ip link set out0 mtu 3000");
	frame_build(&in, &(struct shape){0}, message, len);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_non_null(last_captured(&edge));
	message[len] = 'x';
	frame_build(&in, &(struct shape){0}, message, len + 1);
	expect_pass(&in, CNT_too_long);
	edge_run("ip link set out0 mtu 1500");
}

static void rule_16_28_other_requests(void **state)
{
	char message[2048];
	struct frame in;

	(void)state;
	make_invite(message, sizeof(message), "z9hG4bKack", 1, NULL);
	memmove(message + 3, message + 6, strlen(message) - 5);
	memcpy(message, "ACK", 3);
	memmove(strstr(message, "CSeq: 1 ") + 11, strstr(message, "CSeq: 1 ") + 14,
		strlen(strstr(message, "CSeq: 1 ") + 14) + 1);
	memcpy(strstr(message, "CSeq: 1 ") + 8, "ACK", 3);
	frame_build(&in, &(struct shape){0}, message, strlen(message));
	counters_clear(&edge);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_other_method), 1);
	assert_null(last_captured(&edge));
	/* rule 28: the gateway's own INVITE arms nothing */
	make_invite(message, sizeof(message), "z9hG4bKinbound", 1, NULL);
	frame_build(&in, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, message, strlen(message));
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	assert_int_equal(counter(&edge, CNT_request_in), 1);
	assert_null(last_captured(&edge));
}

/* Every truncation of an INVITE and of a response, at every byte, with lengths that fit: passes, stops nothing of
 * another call. */
static void test_truncations(void **state)
{
	char invite[2048], response[2048];
	struct siprtx_slot *s;
	struct frame in;
	__u64 word;
	int len;

	(void)state;
	len = make_invite(invite, sizeof(invite), "z9hG4bKcut", 1, NULL);
	frame_build(&in, &(struct shape){0}, invite, len);
	assert_int_equal(run(edge.inside, &in, NULL), PASS);
	s = last_captured(&edge);
	assert_non_null(s);
	word = s->word;
	make_invite(invite, sizeof(invite), "z9hG4bKcut2", 1, NULL);
	for (int i = 0; i < len; i++) {
		frame_build(&in, &(struct shape){0}, invite, i);
		assert_int_equal(run(edge.inside, &in, NULL), PASS);
	}
	len = make_response(response, sizeof(response), "z9hG4bKcut", 1, 183, "INVITE",
			    "Content-Length: 20\r\n\r\nv=0\r\no=- 1 1 IN IP4");
	for (int i = 0; i < len - 2; i++) {
		frame_build(&in, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, response, i);
		assert_int_equal(run(edge.outside, &in, NULL), PASS);
		assert_int_equal(s->word, word);
	}
	frame_build(&in, &(struct shape){.src = GATEWAY, .dst = SOFTSWITCH}, response, len);
	assert_int_equal(run(edge.outside, &in, NULL), PASS);
	assert_int_equal(word_state(s->word), ST_PROCEEDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_37_tcp),
		cmocka_unit_test(rule_38_fragments),
		cmocka_unit_test(rule_39_tunnels),
		cmocka_unit_test(test_below_sip),
		cmocka_unit_test(rule_11_14_33_35_36_45_not_messages),
		cmocka_unit_test(rule_40_too_long),
		cmocka_unit_test(rule_16_28_other_requests),
		cmocka_unit_test(test_truncations),
	};

	return cmocka_run_group_tests_name("prog: pass", tests, up, down);
}
