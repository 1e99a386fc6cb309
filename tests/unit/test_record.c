// SPDX-License-Identifier: GPL-2.0-or-later
/* The exhausted record: what it reads of a message, its fields and their order, its JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "json_text.h"
#include "json_write.h"
#include "record.h"
#include "sip_detail.h"

#define MESSAGE_AT (SLOT_L3 + 28)

static struct siprtx_slot slot;

static void put_message(const char *text, size_t n)
{
	memset(&slot, 0, sizeof(slot));
	assert_true(n <= SLOT_SIZE - MESSAGE_AT);
	slot.sip_off = MESSAGE_AT;
	slot.sip_len = n;
	memcpy((char *)&slot + MESSAGE_AT, text, n);
}

static const char *span_text(struct sip_span span)
{
	static char text[4][SLOT_SIZE];
	static unsigned turn;
	char *out = text[turn++ % 4];

	memcpy(out, (char *)&slot + span.at, span.len);
	out[span.len] = 0;
	return out;
}

/* A From value alone, as the scanner hands it over: everything after the colon, the next header behind it. */
static void check_address(const char *value, const char *uri, const char *tag)
{
	struct sip_msg m = {.start = MESSAGE_AT, .from = MESSAGE_AT + 5};
	struct sip_detail d;
	char text[512];
	int n = snprintf(text, sizeof(text), "From:%s\r\nX: <sip:x@x>;tag=x\r\n\r\n;tag=body", value);

	put_message(text, n);
	m.body = MESSAGE_AT + n - strlen(";tag=body");
	sip_detail(&slot, MESSAGE_AT + n, &m, &d);
	assert_string_equal(span_text(d.from_uri), uri);
	assert_string_equal(span_text(d.from_tag), tag);
	assert_int_equal(d.to_uri.len + d.to_tag.len + d.call_id.len, 0);
}

static void addresses(void **state)
{
	(void)state;
	check_address(" <sip:a@b>;tag=1", "sip:a@b", "1");
	check_address("<sip:a@b>;tag=1", "sip:a@b", "1");
	check_address(" sip:a@b;tag=1", "sip:a@b", "1");
	check_address(" sip:a@b ;tag=1", "sip:a@b", "1");
	check_address(" sip:a@b", "sip:a@b", "");
	check_address(" Alice <sip:a@b>", "sip:a@b", "");
	check_address(" Bell, Alexander <sip:a@b>;tag=43", "sip:a@b", "43");
	/* in angle brackets it is the URI's parameter */
	check_address(" <sip:a@b;tag=evil>", "sip:a@b;tag=evil", "");
	check_address(" <sip:a@b;tag=evil;lr>;tag=good", "sip:a@b;tag=evil;lr", "good");
	/* quoted names hide everything */
	check_address(" \"<sip:evil@x>;tag=evil\" <sip:a@b>;tag=1", "sip:a@b", "1");
	check_address(" \"a\\\"<b>;tag=evil\\\\\" <sip:a@b>;tag=1", "sip:a@b", "1");
	check_address(" sip:a@b;x=\"<y>;tag=evil\";tag=1", "sip:a@b", "1");
	check_address(" <sip:a@b>;x=\";tag=evil\";y;tag=1;z=2", "sip:a@b", "1");
	check_address(" \"never closed <sip:a@b>;tag=1", "", "");
	check_address(" <sip:a@b;tag=1", "", "");
	/* white space, folding, case */
	check_address(" \t<sip:a@b> ; \tTaG \t= 1 ; y", "sip:a@b", "1");
	check_address("\r\n <sip:a@b>\r\n ;\r\n\ttag\r\n =\r\n 1", "sip:a@b", "1");
	check_address("\n <sip:a@b>\n ;tag=1", "sip:a@b", "1");
	check_address(" < sip:a@b\r\n >;TAG=1", "sip:a@b", "1");
	/* other parameters and broken tags */
	check_address(" <sip:a@b>;xtag=2;tagx=3;tag=1", "sip:a@b", "1");
	check_address(" <sip:a@b>;tag;tag=1", "sip:a@b", "1");
	check_address(" <sip:a@b>;tag=", "sip:a@b", "");
	check_address(" <sip:a@b>;tag", "sip:a@b", "");
	check_address(" <sip:a@b>;;tag=1;tag=2", "sip:a@b", "1");
	check_address(" <sip:a@b>;x\"y;tag=1\";tag=2", "sip:a@b", "2");
	check_address("", "", "");
	check_address(" ", "", "");
	check_address(" <>;tag=1", "", "1");
	check_address(" <tel:+358-555-1234567>;tag=\xc3\xa9", "tel:+358-555-1234567", "\xc3\xa9");
}

static void check_start_line(const char *line, const char *method, const char *ruri)
{
	struct sip_msg m = {.start = MESSAGE_AT};
	struct sip_detail d;
	size_t n = strlen(line);

	put_message(line, n);
	m.body = MESSAGE_AT + n;
	sip_detail(&slot, MESSAGE_AT + n, &m, &d);
	assert_string_equal(span_text(d.method), method);
	assert_string_equal(span_text(d.ruri), ruri);
}

static void start_lines(void **state)
{
	(void)state;
	check_start_line("INVITE sip:a@b;x=1 SIP/2.0\r\n\r\n", "INVITE", "sip:a@b;x=1");
	check_start_line("INVITE sip:a@b SIP/2.0\n\n", "INVITE", "sip:a@b");
	check_start_line("INVITE   sip:a@b   SIP/2.0  \r\n\r\n", "INVITE", "sip:a@b");
	check_start_line("INVITE sip:a@b; lr SIP/2.0\r\n folded: no\r\n\r\n", "INVITE", "sip:a@b; lr");
	check_start_line("INVITE", "INVITE", "");
	check_start_line("", "", "");
}

static void call_ids(void **state)
{
	static const char text[] = "i:\r\n  f81d4fae;x@y \t\r\n\r\n";
	struct sip_msg m = {.code = 180, .start = MESSAGE_AT, .call_id = MESSAGE_AT + 2};
	struct sip_detail d;

	(void)state;
	put_message(text, strlen(text));
	m.body = MESSAGE_AT + strlen(text);
	sip_detail(&slot, m.body, &m, &d);
	assert_string_equal(span_text(d.call_id), "f81d4fae;x@y");
	assert_int_equal(d.method.len + d.ruri.len, 0);
}

/* A message that ends anywhere is read no further than its end; what lies behind it would complete each value. */
static void cut_anywhere(void **state)
{
	static const char text[] =
		"INVITE sip:a@b SIP/2.0\r\nf:\"x\\\"\" <sip:a@b>;tag = 1\r\nt: sip:c@d ; tag=2\r\ni: id\r\n\r\n";
	struct sip_msg m = {.start = MESSAGE_AT, .body = SLOT_SIZE - 1};

	(void)state;
	put_message(text, sizeof(text));
	m.from = strchr(text, 'f') + 2 - text + MESSAGE_AT;
	m.to = strstr(text, "t: sip") + 2 - text + MESSAGE_AT;
	m.call_id = strstr(text, "i: id") + 2 - text + MESSAGE_AT;
	for (unsigned end = MESSAGE_AT; end < MESSAGE_AT + sizeof(text); end++) {
		const struct sip_span *span;
		struct sip_detail d;

		sip_detail(&slot, end, &m, &d);
		span = (const struct sip_span *)&d;
		for (size_t i = 0; i < sizeof(d) / sizeof(*span); i++)
			assert_true(!span[i].len || span[i].at + span[i].len <= (int)end);
	}
}

#define VIA				"Via: SIP/2.0/UDP 10.77.1.2:5060;rport;branch=z9hG4bK-1\r\n"
#define FROM				"From: \"Caller\" <sip:1001@10.77.1.2>;tag=abc\r\n"
#define TO				"To: <sip:2001@10.77.2.2>\r\n"
#define CALL_ID				"Call-ID: c1@10.77.1.2\r\n"
#define REST				"CSeq: 7 INVITE\r\nContact: <sip:1001@10.77.1.2>\r\nContent-Length: 0\r\n\r\n"
#define INVITE(ruri, from, to, call_id) "INVITE " ruri " SIP/2.0\r\n" VIA from to call_id "Max-Forwards: 70\r\n" REST

static const uint8_t softswitch[16] = {[10] = 0xff, 0xff, 10, 77, 1, 2};
static const uint8_t gateway[16] = {[10] = 0xff, 0xff, 10, 77, 2, 2};

static const struct record_context context = {
	.seq = 5,
	.now_ns = 42000000000ull,
	.wall_offset_ns = 1767225600000000000ll, /* 2026-01-01 00:00:00 UTC */
	.node = "edge-1",
	.boot_id = "6f1e",
	.gateway_name = "carrier-a",
	.profile = "standard",
	.reason = END_NO_RESPONSE,
};

static struct siprtx_record build(const char *message, size_t n, const struct record_context *c)
{
	struct siprtx_record r;

	put_message(message, n);
	slot.word = word_moved(9ull << 32, ST_TERMINATED, STAGE_TRYING, 100);
	slot.first_ns = 10001000000ull;
	slot.last_send_ns = 41501999999ull;
	memcpy(slot.saddr, softswitch, 16);
	memcpy(slot.daddr, gateway, 16);
	slot.sport = slot.dport = 5060;
	slot.cseq = 7;
	slot.sends = 11;
	slot.late_us_max = 123;
	record_build(&slot, c, &r);
	return r;
}

static struct siprtx_record build_text(const char *message)
{
	return build(message, strlen(message), &context);
}

static void whole_line(void **state)
{
	struct siprtx_record r = build_text(INVITE("sip:2001@10.77.2.2", FROM, TO, CALL_ID));
	char *line = record_line(&r);

	(void)state;
	assert_string_equal(line,
			    "{\"schema_version\":1,\"seq\":5,\"node\":\"edge-1\",\"boot_id\":\"6f1e\","
			    "\"ts\":\"2026-01-01T00:00:42.000Z\",\"event\":\"exhausted\",\"reason\":\"no_response\","
			    "\"gateway\":\"10.77.2.2:5060\",\"gateway_name\":\"carrier-a\",\"profile\":\"standard\","
			    "\"method\":\"INVITE\",\"call_id\":\"c1@10.77.1.2\",\"cseq\":7,\"branch\":\"z9hG4bK-1\","
			    "\"from_tag\":\"abc\",\"ruri\":\"sip:2001@10.77.2.2\",\"from_uri\":\"sip:1001@10.77.1.2\","
			    "\"to_uri\":\"sip:2001@10.77.2.2\",\"in_dialog\":false,\"src\":\"10.77.1.2:5060\","
			    "\"sends\":11,\"first_send\":\"2026-01-01T00:00:10.001Z\","
			    "\"last_send\":\"2026-01-01T00:00:41.501Z\",\"duration_ms\":31999,\"last_code\":100,"
			    "\"timer_late_us_max\":123,\"stage\":\"trying\",\"icmp\":null,\"reply\":0}\n");
	free(line);
}

static void rule_27_in_dialog(void **state)
{
	struct siprtx_record r =
		build_text(INVITE("sip:a@b", FROM, "To: <sip:c@d;tag=no>\r\n ; Tag = yes\r\n", CALL_ID));

	(void)state;
	assert_int_equal(r.in_dialog, 1);
	assert_string_equal(r.to_uri, "sip:c@d;tag=no");
	r = build_text(INVITE("sip:a@b", FROM, "To: \";tag=no\" <sip:c@d;tag=no>\r\n", CALL_ID));
	assert_int_equal(r.in_dialog, 0);
}

/* What the message does not tell stays empty; the slot's own knowledge is there all the same. */
static void unreadable_message(void **state)
{
	static const struct record_context bare = {.now_ns = 20000000000ull, .reason = END_RINGING_TIMEOUT};
	struct siprtx_record r = build("\0\0\0\0", 4, &bare);

	(void)state;
	assert_string_equal(r.method, "");
	assert_string_equal(r.call_id, "");
	assert_string_equal(r.gateway_name, "");
	assert_int_equal(r.reason, END_RINGING_TIMEOUT);
	assert_int_equal(r.sends, 11);
	assert_int_equal(r.cseq, 7);
	assert_int_equal(r.truncated, 0);
}

static void never_sent_again(void **state)
{
	struct siprtx_record r;

	(void)state;
	put_message("", 0);
	slot.first_ns = 5000000000ull;
	record_build(&slot, &context, &r);
	assert_int_equal(r.last_send_ms, r.first_send_ms);
}

static const char *string_of(const struct siprtx_record *r, const char *key)
{
	static char text[512];
	json_t *json = record_json(r);

	assert_non_null(json);
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(json, key)));
	json_decref(json);
	return text;
}

static bool says_truncated(const struct siprtx_record *r)
{
	json_t *json = record_json(r);
	bool says = json_is_true(json_object_get(json, "truncated"));

	assert_true(says || !json_object_get(json, "truncated"));
	json_decref(json);
	return says;
}

static void long_strings_are_cut(void **state)
{
	char message[SLOT_ROOM], uri[200], exact[sizeof(((struct siprtx_record *)0)->ruri)];
	struct siprtx_record r;

	(void)state;
	memset(exact, 'x', sizeof(exact));
	exact[sizeof(exact) - 1] = 0;
	snprintf(message, sizeof(message), INVITE("%s", FROM, TO, CALL_ID), exact);
	r = build_text(message);
	assert_string_equal(r.ruri, exact);
	assert_false(says_truncated(&r));

	snprintf(message, sizeof(message), INVITE("%sx", FROM, TO, CALL_ID), exact);
	r = build_text(message);
	assert_string_equal(r.ruri, exact);
	assert_true(says_truncated(&r));

	/* no character is parted: 126 bytes, then one of three bytes */
	memset(uri, 'x', sizeof(uri));
	strcpy(uri + 126, "\xe2\x82\xac");
	snprintf(message, sizeof(message), INVITE("%s", FROM, TO, CALL_ID), uri);
	r = build_text(message);
	assert_int_equal(strlen(r.ruri), 126);
	assert_true(says_truncated(&r));
	assert_int_equal(strlen(string_of(&r, "ruri")), 126);
}

static void bytes_that_are_not_text(void **state)
{
	static const char message[] = INVITE("sip:a@b", "From: <sip:J\xfcrgen@b>;tag=\xff\r\n",
					     "To: <sip:null\0\xc3\xbc\"\\\x01@b>\r\n", "Call-ID: a\0b\r\n");
	struct siprtx_record r = build(message, sizeof(message) - 1, &context);
	char *line = record_line(&r);
	json_t *back = json_loads(line, 0, NULL);

	(void)state;
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_string_equal(json_string_value(json_object_get(back, "call_id")), "a?b");
	assert_string_equal(json_string_value(json_object_get(back, "from_uri")), "sip:J\xc3\xbcrgen@b");
	assert_string_equal(json_string_value(json_object_get(back, "from_tag")), "\xc3\xbf");
	assert_string_equal(json_string_value(json_object_get(back, "to_uri")), "sip:null?\xc3\xbc\"\\\x01@b");
	json_decref(back);
	free(line);
}

/* Written straight and by way of a JSON value: the same text, whatever the bytes. */
static void any_bytes(void **state)
{
	static const char piece[][5] = {"a",
					"\"",
					"\\",
					"\n",
					"\x1f",
					"\x7f",
					"\xc3\xbc",
					"\xe2\x82\xac",
					"\xff",
					"\xc0\x80",
					"\xed\xa0\x80",
					"\xe0\x9f\x80",
					"\xf0\x9f\x98\x80",
					"\xf4\x90\x80\x80",
					"\xf0\x8f\xbf\xbf",
					"\xc3"};
	char text[64], out[JSON_TEXT_ROOM(64) + 1];

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		json_t *value;
		char *dumped;

		*text = 0;
		for (unsigned n = random() % 12; n; n--)
			strcat(text, piece[random() % (sizeof(piece) / sizeof(*piece))]);
		value = json_text(text, sizeof(text));
		dumped = json_dumps(value, JSON_ENCODE_ANY);
		*json_put_text(out, text, sizeof(text)) = 0;
		assert_string_equal(out, dumped);
		free(dumped);
		json_decref(value);
	}
}

static void times_of_any_day(void **state)
{
	char wanted[40], got[40];

	(void)state;
	for (time_t t = 0; t < 16725225600; t += 86399) { /* to the year 2500 */
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
		assert_string_equal(format_time(t * 1000 + 7, got, sizeof(got)), wanted);
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(record_reason_name(END_NO_RESPONSE), "no_response");
	assert_string_equal(record_reason_name(END_TRYING_TIMEOUT), "trying_timeout");
	assert_string_equal(record_reason_name(END_PROGRESS_TIMEOUT), "progress_timeout");
	assert_string_equal(record_reason_name(END_RINGING_TIMEOUT), "ringing_timeout");
	assert_string_equal(record_reason_name(15), "unknown");
	assert_string_equal(record_event_name(RECORD_EXHAUSTED), "exhausted");
	assert_string_equal(record_event_name(77), "unknown");
}

static void endpoints(void **state)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	char buf[64], small[8];

	(void)state;
	assert_string_equal(format_endpoint(gateway, 5060, buf, sizeof(buf)), "10.77.2.2:5060");
	assert_string_equal(format_endpoint(gateway, 0, buf, sizeof(buf)), "10.77.2.2");
	assert_string_equal(format_endpoint(v6, 5060, buf, sizeof(buf)), "[2001:db8::1]:5060");
	assert_string_equal(format_endpoint(v6, 0, buf, sizeof(buf)), "2001:db8::1");
	assert_string_equal(format_endpoint(gateway, 5060, small, sizeof(small)), "10.77.2");
}

static void times(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(format_time(0, buf, sizeof(buf)), "1970-01-01T00:00:00.000Z");
	assert_string_equal(format_time(1709251199999ull, buf, sizeof(buf)), "2024-02-29T23:59:59.999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(start_lines),
		cmocka_unit_test(call_ids),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(whole_line),
		cmocka_unit_test(rule_27_in_dialog),
		cmocka_unit_test(unreadable_message),
		cmocka_unit_test(never_sent_again),
		cmocka_unit_test(long_strings_are_cut),
		cmocka_unit_test(bytes_that_are_not_text),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(times_of_any_day),
		cmocka_unit_test(names),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
