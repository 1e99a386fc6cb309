// SPDX-License-Identifier: GPL-2.0-or-later
/* What a record says beside the reason: the stage, ICMP; and the record of a late response. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"
#include "view.h"

static const struct siprtx_record exhausted = {
	.seq = 5,
	.ts_ms = 1767225642000,
	.duration_ms = 32000,
	.sends = 11,
	.event = RECORD_EXHAUSTED,
	.reason = END_NO_RESPONSE,
	.gateway_name = "carrier-a",
	.call_id = "c1",
};

static const char *text_of(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static json_int_t number_of(json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

/* The same keys in the same order as a call's, and nothing of a call in them. */
static void record_of_a_gateway(void **state)
{
	static const char *const events[] = {"gateway_up", "gateway_suspect", "gateway_down"};
	static const char *const reasons[] = {"none",	"silent",   "exhausted", "response",
					      "probed", "operator", "unknown"};
	static const char *const empty[] = {"profile",	"method", "call_id", "branch", "from_tag",   "ruri",
					    "from_uri", "to_uri", "src",     "stage",  "first_send", "last_send"};
	const struct siprtx_gateway_key key = {.addr = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 10}, .port = 5060};
	const struct record_context context = {.seq = 7,
					       .now_ns = 2000000,
					       .wall_offset_ns = 1000000000,
					       .node = "n",
					       .boot_id = "b",
					       .gateway_name = "a"};
	struct siprtx_gateway value = {0};
	struct siprtx_record r;
	json_t *json, *call;
	void *of_call;

	(void)state;
	for (unsigned i = 0; i < 3 * 7; i++) {
		value.state = i % 3;
		value.state_why = i / 3;
		record_build_gateway(&key, &value, 3, &context, &r);
		assert_true(record_is_of_gateway(&r));
		json = record_json(&r);
		assert_string_equal(text_of(json, "event"), events[i % 3]);
		assert_string_equal(text_of(json, "reason"), reasons[i / 3]);
		assert_string_equal(text_of(json, "gateway"), "192.0.2.10:5060");
		assert_string_equal(text_of(json, "gateway_name"), "a");
		assert_string_equal(text_of(json, "node"), "n");
		assert_string_equal(text_of(json, "ts"), "1970-01-01T00:00:01.002Z");
		assert_int_equal(number_of(json, "seq"), 7);
		assert_int_equal(number_of(json, "sends"), 3);
		for (unsigned k = 0; k < sizeof(empty) / sizeof(*empty); k++)
			assert_string_equal(text_of(json, empty[k]), "");
		call = record_json(&exhausted);
		assert_int_equal(json_object_size(json), json_object_size(call));
		of_call = json_object_iter(call);
		for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
			assert_string_equal(json_object_iter_key(at), json_object_iter_key(of_call));
			of_call = json_object_iter_next(call, of_call);
		}
		json_decref(call);
		json_decref(json);
	}
	assert_false(record_is_of_gateway(&exhausted));
}

static void rule_24_record_of_a_late_response(void **state)
{
	struct siprtx_record r = exhausted;
	json_t *json;

	(void)state;
	record_make_late(&r, 9, 1767225642030, 200, 30);
	json = record_json(&r);
	assert_non_null(json);
	assert_string_equal(text_of(json, "event"), "late_response");
	assert_int_equal(number_of(json, "seq"), 9);
	assert_int_equal(number_of(json, "of_seq"), 5);
	assert_int_equal(number_of(json, "delay_ms"), 30);
	assert_int_equal(number_of(json, "last_code"), 200);
	assert_string_equal(text_of(json, "ts"), "2026-01-01T00:00:42.030Z");
	assert_string_equal(text_of(json, "reason"), "no_response");
	assert_string_equal(text_of(json, "gateway_name"), "carrier-a");
	assert_string_equal(text_of(json, "call_id"), "c1");
	assert_int_equal(number_of(json, "duration_ms"), 32000);
	json_decref(json);

	json = record_json(&exhausted);
	assert_string_equal(text_of(json, "event"), "exhausted");
	assert_null(json_object_get(json, "of_seq"));
	assert_null(json_object_get(json, "delay_ms"));
	json_decref(json);
}

static void rule_20_stage_in_a_record(void **state)
{
	(void)state;
	for (unsigned stage = STAGE_NOTHING; stage <= STAGE_RINGING; stage++) {
		struct siprtx_record r = exhausted;
		json_t *json;

		r.stage = stage;
		json = record_json(&r);
		assert_string_equal(text_of(json, "stage"), stage_name(stage));
		json_decref(json);
	}
}

static void rule_46_icmp_in_a_record(void **state)
{
	static const struct {
		uint8_t type, code;
		const char *name;
	} cases[] = {
		{3, 0, "net_unreachable"},
		{3, 1, "host_unreachable"},
		{3, 2, "3/2"},
		{3, 3, "port_unreachable"},
		{3, 9, "admin_prohibited"},
		{3, 10, "admin_prohibited"},
		{3, 13, "admin_prohibited"},
		{3, 14, "3/14"},
		{3, 255, "3/255"},
		{1, 0, "net_unreachable"},
		{1, 1, "admin_prohibited"},
		{1, 2, "1/2"},
		{1, 3, "host_unreachable"},
		{1, 4, "port_unreachable"},
		{1, 6, "admin_prohibited"},
		{1, 7, "1/7"},
		{255, 255, "255/255"},
	};
	struct siprtx_record r = exhausted;
	json_t *json = record_json(&r);

	(void)state;
	assert_true(json_is_null(json_object_get(json, "icmp")));
	json_decref(json);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r.icmp_type = cases[i].type;
		r.icmp_code = cases[i].code;
		json = record_json(&r);
		assert_string_equal(text_of(json, "icmp"), cases[i].name);
		json_decref(json);
	}
	assert_string_equal(record_reason_name(END_UNREACHABLE), "unreachable");
	assert_string_equal(record_event_name(RECORD_LATE_RESPONSE), "late_response");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_of_a_gateway),
		cmocka_unit_test(rule_24_record_of_a_late_response),
		cmocka_unit_test(rule_20_stage_in_a_record),
		cmocka_unit_test(rule_46_icmp_in_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
