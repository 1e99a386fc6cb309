// SPDX-License-Identifier: GPL-2.0-or-later
/* A journal read by number, and its lines back to records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal_find.h"
#include "record.h"
#include "record_parse.h"

static char path[] = "/tmp/siprtx-test-XXXXXX";
static struct journal_reader reader;

/* Lines of even numbers from `first` on, of many lengths. */
static void write_even(uint64_t first, unsigned lines)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (unsigned i = 0; i < lines; i++)
		fprintf(f, "{\"schema_version\":1,\"seq\":%" PRIu64 ",\"call_id\":\"%0*d\"}\n", first + 2 * (uint64_t)i,
			1 + (int)(i * 37 % 900), 7);
	assert_int_equal(fclose(f), 0);
}

static void append(const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int find(uint64_t seq, uint64_t *found)
{
	struct journal_place place = {0};
	size_t n = 0;
	int err = journal_find(&reader, &place, seq, found, &n);

	if (!err) {
		assert_int_equal(n, strlen(reader.line));
		assert_int_equal(reader.line[n - 1], '\n');
		assert_int_equal(journal_line_seq(reader.line), *found);
	}
	return err;
}

static void test_each_is_found(void **state)
{
	const unsigned lines = 3000;
	uint64_t found;

	(void)state;
	write_even(100, lines);
	for (uint64_t seq = 90; seq <= 100 + 2ull * (lines - 1); seq++) {
		uint64_t wanted = seq < 100 ? 100 : seq + seq % 2;

		assert_int_equal(find(seq, &found), 0);
		assert_int_equal(found, wanted);
	}
	assert_int_equal(find(100 + 2ull * lines - 1, &found), -ENOENT);
	assert_int_equal(find(UINT64_MAX, &found), -ENOENT);
}

static void test_small_files(void **state)
{
	uint64_t found;

	(void)state;
	for (unsigned lines = 0; lines < 60; lines++) {
		write_even(2, lines);
		for (uint64_t seq = 1; seq <= 2ull * lines; seq++) {
			assert_int_equal(find(seq, &found), 0);
			assert_int_equal(found, seq + seq % 2);
		}
		assert_int_equal(find(2ull * lines + 1, &found), -ENOENT);
	}
}

static void test_one_after_the_other(void **state)
{
	struct journal_place place = {0};
	uint64_t seq = 0, found;
	unsigned n = 0;
	size_t length;

	(void)state;
	write_even(2, 5000);
	for (; !journal_find(&reader, &place, seq + 1, &found, &length); n++) {
		assert_int_equal(found, seq + 2);
		seq = found;
	}
	assert_int_equal(n, 5000);
	/* back again, with a place that is behind what is wanted */
	assert_int_equal(journal_find(&reader, &place, 8, &found, &length), 0);
	assert_int_equal(found, 8);
}

static void test_a_line_under_way(void **state)
{
	uint64_t found;

	(void)state;
	write_even(2, 3);
	append("{\"schema_version\":1,\"seq\":8,\"call_");
	assert_int_equal(find(7, &found), -ENOENT);
	append("id\":\"x\"}\n");
	assert_int_equal(find(7, &found), 0);
	assert_int_equal(found, 8);
}

static void test_what_is_no_record(void **state)
{
	static char rubbish[3 * JOURNAL_LINE];
	uint64_t found;

	(void)state;
	write_even(2, 40);
	memset(rubbish, 'x', sizeof(rubbish) - 2);
	rubbish[sizeof(rubbish) - 2] = '\n';
	append(rubbish);
	append("{\"event\":\"note\"}\n\n{\"schema_version\":1,\"seq\":100}\n");
	assert_int_equal(find(81, &found), 0);
	assert_int_equal(found, 100);
	assert_int_equal(find(80, &found), 0);
	assert_int_equal(found, 80);
}

static void test_another_file(void **state)
{
	struct journal_place place = {0};
	char old[64];
	uint64_t found;
	size_t n;

	(void)state;
	write_even(2, 50);
	assert_int_equal(journal_find(&reader, &place, 50, &found, &n), 0);
	snprintf(old, sizeof(old), "%s.1", path);
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(journal_find(&reader, &place, 51, &found, &n), -ENOENT);
	write_even(52, 2);
	assert_int_equal(journal_find(&reader, &place, 51, &found, &n), 0);
	assert_int_equal(found, 52);
	unlink(old);
}

static struct siprtx_record sample(unsigned event)
{
	struct siprtx_record r = {
		.seq = 77,
		.ts_ms = 1767225599123,
		.first_send_ms = 1767225567001,
		.last_send_ms = 1767225598999,
		.duration_ms = 32122,
		.sends = 11,
		.cseq = 4000000000u,
		.late_us_max = 812,
		.last_code = 183,
		.sport = 5060,
		.dport = 5062,
		.event = event,
		.reason = END_PROGRESS_TIMEOUT,
		.in_dialog = 1,
		.truncated = 1,
		.stage = STAGE_PROGRESS_SDP,
		.icmp_type = 3,
		.icmp_code = 3,
		.reply = 503,
		.node = "edge-1",
		.boot_id = "d30ee340-e112-4e39-88e7-2ffcedd8d982",
		.gateway_name = "carrier.a",
		.profile = "standard",
		.method = "INVITE",
		.call_id = "a\"b\\c|\x01@\xc3\xa4",
		.branch = "z9hG4bK1",
		.from_tag = "\"event\":\"late_response\"",
		.ruri = "sip:49301@192.0.2.1",
		.from_uri = "sip:caller@192.0.2.2",
		.to_uri = "tel:+49301",
	};

	if (event == RECORD_LATE_RESPONSE) {
		r.of_seq = 70;
		r.delay_ms = 412;
	}
	inet_pton(AF_INET6, "::ffff:192.0.2.2", r.saddr);
	inet_pton(AF_INET6, "2001:db8::1", r.daddr);
	return r;
}

static void test_there_and_back(void **state)
{
	(void)state;
	for (unsigned event = RECORD_EXHAUSTED; event <= RECORD_LATE_RESPONSE; event++) {
		struct siprtx_record r = sample(event), back;
		char *line = record_line(&r);

		assert_non_null(line);
		assert_int_equal(record_line_event(line), event);
		assert_int_equal(record_parse(line, strlen(line), &back), 0);
		assert_memory_equal(&r, &back, sizeof(r));
		free(line);
	}
}

/* Of a gateway's event what belongs to a call is empty, and the reason is another kind of word. */
static void test_a_gateway_there_and_back(void **state)
{
	struct siprtx_record r =
				     {
					     .seq = 78,
					     .ts_ms = 1767225599124,
					     .event = RECORD_GATEWAY_DOWN,
					     .reason = WHY_EXHAUSTED,
					     .sends = 3,
					     .dport = 5060,
					     .node = "edge-1",
					     .boot_id = "d30ee340-e112-4e39-88e7-2ffcedd8d982",
					     .gateway_name = "carrier.a",
				     },
			     back;
	char *line;

	(void)state;
	inet_pton(AF_INET6, "::ffff:192.0.2.10", r.daddr);
	line = record_line(&r);
	assert_non_null(line);
	assert_int_equal(record_parse(line, strlen(line), &back), 0);
	assert_int_equal(back.reason, WHY_EXHAUSTED);
	assert_int_equal(back.event, RECORD_GATEWAY_DOWN);
	assert_int_equal(back.sends, 3);
	assert_int_equal(back.dport, 5060);
	assert_memory_equal(back.daddr, r.daddr, sizeof(r.daddr));
	free(line);
}

static void test_what_is_no_line(void **state)
{
	static const char *const lines[] = {"",
					    "x",
					    "[]",
					    "{}",
					    "{\"seq\":1}",
					    "{\"seq\":1,\"event\":\"other\"}",
					    "{\"event\":\"exhausted\"}",
					    "{\"seq\":-1,\"event\":\"exhausted\"}"};
	struct siprtx_record r;

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_int_equal(record_parse(lines[i], strlen(lines[i]), &r), -EBADMSG);
	assert_int_equal(record_line_event("{\"event\":\"gateway_down\"}"), RECORD_GATEWAY_DOWN);
	assert_int_equal(record_line_event("{}"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_found),	    cmocka_unit_test(test_small_files),
		cmocka_unit_test(test_one_after_the_other), cmocka_unit_test(test_a_line_under_way),
		cmocka_unit_test(test_what_is_no_record),   cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_there_and_back),	    cmocka_unit_test(test_a_gateway_there_and_back),
		cmocka_unit_test(test_what_is_no_line),
	};
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	journal_reader_init(&reader, path);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	journal_reader_close(&reader);
	unlink(path);
	return failed;
}
