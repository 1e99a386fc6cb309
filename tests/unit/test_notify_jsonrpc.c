// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON-RPC by datagrams: what is sent when, what an answer does, who is not there or says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/notify/jsonrpc.c"
#include "sink_world.h"

static int peer = -1;
static struct sockaddr_storage asker; /* of the last request */
static socklen_t asker_len;

static char *const template = "{\"jsonrpc\":\"2.0\",\"method\":\"dispatcher.set_state\",\"params\":[\"ip\",1,\"sip:${"
			      "gateway}\"],\"id\":${seq}}";
static char *const event_template = "{\"jsonrpc\":\"2.0\",\"method\":\"raise_event\",\"params\":[\"E\",[\"${event} "
				    "${call_id}\"]],\"id\":\"${seq}\"}";

static int listen_unix(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	strcpy(un.sun_path, world.config.to + 5);
	peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	return bind(peer, (struct sockaddr *)&un, sizeof(un));
}

static int bind_udp(const char *address, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static void set_up_templates(void)
{
	world.config.template_of[RECORD_EXHAUSTED] = event_template;
	world.config.template_of[RECORD_GATEWAY_UP] = template;
	world.config.template_of[RECORD_GATEWAY_DOWN] = template;
}

static int set_up(void **state)
{
	(void)state;
	world_new(&sink_jsonrpc);
	set_up_templates();
	snprintf(world.config.to, sizeof(world.config.to), "unix:%s/socket", world.folder);
	assert_int_equal(listen_unix(), 0);
	return sink_jsonrpc.open(&world.sink);
}

static int tear_down(void **state)
{
	(void)state;
	if (peer >= 0)
		close(peer);
	peer = -1;
	world_free();
	return 0;
}

static void go_away(void)
{
	close(peer);
	peer = -1;
	unlink(world.config.to + 5);
}

/* UDP instead. */
static void set_up_udp(void)
{
	struct sockaddr_in in;
	socklen_t size = sizeof(in);

	world.sink.kind->close(&world.sink);
	go_away();
	peer = bind_udp("127.0.0.1", 0);
	getsockname(peer, (struct sockaddr *)&in, &size);
	snprintf(world.config.to, sizeof(world.config.to), "udp:127.0.0.1:%u", ntohs(in.sin_port));
	assert_int_equal(sink_jsonrpc.open(&world.sink), 0);
}

/* The request that lies there, "": none. */
static const char *asked(void)
{
	static char text[65536];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	n = recvfrom(peer, text, sizeof(text) - 1, 0, (struct sockaddr *)&from, &from_len);
	if (n > 0) {
		asker = from;
		asker_len = from_len;
	}
	text[n > 0 ? n : 0] = 0;
	return text;
}

static void answer_by(int fd, const char *text)
{
	assert_true(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&asker, asker_len) > 0);
	turn(1000);
}

static void answer(const char *text)
{
	answer_by(peer, text);
}

static void expect_asked(uint64_t id)
{
	const char *text = asked();
	char end[40];

	snprintf(end, sizeof(end), "\"id\":%llu}", (unsigned long long)id);
	if (!strstr(text, end))
		fail_msg("asked \"%s\", and not for %s", text, end);
}

static void expect_nothing(void)
{
	assert_string_equal(asked(), "");
}

static void ok(uint64_t id)
{
	char text[80];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"result\":\"ok\",\"id\":%llu}", (unsigned long long)id);
	answer(text);
}

static void expect(uint64_t sent, uint64_t failed, uint64_t timeouts)
{
	assert_int_equal(world.status.sent, sent);
	assert_int_equal(world.status.failed, failed);
	assert_int_equal(world.status.timeouts, timeouts);
}

static void expect_error(const char *text)
{
	if (!strstr(world.status.error, text))
		fail_msg("\"%s\" lacks \"%s\"", world.status.error, text);
}

static void answered(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_GATEWAY_DOWN, 10);

	(void)state;
	assert_int_equal(offer(&r), -EAGAIN);
	assert_string_equal(asked(), "{\"jsonrpc\":\"2.0\",\"method\":\"dispatcher.set_state\",\"params\":[\"ip\",1,"
				     "\"sip:192.0.2.10:5060\"],\"id\":7}");
	/* one at a time, and not twice */
	assert_int_equal(offer(&r), -EAGAIN);
	expect_nothing();
	expect(0, 0, 0);
	ok(7);
	expect(1, 0, 0);
	assert_int_equal(offer(&r), 0);
	expect_nothing();
	r = make_record(8, RECORD_EXHAUSTED, 10);
	strcpy(r.call_id, "\"],\"method\":\"core.kill\",\"x\":[\"");
	assert_int_equal(offer(&r), -EAGAIN);
	assert_string_equal(asked(), "{\"jsonrpc\":\"2.0\",\"method\":\"raise_event\",\"params\":[\"E\",[\"exhausted "
				     "\\\"],\\\"method\\\":\\\"core.kill\\\",\\\"x\\\":[\\\"\"]],\"id\":\"8\"}");
	answer("{\"jsonrpc\":\"2.0\",\"result\":\"OK\",\"id\":\"8\"}");
	assert_int_equal(offer(&r), 0);
	expect(2, 0, 0);
}

static void refused(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_GATEWAY_DOWN, 10);

	(void)state;
	offer(&r);
	asked();
	answer("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":404,\"message\":\"no\\u001b[2J such\"},\"id\":7}");
	expect(0, 1, 0);
	assert_string_equal(world.status.error, "refused: no?[2J such (404)");
	/* an answer is an answer: it is not asked again */
	assert_int_equal(offer(&r), -EREMOTEIO);
	later(20000);
	expect_nothing();
	r.seq = 8;
	offer(&r);
	expect_asked(8);
	answer("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error\"},\"id\":null}");
	assert_int_equal(offer(&r), -EREMOTEIO);
	expect_error("Parse error (-32700)");
	r.seq = 9;
	offer(&r);
	expect_asked(9);
	answer("{\"jsonrpc\":\"2.0\",\"result\":{},\"error\":null,\"id\":9}");
	assert_int_equal(offer(&r), 0);
	expect(1, 2, 0);
}

static void other_answers_do_not_count(void **state)
{
	static const char *const others[] = {
		"",
		"x",
		"[]",
		"7",
		"{",
		"null",
		"{}",
		"{\"id\":8,\"result\":1}",
		"{\"id\":\"07\",\"result\":1}",
		"{\"id\":null,\"result\":1}",
		"{\"id\":7.0,\"result\":1}",
		"\xff\xfe",
		"{\"result\":1}",
		"{\"error\":{\"code\":1}}",
	};
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	offer(&r);
	asked();
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		answer(others[i][0] ? others[i] : " ");
	expect(0, 0, 0);
	assert_int_equal(offer(&r), -EAGAIN);
	ok(7);
	ok(7);
	expect(1, 0, 0);
	assert_int_equal(offer(&r), 0);
}

/* Kamailio and OpenSIPS answer from a socket of their own; another host's word is not theirs. */
static void udp_answer_from_another_port(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	int other = bind_udp("127.0.0.1", 0), stranger = bind_udp("127.0.0.2", 0);

	(void)state;
	set_up_udp();
	offer(&r);
	assert_true(*asked());
	answer_by(other, "{\"result\":0,\"id\":7}");
	assert_int_equal(offer(&r), 0);
	r.seq = 8;
	offer(&r);
	assert_true(*asked());
	answer_by(stranger, "{\"result\":0,\"id\":8}");
	assert_int_equal(offer(&r), -EAGAIN);
	later(500);
	expect(1, 1, 1);
	expect_error("no answer, but one from 127.0.0.2; udp:127.0.0.1:");
	assert_int_equal(offer(&r), -ETIMEDOUT);
	close(other);
	close(stranger);
}

static void event_without_answer_is_asked_once(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	offer(&r);
	assert_true(*asked());
	later(499);
	expect(0, 0, 0);
	later(1);
	expect(0, 1, 1);
	expect_error("no answer in 500 ms (sends: 1), unix:/");
	expect_nothing();
	assert_int_equal(offer(&r), -ETIMEDOUT);
	later(60000);
	expect_nothing();
}

static void expect_silence(struct siprtx_record *r)
{
	assert_int_equal(offer(r), -EAGAIN);
	for (int i = 0; i < 1 + REPEATS; i++) {
		expect_asked(r->seq);
		later(499);
		expect_nothing();
		later(1);
	}
	expect_nothing();
	assert_int_equal(offer(r), -ETIMEDOUT);
}

/* A gateway's state is asked four times, and is owed after that until somebody hears it. */
static void state_without_answer_is_owed(void **state)
{
	struct siprtx_record a = make_record(7, RECORD_GATEWAY_DOWN, 10), b = make_record(8, RECORD_GATEWAY_DOWN, 11);

	(void)state;
	expect_silence(&a);
	expect(0, 1, 1);
	expect_silence(&b);
	expect(0, 2, 2);
	/* nothing else to tell: again after a while, once each, and counted no more */
	later(9000);
	expect_nothing();
	later(1000);
	expect_asked(7);
	later(500);
	expect_nothing();
	later(10000);
	expect_asked(8);
	expect(0, 2, 2);
	/* that was heard: the other one is tried at once */
	ok(8);
	later(0);
	expect_asked(7);
	ok(7);
	expect(2, 2, 2);
	later(60000);
	expect_nothing();
}

static void newer_state_takes_the_place_of_what_is_owed(void **state)
{
	struct siprtx_record down = make_record(7, RECORD_GATEWAY_DOWN, 10), up = make_record(9, RECORD_GATEWAY_UP, 10),
			     other = make_record(8, RECORD_GATEWAY_DOWN, 11);

	(void)state;
	expect_silence(&down);
	expect_silence(&other);
	assert_int_equal(offer(&up), -EAGAIN);
	expect_asked(9);
	ok(9);
	assert_int_equal(offer(&up), 0);
	later(0);
	expect_asked(8); /* and never 7 after 9 */
	ok(8);
	later(60000);
	expect_nothing();
}

/* An answer to a request that was given up settles what is owed. */
static void late_answer(void **state)
{
	struct siprtx_record a = make_record(7, RECORD_GATEWAY_DOWN, 10);

	(void)state;
	expect_silence(&a);
	ok(7);
	expect(1, 1, 1);
	later(60000);
	expect_nothing();
}

/* More gateways than can be remembered: the oldest are forgotten, nothing else breaks. */
static void owes_a_bounded_number(void **state)
{
	struct siprtx_record r;

	(void)state;
	for (unsigned i = 0; i < MAX_OWED + 10; i++) {
		r = make_record(100 + i, RECORD_GATEWAY_DOWN, i);
		while (offer(&r) == -EAGAIN) {
			while (*asked()) {
			}
			later(500);
		}
	}
	assert_true(((struct jsonrpc *)world.sink.own)->n_owed == MAX_OWED);
}

static void nobody_there(void **state)
{
	struct siprtx_record down = make_record(7, RECORD_GATEWAY_DOWN, 10), up = make_record(8, RECORD_GATEWAY_UP, 10);

	(void)state;
	go_away();
	for (int i = 0; i < 50; i++) {
		assert_int_equal(offer(&down), -EAGAIN);
		later(100);
	}
	/* an outage is one failure */
	expect(0, 1, 0);
	expect_error("nobody takes it: ");
	expect_error("No such file or directory; tried each second, unix:/");
	assert_int_equal(listen_unix(), 0);
	assert_int_equal(offer(&down), -EAGAIN);
	expect_asked(7);
	ok(7);
	assert_int_equal(offer(&down), 0);
	assert_int_equal(offer(&up), -EAGAIN);
	expect_asked(8);
	ok(8);
	expect(2, 1, 0);
	assert_string_equal(world.status.error, "");
	/* gone again: told again. A socket file whose owner died says "refused" */
	close(peer);
	peer = -1;
	assert_int_equal(offer(&up), 0);
	up.seq = 9;
	assert_int_equal(offer(&up), -EAGAIN);
	expect(2, 2, 0);
	expect_error("refused");
}

static void udp_nobody_there(void **state)
{
	struct siprtx_record down = make_record(7, RECORD_GATEWAY_DOWN, 10);
	uint16_t port;

	(void)state;
	set_up_udp();
	port = strtoul(strrchr(world.config.to, ':') + 1, NULL, 10);
	close(peer);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(offer(&down), -EAGAIN);
		turn(1);
		later(100);
	}
	expect(0, 1, 0);
	expect_error("refused");
	peer = bind_udp("127.0.0.1", port);
	later(1000);
	assert_int_equal(offer(&down), -EAGAIN);
	expect_asked(7);
	ok(7);
	expect(1, 1, 0);
}

/* The loop gave up the oldest meanwhile: what it offers then is what is sent. */
static void oldest_given_up(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_GATEWAY_DOWN, 10);

	(void)state;
	go_away();
	assert_int_equal(offer(&r), -EAGAIN);
	r.seq = 20;
	assert_int_equal(offer(&r), -EAGAIN);
	assert_int_equal(listen_unix(), 0);
	later(1000);
	assert_int_equal(offer(&r), -EAGAIN);
	expect_asked(20);
	expect_nothing();
	/* and while one is out: its answer is heard, and is not taken for the other one's */
	r.seq = 30;
	assert_int_equal(offer(&r), -EAGAIN);
	expect_nothing();
	ok(20);
	assert_int_equal(offer(&r), -EAGAIN);
	expect_asked(30);
}

/* States that siprtx-notify makes at its very first start all have the sequence 0. */
static void same_sequence_of_two_gateways(void **state)
{
	struct siprtx_record a = make_record(0, RECORD_GATEWAY_DOWN, 10), b = make_record(0, RECORD_GATEWAY_DOWN, 11);

	(void)state;
	offer(&a);
	expect_asked(0);
	ok(0);
	assert_int_equal(offer(&b), -EAGAIN);
	expect_asked(0);
}

static void softswitch_does_not_read(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	int i;

	(void)state;
	for (i = 0; i < 10000 && !world.status.error[0]; i++) {
		r.seq++;
		offer(&r);
		((struct jsonrpc *)world.sink.own)->state = FREE;
	}
	expect_error("nobody takes it");
	assert_in_range(i, 2, 9999);
}

static void notification(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	world.config.template_of[RECORD_EXHAUSTED] = "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}";
	for (int i = 0; i < 3; i++) {
		assert_int_equal(offer(&r), 0);
		assert_string_equal(asked(), "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
	}
	expect(3, 0, 0);
	go_away();
	assert_int_equal(offer(&r), -EAGAIN);
	expect(3, 1, 0);
}

static void rate(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	int sent = 0;

	(void)state;
	world.config.rate = 5;
	world.config.template_of[RECORD_EXHAUSTED] = "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}";
	for (int i = 0; i < 1000; i++) {
		sent += !offer(&r);
		while (*asked()) {
		}
		later(10);
	}
	assert_in_range(sent, 50, 55);
	expect(sent, 0, 0);
}

static void bad_addresses(void **state)
{
	static const char *const bad[] = {
		"",
		"udp:",
		"udp:127.0.0.1",
		"udp:127.0.0.1:0",
		"udp:127.0.0.1:65536",
		"udp:host:1",
		"udp::1:x",
		"udp:[]:1",
		"unix:",
		"unix:relative",
		"/path",
		"tcp:127.0.0.1:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		world.sink.kind->close(&world.sink);
		strcpy(world.config.to, bad[i]);
		assert_int_equal(sink_jsonrpc.open(&world.sink), -EINVAL);
		assert_null(world.sink.own);
		assert_int_equal(world.status.failed, i + 1);
	}
	strcpy(world.config.to, "udp:[::1]:8090");
	assert_int_equal(sink_jsonrpc.open(&world.sink), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(answered),
		TEST(refused),
		TEST(other_answers_do_not_count),
		TEST(udp_answer_from_another_port),
		TEST(event_without_answer_is_asked_once),
		TEST(state_without_answer_is_owed),
		TEST(newer_state_takes_the_place_of_what_is_owed),
		TEST(late_answer),
		TEST(owes_a_bounded_number),
		TEST(nobody_there),
		TEST(udp_nobody_there),
		TEST(oldest_given_up),
		TEST(same_sequence_of_two_gateways),
		TEST(softswitch_does_not_read),
		TEST(notification),
		TEST(rate),
		TEST(bad_addresses),
	};

	return cmocka_run_group_tests_name("notify_jsonrpc", tests, NULL, NULL);
}
