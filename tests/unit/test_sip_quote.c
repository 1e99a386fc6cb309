// SPDX-License-Identifier: GPL-2.0-or-later
/* The beginning of a message, as an ICMP error quotes it; and Retry-After, which no message needs. */
#include "sip_case.h"

/* The verdict on a quote of `len` bytes, the same whatever lies behind it. */
static int scan_quote(const char *text, size_t len, struct sip_msg *m)
{
	const char *what = disagreement((const uint8_t *)text, len);

	if (what)
		fail_msg("scanner and plain parser disagree: %s, in:\n%.*s", what, (int)len, text);
	agree_fill(&slot, "\n");
	memcpy((uint8_t *)&slot + AGREE_BEGIN, text, len);
	return sip_scan_quote(&slot, AGREE_BEGIN, (uint32_t)(AGREE_BEGIN + len), m);
}

/* It names the transaction from `enough` bytes on, and not with one less. */
static void check_enough(const char *text, size_t enough)
{
	for (size_t len = 0; len <= strlen(text); len++) {
		struct sip_msg m;
		int verdict = scan_quote(text, len, &m);

		if ((verdict == SIP_OK) != (len >= enough))
			fail_msg("verdict %d on %zu bytes, %zu are enough, of:\n%s", verdict, len, enough, text);
		if (verdict != SIP_OK)
			continue;
		assert_int_equal(m.cseq, 7);
		assert_bytes(m.branch, m.branch_len, "z9hG4bKquote");
		assert_int_equal(m.method, SIP_INVITE);
	}
}

#define SHORT_VIA "Via: SIP/2.0/UDP h:5062;branch=z9hG4bKquote"

static void rule_46_quote_of_every_length(void **state)
{
	(void)state;
	/* a line has ended when the byte behind its line end is there: else it might be folded */
	check_enough(INVITE SHORT_VIA "\r\nCSeq: 7 INVITE\r\n" REST "\r\nbody",
		     strlen(INVITE SHORT_VIA "\r\nCSeq: 7 INVITE\r\n") + 1);
	check_enough(INVITE "CSeq: 7 INVITE\r\n" REST SHORT_VIA ";rport\r\n\r\n",
		     strlen(INVITE "CSeq: 7 INVITE\r\n" REST SHORT_VIA ";rport\r\n") + 1);
	check_enough(INVITE SHORT_VIA "\nCSeq: 7 INVITE\n\n", strlen(INVITE SHORT_VIA "\nCSeq: 7 INVITE\n") + 1);
	check_enough(INVITE SHORT_VIA "\r\n ;a=\"b,c\"\r\nX: y\r\nCSeq:\r\n 7\r\n INVITE \r\n \r\nTo: x\r\n",
		     strlen(INVITE SHORT_VIA "\r\n ;a=\"b,c\"\r\nX: y\r\nCSeq:\r\n 7\r\n INVITE \r\n \r\n") + 1);
	/* of a list the first element is enough */
	check_enough(INVITE "CSeq: 7 INVITE\r\n" SHORT_VIA " , SIP/2.0/UDP other\r\n",
		     strlen(INVITE "CSeq: 7 INVITE\r\n" SHORT_VIA " , SIP/2.0/UDP other\r\n"));
	check_enough(INVITE SHORT_VIA " , SIP/2.0/UDP other\r\nCSeq: 7 INVITE\r\nX",
		     strlen(INVITE SHORT_VIA " , SIP/2.0/UDP other\r\nCSeq: 7 INVITE\r\nX"));
}

static void rule_46_quote_that_names_nothing(void **state)
{
	static const char *const texts[] = {
		INVITE SHORT_VIA "\r\nFrom: x\r\nX: y\r\n\r\n",
		INVITE "CSeq: 7 INVITE\r\nFrom: x\r\n\r\n",
		INVITE SHORT_VIA "\r\nCSeq: 7 INVITE\r\nCSeq: 8 INVITE\r\nX: y\r\n",
		INVITE SHORT_VIA "\r\nCSeq: 7 BYE\r\nX: y\r\n",
		INVITE "Via: SIP/2.0/UDP h;branch=old\r\nCSeq: 7 INVITE\r\nX: y\r\n",
		INVITE "Via: SIP/2.0/TCP h;branch=z9hG4bKquote\r\nCSeq: 7 INVITE\r\nX: y\r\n",
		"\r\n\r\n",
		"hello, this is no SIP at all\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			struct sip_msg m;

			/* a second CSeq that is not there yet is none */
			if (i == 2 && len <= strlen(INVITE SHORT_VIA "\r\nCSeq: 7 INVITE\r\nCSeq: 8 INVITE\r"))
				continue;
			assert_int_not_equal(scan_quote(texts[i], len, &m), SIP_OK);
		}
	}
}

/* What lies behind the quote in the buffer is of another message: it must not complete this one. */
static void rule_46_what_lies_behind_a_quote(void **state)
{
	static const char text[] = INVITE SHORT_VIA "\r\nCSeq: 7";
	struct sip_msg m;

	(void)state;
	agree_fill(&slot, " INVITE\r\nCSeq: 7 INVITE\r\n");
	memcpy((uint8_t *)&slot + AGREE_BEGIN, text, strlen(text));
	assert_int_not_equal(sip_scan_quote(&slot, AGREE_BEGIN, AGREE_BEGIN + strlen(text), &m), SIP_OK);
	for (size_t cut = 0; cut < strlen("\r\n") + 1; cut++) {
		static const char ends[] = INVITE SHORT_VIA "\r\nCSeq: 7 INVITE\r\n";
		size_t len = strlen(ends) - cut;

		agree_fill(&slot, "From: x\r\n");
		memcpy((uint8_t *)&slot + AGREE_BEGIN, ends, len);
		memcpy((uint8_t *)&slot + AGREE_BEGIN + len, "\r\nFrom: x\r\n" + 2 - cut, 9);
		assert_int_not_equal(sip_scan_quote(&slot, AGREE_BEGIN, AGREE_BEGIN + len, &m), SIP_OK);
	}
}

static uint32_t seconds_of(const char *lines)
{
	struct sip_msg m;

	assert_int_equal(scan_lines("SIP/2.0 503 Service Unavailable\r\n", VIA, CSEQ, lines, &m), SIP_OK);
	return sip_retry_after(&slot, &m);
}

static void rule_47_retry_after(void **state)
{
	static const struct {
		const char *lines;
		uint32_t seconds;
	} cases[] = {
		{"", SIP_NO_NUMBER},
		{"Retry-After: 120\r\n", 120},
		{"retry-AFTER :0\r\n", 0},
		{"Retry-After:\r\n 18000 ; duration=3600\r\n", 18000},
		{"Retry-After: 120 (I'm in a meeting)\r\n", 120},
		{"Retry-After: 5;x\nX: y\r\n", 5},
		{"Retry-After: 120\r\nRetry-After: 7\r\n", SIP_NO_NUMBER},
		{"Retry-After 120\r\n", SIP_NO_NUMBER},
		{"X-Retry-After: 120\r\n", SIP_NO_NUMBER},
		{"Retry-Afterwards: 120\r\n", SIP_NO_NUMBER},
		{"Retry+After: 120\r\n", SIP_NO_NUMBER},
		{"Retry-After: soon\r\n", SIP_NO_NUMBER},
		{"Retry-After: -1\r\n", SIP_NO_NUMBER},
		{"Retry-After: 12 13\r\n", SIP_NO_NUMBER},
		{"Retry-After: 120s\r\n", SIP_NO_NUMBER},
		{"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", SIP_NO_NUMBER},
		{"Retry-After:\r\n", SIP_NO_NUMBER},
		{"Retry-After: 2147483647\r\n", 2147483647},
		{"Retry-After: 2147483648\r\n", SIP_NO_NUMBER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (seconds_of(cases[i].lines) != cases[i].seconds)
			fail_msg("%u s, expected %u: %s", seconds_of(cases[i].lines), cases[i].seconds, cases[i].lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_46_quote_of_every_length),
		cmocka_unit_test(rule_46_quote_that_names_nothing),
		cmocka_unit_test(rule_46_what_lies_behind_a_quote),
		cmocka_unit_test(rule_47_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
