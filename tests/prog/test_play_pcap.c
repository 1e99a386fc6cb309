// SPDX-License-Identifier: GPL-2.0-or-later
/* Captures as truth: the request transactions that are in them, and no other, are found. */
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "messages.h"
#include "pcap_frames.h"
#include "play.h"

#define FROM_GATEWAY .src = GATEWAY, .dst = SOFTSWITCH

static struct play played;
static char printed[16384];

static void play_file(const char *path, const char *ports)
{
	char why[512] = "";
	FILE *text = fmemopen(printed, sizeof(printed), "w");

	assert_non_null(text);
	if (play(path, ports, &played, why, sizeof(why)))
		fail_msg("%s", why);
	play_print(text, &played);
	fclose(text);
}

static int forget(void **state)
{
	(void)state;
	play_free(&played);
	return 0;
}

/* Path of a capture of the corpus; skips the test where there is none. */
static const char *capture(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/captures/%s", corpus_folder(), name);
	if (access(path, R_OK)) {
		print_message("no %s, set SIPRTX_CORPUS: skipped\n", path);
		skip();
	}
	return path;
}

static unsigned of_method(const char *method)
{
	unsigned n = 0;

	for (unsigned i = 0; i < played.n; i++)
		n += strcmp(played.rows[i].method, method) == 0;
	return n;
}

static void expect_last_line(const char *line)
{
	size_t len = strlen(printed), n = strlen(line);

	assert_true(len >= n);
	assert_string_equal(printed + len - n, line);
}

/* Every INVITE is in a slot of the product's, and no other slot is held. */
static void expect_held(unsigned invites)
{
	assert_int_equal(of_method("INVITE"), invites);
	assert_int_equal(played.sum.held, invites);
	assert_int_equal(played.counted[CNT_captured], invites);
	for (unsigned i = 0; i < played.n; i++)
		assert_int_equal(played.rows[i].slot >= 0, strcmp(played.rows[i].method, "INVITE") == 0);
}

/*
 * A phone's session: 18 REGISTERs and 7 INVITEs, so many pairs of sent-by and branch, CSeq number and method. The
 * CANCEL of the first INVITE, sent eleven times, and 7 ACKs have their INVITE's branch and CSeq number and are none.
 */
static void rule_02_13_16_17_26_phone_session(void **state)
{
	unsigned thrice = 0;

	(void)state;
	play_file(capture("aaa.pcap"), NULL);
	assert_int_equal(played.n, 25);
	assert_int_equal(of_method("REGISTER"), 18);
	expect_held(7);
	assert_int_equal(play_retransmitted(&played), 2);
	for (unsigned i = 0; i < played.n; i++) {
		const struct play_row *row = &played.rows[i];

		assert_true(row->seen == 1 || row->seen == 3);
		thrice += row->seen == 3;
		assert_in_range(row->code, 200, 699); /* each found its final response */
		if (row->slot >= 0)
			assert_int_equal(word_state(row->word), row->cancelled ? ST_TERMINATED : ST_COMPLETED);
	}
	assert_int_equal(thrice, 2);
	assert_int_equal(played.counted[CNT_copy_passed], 4); /* each twice again, before its first response */
	assert_int_equal(played.counted[CNT_cancel], 1);
	assert_int_equal(played.counted[CNT_cancel_unknown], 10);
	assert_int_equal(played.counted[CNT_response_unknown], 0);
	expect_last_line("\n25 request transactions, 2 retransmitted INVITEs\n");
}

/* One INVITE, names compact. */
static void rule_05_compact_form(void **state)
{
	(void)state;
	play_file(capture("sip_compact_form.pcap"), NULL);
	assert_int_equal(played.n, 1);
	expect_held(1);
	assert_int_equal(played.rows[0].seen, 1);
	assert_string_equal(played.rows[0].from, "1.1.1.1:5555");
	assert_string_equal(played.rows[0].call_id, "105090259-446faf7a@192.168.1.2");
	expect_last_line("\n1 request transactions, 0 retransmitted INVITEs\n");
}

struct stun {
	char ports[128]; /* each between two commas */
	unsigned n;
};

static void find_stun(void *ctx, const struct frame *f, const struct datagram *d)
{
	struct stun *s = ctx;
	char port[8];

	(void)f;
	if (!d->data || d->len < 20 || d->data[0] >= 0x40 || memcmp(d->data + 4, "\x21\x12\xa4\x42", 4) != 0)
		return;
	snprintf(port, sizeof(port), ",%u,", d->dport);
	if (s->n >= 16 || strstr(s->ports, port))
		return;
	strcat(s->ports, s->n++ ? port + 1 : port);
}

/* On its own ports, and with these for SIP ports: passed, counted as STUN, no SIP in it. */
static void rule_35_stun(void **state)
{
	static const unsigned below_sip[] = {CNT_not_ip,   CNT_not_udp,	 CNT_other_port,
					     CNT_fragment, CNT_ipv6_ext, CNT_truncated};
	const char *path = capture("stun.pcap");
	struct stun stun = {};
	char why[512] = "";
	uint64_t others = 0;
	unsigned left_out;

	(void)state;
	play_file(path, NULL);
	assert_true(played.packets > 0);
	assert_int_equal(played.n, 0);
	expect_last_line("\n0 request transactions, 0 retransmitted INVITEs\n");
	play_free(&played);
	assert_int_equal(pcap_frames(path, find_stun, &stun, &left_out, why, sizeof(why)), 0);
	assert_true(stun.n > 0);
	stun.ports[strlen(stun.ports) - 1] = 0;
	play_file(path, stun.ports + 1);
	assert_int_equal(played.n, 0);
	assert_true(played.counted[CNT_stun] > 0);
	for (unsigned i = 0; i < sizeof(below_sip) / sizeof(*below_sip); i++)
		others += played.counted[below_sip[i]];
	/* what is left are other datagrams on these ports: none reads as SIP */
	for (unsigned i = CNT_keepalive; i <= CNT_not_sip; i++)
		others += played.counted[i];
	assert_int_equal(others, played.packets);
	assert_int_equal(played.sum.held, 0);
}

/* A capture of our own: written as Ethernet or as Linux cooked frames. */
struct dump {
	char path[40];
	pcap_t *pcap;
	pcap_dumper_t *out;
	bool cooked;
	struct timeval at;
};

static void dump_begin(struct dump *d, bool cooked)
{
	FILE *f;
	int fd;

	memset(d, 0, sizeof(*d));
	strcpy(d->path, "/tmp/siprtx-play-XXXXXX");
	fd = mkstemp(d->path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	d->cooked = cooked;
	d->pcap = pcap_open_dead(cooked ? DLT_LINUX_SLL : DLT_EN10MB, 65535);
	d->out = pcap_dump_fopen(d->pcap, f);
	assert_non_null(d->out);
}

static void dump(struct dump *d, const struct shape *s, const void *message, size_t len)
{
	struct pcap_pkthdr h = {};
	struct frame f, cooked = {};

	frame_build(&f, s, message, len);
	if (d->cooked) {
		memcpy(cooked.data, "\0\0\0\1\0\6\2\0\0\0\1\2\0\0", 14);
		memcpy(cooked.data + 14, f.data + 12, f.len - 12);
		f.len += 2;
		memcpy(f.data, cooked.data, f.len);
	}
	d->at.tv_sec++;
	h.ts = d->at;
	h.caplen = h.len = f.len;
	pcap_dump((u_char *)d->out, &h, f.data);
}

static void dump_end(struct dump *d)
{
	pcap_dump_close(d->out);
	pcap_close(d->pcap);
}

/* An INVITE as another method; "INVITE" is the longest. */
static int as_method(char *out, size_t size, const char *branch, unsigned cseq, const char *method)
{
	char text[2048];

	make_invite(text, sizeof(text), branch, cseq, NULL);
	return snprintf(out, size, "%s%.*s %s%s", method, (int)(strstr(text, " INVITE\r\n") - text - 6), text + 6,
			method, strstr(text, " INVITE\r\n") + 7);
}

static void dump_request(struct dump *d, const struct shape *s, const char *branch, unsigned cseq, const char *method)
{
	char text[2048];

	dump(d, s, text, as_method(text, sizeof(text), branch, cseq, method));
}

static void dump_response(struct dump *d, const char *branch, unsigned cseq, int code, const char *method)
{
	char text[2048];

	dump(d, &(struct shape){FROM_GATEWAY}, text,
	     make_response(text, sizeof(text), branch, cseq, code, method, NULL));
}

static void own_session(bool cooked)
{
	struct shape shape = {}, elsewhere = {.dst = "203.0.113.7", .dport = 5080};
	struct dump d;

	dump_begin(&d, cooked);
	dump(&d, &shape, "\r\n\r\n", 4);
	for (int i = 0; i < 3; i++)
		dump_request(&d, &shape, "z9hG4bKa", 1, "INVITE");
	dump_response(&d, "z9hG4bKa", 1, 100, "INVITE");
	dump_request(&d, &shape, "z9hG4bKa", 1, "INVITE"); /* so that the 100 is repeated: rule 32 */
	dump_response(&d, "z9hG4bKa", 1, 200, "PRACK");	   /* not its */
	dump_response(&d, "z9hG4bKa", 1, 407, "INVITE");
	dump_request(&d, &shape, "z9hG4bKa", 1, "ACK");
	dump_request(&d, &shape, "z9hG4bKa", 2, "INVITE"); /* the branch again: rule 3 */
	dump_response(&d, "z9hG4bKa", 2, 200, "INVITE");
	dump_request(&d, &shape, "z9hG4bKack", 2, "ACK"); /* to a 2xx */
	dump_request(&d, &elsewhere, "z9hG4bKb", 1, "INVITE");
	dump_response(&d, "z9hG4bKb", 1, 180, "INVITE");
	dump_request(&d, &elsewhere, "z9hG4bKb", 1, "CANCEL");
	dump_response(&d, "z9hG4bKb", 1, 200, "CANCEL");
	dump_response(&d, "z9hG4bKb", 1, 487, "INVITE");
	dump_request(&d, &elsewhere, "z9hG4bKb", 1, "ACK");
	dump_request(&d, &shape, "z9hG4bKo", 7, "OPTIONS");
	dump_request(&d, &shape, "z9hG4bKo", 7, "OPTIONS");
	dump_response(&d, "z9hG4bKo", 7, 200, "OPTIONS");
	dump_request(&d, &shape, "z9hG4bKalone", 1, "CANCEL");
	dump(&d, &shape, "NOTIFY * HTTP/1.1\r\n\r\n", 21);
	dump_end(&d);
	play_file(d.path, NULL);
	unlink(d.path);
}

static void expect_row(unsigned i, const char *method, const char *branch, unsigned cseq, unsigned seen, unsigned code)
{
	const struct play_row *row = &played.rows[i];

	assert_string_equal(row->method, method);
	assert_string_equal(row->branch, branch);
	assert_int_equal(row->cseq, cseq);
	assert_int_equal(row->seen, seen);
	assert_int_equal(row->code, code);
}

static void expect_own_session(void)
{
	assert_int_equal(played.packets, 23);
	assert_int_equal(played.left_out, 0);
	assert_int_equal(played.n, 5);
	expect_row(0, "INVITE", "z9hG4bKa", 1, 4, 407);
	expect_row(1, "INVITE", "z9hG4bKa", 2, 1, 200);
	expect_row(2, "INVITE", "z9hG4bKb", 1, 1, 487);
	expect_row(3, "OPTIONS", "z9hG4bKo", 7, 2, 200);
	expect_row(4, "CANCEL", "z9hG4bKalone", 1, 1, 0);
	assert_string_equal(played.rows[2].to, "203.0.113.7:5080");
	assert_true(played.rows[2].cancelled);
	assert_int_equal(word_end(played.rows[2].word), END_CANCELLED);
	expect_held(3);
	assert_int_equal(played.counted[CNT_copy_passed], 2);
	assert_int_equal(played.counted[CNT_copy_answered], 1);
	assert_int_equal(play_retransmitted(&played), 1);
	expect_last_line("\n5 request transactions, 1 retransmitted INVITEs\n");
}

static void rule_01_03_16_17_22_32_own_session(void **state)
{
	(void)state;
	own_session(false);
	expect_own_session();
}

static void test_cooked_frames(void **state)
{
	(void)state;
	own_session(true);
	expect_own_session();
}

static void test_not_a_capture(void **state)
{
	char why[512] = "";

	(void)state;
	assert_int_equal(play("Makefile", NULL, &played, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "Makefile cannot be read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(rule_02_13_16_17_26_phone_session, forget),
		cmocka_unit_test_teardown(rule_05_compact_form, forget),
		cmocka_unit_test_teardown(rule_35_stun, forget),
		cmocka_unit_test_teardown(rule_01_03_16_17_22_32_own_session, forget),
		cmocka_unit_test_teardown(test_cooked_frames, forget),
		cmocka_unit_test_teardown(test_not_a_capture, forget),
	};

	return cmocka_run_group_tests_name("prog: play_pcap", tests, NULL, NULL);
}
