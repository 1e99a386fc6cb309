// SPDX-License-Identifier: GPL-2.0-or-later
/* Notification templates: every variable, every place in JSON, and wire bytes that try to get out of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "record.h"
#include "template.h"

static const uint8_t gateway4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 10};
static const uint8_t gateway6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

#define HEAD "{\"jsonrpc\":\"2.0\",\"method\":\"x\","

static struct siprtx_record sample(void)
{
	struct siprtx_record r = {
		.seq = 7,
		.ts_ms = 1700000000123,
		.event = RECORD_GATEWAY_DOWN,
		.reason = 2,
		.dport = 5060,
		.sends = 3,
		.duration_ms = 31500,
	};

	memcpy(r.daddr, gateway4, 16);
	memcpy(r.saddr, gateway4, 16);
	strcpy(r.gateway_name, "carrier-a");
	strcpy(r.call_id, "a@b");
	return r;
}

static void check_fill(const char *template, const struct siprtx_record *r, enum template_quoting quoting,
		       const char *expected)
{
	char *out = NULL;

	assert_int_equal(template_fill(template, r, quoting, &out), 0);
	assert_string_equal(out, expected);
	free(out);
}

static void values(void **state)
{
	struct siprtx_record r = sample();

	(void)state;
	check_fill("", &r, TEMPLATE_PLAIN, "");
	check_fill("no variable } { $ $x $", &r, TEMPLATE_PLAIN, "no variable } { $ $x $");
	check_fill("$$ $${seq} $$$$", &r, TEMPLATE_PLAIN, "$ ${seq} $$");
	check_fill("$$${seq}", &r, TEMPLATE_PLAIN, "$7");
	check_fill("${seq}${sends} ${event}", &r, TEMPLATE_PLAIN, "73 gateway_down");
	check_fill("${gateway}|${gateway_address}|${gateway_port}|${gateway_name}", &r, TEMPLATE_PLAIN,
		   "192.0.2.10:5060|192.0.2.10|5060|carrier-a");
	check_fill("${ts} ${duration_ms}", &r, TEMPLATE_PLAIN, "2023-11-14T22:13:20.123Z 31500");
	/* what this record does not have: nothing, not a failure */
	check_fill("[${of_seq}${icmp}${delay_ms}]", &r, TEMPLATE_PLAIN, "[]");
	memcpy(r.daddr, gateway6, 16);
	check_fill("sip:${gateway} ${gateway_address}", &r, TEMPLATE_PLAIN, "sip:[2001:db8::1]:5060 2001:db8::1");
	strcpy(r.call_id, "\"quoted\" \\ ${seq}");
	check_fill("${call_id}", &r, TEMPLATE_PLAIN, "\"quoted\" \\ ${seq}");
}

static void places_in_json(void **state)
{
	struct siprtx_record r = sample();

	(void)state;
	check_fill("{\"a\":\"${seq}\",\"b\":${seq}}", &r, TEMPLATE_JSON, "{\"a\":\"7\",\"b\":7}");
	check_fill("{\"a\":\"x${call_id}y\",\"b\":${call_id}}", &r, TEMPLATE_JSON, "{\"a\":\"xa@by\",\"b\":\"a@b\"}");
	check_fill("[\"${icmp}\",${icmp},\"${of_seq}\",${of_seq}]", &r, TEMPLATE_JSON, "[\"\",null,\"\",null]");
	check_fill("[\"${in_dialog}\",${in_dialog}]", &r, TEMPLATE_JSON, "[\"false\",false]");
	/* a quote that is escaped in the template does not end its string */
	check_fill("[\"\\\"${call_id}\\\\\",${call_id}]", &r, TEMPLATE_JSON, "[\"\\\"a@b\\\\\",\"a@b\"]");
	check_fill("[\"\\u0041${call_id}\",${seq}]", &r, TEMPLATE_JSON, "[\"\\u0041a@b\",7]");
	strcpy(r.call_id, "\"\\\n\x7f\xe9");
	check_fill("[\"${call_id}\",${call_id}]", &r, TEMPLATE_JSON,
		   "[\"\\\"\\\\\\n\x7f\xc3\xa9\",\"\\\"\\\\\\n\x7f\xc3\xa9\"]");
	/* a value is never read as a template */
	strcpy(r.call_id, "${seq}$$");
	check_fill("[\"${call_id}\"]", &r, TEMPLATE_JSON, "[\"${seq}$$\"]");
}

/* ${record}: the object itself, or its text inside of quotes. */
static void whole_record(void **state)
{
	struct siprtx_record r = sample();
	json_t *list, *again, *values = template_values(&r);
	char *out = NULL;

	(void)state;
	strcpy(r.call_id, "\"},{\\\"\xff");
	json_decref(values);
	values = template_values(&r);
	assert_int_equal(template_fill("[${record},\"${record}\"]", &r, TEMPLATE_JSON, &out), 0);
	list = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(list), 2);
	assert_true(json_equal(json_array_get(list, 0), values));
	again = json_loads(json_string_value(json_array_get(list, 1)), 0, NULL);
	assert_true(json_equal(again, values));
	json_decref(again);
	json_decref(list);
	json_decref(values);
	free(out);
}

/* Names are record_json()'s own: each of them can be written, so none can be forgotten here. */
static void every_member_is_a_variable(void **state)
{
	const char *key;
	json_t *value;

	(void)state;
	for (unsigned event = RECORD_EXHAUSTED; event <= RECORD_GATEWAY_DOWN; event++) {
		const struct siprtx_record r = {.event = event, .truncated = 1}, other = {.event = RECORD_EXHAUSTED};
		json_t *object = record_json(&r);

		json_object_foreach(object, key, value)
		{
			char template[80], why[256] = "", *out = NULL;

			snprintf(template, sizeof(template), "[${%s}]", key);
			assert_int_equal(template_fill(template, &r, TEMPLATE_JSON, &out), 0);
			free(out);
			assert_int_equal(template_fill(template, &other, TEMPLATE_JSON, &out), 0);
			free(out);
			snprintf(template, sizeof(template), HEAD "\"params\":[${%s}]}", key);
			assert_int_equal(template_check(template, why, sizeof(why)), 0);
			snprintf(template, sizeof(template), HEAD "\"params\":[\"sip:${%s}\"]}", key);
			assert_int_equal(template_check(template, why, sizeof(why)), 0);
		}
		json_decref(object);
	}
}

static void refused_fills(void **state)
{
	struct siprtx_record r = sample();
	char big[2001 * 8 + 1] = "", *out = (char *)"untouched";

	(void)state;
	assert_int_equal(template_fill("${nothing}", &r, TEMPLATE_JSON, &out), -EINVAL);
	assert_int_equal(template_fill("${}", &r, TEMPLATE_JSON, &out), -EINVAL);
	assert_int_equal(template_fill("${seq", &r, TEMPLATE_PLAIN, &out), -EINVAL);
	assert_int_equal(
		template_fill("${a_name_that_is_longer_than_any_buffer_for_one_could_be}", &r, TEMPLATE_PLAIN, &out),
		-EINVAL);
	assert_int_equal(template_fill("[\"\\${call_id}\"]", &r, TEMPLATE_JSON, &out), -EINVAL);
	assert_int_equal(template_fill("[\"\\u00${call_id}\"]", &r, TEMPLATE_JSON, &out), -EINVAL);
	for (int i = 0; i < 2000; i++)
		strcat(big + 8 * i, "${ruri} ");
	memset(r.ruri, 'x', 127);
	assert_int_equal(template_fill(big, &r, TEMPLATE_JSON, &out), -EMSGSIZE);
	assert_string_equal(out, "untouched");
}

static void check_bad(const char *template, const char *says)
{
	char why[256] = "";

	assert_int_equal(template_check(template, why, sizeof(why)), -EINVAL);
	if (!strstr(why, says))
		fail_msg("of %s: \"%s\" lacks \"%s\"", template, why, says);
}

static void check_good(const char *template)
{
	char why[256] = "";

	if (template_check(template, why, sizeof(why)))
		fail_msg("of %s: %s", template, why);
}

static void checks(void **state)
{
	char big[12000] = HEAD "\"params\":[\"";

	(void)state;
	/* Kamailio's and OpenSIPS's, as shipped */
	check_good("{\"jsonrpc\":\"2.0\",\"method\":\"dispatcher.set_state\",\"params\":[\"ip\",1,\"sip:${gateway}\"],"
		   "\"id\":${seq}}");
	check_good("{\"jsonrpc\":\"2.0\",\"method\":\"raise_event\",\"params\":[\"E_SIPRTX\",[${record}]],\"id\":\"${"
		   "seq}\"}");
	check_good(HEAD "\"params\":{\"a\":\"$$ ${call_id}\"}}");
	check_good(" {\"jsonrpc\" : \"2.0\", \"method\" : \"siprtx.${event}\"} ");

	check_bad("", "no JSON");
	check_bad("{", "no JSON");
	check_bad("[1]", "no JSON object");
	check_bad("\"${call_id}\"", "no JSON");
	check_bad(HEAD "\"id\":${seq}", "no JSON");
	check_bad(HEAD "\"id\":${seq}} trailing", "no JSON");
	check_bad(HEAD "\"a\":\"${call_id}}", "no JSON");
	check_bad(HEAD "\"a\":x${seq}}", "no JSON");
	check_bad(HEAD "\"a\":1,\"a\":2}", "duplicate");
	check_bad("{\"method\":\"x\"}", "\"jsonrpc\": \"2.0\"");
	check_bad("{\"jsonrpc\":2.0,\"method\":\"x\"}", "\"jsonrpc\": \"2.0\"");
	check_bad("{\"jsonrpc\":\"1.0\",\"method\":\"x\"}", "\"jsonrpc\": \"2.0\"");
	check_bad("{\"jsonrpc\":\"2.0\"}", "no \"method\"");
	check_bad("{\"jsonrpc\":\"2.0\",\"method\":\"\"}", "no \"method\"");
	check_bad("{\"jsonrpc\":\"2.0\",\"method\":5}", "no \"method\"");
	check_bad("{\"jsonrpc\":\"2.0\",\"method\":\"${profile}\"}", "comes from the wire");
	check_bad("{\"jsonrpc\":\"2.0\",\"method\":${call_id}}", "comes from the wire");
	check_bad(HEAD "${call_id}:1}", "name of a member");
	check_bad(HEAD "\"x${call_id}\":1}", "name of a member");
	check_bad(HEAD "\"params\":\"${call_id}\"}", "\"params\"");
	check_bad(HEAD "\"id\":1}", "\"id\" is not ${seq}");
	check_bad(HEAD "\"id\":${sends}}", "\"id\" is not ${seq}");
	check_bad(HEAD "\"id\":null}", "\"id\" is not ${seq}");
	check_bad(HEAD "\"id\":\"x${seq}\"}", "\"id\" is not ${seq}");

	check_bad(HEAD "\"params\":[${gatewey}]}", "did you mean ${gateway}?");
	check_bad(HEAD "\"params\":[${gateway_adress}]}", "did you mean ${gateway_address}?");
	check_bad(HEAD "\"params\":[${colour}]}", "${colour}, which is no variable");
	check_bad(HEAD "\"params\":[\"${seq\"]", "without its }");
	check_bad(HEAD "\"params\":[\"\\${seq}\"]}", "\\ before ${seq}");
	/* half an escape: with a digit it would be good JSON, and with a Call-ID of the right bytes something else */
	check_bad(HEAD "\"params\":[\"\\u000${cseq}\"]}", "\\ before ${cseq}");

	/* longest values count, not those of a quiet day */
	while (strlen(big) < 1000)
		strcat(big, "${call_id}");
	strcat(big, "\"]}");
	check_bad(big, "more than 65000 bytes");
}

/* What a Call-ID holds stays in the Call-ID: whatever its bytes, the request is the same but for that one string. */
static void nothing_breaks_out(void **state)
{
	static const char *const evil[] = {
		"\",\"method\":\"core.shutdown\",\"x\":\"",
		"\"}{\"jsonrpc\":\"2.0\",\"method\":\"core.shutdown\"}",
		"\\",
		"\\\"",
		"\\u0022,",
		"\\\\\"]}",
		"]}\n{",
		"\r\n\r\n",
		"\x01\x02\x1f\x7f",
		"\xff\xfe\xc0\x80\xed\xa0\x80",
		"\xf0\x9f\x98",
		"\xe2\x80\xa8",
		"${seq}",
		"$$",
		"${",
		"%s%n",
		"",
	};
	const char *template =
		"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[\"${call_id}\",${call_id},\"<${call_id}>\"],"
		"\"id\":${seq}}";
	struct siprtx_record r = sample();

	(void)state;
	check_good(template);
	for (size_t i = 0; i < sizeof(evil) / sizeof(*evil) + 2000; i++) {
		char *out = NULL;
		json_t *request, *params;

		if (i < sizeof(evil) / sizeof(*evil)) {
			strcpy(r.call_id, evil[i]);
		} else {
			/* any bytes, the dangerous ones often; the same at each run */
			static uint32_t x = 1;

			for (size_t j = 0; j < 24; j++) {
				x = x * 1664525 + 1013904223;
				r.call_id[j] =
					x >> 30 ? "\"\\,:{}[]u0$\n"[(x >> 16) % 12] : (char)(1 + (x >> 16) % 255);
			}
			r.call_id[24] = 0;
		}
		assert_int_equal(template_fill(template, &r, TEMPLATE_JSON, &out), 0);
		request = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(request);
		assert_int_equal(json_object_size(request), 4);
		assert_string_equal(json_string_value(json_object_get(request, "method")), "m");
		assert_int_equal(json_integer_value(json_object_get(request, "id")), 7);
		params = json_object_get(request, "params");
		assert_int_equal(json_array_size(params), 3);
		assert_true(json_equal(json_array_get(params, 0), json_array_get(params, 1)));
		if (strspn(r.call_id, "\"\\,:{}[]u0$\n") == strlen(r.call_id))
			assert_string_equal(json_string_value(json_array_get(params, 0)), r.call_id);
		json_decref(request);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(places_in_json),
		cmocka_unit_test(whole_record),
		cmocka_unit_test(every_member_is_a_variable),
		cmocka_unit_test(refused_fills),
		cmocka_unit_test(checks),
		cmocka_unit_test(nothing_breaks_out),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
