// SPDX-License-Identifier: GPL-2.0-or-later
/* The SIP scanner's reading of the top Via (RFC 3261, 18.1.1, 20.42 and 25.1). */
#include "sip_case.h"

struct via_case {
	const char *via;
	int verdict;
	char host[24]; /* with SIP_OK, as the rest */
	uint16_t port;
	char branch[40];
};

static void run_via_cases(const struct via_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sip_msg m;
		int verdict = scan_lines(INVITE, cases[i].via, CSEQ, "", &m);

		if (verdict != cases[i].verdict)
			fail_msg("verdict %d, expected %d: %s", verdict, cases[i].verdict, cases[i].via);
		if (verdict != SIP_OK)
			continue;
		assert_bytes(m.host, m.host_len, cases[i].host);
		assert_bytes(m.branch, m.branch_len, cases[i].branch);
		assert_int_equal(m.port, cases[i].port);
	}
}

#define RUN_VIA_CASES(cases) run_via_cases(cases, sizeof(cases) / sizeof(*(cases)))

static void rule_04_top_via(void **state)
{
	static const struct via_case cases[] = {
		{VIA "Via: SIP/2.0/UDP other;branch=z9hG4bKother\r\n", SIP_OK, "pc33.example.com", 5060,
		 "z9hG4bK776asdhds"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa,SIP/2.0/UDP b;branch=z9hG4bKb\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa , SIP/2.0/UDP b\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"1,2\";branch=z9hG4bKa,b\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a,SIP/2.0/UDP b;branch=z9hG4bKb\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a\r\n" VIA, SIP_LEGACY},
		/* the first one decides, even if it is no good */
		{"Via: SIP/2.0/TCP a;branch=z9hG4bKa\r\n" VIA, SIP_MALFORMED},
		{"Via:\r\n" VIA, SIP_MALFORMED},
		{"Via SIP/2.0/UDP a;branch=z9hG4bKa\r\n" VIA, SIP_MALFORMED},
		{"", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_07_14_cookie(void **state)
{
	static const struct via_case cases[] = {
		{"Via: SIP/2.0/UDP a;branch=Z9HG4BKx\r\n", SIP_OK, "a", 5060, "Z9HG4BKx"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n", SIP_OK, "a", 5060, "z9hG4bKx"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bK\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bJx\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branch=390skdjuw\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branch=1\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;rport\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branch;x=z9hG4bKx\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;xbranch=z9hG4bKx\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branchx=z9hG4bKx\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP a;branch=\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=;rport\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_08_white_space(void **state)
{
	static const struct via_case cases[] = {
		{"Via  \t : \t SIP / 2.0\t/ UDP  a ; branch = z9hG4bKa ; rport\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via:SIP/2.0/UDP a : 5070 ;branch=z9hG4bKa\r\n", SIP_OK, "a", 5070, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP\ta;branch=z9hG4bKa \r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a:5070\r\n ;branch=z9hG4bKa\r\n", SIP_OK, "a", 5070, "z9hG4bKa"},
		{"Via: SIP/2.0/UDPa;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0 UDP a;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.1/UDP a;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/TCP a;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDPX a;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a b;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa b\r\n", SIP_MALFORMED},
		{"Via\r\n : SIP/2.0/UDP a;branch=z9hG4bKa\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_08_port(void **state)
{
	static const struct via_case cases[] = {
		{"Via: SIP/2.0/UDP a:1;branch=z9hG4bKa\r\n", SIP_OK, "a", 1, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a:65535;branch=z9hG4bKa\r\n", SIP_OK, "a", 65535, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a:005070;branch=z9hG4bKa\r\n", SIP_OK, "a", 5070, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a:0;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:65536;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:4294972356;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:x;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:50x;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a:-5060;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP :5060;branch=z9hG4bKa\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_09_folding(void **state)
{
	static const struct via_case cases[] = {
		{"Via:\r\n SIP\r\n\t/2.0/\r\n  \r\n UDP\r\n a\r\n :\r\n 5070\r\n ;\r\n branch\r\n =\r\n z9hG4bKa\r\n "
		 ",\r\n b\r\n",
		 SIP_OK, "a", 5070, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa\n ;rport\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n bcd\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_12_quoted_strings(void **state)
{
	static const struct via_case cases[] = {
		{"Via: SIP/2.0/UDP a;x=\"a;branch=evil\";branch=z9hG4bKa\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"\\\";branch=evil\" ;branch=z9hG4bKa\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"\\\\\";branch=z9hG4bKa\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"1\r\n 2\";branch=z9hG4bKa\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"\";branch=z9hG4bKa;y=\"\"\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;x=\"1;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;x=\"1\\\"\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;x=\"1\\\n 2\";branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa\"b\"\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=\"z9hG4bKa\"\r\n", SIP_LEGACY},
		{"Via: SIP/2.0/UDP \"a\";branch=z9hG4bKa\r\n", SIP_MALFORMED},
		/* a branch is any run of bytes up to the next separator */
		{"Via: SIP/2.0/UDP a;branch=z9hG4bK-.!%66*_+`'~=:/@\xff;x\r\n", SIP_OK, "a", 5060,
		 "z9hG4bK-.!%66*_+`'~=:/@\xff"},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa\tx\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=1;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa,b;branch=z9hG4bKb\r\n", SIP_OK, "a", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a;;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP a;branch=z9hG4bKa;\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_13_via_as_it_comes_back(void **state)
{
	static const struct via_case cases[] = {
		{"Via: SIP/2.0/UDP a:5070;branch=z9hG4bKa;rport\r\n", SIP_OK, "a", 5070, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP a:5070;received=192.0.2.1;rport=5070;branch=z9hG4bKa;oc=20;oc-algo=\"loss\"\r\n",
		 SIP_OK, "a", 5070, "z9hG4bKa"},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

static void rule_15_ipv6(void **state)
{
	static const struct via_case cases[] = {
		{"Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKa\r\n", SIP_OK, "[2001:db8::9:1]", 5060, "z9hG4bKa"},
		{"Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKa\r\n", SIP_OK, "[2001:db8::9:1]", 6050,
		 "z9hG4bKa"},
		{"Via: SIP/2.0/UDP [::1];received=[2001:db8::9:255];branch=z9hG4bKa\r\n", SIP_OK, "[::1]", 5060,
		 "z9hG4bKa"},
		{"Via: SIP/2.0/UDP [::1];received=2001:db8::9:255;branch=z9hG4bKa\r\n", SIP_OK, "[::1]", 5060,
		 "z9hG4bKa"},
		{"Via: SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP [::1;branch=z9hG4bKa\r\n", SIP_MALFORMED},
		{"Via: SIP/2.0/UDP [::1]x;branch=z9hG4bKa\r\n", SIP_MALFORMED},
	};

	(void)state;
	RUN_VIA_CASES(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_04_top_via),
		cmocka_unit_test(rule_07_14_cookie),
		cmocka_unit_test(rule_08_white_space),
		cmocka_unit_test(rule_08_port),
		cmocka_unit_test(rule_09_folding),
		cmocka_unit_test(rule_12_quoted_strings),
		cmocka_unit_test(rule_13_via_as_it_comes_back),
		cmocka_unit_test(rule_15_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
