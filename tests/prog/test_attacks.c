// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams of somebody who means harm and does not see the softswitch's packets. A call is held; whatever comes passes
 * as it came, under a reason, and the call's word stays. After each test no slot is lost and none is in two places.
 */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "by_rule.h"
#include "one_edge.h"
#include "slot_sum.h"

#define SENT_BY "edge.example.com:5060"
#define BRANCH	"z9hG4bKvictim.Aa1"
#define OTHERS	5000 /* distinct branches */

static struct siprtx_slot *victim;
static __u64 word; /* the victim's */

static int up(void **state)
{
	char *more[] = {"siprtx.max_transactions=8192", NULL};

	(void)state;
	edge_up(&edge, more);
	edge.pins.in_force->tunables[TUN_dup_window] = 0;
	return 0;
}

/* Through a program, which must let it pass as it is; the counter it raised, alone. */
static unsigned through(int prog, const struct frame *in)
{
	int raised = -1;
	struct frame out;

	counters_clear(&edge);
	assert_int_equal(run(prog, in, &out), PASS);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	for (unsigned i = 0; i < CNT_COUNT; i++) {
		uint64_t n = counter(&edge, i);

		assert_true(n == 0 || (n == 1 && raised < 0));
		if (n)
			raised = (int)i;
	}
	assert_true(raised >= 0);
	return raised;
}

struct fields { /* NULL: the victim's */
	const char *sent_by, *branch, *cseq, *method, *length, *status;
	const char *more; /* Vias after the top one, lines with CRLF */
};

static int request_text(char *out, size_t size, const struct fields *f)
{
	return snprintf(out, size,
			"%s sip:1001@10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\n%sFrom: "
			"<sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: v\r\nCSeq: %s %s\r\nContent-Length: %s\r\n\r\n",
			f->method ?: "INVITE", f->sent_by ?: SENT_BY, f->branch ?: BRANCH, f->more ?: "",
			f->cseq ?: "1", f->method ?: "INVITE", f->length ?: "0");
}

static int response_text(char *out, size_t size, const struct fields *f)
{
	return snprintf(
		out, size,
		"SIP/2.0 %s\r\nVia: SIP/2.0/UDP %s;branch=%s;received=10.77.1.2;rport=5060\r\n%sFrom: "
		"<sip:a@b>;tag=f\r\nTo: <sip:c@d>;tag=t\r\nCall-ID: v\r\nCSeq: %s %s\r\nContent-Length: %s\r\n\r\n",
		f->status ?: "200 OK", f->sent_by ?: SENT_BY, f->branch ?: BRANCH, f->more ?: "", f->cseq ?: "1",
		f->method ?: "INVITE", f->length ?: "0");
}

static unsigned request(const struct fields *f)
{
	char text[4000];
	struct frame in;

	frame_build(&in, &(struct shape){0}, text, request_text(text, sizeof(text), f));
	return through(edge.inside, &in);
}

static unsigned response_from(const struct shape *shape, const struct fields *f)
{
	char text[4000];
	struct frame in;

	frame_build(&in, shape, text, response_text(text, sizeof(text), f));
	return through(edge.outside, &in);
}

static unsigned response(const struct fields *f)
{
	return response_from(&(struct shape){FROM_GATEWAY}, f);
}

static int hold(void **state)
{
	(void)state;
	edge.pins.in_force->tunables[TUN_match_source] = 0;
	assert_int_equal(request(&(struct fields){0}), CNT_captured);
	victim = last_captured(&edge);
	assert_non_null(victim);
	word = victim->word;
	return 0;
}

/* The call is where it was, and its own response still moves it. Then all goes free. */
static int let_go(void **state)
{
	struct slot_sum sum;

	(void)state;
	assert_int_equal(victim->word, word);
	assert_int_equal(response(&(struct fields){0}), CNT_final);
	assert_int_equal(word_state(victim->word), ST_COMPLETED);
	slot_sum(&edge);
	free_all(&edge);
	last_captured(&edge); /* takes the notes from the ring */
	sum = slot_sum(&edge);
	assert_int_equal(sum.held, 0);
	return 0;
}

static void rule_01_02_03_07_guessed_branch(void **state)
{
	static const struct {
		struct fields fields;
		unsigned counter;
	} table[] = {
		{{.sent_by = "edge.example.com:5061"}, CNT_response_unknown},
		{{.sent_by = "edge.example.com:65535"}, CNT_response_unknown},
		{{.sent_by = "edge.example.org"}, CNT_response_unknown},
		{{.sent_by = "edge.example.com."}, CNT_response_unknown},
		{{.sent_by = "edge.example.co"}, CNT_response_unknown},
		{{.sent_by = "10.77.1.2"}, CNT_response_unknown},
		{{.sent_by = "[edge.example.com]"}, CNT_response_unknown},
		{{.cseq = "2"}, CNT_response_unknown},
		{{.cseq = "0"}, CNT_response_unknown},
		{{.cseq = "10"}, CNT_response_unknown},
		{{.branch = "z9hG4bKvictim.aa1"}, CNT_response_unknown},
		{{.branch = "z9hG4bKvictim.AA1"}, CNT_response_unknown},
		{{.branch = "Z9hG4bKvictim.Aa1"}, CNT_response_unknown},
		{{.branch = "z9hG4bKvictim.Aa"}, CNT_response_unknown},
		{{.branch = "z9hG4bKvictim.Aa1\x80"}, CNT_response_unknown},
		{{.branch = "z9hG4bKvictim.Aa11"}, CNT_response_unknown},
		{{.branch = "z9hG4bKx;b=" BRANCH}, CNT_response_unknown},
		{{.branch = "\"" BRANCH "\""}, CNT_legacy},
		{{.branch = "z9hG4bK"}, CNT_legacy},
		{{.branch = "z9hG4bKx;branch=" BRANCH}, CNT_malformed},
		{{.branch = BRANCH " x"}, CNT_malformed},
		{{.method = "CANCEL"}, CNT_response_other},
		{{.method = "PRACK"}, CNT_response_other},
		{{.method = "ACK"}, CNT_response_other},
		{{.method = "invite"}, CNT_response_other},
		{{.method = "INVITEX"}, CNT_response_other},
		{{.length = "1"}, CNT_short_body},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		unsigned counted = response(&table[i].fields);

		if (counted != table[i].counter || victim->word != word)
			fail_msg("response %u: counter %u, expected %u; word %llx, was %llx", i, counted,
				 table[i].counter, victim->word, word);
	}
	/* the controls: host in other letters, port left out, zeros in front are the same call's */
	assert_int_equal(response(&(struct fields){.sent_by = "EDGE.Example.com", .cseq = "0001", .status = "100"}),
			 CNT_provisional);
	victim->word = word;
}

/* CANCELs that name another call, and INVITEs with the victim's branch: rule 2. */
static void rule_02_17_guessed_requests(void **state)
{
	(void)state;
	assert_int_equal(request(&(struct fields){.method = "CANCEL", .cseq = "2"}), CNT_cancel_unknown);
	assert_int_equal(request(&(struct fields){.method = "CANCEL", .sent_by = "edge.example.com:5061"}),
			 CNT_cancel_unknown);
	assert_int_equal(request(&(struct fields){.method = "CANCEL", .branch = "z9hG4bKvictim.aa1"}),
			 CNT_cancel_unknown);
	assert_int_equal(request(&(struct fields){.method = "ACK"}), CNT_other_method);
	assert_int_equal(request(&(struct fields){.method = "BYE"}), CNT_other_method);
	assert_int_equal(request(&(struct fields){.sent_by = "edge.example.com:5061"}), CNT_captured);
	assert_int_equal(request(&(struct fields){.cseq = "2"}), CNT_captured);
	/* a CANCEL that the gateway's side sends is a request like any other */
	for (int i = 0; i < 2; i++) {
		const struct fields f = {.method = i ? "INVITE" : "CANCEL"};
		char text[2048];
		struct frame in;

		frame_build(&in, &(struct shape){FROM_GATEWAY}, text, request_text(text, sizeof(text), &f));
		assert_int_equal(through(edge.outside, &in), CNT_request_in);
	}
}

static void rule_31_other_address(void **state)
{
	static const struct shape other = {.src = "10.77.2.3", .dst = SOFTSWITCH},
				  other_port = {FROM_GATEWAY, .sport = 5062},
				  six = {.v6 = true, .src = "fd77:2::2", .dst = SOFTSWITCH6};
	const struct fields mine = {.status = "180 Ringing"};
	__u32 *match_source = &edge.pins.in_force->tunables[TUN_match_source];

	(void)state;
	*match_source = 1;
	assert_int_equal(response_from(&other, &mine), CNT_wrong_source);
	assert_int_equal(response_from(&six, &mine), CNT_wrong_source);
	assert_int_equal(victim->word, word);
	/* it is the address that must be the same, not the port */
	assert_int_equal(response_from(&other_port, &mine), CNT_provisional);
	victim->word = word;
	*match_source = 0;
	assert_int_equal(response_from(&other, &mine), CNT_provisional);
	victim->word = word;
	assert_int_equal(response_from(&six, &mine), CNT_provisional);
	victim->word = word;
	/* a guess stays one, from whatever address */
	assert_int_equal(response_from(&other, &(struct fields){.cseq = "2"}), CNT_response_unknown);
}

/* No key collides with the victim's, nor any two with each other. */
static void rule_25_thousands_of_branches(void **state)
{
	struct slot_sum sum;
	char branch[32];

	(void)state;
	for (unsigned i = 0; i < OTHERS; i++) {
		struct fields f = {.branch = branch};
		char text[2048];
		struct frame in;

		snprintf(branch, sizeof(branch), "z9hG4bKvictim.Aa%u", 2 + i);
		frame_build(&in, &(struct shape){FROM_GATEWAY}, text, response_text(text, sizeof(text), &f));
		assert_int_equal(run(edge.outside, &in, NULL), PASS);
		frame_build(&in, &(struct shape){0}, text, request_text(text, sizeof(text), &f));
		assert_int_equal(run(edge.inside, &in, NULL), PASS);
		assert_int_equal(victim->word, word);
	}
	assert_int_equal(counter(&edge, CNT_response_unknown), OTHERS);
	assert_int_equal(counter(&edge, CNT_captured), 1 + OTHERS);
	sum = slot_sum(&edge);
	assert_int_equal(sum.held, 1 + OTHERS);
	print_message("%u branches beside the victim's: no collision\n", OTHERS);
}

/* Each load makes a secret of its own: who knows the key of a call at one edge knows nothing of another edge. */
static void test_two_edges_two_keys(void **state)
{
	struct siprtx_hash_key secret[2];
	struct siprtx_key key[2];
	__u32 zero = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		if (i) {
			edge_down(&edge);
			up(NULL);
			hold(NULL);
		}
		assert_int_equal(bpf_map_lookup_elem(edge.pins.fd[PIN_hash_key], &zero, &secret[i]), 0);
		key[i] = victim->key;
	}
	assert_memory_not_equal(&key[0], &key[1], sizeof(key[0]));
	assert_int_not_equal(key[0].hash[0], key[1].hash[0]);
	assert_int_not_equal(key[0].hash[1], key[1].hash[1]);
	for (unsigned i = 0, same = 0; i < KEY_WORDS; i++) {
		same += secret[0].k[i] == secret[1].k[i];
		assert_true(same < 3);
	}
}

static void rule_14_40_branch_lengths(void **state)
{
	static const struct {
		unsigned len; /* cookie and all */
		unsigned request, response;
	} table[] = {
		{7, CNT_legacy, CNT_legacy},	   {8, CNT_captured, CNT_final},       {256, CNT_captured, CNT_final},
		{257, CNT_too_long, CNT_too_long}, {1007, CNT_too_long, CNT_too_long},
	};
	char branch[1024];

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct fields f = {.branch = branch};

		memset(branch, 'x', sizeof(branch));
		memcpy(branch, BRANCH, table[i].len < strlen(BRANCH) ? table[i].len : strlen(BRANCH));
		branch[table[i].len] = 0;
		assert_int_equal(request(&f), table[i].request);
		assert_int_equal(response(&f), table[i].response);
		assert_int_equal(victim->word, word);
	}
}

/* A datagram as long as one can be; its IP packet spans many pages. */
static void run_long(int prog, const struct shape *shape, const char *message, size_t len)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);
	struct frame head;
	uint8_t *data = malloc(42 + len);

	assert_non_null(data);
	frame_build(&head, shape, message, 0);
	memcpy(data, head.data, 42);
	data[16] = (28 + len) >> 8;
	data[17] = (uint8_t)(28 + len);
	data[38] = (8 + len) >> 8;
	data[39] = (uint8_t)(8 + len);
	memcpy(data + 42, message, len);
	opts.data_in = data;
	opts.data_size_in = 42 + len;
	counters_clear(&edge);
	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	assert_int_equal(opts.retval, PASS);
	assert_int_equal(counter(&edge, CNT_too_long), 1);
	free(data);
}

static char *many(const char *head, const char *piece, unsigned n, const char *tail)
{
	char *text = malloc(strlen(head) + n * strlen(piece) + strlen(tail) + 1), *at = text;

	assert_non_null(text);
	at = stpcpy(at, head);
	for (unsigned i = 0; i < n; i++)
		at = stpcpy(at, piece);
	stpcpy(at, tail);
	return text;
}

static void rule_40_ten_thousand_vias(void **state)
{
	static const char rest[] = "f:a\r\nt:b\r\ni:c\r\nCSeq: 1 INVITE\r\n\r\n";
	char *texts[] = {
		many("INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP " SENT_BY ";branch=" BRANCH "\r\n", "v:a\r\n", 10000, rest),
		many("SIP/2.0 200 OK\r\nv:SIP/2.0/UDP " SENT_BY ";branch=" BRANCH "\r\n", "v:a\r\n", 10000, rest),
		many("SIP/2.0 200 OK\r\nv:SIP/2.0/UDP " SENT_BY ";branch=" BRANCH, ",a", 10000, "\r\nf:a\r\n\r\n"),
		many("SIP/2.0 200 OK\r\nv:SIP/2.0/UDP " SENT_BY, ";a=b", 16000, "\r\nf:a\r\n\r\n"),
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		run_long(edge.inside, &(struct shape){0}, texts[i], strlen(texts[i]));
		run_long(edge.outside, &(struct shape){FROM_GATEWAY}, texts[i], strlen(texts[i]));
		assert_int_equal(victim->word, word);
		free(texts[i]);
	}
}

/* In a slot: the victim's Via is there, and is not the top one. */
static void rule_04_40_vias_in_a_slot(void **state)
{
	static const char mine[] = "v:SIP/2.0/UDP " SENT_BY ";branch=" BRANCH "\r\n";
	static const char piece[] = ",SIP/2.0/UDP " SENT_BY ";branch=" BRANCH;
	char *lines = many("", mine, 20, ""), *over = many("", "v:a\r\n", 64, ""), *fill = many("", "v:\n", 450, "");
	char *commas = many("edge.example.com:5061;branch=" BRANCH, piece, 20, "");

	(void)state;
	assert_int_equal(response(&(struct fields){.branch = "z9hG4bKtop", .more = lines}), CNT_response_unknown);
	assert_int_equal(response(&(struct fields){.more = over}), CNT_too_long);
	assert_int_equal(response(&(struct fields){.more = fill}), CNT_too_long);
	assert_int_equal(request(&(struct fields){.more = over}), CNT_too_long);
	assert_int_equal(request(&(struct fields){.more = fill}), CNT_too_long);
	assert_int_equal(response(&(struct fields){.sent_by = commas}), CNT_response_unknown);
	assert_int_equal(request(&(struct fields){.sent_by = commas}), CNT_captured);
	assert_int_equal(victim->word, word);
	/* with the victim's on top it is the victim's, whatever follows */
	assert_int_equal(response(&(struct fields){.status = "100 Trying", .more = lines}), CNT_provisional);
	victim->word = word;
	free(lines);
	free(over);
	free(fill);
	free(commas);
}

static void rule_33_34_all_line_ends(void **state)
{
	char text[SLOT_ROOM];
	struct frame in;

	(void)state;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i & 1 ? '\n' : '\r';
	for (unsigned len = 0; len <= SLOT_ROOM - 28; len += len < 64 ? 1 : 97) {
		unsigned expected = len < 28 ? CNT_keepalive : CNT_not_sip;

		frame_build(&in, &(struct shape){0}, text, len);
		assert_int_equal(through(edge.inside, &in), expected);
		frame_build(&in, &(struct shape){FROM_GATEWAY}, text, len);
		assert_int_equal(through(edge.outside, &in), expected);
		assert_int_equal(victim->word, word);
	}
}

/* Both as the plain parser has it, and as the table says. */
static void number(const struct fields *f, unsigned expected)
{
	char text[4000];
	struct by_rule r;
	struct frame in;
	unsigned counted;
	int len = response_text(text, sizeof(text), f);

	r = by_rule_outside(&edge, (uint8_t *)text, len, 28);
	counted = response(f);
	if (counted != expected || counted != r.counter)
		fail_msg("counter %u, by rule %u, expected %u, of:\n%s", counted, r.counter, expected, text);
	assert_true((victim->word != word) == (expected == CNT_final));
	victim->word = word;
	len = request_text(text, sizeof(text), f);
	r = by_rule_inside(&edge, (uint8_t *)text, len, 28);
	frame_build(&in, &(struct shape){0}, text, len);
	assert_int_equal(through(edge.inside, &in), r.counter);
	assert_int_equal(victim->word, word);
}

static void rule_10_41_overlong_numbers(void **state)
{
	static const struct {
		struct fields fields;
		unsigned counter;
	} table[] = {
		{{.cseq = "0000000000000001"}, CNT_final}, /* as many digits as are read */
		{{.cseq = "00000000000000001"}, CNT_malformed},
		{{.cseq = "2147483647"}, CNT_response_unknown},
		{{.cseq = "2147483648"}, CNT_malformed},
		{{.cseq = "2147483649"}, CNT_malformed},
		{{.cseq = "4294967295"}, CNT_malformed},
		{{.cseq = "4294967296"}, CNT_malformed},
		{{.cseq = "4294967297"}, CNT_malformed}, /* 1, were it cut to 32 bits */
		{{.cseq = "18446744073709551617"}, CNT_malformed},
		{{.cseq = "-1"}, CNT_malformed},
		{{.cseq = "+1"}, CNT_malformed},
		{{.length = "0000000000000000"}, CNT_final},
		{{.length = "00000000000000000"}, CNT_malformed},
		{{.length = "2147483647"}, CNT_short_body},
		{{.length = "2147483648"}, CNT_malformed},
		{{.length = "4294967295"}, CNT_malformed}, /* what no header at all is kept as */
		{{.length = "4294967296"}, CNT_malformed},
		{{.length = "4294967297"}, CNT_malformed},
		{{.length = "18446744073709551616"}, CNT_malformed},
		{{.length = "-0"}, CNT_malformed},
		{{.sent_by = "edge.example.com:0000000000005060"}, CNT_final},
		{{.sent_by = "edge.example.com:00000000000005060"}, CNT_malformed},
		{{.sent_by = "edge.example.com:0"}, CNT_malformed},
		{{.sent_by = "edge.example.com:65536"}, CNT_malformed},
		{{.sent_by = "edge.example.com:70596"}, CNT_malformed}, /* 5060 in 16 bits */
		{{.sent_by = "edge.example.com:2147488708"}, CNT_malformed},
		{{.sent_by = "edge.example.com:4294972355"}, CNT_malformed},
		{{.sent_by = "edge.example.com:4294972356"}, CNT_malformed}, /* 5060 in 32 bits */
		{{.sent_by = "edge.example.com:4294972357"}, CNT_malformed},
		{{.sent_by = "edge.example.com:18446744073709556676"}, CNT_malformed},
		{{.status = "0200 OK"}, CNT_malformed},
		{{.status = "2000 OK"}, CNT_malformed},
		{{.status = "099 OK"}, CNT_malformed},
		{{.status = "700 OK"}, CNT_malformed},
		{{.status = "65736 OK"}, CNT_malformed}, /* 200 in 16 bits */
		{{.status = "4294967496 OK"}, CNT_malformed},
		{{.status = "00000000000000000200 OK"}, CNT_malformed},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
		number(&table[i].fields, table[i].counter);
}

/* 20 and 400 digits: nines, and zeros with the right number at the end. */
static void rule_10_hundreds_of_digits(void **state)
{
	static const struct {
		size_t digits;
		const char *right[4]; /* CSeq, Content-Length, port, status */
	} table[] = {{20, {"1", "0", "5060", "200"}}, {400, {"1", "0", "5060", "200"}}};
	char digits[420], sent_by[448];

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		size_t n = table[i & 1].digits;
		const char *right = table[i & 1].right[i >> 1 & 3];

		memset(digits, i < 8 ? '9' : '0', n);
		digits[n] = 0;
		if (i >= 8)
			memcpy(digits + n - strlen(right), right, strlen(right));
		snprintf(sent_by, sizeof(sent_by), "edge.example.com:%s", digits);
		switch (i >> 1 & 3) {
		case 0:
			number(&(struct fields){.cseq = digits}, CNT_malformed);
			break;
		case 1:
			number(&(struct fields){.length = digits}, CNT_malformed);
			break;
		case 2:
			number(&(struct fields){.sent_by = sent_by}, CNT_malformed);
			break;
		default:
			number(&(struct fields){.status = digits}, CNT_malformed);
		}
	}
}

#define ATTACK(function) cmocka_unit_test_setup_teardown(function, hold, let_go)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATTACK(rule_01_02_03_07_guessed_branch), ATTACK(rule_02_17_guessed_requests),
		ATTACK(rule_31_other_address),		 ATTACK(rule_25_thousands_of_branches),
		ATTACK(test_two_edges_two_keys),	 ATTACK(rule_14_40_branch_lengths),
		ATTACK(rule_40_ten_thousand_vias),	 ATTACK(rule_04_40_vias_in_a_slot),
		ATTACK(rule_33_34_all_line_ends),	 ATTACK(rule_10_41_overlong_numbers),
		ATTACK(rule_10_hundreds_of_digits),
	};

	return cmocka_run_group_tests_name("prog: attacks", tests, up, down);
}
