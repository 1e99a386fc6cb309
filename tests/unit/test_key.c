// SPDX-License-Identifier: GPL-2.0-or-later
/* The transaction key: which messages share it and which do not (RFC 3261, 17.1.3 and 17.2.3). */
#include "key.h"
#include "sip_case.h"

static struct siprtx_hash_key secret;

static int make_secret(void **state)
{
	(void)state;
	srandom(3261);
	for (size_t i = 0; i < KEY_WORDS; i++)
		secret.k[i] = (uint32_t)random() << 16 ^ (uint32_t)random();
	return 0;
}

static struct siprtx_key key_of(const char *start, const char *via, const char *cseq, uint32_t method)
{
	struct siprtx_key key;
	struct sip_msg m;

	assert_int_equal(scan_lines(start, via, cseq, "", &m), SIP_OK);
	sip_key(&slot, &m, method, &secret, &key);
	return key;
}

static struct siprtx_key invite_key(const char *via)
{
	return key_of(INVITE, via, CSEQ, SIP_INVITE);
}

static void assert_same(struct siprtx_key a, struct siprtx_key b)
{
	assert_true(a.hash[0] == b.hash[0] && a.hash[1] == b.hash[1]);
}

/* Both halves: each pass alone must tell them apart. */
static void assert_other(struct siprtx_key a, struct siprtx_key b)
{
	assert_true(a.hash[0] != b.hash[0] && a.hash[1] != b.hash[1]);
}

static void rule_01_response_has_the_key_of_its_request(void **state)
{
	(void)state;
	assert_same(invite_key(VIA), key_of(OK200, VIA, CSEQ, SIP_INVITE));
	assert_other(invite_key(VIA), key_of(OK200, VIA, "CSeq: 314159 CANCEL\r\n", SIP_CANCEL));
}

static void rule_02_13_sent_by_is_part_of_it(void **state)
{
	struct siprtx_key a = invite_key("Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n");

	(void)state;
	assert_same(a, invite_key("Via: SIP/2.0/UDP a:5060;branch=z9hG4bKx\r\n"));
	assert_same(a, invite_key("v:SIP/2.0/UDP A;rport;branch=z9hG4bKx;received=192.0.2.1\r\n"));
	assert_other(a, invite_key("Via: SIP/2.0/UDP a:5061;branch=z9hG4bKx\r\n"));
	assert_other(a, invite_key("Via: SIP/2.0/UDP b;branch=z9hG4bKx\r\n"));
	assert_other(a, invite_key("Via: SIP/2.0/UDP aa;branch=z9hG4bKx\r\n"));
}

static void rule_02_cancel_and_ack_find_the_invite(void **state)
{
	(void)state;
	assert_same(invite_key(VIA), key_of("CANCEL sip:a SIP/2.0\r\n", VIA, "CSeq: 314159 CANCEL\r\n", SIP_INVITE));
	assert_same(invite_key(VIA), key_of("ACK sip:a SIP/2.0\r\n", VIA, "CSeq: 314159 ACK\r\n", SIP_INVITE));
	assert_other(invite_key(VIA), key_of("CANCEL sip:a SIP/2.0\r\n", VIA, "CSeq: 314159 CANCEL\r\n", SIP_CANCEL));
}

static void rule_03_cseq_number_is_part_of_it(void **state)
{
	(void)state;
	assert_other(invite_key(VIA), key_of(INVITE, VIA, "CSeq: 314160 INVITE\r\n", SIP_INVITE));
	assert_same(invite_key(VIA), key_of(INVITE, VIA, "CSeq: 0314159 INVITE\r\n", SIP_INVITE));
}

static void rule_07_branch_by_bytes(void **state)
{
	struct siprtx_key a = invite_key("Via: SIP/2.0/UDP a;branch=z9hG4bKAb\r\n");

	(void)state;
	assert_other(a, invite_key("Via: SIP/2.0/UDP a;branch=z9hG4bKaB\r\n"));
	assert_other(a, invite_key("Via: SIP/2.0/UDP a;branch=Z9hG4bKAb\r\n"));
	assert_other(a, invite_key("Via: SIP/2.0/UDP a;branch=z9hG4bKAb0\r\n"));
}

/* Only A to Z have a small letter; bytes a bit away from them, and 8-bit ones, are their own. */
static void test_host_letters(void **state)
{
	(void)state;
	for (int c = '!'; c < 0x100; c++) {
		char one[64], other[64];

		if (strchr("\",;:[=", c) || c == 0x7f)
			continue;
		snprintf(one, sizeof(one), "Via: SIP/2.0/UDP %chost;branch=z9hG4bKx\r\n", c);
		snprintf(other, sizeof(other), "Via: SIP/2.0/UDP %chost;branch=z9hG4bKx\r\n", c ^ 0x20);
		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
			assert_same(invite_key(one), invite_key(other));
		else if ((c ^ 0x20) > ' ' && !strchr("\",;:[=", c ^ 0x20))
			assert_other(invite_key(one), invite_key(other));
	}
}

static struct siprtx_key key_of_via(const char *host, const char *branch)
{
	char via[512];

	snprintf(via, sizeof(via), "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\n", host, branch);
	return invite_key(via);
}

static void test_every_byte_counts(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 40; len += 13) {
		char host[64] = "", branch[64] = "";
		struct siprtx_key key;

		memset(host, 'h', len);
		memset(branch, 'b', len);
		key = key_of_via(host, branch);
		for (size_t i = 0; i < len; i++) {
			host[i] = 'x';
			assert_other(key, key_of_via(host, branch));
			host[i] = 'h';
			branch[i] = 'x';
			assert_other(key, key_of_via(host, branch));
			branch[i] = 'b';
		}
	}
}

/* A longest host and a longest branch stay within the secret: AddressSanitizer would tell. */
static void test_longest(void **state)
{
	char host[SIP_MAX_HOST + 1] = "", branch[SIP_MAX_BRANCH - 7 + 1] = "";

	(void)state;
	memset(host, 'h', SIP_MAX_HOST);
	memset(branch, 'b', SIP_MAX_BRANCH - 7);
	assert_other(key_of_via(host, branch), invite_key(VIA));
}

static void test_secret_matters(void **state)
{
	struct siprtx_key a = invite_key(VIA);

	(void)state;
	for (size_t i = 0; i < KEY_WORDS; i++)
		secret.k[i] ^= 1;
	assert_other(a, invite_key(VIA));
	for (size_t i = 0; i < KEY_WORDS; i++)
		secret.k[i] ^= 1;
	assert_same(a, invite_key(VIA));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_01_response_has_the_key_of_its_request),
		cmocka_unit_test(rule_02_13_sent_by_is_part_of_it),
		cmocka_unit_test(rule_02_cancel_and_ack_find_the_invite),
		cmocka_unit_test(rule_03_cseq_number_is_part_of_it),
		cmocka_unit_test(rule_07_branch_by_bytes),
		cmocka_unit_test(test_host_letters),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_secret_matters),
	};

	return cmocka_run_group_tests(tests, make_secret, NULL);
}
