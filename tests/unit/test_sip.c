// SPDX-License-Identifier: GPL-2.0-or-later
/* The SIP scanner, rule by rule of RFC 3261: all but the top Via. */
#include "sip_case.h"

struct text_case {
	const char *text;
	int verdict;
};

static void run_cseq_cases(const char *start, const struct text_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sip_msg m;
		int verdict = scan_lines(start, VIA, cases[i].text, "", &m);

		if (verdict != cases[i].verdict)
			fail_msg("verdict %d, expected %d: %s", verdict, cases[i].verdict, cases[i].text);
	}
}

static void run_texts(const struct text_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sip_msg m;
		int verdict = scan(cases[i].text, &m);

		if (verdict != cases[i].verdict)
			fail_msg("verdict %d, expected %d: %s", verdict, cases[i].verdict, cases[i].text);
	}
}

#define RUN_TEXTS(cases) run_texts(cases, sizeof(cases) / sizeof(*(cases)))

static void test_positions(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan_lines(INVITE, VIA, CSEQ, "Content-Length: 3\r\n", &m), SIP_OK);
	assert_int_equal(m.code, 0);
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(m.cseq, 314159);
	assert_int_equal(m.start, AGREE_BEGIN);
	assert_int_equal(m.content_length, 3);
	assert_int_equal(m.lines, 6);
	assert_int_equal(m.body, AGREE_BEGIN + strlen(INVITE VIA CSEQ REST "Content-Length: 3\r\n\r\n"));
	assert_int_equal(m.via, AGREE_BEGIN + strlen(INVITE "Via:"));
	assert_int_equal(m.cseq_at, AGREE_BEGIN + strlen(INVITE VIA "CSeq:"));
	assert_int_equal(m.from, AGREE_BEGIN + strlen(INVITE VIA CSEQ "From:"));
	assert_bytes(m.call_id, strlen(" a84b4c@pc33\r\n"), " a84b4c@pc33\r\n");
	assert_bytes(m.to, strlen(" <sip:bob@example.com>\r\n"), " <sip:bob@example.com>\r\n");
	assert_int_equal(scan_lines(INVITE, VIA, CSEQ, "", &m), SIP_OK);
	assert_int_equal(m.content_length, ~0u);
	assert_int_equal(m.content_length_at, 0);
}

static void rule_01_method_of_a_response_is_its_cseq(void **state)
{
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan_lines(OK200, VIA, CSEQ, "", &m), SIP_OK);
	assert_int_equal(m.code, 200);
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(scan_lines(OK200, VIA, "CSeq: 314159 CANCEL\r\n", "", &m), SIP_OK);
	assert_int_equal(m.method, SIP_CANCEL);
	assert_int_equal(scan_lines(OK200, VIA, "CSeq: 314159 PRACK\r\n", "", &m), SIP_OK);
	assert_int_equal(m.method, SIP_PRACK);
}

static void rule_05_compact_names(void **state)
{
	static const char compact[] =
		INVITE "v: SIP/2.0/UDP a;branch=z9hG4bKa\r\nf: a\r\nt: b\r\ni: c\r\n" CSEQ "l: 0\r\n\r\n";
	static const struct text_case cases[] = {
		{INVITE "Vi: SIP/2.0/UDP a\r\nVx: b\r\nViaa: c\r\nV-: d\r\n" VIA CSEQ REST "\r\n", SIP_OK},
		{INVITE VIA CSEQ "fr: a\r\ntt: b\r\nca: c\r\nCSeqq: 2\r\nContent-Lengthx: 9\r\n" REST "\r\n", SIP_OK},
		{INVITE VIA CSEQ "Content: a\r\nContent-: b\r\nContent-Lengt: c\r\nll: 9\r\n" REST "\r\n", SIP_OK},
		{INVITE VIA CSEQ "f: a\r\n" REST "\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ "i: a\r\n" REST "\r\n", SIP_MALFORMED},
	};
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan(compact, &m), SIP_OK);
	assert_bytes(m.branch, m.branch_len, "z9hG4bKa");
	assert_int_equal(m.content_length, 0);
	RUN_TEXTS(cases);
}

static void rule_06_case(void **state)
{
	static const char mixed[] =
		INVITE "vIa: sip/2.0/uDp A.b;BRANCH=z9hG4bKaB\r\ncSEQ: 1 INVITE\r\nFROM: a\r\ntO: b\r\n"
		       "cALL-iD: c\r\nCONTENT-LENGTH: 0\r\n\r\n";
	static const struct text_case cases[] = {
		{"INVITE sip:a sip/2.0\r\n" VIA CSEQ REST "\r\n", SIP_OK}, /* 7.1: the version in any case */
		{"invite sip:a SIP/2.0\r\n" VIA CSEQ REST "\r\n", SIP_CSEQ_MISMATCH},
		{"Invite sip:a SIP/2.0\r\n" VIA "CSeq: 1 Invite\r\n" REST "\r\n", SIP_OK},
	};
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan(mixed, &m), SIP_OK);
	assert_bytes(m.host, m.host_len, "A.b");
	assert_bytes(m.branch, m.branch_len, "z9hG4bKaB");
	RUN_TEXTS(cases);
	assert_int_equal(scan(cases[2].text, &m), SIP_OK);
	assert_int_equal(m.method, SIP_OTHER);
}

static void rule_06_methods(void **state)
{
	static const struct {
		const char *name;
		int method;
	} cases[] = {
		{"INVITE", SIP_INVITE},
		{"ACK", SIP_ACK},
		{"CANCEL", SIP_CANCEL},
		{"BYE", SIP_BYE},
		{"REGISTER", SIP_REGISTER},
		{"OPTIONS", SIP_OPTIONS},
		{"SUBSCRIBE", SIP_SUBSCRIBE},
		{"NOTIFY", SIP_NOTIFY},
		{"REFER", SIP_REFER},
		{"INFO", SIP_INFO},
		{"UPDATE", SIP_UPDATE},
		{"PRACK", SIP_PRACK},
		{"MESSAGE", SIP_MESSAGE},
		{"PUBLISH", SIP_PUBLISH},
		{"INVIT", SIP_OTHER},
		{"INVITEE", SIP_OTHER},
		{"REGISTERX", SIP_OTHER},
		{"SUBSCRIBF", SIP_OTHER},
		{"SUBSCRIB", SIP_OTHER},
		{"SUBSCRIBER", SIP_OTHER},
		{"X", SIP_OTHER},
		{"A-VERY.LONG!METHOD", SIP_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sip_msg m;
		char start[64], cseq[64];

		snprintf(start, sizeof(start), "%s sip:a SIP/2.0\r\n", cases[i].name);
		snprintf(cseq, sizeof(cseq), "CSeq: 7 %s\r\n", cases[i].name);
		assert_int_equal(scan_lines(start, VIA, cseq, "", &m), SIP_OK);
		assert_int_equal(m.method, cases[i].method);
		assert_int_equal(scan_lines(OK200, VIA, cseq, "", &m), SIP_OK);
		assert_int_equal(m.method, cases[i].method);
	}
}

static void rule_09_folded_cseq(void **state)
{
	static const struct text_case cases[] = {
		{"CSeq: 0009\r\n  INVITE\r\n", SIP_OK},
		{"CSeq:\r\n 9 INVITE\r\n\t\r\n", SIP_OK},
		{"CSeq: 9\r\nINVITE\r\n", SIP_MALFORMED},
		{"Subject: x\r\n CSeq: 9 INVITE\r\n", SIP_MALFORMED}, /* part of Subject */
	};

	(void)state;
	run_cseq_cases(INVITE, cases, sizeof(cases) / sizeof(*cases));
}

static void rule_10_cseq_number(void **state)
{
	static const struct text_case cases[] = {
		{"CSeq: 0 INVITE\r\n", SIP_OK},
		{"CSeq: 2147483647 INVITE\r\n", SIP_OK},
		{"CSeq: 2147483648 INVITE\r\n", SIP_MALFORMED},
		{"CSeq: 4294967297 INVITE\r\n", SIP_MALFORMED},
		{"CSeq: 36893488147419103232 INVITE\r\n", SIP_MALFORMED},
		{"CSeq: 0000000000000001 INVITE\r\n", SIP_OK},
		{"CSeq: 00000000000000001 INVITE\r\n", SIP_MALFORMED}, /* more digits than are read */
		{"CSeq: INVITE\r\n", SIP_MALFORMED},
		{"CSeq: -1 INVITE\r\n", SIP_MALFORMED},
		{"CSeq: 1INVITE\r\n", SIP_MALFORMED},
		{"CSeq: 1\r\n", SIP_MALFORMED},
		{"CSeq: 1 INVITE x\r\n", SIP_MALFORMED},
		{"CSeq:1\tINVITE \r\n", SIP_OK},
		{"", SIP_MALFORMED},
		{CSEQ CSEQ, SIP_MALFORMED},
	};
	struct sip_msg m;

	(void)state;
	run_cseq_cases(INVITE, cases, sizeof(cases) / sizeof(*cases));
	assert_int_equal(scan_lines(INVITE, VIA, "CSeq: 0009 INVITE\r\n", "", &m), SIP_OK);
	assert_int_equal(m.cseq, 9);
}

static void rule_11_cseq_method(void **state)
{
	static const struct text_case cases[] = {
		{"CSeq: 1 ACK\r\n", SIP_CSEQ_MISMATCH},
		{"CSeq: 1 invite\r\n", SIP_CSEQ_MISMATCH},
		{"CSeq: 1 NEWMETHOD\r\n", SIP_CSEQ_MISMATCH},
		{"CSeq: 1 INVITE;x\r\n", SIP_CSEQ_MISMATCH},
	};
	struct sip_msg m;

	(void)state;
	run_cseq_cases(INVITE, cases, sizeof(cases) / sizeof(*cases));
	assert_int_equal(scan_lines("ACK sip:a SIP/2.0\r\n", VIA, "CSeq: 1 ACK\r\n", "", &m), SIP_OK);
	assert_int_equal(scan_lines("ACK sip:a SIP/2.0\r\n", VIA, CSEQ, "", &m), SIP_CSEQ_MISMATCH);
}

static void rule_33_keepalives(void **state)
{
	static const struct text_case cases[] = {
		{"", SIP_KEEPALIVE},	  {"\r\n\r\n", SIP_KEEPALIVE},	  {"\r\n", SIP_KEEPALIVE},
		{"hello", SIP_KEEPALIVE}, {"hello world", SIP_KEEPALIVE}, {"                ", SIP_KEEPALIVE},
	};
	struct sip_msg m;

	(void)state;
	RUN_TEXTS(cases);
	assert_int_equal(scan_bytes("\0\0\0\0", 4, &m), SIP_KEEPALIVE);
}

static void rule_34_leading_bytes(void **state)
{
	static const char skipped[] = "\r\n\r\n \t\0\0" INVITE VIA CSEQ REST "\r\n";
	static const struct text_case cases[] = {
		{"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" INVITE VIA CSEQ REST "\r\n", SIP_OK},
		{"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\n" INVITE VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"\v" INVITE VIA CSEQ REST "\r\n", SIP_NOT_SIP},
	};
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan_bytes(skipped, sizeof(skipped) - 1, &m), SIP_OK);
	assert_int_equal(m.start, AGREE_BEGIN + 8);
	RUN_TEXTS(cases);
}

static void rule_35_stun(void **state)
{
	static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3};
	static const uint8_t classic[20] = {0, 1, 0, 0, 9, 9, 9, 9, 1, 2, 3};
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan_bytes(binding, sizeof(binding), &m), SIP_STUN);
	assert_int_equal(scan_bytes(binding, sizeof(binding) - 1, &m), SIP_NOT_SIP);
	assert_int_equal(scan_bytes(classic, sizeof(classic), &m), SIP_NOT_SIP);
}

static void rule_36_start_lines(void **state)
{
	static const uint8_t rtp[40] = {0x80, 0, 0x12, 0x34, '\r', '\n'}, dtls[40] = {22, 0xfe, 0xfd};
	static const struct text_case cases[] = {
		{"NOTIFY * HTTP/1.1\r\nHOST: a\r\n\r\n", SIP_NOT_SIP},
		{"HTTP/1.1 200 OK\r\n\r\n", SIP_NOT_SIP},
		{"GET / HTTP/1.1\r\n\r\n", SIP_NOT_SIP},
		{"INVITE sip:alan@example.com\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE  sip:a  SIP/2.0\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE sip:a; lr SIP/2.0\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE sip:a SIP/2.0  \r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE\tsip:a SIP/2.0\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE sip:a SIP/2.0\rx\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"INVITE sip:a SIP/2.0", SIP_NOT_SIP},
		{"SIP/2.0\t200 OK\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
		{"SIP/2.0 100 \r\n" VIA CSEQ REST "\r\n", SIP_OK},
		{"SIP/2.0 699\r\n" VIA CSEQ REST "\r\n", SIP_OK},
		{"SIP/2.0 099 x\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{"SIP/2.0 700 x\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{"SIP/2.0 20 OK\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{"SIP/2.0  200 OK\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{"SIP/2.0 4294967301 x\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{"SIP/2.0 200 OK", SIP_MALFORMED},
	};
	struct sip_msg m;

	(void)state;
	RUN_TEXTS(cases);
	assert_int_equal(scan_bytes(rtp, sizeof(rtp), &m), SIP_NOT_SIP);
	assert_int_equal(scan_bytes(dtls, sizeof(dtls), &m), SIP_NOT_SIP);
}

static void test_headers_missing_or_doubled(void **state)
{
	static const struct text_case cases[] = {
		{INVITE VIA CSEQ REST, SIP_MALFORMED}, /* no empty line */
		{INVITE "\r\n" VIA CSEQ REST "\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ "From: a\r\nTo: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ "From: a\r\nCall-ID: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ "To: a\r\nCall-ID: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ REST "To: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ REST "From: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ REST "Call-ID: b\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ REST "From\r\n\r\n", SIP_MALFORMED},
		{INVITE VIA CSEQ REST "no header\r\n: neither\r\n\r\n", SIP_OK},
	};

	(void)state;
	RUN_TEXTS(cases);
}

/* Adds `n` times `text` to the message. */
static void repeat(char *message, const char *text, size_t n)
{
	for (char *end = message + strlen(message); n > 0; n--, end += strlen(text))
		strcpy(end, text);
}

static void rule_40_too_long(void **state)
{
	static const struct {
		const char *before, *repeated;
		size_t fits; /* so often, and no oftener */
		const char *after;
		int beyond;
	} cases[] = {
		{INVITE VIA CSEQ REST, "x:\r\n", SIP_MAX_LINES - 5, "\r\n", SIP_TOO_LONG},
		{INVITE VIA CSEQ REST "y:", "\r\n z", SIP_MAX_LINES - 6, "\r\n\r\n", SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP ", "h", SIP_MAX_HOST, ";branch=z9hG4bKa\r\n" CSEQ REST "\r\n", SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP [", ":", SIP_MAX_HOST - 2, "];branch=z9hG4bKa\r\n" CSEQ REST "\r\n",
		 SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP h;branch=z9hG4bK", "b", SIP_MAX_BRANCH - 7, "\r\n" CSEQ REST "\r\n",
		 SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP h;branch=z9hG4bKa;x=", "y", SIP_MAX_BRANCH - 2, "\r\n" CSEQ REST "\r\n",
		 SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP h;branch=z9hG4bKa", ";x", SIP_MAX_PIECES - 1, "\r\n" CSEQ REST "\r\n",
		 SIP_TOO_LONG},
		{INVITE "Via: SIP/2.0/UDP", " ", SIP_MAX_RUN, "h;branch=z9hG4bKa\r\n" CSEQ REST "\r\n", SIP_MALFORMED},
		{INVITE VIA REST "CSeq: 1 INVITE", " ", SIP_MAX_RUN - 1, "\r\n \r\n\r\n", SIP_MALFORMED},
		{INVITE "Via", " ", SIP_MAX_RUN, ":SIP/2.0/UDP h;branch=z9hG4bKa\r\n" CSEQ REST "\r\n", SIP_MALFORMED},
		{INVITE "Via:SIP/2.0/UDP h;x=\"", "y", SIP_MAX_RUN - 1, "\";branch=z9hG4bKa\r\n" CSEQ REST "\r\n",
		 SIP_MALFORMED},
	};
	struct sip_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t more = 0; more < 2; more++) {
			char text[SLOT_SIZE];

			strcpy(text, cases[i].before);
			repeat(text, cases[i].repeated, cases[i].fits + more);
			strcat(text, cases[i].after);
			if (scan(text, &m) != (more ? cases[i].beyond : SIP_OK))
				fail_msg("case %zu, %zu times", i, cases[i].fits + more);
		}
	}
}

static void rule_40_end_of_the_slot(void **state)
{
	char text[SLOT_SIZE] = INVITE VIA CSEQ REST "\r\n";
	struct sip_msg m;

	(void)state;
	memset(text + strlen(text), 'b', SLOT_SIZE - AGREE_BEGIN - strlen(text));
	assert_int_equal(scan_bytes(text, AGREE_LAST - AGREE_BEGIN, &m), SIP_OK);
	for (size_t len = AGREE_LAST - AGREE_BEGIN + 1; len <= SLOT_SIZE - AGREE_BEGIN; len++)
		assert_int_equal(scan_bytes(text, len, &m), SIP_TOO_LONG);
}

static void rule_41_content_length(void **state)
{
	static const struct {
		const char *header;
		int verdict;
		uint32_t value;
	} cases[] = {
		{"Content-Length: 9999\r\n", SIP_OK, 9999},
		{"l:0\r\n", SIP_OK, 0},
		{"Content-Length \t:\r\n 007 \r\n", SIP_OK, 7},
		{"Content-Length: 2147483647\r\n", SIP_OK, 2147483647},
		{"", SIP_OK, ~0u},
		{"Content-Length: 2147483648\r\n", SIP_MALFORMED, 0},
		{"Content-Length: 4294967295\r\n", SIP_MALFORMED, 0},
		{"Content-Length: -999\r\n", SIP_MALFORMED, 0},
		{"Content-Length:\r\n", SIP_MALFORMED, 0},
		{"Content-Length: 1 2\r\n", SIP_MALFORMED, 0},
		{"Content-Length: 1;x\r\n", SIP_MALFORMED, 0},
		{"Content-Length: 1\r\nl: 1\r\n", SIP_MALFORMED, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sip_msg m;

		assert_int_equal(scan_lines(OK200, VIA, CSEQ, cases[i].header, &m), cases[i].verdict);
		if (cases[i].verdict == SIP_OK)
			assert_int_equal(m.content_length, cases[i].value);
	}
}

static void rule_42_bare_line_feeds(void **state)
{
	static const char bare[] = "INVITE sip:a SIP/2.0\nv: SIP/2.0/UDP a;branch=z9hG4bKa\nf: a\nt: b\ni: c\n"
				   "CSeq: 1 INVITE\nl: 1\n\nx";
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan(bare, &m), SIP_OK);
	assert_bytes(m.branch, m.branch_len, "z9hG4bKa");
	assert_int_equal(m.body, AGREE_BEGIN + sizeof(bare) - 2);
	/* a CR alone ends nothing */
	assert_int_equal(scan_lines(INVITE, VIA, CSEQ, "x: 1\r\r\r\n", &m), SIP_OK);
	assert_int_equal(scan_lines(INVITE, VIA, "CSeq: 1 INVITE\r\r\n", "", &m), SIP_MALFORMED);
}

static void rule_43_nul_and_8_bit_bytes(void **state)
{
	static const char nul[] = INVITE "Subject: \0\xff\x80\n\0: x\r\n" VIA CSEQ REST "\r\n\0\xff";
	static const char nul_branch[] = INVITE "Via: SIP/2.0/UDP a;branch=z9hG4bKa\0b\r\n" CSEQ REST "\r\n";
	struct sip_msg m;

	(void)state;
	assert_int_equal(scan_bytes(nul, sizeof(nul) - 1, &m), SIP_OK);
	assert_int_equal(m.body, AGREE_BEGIN + sizeof(nul) - 3);
	assert_int_equal(scan_bytes(nul_branch, sizeof(nul_branch) - 1, &m), SIP_MALFORMED);
	assert_int_equal(scan("SIP/2.0 200 \xd0\xbd\xd0\xbe\r\n" VIA CSEQ REST "\r\n", &m), SIP_OK);
	assert_int_equal(scan("INVITE sip:\xd0\xbd SIP/2.0\r\n" VIA CSEQ REST "\r\n", &m), SIP_OK);
}

static void rule_44_second_message_is_body(void **state)
{
	static const char first[] = INVITE VIA CSEQ REST "l: 0\r\n\r\n";
	char text[SLOT_SIZE];
	struct sip_msg m;

	(void)state;
	snprintf(text, sizeof(text), "%s\r\nBYE sip:a SIP/2.0\r\n" VIA CSEQ REST "\r\n", first);
	assert_int_equal(scan(text, &m), SIP_OK);
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(m.body, AGREE_BEGIN + strlen(first));
}

static void rule_45_version(void **state)
{
	static const struct text_case cases[] = {
		{"OPTIONS sip:a SIP/7.0\r\n" VIA CSEQ REST "\r\n", SIP_BAD_VERSION},
		{"OPTIONS sip:a SIP/2.1\r\n" VIA CSEQ REST "\r\n", SIP_BAD_VERSION},
		{"SIP/7.0 200 OK\r\n" VIA CSEQ REST "\r\n", SIP_BAD_VERSION},
		{"OPTIONS sip:a SIP/2.00\r\n" VIA CSEQ REST "\r\n", SIP_NOT_SIP},
	};

	(void)state;
	RUN_TEXTS(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_positions),
		cmocka_unit_test(rule_01_method_of_a_response_is_its_cseq),
		cmocka_unit_test(rule_05_compact_names),
		cmocka_unit_test(rule_06_case),
		cmocka_unit_test(rule_06_methods),
		cmocka_unit_test(rule_09_folded_cseq),
		cmocka_unit_test(rule_10_cseq_number),
		cmocka_unit_test(rule_11_cseq_method),
		cmocka_unit_test(rule_33_keepalives),
		cmocka_unit_test(rule_34_leading_bytes),
		cmocka_unit_test(rule_35_stun),
		cmocka_unit_test(rule_36_start_lines),
		cmocka_unit_test(test_headers_missing_or_doubled),
		cmocka_unit_test(rule_40_too_long),
		cmocka_unit_test(rule_40_end_of_the_slot),
		cmocka_unit_test(rule_41_content_length),
		cmocka_unit_test(rule_42_bare_line_feeds),
		cmocka_unit_test(rule_43_nul_and_8_bit_bytes),
		cmocka_unit_test(rule_44_second_message_is_body),
		cmocka_unit_test(rule_45_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
