// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx-notify's pure parts: cursors, a subscriber's request, a CDR line and the CDR sink's files, notify.state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../user/notify/cdr.c"
#include "../../user/notify/cdr_line.c"
#include "../../user/notify/cursor.h"
#include "../../user/notify/state.c"
#include "../../user/notify/stream_request.h"

static char failure[256];
static unsigned delivered;

void sink_failed(struct sink *s, const char *format, ...)
{
	va_list args;

	(void)s;
	va_start(args, format);
	vsnprintf(failure, sizeof(failure), format, args);
	va_end(args);
}

void sink_delivered(struct sink *s, uint64_t now)
{
	(void)s;
	(void)now;
	delivered++;
}

static void test_cursor_start(void **state)
{
	static const struct {
		struct cursor_facts facts;
		uint64_t at;
		bool first;
	} cases[] = {
		{{0, 0, 0, 100}, 100, true},	  {{0, 0, 60, 100}, 60, false},	  {{0, 70, 60, 100}, 70, false},
		{{80, 70, 60, 100}, 80, false},	  {{100, 0, 0, 100}, 100, false}, {{0, 0, 500, 100}, 100, false},
		{{500, 70, 60, 100}, 100, false}, {{0, 1, 0, 1}, 1, false},
	};
	bool first;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(cursor_start(&cases[i].facts, &first), cases[i].at);
		assert_int_equal(first, cases[i].first);
	}
}

static void test_cursor_too_many(void **state)
{
	(void)state;
	assert_int_equal(cursor_too_many(10, 10, 5), 0);
	assert_int_equal(cursor_too_many(10, 15, 5), 0);
	assert_int_equal(cursor_too_many(10, 16, 5), 1);
	assert_int_equal(cursor_too_many(1, 1000001, 10000), 990000);
	assert_int_equal(cursor_too_many(1, 1000001, 0), 0);
	assert_int_equal(cursor_too_many(20, 10, 5), 0);
}

static void test_requests(void **state)
{
	static const char *const bad[] = {"",	       "from",	  "from ",     "from -1",
					  "from 1 2",  "from x",  "from 1x",   "FROM 1",
					  "from ende", "from  1", "from end ", "from 99999999999999999999",
					  "to 1",      "from +1"};
	uint64_t seq = 42;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(stream_request(bad[i], &seq), -EINVAL);
	seq = 42;
	assert_int_equal(stream_request("from end", &seq), 0);
	assert_int_equal(stream_request("from end\r", &seq), 0);
	assert_int_equal(seq, 42);
	assert_int_equal(stream_request("from 7", &seq), 0);
	assert_int_equal(seq, 7);
	assert_int_equal(stream_request("from 9000000000000000000\r", &seq), 0);
	assert_int_equal(seq, 9000000000000000000);
	assert_int_equal(stream_request("from 0", &seq), 0);
	assert_int_equal(seq, 1);
}

#define HOUR_END 1767225599123 /* 2025-12-31T23:59:59.123Z */

static struct siprtx_record record(uint64_t seq, uint64_t ts_ms)
{
	struct siprtx_record r = {
		.seq = seq,
		.ts_ms = ts_ms,
		.first_send_ms = ts_ms - 32000,
		.last_send_ms = ts_ms - 500,
		.duration_ms = 32000,
		.sends = 11,
		.last_code = 100,
		.sport = 5060,
		.dport = 5062,
		.event = RECORD_EXHAUSTED,
		.reason = END_TRYING_TIMEOUT,
		.gateway_name = "carrier-a",
		.profile = "standard",
		.call_id = "a|b\r\nc\x01@\xc3\xa4",
		.ruri = "sip:+49301;phone-context=x@192.0.2.1:5060;user=phone",
		.from_uri = "sip:10|0\n1@192.0.2.2",
	};

	inet_pton(AF_INET6, "::ffff:192.0.2.2", r.saddr);
	inet_pton(AF_INET6, "2001:db8::1", r.daddr);
	return r;
}

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void test_cdr_line(void **state)
{
	struct siprtx_record r = record(77, HOUR_END);
	char line[CDR_LINE], name[CDR_NAME];
	uint64_t ts_ms = 0;
	size_t n;

	(void)state;
	set_zone("UTC0");
	n = cdr_line(&r, line);
	assert_string_equal(line,
			    "10_0_1|+49301|2025-12-31 23:59:27|2025-12-31 23:59:59|0|trying_timeout|callee|192.0.2.2|"
			    "carrier-a|192.0.2.2:5060|[2001:db8::1]:5062|32000|11|100|standard|a_b__c_@\xc3\xa4|"
			    "1767225599123|77\n");
	assert_int_equal(n, strlen(line));
	assert_int_equal(cdr_line_seq(line, n, &ts_ms), 77);
	assert_int_equal(ts_ms, HOUR_END);
	assert_int_equal(cdr_line_seq(line, n - 1, &ts_ms), 77);
	assert_int_equal(cdr_line_seq("a|b|c", 5, &ts_ms), 0);
	assert_string_equal(cdr_name(&r, name, sizeof(name)), "2025123123.txt");
	*r.gateway_name = '\0';
	assert_non_null(strstr((cdr_line(&r, line), line), "|192.0.2.2|[2001:db8::1]:5062|192.0.2.2:5060|"));
	/* five and a half hours ahead */
	set_zone("XYZ-5:30");
	assert_string_equal(cdr_name(&r, name, sizeof(name)), "2026010105.txt");
	cdr_line(&r, line);
	assert_non_null(strstr(line, "|2026-01-01 05:29:27|2026-01-01 05:29:59|"));
	set_zone("UTC0");
	/* the longest there can be is whole */
	memset(r.call_id, 'x', sizeof(r.call_id));
	memset(r.ruri, 'x', sizeof(r.ruri) - 1);
	memset(r.from_uri, 'x', sizeof(r.from_uri) - 1);
	memset(r.profile, 'x', sizeof(r.profile));
	memset(r.gateway_name, 'x', sizeof(r.gateway_name));
	n = cdr_line(&r, line);
	assert_true(n > 500 && line[n - 1] == '\n');
	assert_int_equal(cdr_line_seq(line, n, &ts_ms), 77);
}

static void test_cdr_names(void **state)
{
	(void)state;
	assert_true(cdr_is_name("2025123123.txt"));
	assert_false(cdr_is_name("2025123123.txt.gz"));
	assert_false(cdr_is_name("2025123123"));
	assert_false(cdr_is_name("202512312x.txt"));
	assert_false(cdr_is_name("readme.txt"));
	assert_false(cdr_is_name("20251231234.tx"));
}

static char folder[] = "/tmp/siprtx-test-XXXXXX";

static char *content(const char *name)
{
	static char text[8192];
	char path[PATH_MAX];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void append_text(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "a");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void take(struct sink *s, uint64_t seq, uint64_t ts_ms)
{
	struct siprtx_record r = record(seq, ts_ms);

	assert_non_null(s->own);
	if (!s->own)
		return;
	assert_int_equal(cdr_take(s, &r, 1), 0);
}

static void test_cdr_hours(void **state)
{
	struct config_notify config = {.name = "c", .kind = NOTIFY_CDR};
	struct sink s = {.kind = &sink_cdr, .config = &config};

	(void)state;
	set_zone("UTC0");
	snprintf(config.to, sizeof(config.to), "%s", folder);
	assert_int_equal(cdr_open(&s), 0);
	if (!s.own)
		return; /* clang-tidy takes no assertion's word for it */
	take(&s, 1, HOUR_END - 10);
	take(&s, 2, HOUR_END);
	take(&s, 3, HOUR_END + 1000);
	take(&s, 4, HOUR_END + 1001);
	assert_int_equal(delivered, 4);
	assert_int_equal(lines_of(content("2025123123.txt")), 2);
	assert_int_equal(lines_of(content("2026010100.txt")), 2);
	cdr_close(&s);
	/* after a crash: a torn line goes, what was written is not written again */
	append_text("2026010100.txt", "caller|callee|2026-01");
	append_text("readme.txt", "not ours");
	assert_int_equal(cdr_open(&s), 0);
	if (!s.own)
		return;
	assert_int_equal(lines_of(content("2026010100.txt")), 2);
	assert_null(strstr(content("2026010100.txt"), "callee|2026-01\n"));
	take(&s, 3, HOUR_END + 1000);
	take(&s, 4, HOUR_END + 1001);
	take(&s, 5, HOUR_END + 1002);
	assert_int_equal(delivered, 5);
	assert_int_equal(lines_of(content("2026010100.txt")), 3);
	assert_non_null(strstr(content("2026010100.txt"), "|5\n"));
	/* numbers that began anew are other records */
	take(&s, 1, HOUR_END + 5000);
	assert_int_equal(lines_of(content("2026010100.txt")), 4);
	cdr_close(&s);
}

static void test_cdr_no_folder(void **state)
{
	struct config_notify config = {.name = "c", .kind = NOTIFY_CDR, .to = "/nowhere"};
	struct sink s = {.kind = &sink_cdr, .config = &config};

	(void)state;
	assert_int_equal(cdr_open(&s), -ENOENT);
	assert_non_null(strstr(failure, "/nowhere"));
}

static void test_cdr_full_disk(void **state)
{
	struct config_notify config = {.name = "c", .kind = NOTIFY_CDR};
	struct sink s = {.kind = &sink_cdr, .config = &config};
	struct siprtx_record r = record(9, HOUR_END + 9000);
	struct cdr *c;
	int full;

	(void)state;
	snprintf(config.to, sizeof(config.to), "%s", folder);
	assert_int_equal(cdr_open(&s), 0);
	c = s.own;
	if (!c)
		return;
	full = open("/dev/full", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(full >= 0);
	assert_int_equal(dup2(full, c->fd), c->fd);
	close(full);
	assert_int_equal(cdr_take(&s, &r, 1), -EAGAIN);
	assert_non_null(strstr(failure, "No space left"));
	/* not before a second is over */
	*failure = '\0';
	assert_int_equal(cdr_take(&s, &r, 2), -EAGAIN);
	assert_string_equal(failure, "");
	cdr_close(&s);
}

static void test_state(void **state)
{
	char journal[PATH_MAX];
	struct state s, other;

	(void)state;
	snprintf(journal, sizeof(journal), "%s/exhausted.jsonl", folder);
	assert_int_equal(state_open(&s, journal), 0);
	assert_int_equal(state_open(&other, journal), -EWOULDBLOCK);
	state_close(&other);
	assert_int_equal(state_read(&s, "a"), 0);
	state_write(&s, "a 17\nab 18\n", 1);
	assert_int_equal(state_read(&s, "a"), 17);
	assert_int_equal(state_read(&s, "ab"), 18);
	assert_int_equal(state_read(&s, "b"), 0);
	state_write(&s, "ab 9223372036854775807\n", 0);
	assert_int_equal(state_read(&s, "a"), 0);
	assert_int_equal(state_read(&s, "ab"), 9223372036854775807);
	append_text("notify.state", "nonsense\nc x\n\n");
	assert_int_equal(state_read(&s, "c"), 0);
	state_close(&s);
	assert_int_equal(state_open(&s, journal), 0);
	assert_int_equal(state_read(&s, "ab"), 9223372036854775807);
	state_close(&s);
	assert_int_equal(state_open(&s, "/nowhere/x"), -ENOENT);
	state_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cursor_start),  cmocka_unit_test(test_cursor_too_many),
		cmocka_unit_test(test_requests),      cmocka_unit_test(test_cdr_line),
		cmocka_unit_test(test_cdr_names),     cmocka_unit_test(test_cdr_hours),
		cmocka_unit_test(test_cdr_no_folder), cmocka_unit_test(test_cdr_full_disk),
		cmocka_unit_test(test_state),
	};
	char command[64];
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) || failed;
}
