// SPDX-License-Identifier: GPL-2.0-or-later
/* By what an ACK or a PRACK finds its response: Call-ID, tags, RSeq and RAck (RFC 3261, 8.1.1, 19.3; RFC 3262, 7). */
#include "sip_case.h"

#define ACK    "ACK sip:bob@192.0.2.4 SIP/2.0\r\n"
#define PRACK  "PRACK sip:bob@192.0.2.4 SIP/2.0\r\n"
#define P183   "SIP/2.0 183 Session Progress\r\n"
#define FROM   "From: <sip:alice@example.com>;tag=f1\r\n"
#define TO     "To: <sip:bob@example.com>;tag=t1\r\n"
#define CALLID "Call-ID: a84b4c@pc33\r\n"
#define X8     "xxxxxxxx"
#define X64    X8 X8 X8 X8 X8 X8 X8 X8

static struct siprtx_hash_key secret;

static int make_secret(void **state)
{
	(void)state;
	srandom(3262);
	for (size_t i = 0; i < KEY_WORDS; i++)
		secret.k[i] = (uint32_t)random() << 16 ^ (uint32_t)random();
	return 0;
}

/* The verdict on the dialog of a message that is fine itself. */
static int read_text(const char *text, struct sip_dialog *d)
{
	struct sip_msg m;
	int verdict = scan(text, &m);

	if (verdict != SIP_OK)
		fail_msg("verdict %d on the message itself: %s", verdict, text);
	return sip_dialog(&slot, &m, d);
}

static int read_lines(const char *start, const char *cseq, const char *from, const char *to, const char *more,
		      struct sip_dialog *d)
{
	char text[4 * SLOT_SIZE];

	snprintf(text, sizeof(text), "%s" VIA "%s%s%s%s\r\n", start, cseq, from, to, more);
	return read_text(text, d);
}

struct tag_case {
	const char *value; /* of a From, of a To */
	int verdict;
	char tag[SIP_MAX_TAG + 1]; /* with SIP_OK */
};

static void run_tag_cases(const struct tag_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char from[1024], to[1024];
		struct sip_dialog d;
		int verdicts[2];

		snprintf(from, sizeof(from), "From:%s\r\n", cases[i].value);
		snprintf(to, sizeof(to), "To:%s\r\n", cases[i].value);
		verdicts[0] = read_lines(ACK, "CSeq: 1 ACK\r\n", from, TO, CALLID, &d);
		if (!verdicts[0])
			assert_bytes(d.from_tag.at, d.from_tag.len, cases[i].tag);
		verdicts[1] = read_lines(ACK, "CSeq: 1 ACK\r\n", FROM, to, CALLID, &d);
		if (!verdicts[1])
			assert_bytes(d.to_tag.at, d.to_tag.len, cases[i].tag);
		if (verdicts[0] != cases[i].verdict || verdicts[1] != cases[i].verdict)
			fail_msg("verdict %d, %d, expected %d: %s", verdicts[0], verdicts[1], cases[i].verdict,
				 cases[i].value);
	}
}

#define RUN_TAG_CASES(cases) run_tag_cases(cases, sizeof(cases) / sizeof(*(cases)))

static void test_tag_is_a_parameter_of_the_header(void **state)
{
	static const struct tag_case cases[] = {
		{" \"a;tag=x\" <sip:b@c;tag=y>;tag=real", SIP_OK, "real"},
		{" \"a\\\";tag=x\" <sip:b@c>;tag=real", SIP_OK, "real"},
		{" \"a\r\n ;tag=x\"\r\n <sip:b@c>;tag=real", SIP_OK, "real"},
		{" Bob <sip:b@c>;tag=real", SIP_OK, "real"},
		{" Bob T. Builder<sip:b@c>;tag=real", SIP_OK, "real"},
		{"<sip:b@c>;tag=real", SIP_OK, "real"},
		{" <sip:b,c@d;x=\"1?tag=y>;tag=real", SIP_OK, "real"},
		{" sip:a@b;tag=x", SIP_OK, "x"},
		{" sip:a@b", SIP_OK, ""},
		{" <sip:a@b;tag=y>", SIP_OK, ""},
		{" <sip:a@b>;x=1;y;tag=x;z=\"2\"", SIP_OK, "x"},
		{" <sip:a@b>;x=\";tag=y\";tag=x", SIP_OK, "x"},
		{" <sip:a@b>;x=\";tag=y\"", SIP_OK, ""},
		{" <sip:a@b>;xtag=y;tagx=z;tag;ta=1", SIP_OK, ""},
		{" <tel:+1-201-555-0123>;tag=1.2-3!%*_+`'~", SIP_OK, "1.2-3!%*_+`'~"},
		{"", SIP_OK, ""},
	};

	(void)state;
	RUN_TAG_CASES(cases);
}

static void test_case_and_white_space(void **state)
{
	static const struct tag_case cases[] = {
		{" <sip:a@b>;TAG=Xy", SIP_OK, "Xy"},
		{" <sip:a@b>;tAg=x", SIP_OK, "x"},
		{" \t<sip:a@b> \t;\t tag = x \t", SIP_OK, "x"},
		{"\r\n <sip:a@b>\r\n ;\r\n tag\r\n =\r\n x\r\n ;\r\n y\r\n ", SIP_OK, "x"},
		{" <sip:a@b>\n ;tag=x", SIP_OK, "x"},
		{" sip:a@b ; tag = x", SIP_OK, "x"},
	};

	(void)state;
	RUN_TAG_CASES(cases);
}

static void test_doubt(void **state)
{
	static const struct tag_case cases[] = {
		{" <sip:a@b>;tag=", SIP_MALFORMED},
		{" <sip:a@b>;tag=;x", SIP_MALFORMED},
		{" <sip:a@b>;tag=x;tag=x", SIP_MALFORMED},
		{" <sip:a@b>;tag=\"x\"", SIP_MALFORMED},
		{" <sip:a@b>;tag=x y", SIP_MALFORMED},
		{" <sip:a@b>;tag=x\r\n y", SIP_MALFORMED},
		{" <sip:a@b>;tag=x\"y\"", SIP_MALFORMED},
		{" <sip:a@b>;tag=x\x01", SIP_MALFORMED},
		{" <sip:a@b>;tag=x,<sip:c@d>;tag=y", SIP_MALFORMED},
		{" <sip:a@b>tag=x", SIP_MALFORMED},
		{" <sip:a@b>;", SIP_MALFORMED},
		{" <sip:a@b>;;tag=x", SIP_MALFORMED},
		{" <sip:a@b;tag=x", SIP_MALFORMED},
		{" < sip:a@b >;tag=x", SIP_MALFORMED}, /* RFC 4475, 3.1.2.5 */
		{" \"a <sip:a@b>;tag=x", SIP_MALFORMED},
		{" a,b <sip:a@b>;tag=x", SIP_MALFORMED},
		{" a;b <sip:a@b>;tag=x", SIP_OK, "x"}, /* an addr-spec with strange parameters; the tag is the tag */
	};

	(void)state;
	RUN_TAG_CASES(cases);
}

static void test_call_id(void **state)
{
	static const struct {
		const char *line;
		int verdict;
		char call_id[SIP_MAX_CALL_ID + 1];
	} cases[] = {
		{"Call-ID: a84b4c@pc33\r\n", SIP_OK, "a84b4c@pc33"},
		{"i:a\r\n", SIP_OK, "a"},
		{"Call-ID \t:\r\n \t a84b4c@pc33 \t\r\n \r\n", SIP_OK, "a84b4c@pc33"},
		{"Call-ID: w<>[]:\\\"/{}?,;@\xff\r\n", SIP_OK, "w<>[]:\\\"/{}?,;@\xff"},
		{"Call-ID: " X64 X64 X64 "\r\n", SIP_OK, X64 X64 X64},
		{"Call-ID: " X64 X64 X64 "y\r\n", SIP_TOO_LONG},
		{"Call-ID: " X64 X64 X64 X64 "\r\n", SIP_TOO_LONG},
		{"Call-ID:\r\n", SIP_MALFORMED},
		{"Call-ID: \r\n", SIP_MALFORMED},
		{"Call-ID: a b\r\n", SIP_MALFORMED},
		{"Call-ID: a\r\n b\r\n", SIP_MALFORMED},
		{"Call-ID: a\x01\r\n", SIP_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sip_dialog d;
		int verdict = read_lines(OK200, CSEQ, FROM, TO, cases[i].line, &d);

		if (verdict != cases[i].verdict)
			fail_msg("verdict %d, expected %d: %s", verdict, cases[i].verdict, cases[i].line);
		if (verdict == SIP_OK)
			assert_bytes(d.call_id.at, d.call_id.len, cases[i].call_id);
	}
}

static void test_limits(void **state)
{
	static const struct tag_case cases[] = {
		{" <sip:a@b>;tag=" X64 X64, SIP_OK, X64 X64},
		{" <sip:a@b>;tag=" X64 X64 "y", SIP_TOO_LONG},
		{" <sip:a@b>;tag=" X64 X64 X64 X64 "y", SIP_TOO_LONG},
		{" <sip:a@b>;x=" X64 X64 X64 X64 ";tag=1", SIP_TOO_LONG},
		{" " X64 X64 X64 X64 " <sip:a@b>;tag=1", SIP_OK, "1"},
		{" " X64 X64 X64 X64 "x <sip:a@b>;tag=1", SIP_MALFORMED},
		{" <sip:" X64 X64 X64 X64 X64 X64 "@b>;tag=1", SIP_OK, "1"},
		{" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 <sip:a@b>;tag=1", SIP_OK, "1"},
		{" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 <sip:a@b>;tag=1", SIP_MALFORMED},
		{" <sip:a@b>;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;tag=16", SIP_OK, "16"},
		{" <sip:a@b>;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;tag=17", SIP_TOO_LONG},
	};

	(void)state;
	RUN_TAG_CASES(cases);
}

struct number_case {
	const char *lines;
	int verdict;
	uint32_t rseq, cseq;
};

static void run_number_cases(const char *start, const char *cseq, const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char more[1024];
		struct sip_dialog d;
		int verdict;

		snprintf(more, sizeof(more), CALLID "%s", cases[i].lines);
		verdict = read_lines(start, cseq, FROM, TO, more, &d);
		if (verdict != cases[i].verdict)
			fail_msg("verdict %d, expected %d: %s", verdict, cases[i].verdict, cases[i].lines);
		if (verdict == SIP_OK && (d.rseq != cases[i].rseq || d.cseq != cases[i].cseq))
			fail_msg("rseq %u, cseq %u: %s", d.rseq, d.cseq, cases[i].lines);
	}
}

#define RUN_NUMBER_CASES(start, cseq, cases) run_number_cases(start, cseq, cases, sizeof(cases) / sizeof(*(cases)))

static void test_rseq(void **state)
{
	static const struct number_case provisional[] = {
		{"RSeq: 988789\r\n", SIP_OK, 988789, 314159},
		{"rseq \t:\r\n 1 \r\n \r\n", SIP_OK, 1, 314159},
		{"RSEQ:0000000000000001\r\n", SIP_OK, 1, 314159},
		{"RSeq: 2147483647\r\n", SIP_OK, 2147483647, 314159},
		{"RSeq: 2147483648\r\n", SIP_OK, 2147483648u, 314159}, /* only the first one is below 2^31 */
		{"RSeq: 4294967294\r\n", SIP_OK, 4294967294u, 314159},
		{"RSeq: 4294967295\r\n", SIP_MALFORMED},
		{"RSeq: 4294967296\r\n", SIP_MALFORMED},
		{"RSeq: 4294967297\r\n", SIP_MALFORMED},
		{"RSeq: 0\r\n", SIP_MALFORMED},
		{"RSeq:\r\n", SIP_MALFORMED},
		{"RSeq: -1\r\n", SIP_MALFORMED},
		{"RSeq: 1 INVITE\r\n", SIP_MALFORMED},
		{"RSeq: 1, 2\r\n", SIP_MALFORMED},
		{"", SIP_OK, 0, 314159},
		/* names that are not quite it */
		{"RSeqs: 7\r\nRSe: 7\r\nRS: 7\r\nr: 7\r\nR: 7\r\nX-RSeq: 7\r\nReason: 7\r\n", SIP_OK, 0, 314159},
		{"RAck: x\r\n", SIP_OK, 0, 314159},
	};
	static const struct number_case elsewhere[] = {
		{"RSeq: 7\r\n", SIP_OK, 0, 314159},
		{"RSeq: x\r\nRSeq: y\r\n", SIP_OK, 0, 314159},
	};

	(void)state;
	RUN_NUMBER_CASES(P183, CSEQ, provisional);
	RUN_NUMBER_CASES("SIP/2.0 101 Dialog\r\n", CSEQ, provisional);
	RUN_NUMBER_CASES("SIP/2.0 199 Early\r\n", CSEQ, provisional);
	RUN_NUMBER_CASES("SIP/2.0 100 Trying\r\n", CSEQ, elsewhere);
	RUN_NUMBER_CASES(OK200, CSEQ, elsewhere);
	RUN_NUMBER_CASES(INVITE, CSEQ, elsewhere);
}

static void test_rack(void **state)
{
	static const struct number_case prack[] = {
		{"RAck: 776656 1 INVITE\r\n", SIP_OK, 776656, 1},
		{"rack : \t776656\t1\r\n INVITE \r\n", SIP_OK, 776656, 1},
		{"RACK:4294967294 2147483647 INVITE\r\n", SIP_OK, 4294967294u, 2147483647},
		{"RAck: 1 0 INVITE\r\n", SIP_OK, 1, 0},
		{"RAck: 4294967295 1 INVITE\r\n", SIP_MALFORMED},
		{"RAck: 1 2147483648 INVITE\r\n", SIP_MALFORMED},
		{"RAck: 0 1 INVITE\r\n", SIP_MALFORMED},
		{"RAck: 1 1 invite\r\n", SIP_CSEQ_MISMATCH},
		{"RAck: 1 1 SUBSCRIBE\r\n", SIP_CSEQ_MISMATCH},
		{"RAck: 1 1 INVITE x\r\n", SIP_MALFORMED},
		{"RAck: 1 1INVITE\r\n", SIP_MALFORMED},
		{"RAck: 1 INVITE\r\n", SIP_MALFORMED},
		{"RAck: 11INVITE\r\n", SIP_MALFORMED},
		{"RAck: 00000000000000012 INVITE\r\n", SIP_MALFORMED}, /* 16 digits are a number, 17 not two */
		{"RAck: 1 1\r\n", SIP_MALFORMED},
		{"RAck:\r\n", SIP_MALFORMED},
		{"RAcks: 1 1 INVITE\r\nRAc: 1 1 INVITE\r\n", SIP_MALFORMED},
		{"", SIP_MALFORMED},
		{"RSeq: 7\r\nRAck: 1 1 INVITE\r\n", SIP_OK, 1, 1},
	};
	static const struct number_case elsewhere[] = {
		{"RAck: 776656 1 INVITE\r\n", SIP_OK, 0, 2},
		{"RAck: x\r\nRAck: y\r\n", SIP_OK, 0, 2},
	};

	(void)state;
	RUN_NUMBER_CASES(PRACK, "CSeq: 2 PRACK\r\n", prack);
	RUN_NUMBER_CASES(OK200, "CSeq: 2 PRACK\r\n", elsewhere);
	RUN_NUMBER_CASES(ACK, "CSeq: 2 ACK\r\n", elsewhere);
}

/* Doubled or without a colon: no reason to think worse of the message, but none of the two is believed. */
static void test_doubled(void **state)
{
	static const struct number_case provisional[] = {
		{"RSeq: 1\r\nRSeq: 1\r\n", SIP_MALFORMED},
		{"RSeq: 1\r\nRSeq: 2\r\nRSeq: 3\r\n", SIP_MALFORMED},
		{"RSeq: 1\r\nRSeq\r\n", SIP_MALFORMED},
		{"RSeq 1\r\nRSeq: 1\r\n", SIP_MALFORMED},
		{"RSeq\r\n", SIP_MALFORMED},
	};
	static const struct number_case prack[] = {
		{"RAck: 1 1 INVITE\r\nrack: 1 1 INVITE\r\n", SIP_MALFORMED},
		{"RAck 1 1 INVITE\r\n", SIP_MALFORMED},
		{"RAck 1 1 INVITE\r\nRAck: 1 1 INVITE\r\n", SIP_MALFORMED},
	};
	struct sip_msg m;

	(void)state;
	RUN_NUMBER_CASES(P183, CSEQ, provisional);
	RUN_NUMBER_CASES(PRACK, "CSeq: 2 PRACK\r\n", prack);
	assert_int_equal(scan(P183 VIA CSEQ REST "RSeq: 1\r\nRSeq: 1\r\nRAck\r\n\r\n", &m), SIP_OK);
	assert_int_equal(m.rseq_at, SIP_UNREADABLE);
	assert_int_equal(m.rack_at, SIP_UNREADABLE);
	assert_int_equal(scan(P183 VIA CSEQ REST "RSeq: 1\r\n\r\n", &m), SIP_OK);
	assert_int_equal(m.rseq_at, AGREE_BEGIN + strlen(P183 VIA CSEQ REST "RSeq:"));
	assert_int_equal(m.rack_at, 0);
}

/* Cut anywhere, a message is refused, or its header section was whole and its dialog the same. */
static void test_truncations(void **state)
{
	static const char *const texts[] = {
		P183 VIA CSEQ FROM TO CALLID "Require: 100rel\r\nRSeq: 988789\r\nContent-Length: 7\r\n\r\nv=0\r\n\r\n",
		PRACK VIA "CSeq: 2 PRACK\r\n" FROM TO CALLID "RAck: 776656 1 INVITE\r\n\r\n",
		"SIP/2.0 200 OK\nv:SIP/2.0/UDP a;branch=z9hG4bKa\ncseq:1 INVITE\nf:\"a;tag=x\" <sip:b@c;tag=y>\n ; "
		"tag=f\n"
		"i:a\nt:sip:b@c;x;tag = t\n\nbody",
		ACK VIA "CSeq: 1 ACK\r\nCall-ID: a\r\n" FROM TO "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct sip_dialog whole, d;
		struct sip_msg first, m;

		assert_int_equal(scan(texts[i], &first), SIP_OK);
		assert_int_equal(sip_dialog(&slot, &first, &whole), SIP_OK);
		assert_true(whole.call_id.len && whole.from_tag.len && whole.to_tag.len);
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			int verdict = scan_bytes(texts[i], len, &m);

			if (AGREE_BEGIN + len < first.body) {
				assert_int_not_equal(verdict, SIP_OK);
				continue;
			}
			assert_int_equal(sip_dialog(&slot, &m, &d), SIP_OK);
			assert_memory_equal(&d, &whole, sizeof(d));
		}
	}
}

static struct siprtx_key key_of(const char *start, const char *cseq, const char *from, const char *to, const char *more)
{
	struct siprtx_key key;
	struct sip_dialog d;

	assert_int_equal(read_lines(start, cseq, from, to, more, &d), SIP_OK);
	sip_dialog_key(&slot, &d, &secret, &key);
	return key;
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

static void test_ack_and_prack_find_their_response(void **state)
{
	struct siprtx_key final = key_of(OK200, "CSeq: 1 INVITE\r\n", FROM, TO, CALLID);
	struct siprtx_key provisional = key_of(P183, "CSeq: 1 INVITE\r\n", FROM, TO, CALLID "RSeq: 776656\r\n");

	(void)state;
	assert_same(final, key_of("SIP/2.0 486 Busy\r\n", "CSeq: 1 INVITE\r\n", FROM, TO, CALLID));
	assert_same(final, key_of(ACK, "CSeq: 1 ACK\r\n", "f: \"A\" <sip:other@x>;x=1;TAG = f1\r\n", TO,
				  "i: a84b4c@pc33\r\n"));
	assert_same(provisional, key_of(PRACK, "CSeq: 2 PRACK\r\n", FROM, TO, CALLID "RAck: 776656 1 INVITE\r\n"));
	assert_other(final, provisional);
	assert_other(provisional, key_of(PRACK, "CSeq: 2 PRACK\r\n", FROM, TO, CALLID "RAck: 776657 1 INVITE\r\n"));
	assert_other(provisional, key_of(PRACK, "CSeq: 2 PRACK\r\n", FROM, TO, CALLID "RAck: 776656 2 INVITE\r\n"));
	assert_other(final, key_of(ACK, "CSeq: 2 ACK\r\n", FROM, TO, CALLID));
}

static struct siprtx_key key_with(const char *call_id, const char *from_tag, const char *to_tag)
{
	char from[256], to[256], more[256];

	snprintf(from, sizeof(from), "From: <sip:a@b>%s%s\r\n", *from_tag ? ";tag=" : "", from_tag);
	snprintf(to, sizeof(to), "To: <sip:a@b>%s%s\r\n", *to_tag ? ";tag=" : "", to_tag);
	snprintf(more, sizeof(more), "Call-ID: %s\r\n", call_id);
	return key_of(ACK, "CSeq: 1 ACK\r\n", from, to, more);
}

static void test_every_byte_counts(void **state)
{
	static const size_t longest[] = {SIP_MAX_CALL_ID, SIP_MAX_TAG, SIP_MAX_TAG};
	char text[3][SIP_MAX_CALL_ID + 1] = {"", "", ""};
	struct siprtx_key key;

	(void)state;
	for (size_t field = 0; field < 3; field++)
		memset(text[field], 'a', longest[field]);
	key = key_with(text[0], text[1], text[2]);
	for (size_t field = 0; field < 3; field++) {
		for (size_t i = 0; i < longest[field]; i++) {
			text[field][i] = 'A';
			assert_other(key, key_with(text[0], text[1], text[2]));
			text[field][i] = 'a';
		}
		text[field][longest[field] - 1] = '\0';
		assert_other(key, key_with(text[0], text[1], text[2]));
		text[field][longest[field] - 1] = 'a';
	}
}

/* The same bytes in other fields, or parted elsewhere, are another dialog. */
static void test_fields_are_apart(void **state)
{
	struct siprtx_key key = key_with("aaaaaaaa", "bbbbbbbb", "cccccccc");

	(void)state;
	assert_other(key, key_with("bbbbbbbb", "aaaaaaaa", "cccccccc"));
	assert_other(key, key_with("aaaaaaaa", "cccccccc", "bbbbbbbb"));
	assert_other(key, key_with("aaaaaaaabbbbbbbb", "", "cccccccc"));
	assert_other(key, key_with("aaaaaaaa", "bbbbbbbbcccccccc", ""));
	assert_other(key_with("a", "b", ""), key_with("a", "", "b"));
}

/* Even where sums over nothing but the fixed words are compared: the last pair tells what kind of key it is. */
static void test_no_transaction_key(void **state)
{
	struct siprtx_key transaction, dialog;
	struct sip_dialog d = {.cseq = 7, .rseq = 5060};

	(void)state;
	for (uint32_t method = SIP_OTHER; method <= SIP_PUBLISH; method++) {
		struct sip_msg m = {.cseq = 7, .port = 5060};

		sip_key(&slot, &m, method, &secret, &transaction);
		sip_dialog_key(&slot, &d, &secret, &dialog);
		assert_other(transaction, dialog);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tag_is_a_parameter_of_the_header),
		cmocka_unit_test(test_case_and_white_space),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_call_id),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rseq),
		cmocka_unit_test(test_rack),
		cmocka_unit_test(test_doubled),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_ack_and_prack_find_their_response),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_fields_are_apart),
		cmocka_unit_test(test_no_transaction_key),
	};

	return cmocka_run_group_tests(tests, make_secret, NULL);
}
