// SPDX-License-Identifier: GPL-2.0-or-later
/* INVITEs to a gateway that is bypassed: at XDP of the inside and at TC egress. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "one_edge.h"
#include "sip_msg.h"
#include "slot.h"

static char message[2048];
static struct frame frame;

static int up_inside(void **state)
{
	(void)state;
	edge_up(&edge, NULL);
	return 0;
}

static int up_egress(void **state)
{
	char *more[] = {"siprtx.capture=egress", NULL};

	(void)state;
	edge_up(&edge, more);
	return 0;
}

static void bypass(uint32_t bypass, uint16_t port)
{
	struct siprtx_gateway value = {.profile = NO_PROFILE, .bypass = bypass};
	struct siprtx_gateway_key key = {.addr = {[10] = 0xff, [11] = 0xff}, .port = port};

	inet_pton(AF_INET, GATEWAY, key.addr + 12);
	assert_int_equal(bpf_map_update_elem(edge.pins.fd[PIN_gateways], &key, &value, BPF_ANY), 0);
	memset(key.addr, 0, sizeof(key.addr));
	inet_pton(AF_INET6, GATEWAY6, key.addr);
	assert_int_equal(bpf_map_update_elem(edge.pins.fd[PIN_gateways], &key, &value, BPF_ANY), 0);
}

/* True: it went no further. */
static bool dropped(const struct shape *shape)
{
	struct __sk_buff skb = {.ifindex = edge.out_ifindex, .ingress_ifindex = edge.in_ifindex};
	int verdict;

	frame_build(&frame, shape, message, strlen(message));
	if (edge.inside >= 0) {
		verdict = run(edge.inside, &frame, NULL);
		assert_true(verdict == PASS || verdict == DROP);
		return verdict == DROP;
	}
	verdict = run_skb(edge.egress, &frame, NULL, &skb);
	assert_true(verdict == TC_ACT_UNSPEC || verdict == TC_ACT_STOLEN);
	return verdict == TC_ACT_STOLEN;
}

static bool invite_dropped(const char *branch)
{
	make_invite(message, sizeof(message), branch, 1, NULL);
	return dropped(&(struct shape){0});
}

/* A request of the softswitch with this branch, made of the INVITE. */
static bool request_dropped(const char *method, const char *branch)
{
	char invite[2048], *uri, *cseq;

	make_invite(invite, sizeof(invite), branch, 1, NULL);
	uri = invite + sizeof("INVITE") - 1;
	cseq = strstr(invite, "CSeq: 1 INVITE") + sizeof("CSeq: 1 ") - 1;
	snprintf(message, sizeof(message), "%s%.*s%s%s", method, (int)(cseq - uri), uri, method,
		 cseq + sizeof("INVITE") - 1);
	return dropped(&(struct shape){0});
}

/* The INVITE with another To. */
static bool to_dropped(const char *branch, const char *to)
{
	char invite[2048], *at, *end;

	make_invite(invite, sizeof(invite), branch, 1, NULL);
	at = strstr(invite, "\r\nTo:") + 2;
	end = strstr(at, "\r\n");
	snprintf(message, sizeof(message), "%.*sTo: %s%s", (int)(at - invite), invite, to, end);
	return dropped(&(struct shape){0});
}

static struct siprtx_slot *refused(const char *branch)
{
	struct siprtx_slot *s;

	bypass(BYPASS_REFUSED, 5060);
	assert_true(invite_dropped(branch));
	s = last_captured(&edge);
	assert_non_null(s);
	assert_int_equal(s->bypass, BYPASS_REFUSED);
	counters_clear(&edge);
	return s;
}

static uint64_t stale(void)
{
	uint64_t beat = edge.pins.meta->heartbeat[0];

	edge.pins.meta->heartbeat[0] = now_ns() - HEARTBEAT_NS - 1000000;
	return beat;
}

static void rule_51_dropped_and_held(void **state)
{
	const struct shape shapes[] = {{0}, {.v6 = true}};
	struct siprtx_slot *s;

	(void)state;
	bypass(BYPASS_REFUSED, 5060);
	for (unsigned i = 0; i < 2; i++) {
		counters_clear(&edge);
		make_invite(message, sizeof(message), i ? "z9hG4bKd6" : "z9hG4bKd4", 1, NULL);
		assert_true(dropped(&shapes[i]));
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_equal(s->bypass, BYPASS_REFUSED);
		assert_int_equal(word_state(s->word), ST_CALLING);
		assert_int_not_equal(s->ingress, 0);
		assert_int_equal(s->sip_len, strlen(message));
		assert_memory_equal((char *)s + s->sip_off, message, s->sip_len);
		assert_int_equal(counter(&edge, CNT_refused), 1);
		assert_int_equal(counter(&edge, CNT_captured), 0);
	}
	/* another port of the same address is another gateway */
	counters_clear(&edge);
	make_invite(message, sizeof(message), "z9hG4bKport", 1, NULL);
	assert_false(dropped(&(struct shape){.sport = 5060, .dport = 5060, .dst = "10.77.2.3"}));
	last_captured(&edge);
}

static void rule_51_what_passes(void **state)
{
	static const struct {
		const char *branch, *to;
	} in_dialog[] = {{"z9hG4bKt1", "<sip:b@h>;tag=x"},
			 {"z9hG4bKt2", "\"B\" <sip:b@h>;x=1 ; TAG = y"},
			 {"z9hG4bKt3", "\"B <sip:b@h>"}, /* unreadable */
			 {"z9hG4bKt4", "<sip:b@h>;tag=1;tag=2"}};
	struct siprtx_slot *s;
	uint64_t beat, alive;

	(void)state;
	bypass(BYPASS_REFUSED, 5060);
	for (unsigned i = 0; i < sizeof(in_dialog) / sizeof(*in_dialog); i++) {
		assert_false(to_dropped(in_dialog[i].branch, in_dialog[i].to));
		s = last_captured(&edge);
		assert_non_null(s);
		assert_int_equal(s->bypass, BYPASS_NONE);
	}
	assert_true(to_dropped("z9hG4bKt5", "<sip:b@h;tag=u>"));
	last_captured(&edge);
	for (unsigned i = 0; i < 2; i++) {
		edge.pins.in_force->tunables[TUN_methods] = i ? METHODS_ALL : 0;
		assert_false(request_dropped("BYE", "z9hG4bKbye"));
		assert_false(request_dropped("CANCEL", "z9hG4bKcan"));
		assert_false(request_dropped("ACK", "z9hG4bKack"));
		assert_false(request_dropped("OPTIONS", "z9hG4bKopt"));
		s = last_captured(&edge);
		assert_int_equal(!!s, i);
		assert_int_equal(s ? s->bypass : 0, BYPASS_NONE);
	}
	edge.pins.in_force->tunables[TUN_methods] = 0;
	/* nobody would answer it */
	beat = stale();
	assert_false(invite_dropped("z9hG4bKs1"));
	s = last_captured(&edge);
	assert_non_null(s);
	assert_int_equal(s->bypass, BYPASS_NONE);
	edge.pins.meta->heartbeat[0] = 0;
	assert_false(invite_dropped("z9hG4bKs2"));
	edge.pins.meta->heartbeat[0] = beat;
	last_captured(&edge);
	alive = edge.pins.meta->alive_ns;
	edge.pins.meta->alive_ns = now_ns() - ALIVE_NS - 1;
	assert_false(invite_dropped("z9hG4bKs3"));
	edge.pins.meta->alive_ns = alive;
	assert_null(last_captured(&edge));
	/* numbers of no meaning */
	bypass(7, 5060);
	assert_false(invite_dropped("z9hG4bKs4"));
	assert_int_equal(last_captured(&edge)->bypass, BYPASS_NONE);
	assert_int_equal(counter(&edge, CNT_cancel), 0);
}

static void rule_51_fast_passes(void **state)
{
	struct siprtx_slot *s;

	(void)state;
	bypass(BYPASS_FAST, 5060);
	assert_false(invite_dropped("z9hG4bKf1"));
	s = last_captured(&edge);
	assert_non_null(s);
	assert_int_equal(s->bypass, BYPASS_FAST);
	assert_false(to_dropped("z9hG4bKf2", "<sip:b@h>;tag=x"));
	assert_int_equal(last_captured(&edge)->bypass, BYPASS_NONE);
}

/* Without a slot it is nobody's to answer. */
static void rule_51_not_where_it_cannot_be_held(void **state)
{
	__u64 head = *edge.pins.free_head;
	struct siprtx_slot *s;
	char branch[32];
	unsigned n = 0;

	(void)state;
	bypass(BYPASS_REFUSED, 5060);
	*edge.pins.free_head = head & 0xffffffff00000000ull;
	while (n++ < 3) { /* the CPU may have one in its hand */
		snprintf(branch, sizeof(branch), "z9hG4bKno%u", n);
		if (!invite_dropped(branch))
			break;
		last_captured(&edge);
	}
	assert_in_range(n, 1, 2);
	assert_int_equal(counter(&edge, CNT_no_slot), 1);
	*edge.pins.free_head = head;
	s = last_captured(&edge);
	assert_null(s);
}

static void rule_51_copies_wait_for_the_answer(void **state)
{
	struct siprtx_slot *s = refused("z9hG4bKw1");
	uint64_t word = s->word, beat;

	(void)state;
	/* one seen twice, and one half a second later */
	assert_true(invite_dropped("z9hG4bKw1"));
	s->first_ns -= 500000000;
	assert_true(invite_dropped("z9hG4bKw1"));
	assert_int_equal(counter(&edge, CNT_refused), 2);
	/* ended by the controller, its reply not under way */
	s->word = word_moved(word, ST_TERMINATED, STAGE_NOTHING, 0) | END_GATEWAY_DOWN << 12;
	assert_true(invite_dropped("z9hG4bKw1"));
	/* answered */
	s->word |= WORD_REPLIED;
	assert_true(invite_dropped("z9hG4bKw1"));
	assert_int_equal(counter(&edge, CNT_repeat_answered), 1);
	assert_true(request_dropped("ACK", "z9hG4bKw1"));
	assert_false(request_dropped("CANCEL", "z9hG4bKw1"));
	beat = stale();
	assert_false(invite_dropped("z9hG4bKw1"));
	assert_false(request_dropped("ACK", "z9hG4bKw1"));
	edge.pins.meta->heartbeat[0] = beat;
	assert_int_equal(s->word,
			 word_moved(word, ST_TERMINATED, STAGE_NOTHING, 0) | END_GATEWAY_DOWN << 12 | WORD_REPLIED);
	/* sent on: an ordinary one */
	s->bypass = BYPASS_NONE;
	s->word = word;
	assert_false(invite_dropped("z9hG4bKw1"));
	assert_int_equal(counter(&edge, CNT_copy_passed), 1);
	last_captured(&edge);
}

static void rule_51_copies_pass_where_nobody_is_there(void **state)
{
	const uint32_t ended[] = {0, END_GATEWAY_DOWN};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *branch = i ? "z9hG4bKn1" : "z9hG4bKn0";
		struct siprtx_slot *s = refused(branch);
		uint64_t beat = stale(), word;

		if (ended[i])
			s->word = word_moved(s->word, ST_TERMINATED, STAGE_NOTHING, 0) | (uint64_t)ended[i] << 12;
		word = s->word;
		s->first_ns -= 1500000000;
		assert_false(invite_dropped(branch));
		assert_int_equal(s->word, word | WORD_YIELD);
		assert_int_not_equal(s->copy_ns, 0);
		assert_int_equal(counter(&edge, CNT_copy_passed), 1);
		edge.pins.meta->heartbeat[0] = beat;
		/* and from then on, for the gateway has it; a CANCEL ends it */
		assert_false(invite_dropped(branch));
		assert_false(request_dropped("CANCEL", branch));
		assert_int_equal(word_end(s->word), i ? END_GATEWAY_DOWN : END_CANCELLED);
		last_captured(&edge);
	}
}

/* It gets its answer, and the CANCEL one from a gateway that knows nothing of it. */
static void rule_51_cancel_before_the_answer(void **state)
{
	struct siprtx_slot *s = refused("z9hG4bKc1");
	uint64_t word = s->word;

	(void)state;
	assert_false(request_dropped("CANCEL", "z9hG4bKc1"));
	assert_int_equal(s->word, word);
	assert_int_equal(counter(&edge, CNT_cancel), 0);
	last_captured(&edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_51_dropped_and_held),
		cmocka_unit_test(rule_51_what_passes),
		cmocka_unit_test(rule_51_fast_passes),
		cmocka_unit_test(rule_51_not_where_it_cannot_be_held),
		cmocka_unit_test(rule_51_copies_wait_for_the_answer),
		cmocka_unit_test(rule_51_copies_pass_where_nobody_is_there),
		cmocka_unit_test(rule_51_cancel_before_the_answer),
	};
	int failed = cmocka_run_group_tests_name("inside", tests, up_inside, down);

	return failed + cmocka_run_group_tests_name("egress", tests, up_egress, down);
}
