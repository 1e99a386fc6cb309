// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of a reply: a clock, a wire and slots alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/siprtxd/reply.c"

#define SLOTS 4
#define START (1000 * MS)
#define CALL  0 /* the INVITE's slot */
#define PORT  (MAX_OUTSIDE + 1)

static struct world {
	struct siprtx_slot slots[SLOTS];
	__u32 below[2 * SLOTS];
	__u64 free_head;
	struct siprtx_in_force in_force;
	__u64 stats[MAX_STATS];
	struct replies *r;
	uint64_t now;
	int send_error;
	bool hold_descriptors;
	unsigned in_flight[SLOTS];
	uint64_t sent_ms[64];
	char first[8][32]; /* how what was sent begins */
	unsigned n_sent, n_over, n_late, n_recorded;
	unsigned recorded[4], delay_ms[4];
	unsigned n_refused[2]; /* not sent, sent */
} w;

static int fake_send(void *ctx, uint32_t slot)
{
	(void)ctx;
	if (w.in_flight[slot])
		return -EAGAIN;
	if (w.send_error)
		return w.send_error;
	if (w.n_sent < 8)
		memcpy(w.first[w.n_sent], (char *)&w.slots[slot] + w.slots[slot].sip_off, sizeof(w.first[0]));
	w.sent_ms[w.n_sent++] = (w.now - START) / MS;
	w.in_flight[slot] += w.hold_descriptors;
	return 0;
}

static bool fake_in_flight(void *ctx, uint32_t slot)
{
	(void)ctx;
	return w.in_flight[slot];
}

static void fake_event(void *ctx, uint32_t slot, const struct transaction_event *e)
{
	(void)ctx, (void)slot;
	w.n_late += e->kind == EV_LATE;
}

static void fake_made(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
}

static int fake_way_back(void *ctx, const struct siprtx_slot *invite, const uint8_t **mac)
{
	(void)ctx;
	*mac = (const uint8_t *)"\2\0\0\0\1\1";
	return invite->ingress == 7 ? PORT : -1;
}

static void fake_late(void *ctx, uint32_t slot, uint16_t code, uint64_t now, uint64_t delay_ns)
{
	(void)ctx, (void)now;
	assert_int_equal(slot, CALL);
	w.recorded[w.n_recorded % 4] = code;
	w.delay_ms[w.n_recorded++ % 4] = delay_ns / MS;
}

static void fake_over(void *ctx, uint32_t slot)
{
	(void)ctx;
	assert_int_equal(slot, CALL);
	w.n_over++;
}

static void fake_refused(void *ctx, uint32_t slot, bool sent)
{
	(void)ctx;
	assert_int_equal(slot, CALL);
	assert_int_equal(replies_code(w.r, CALL), sent ? 503 : 0);
	w.n_refused[sent]++;
}

static const struct reply_ops ops = {fake_send,	    fake_in_flight, fake_event, fake_made,
				     fake_way_back, fake_late,	    fake_over,	fake_refused};

static void put_message(struct siprtx_slot *s, const char *start, const char *more)
{
	uint8_t *ip = (uint8_t *)s + SLOT_L3;

	ip[0] = 0x45;
	s->frame_off = SLOT_L3 - 14;
	s->l4_off = SLOT_L3 + 20;
	s->sip_off = SLOT_L3 + 28;
	s->sip_len = sprintf(
		(char *)s + s->sip_off,
		"%s\r\nVia: SIP/2.0/UDP 10.77.1.2;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>%s\r\n"
		"Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n",
		start, more);
}

static void boot(void)
{
	const struct reply_env env = {.slots = w.slots,
				      .n_slots = SLOTS,
				      .in_force = &w.in_force,
				      .free = {w.below, &w.free_head},
				      .stats = w.stats,
				      .since_ns = w.now,
				      .ops = &ops};

	w.r = replies_new(&env);
	assert_non_null(w.r);
}

/* An INVITE that has just been exhausted in slot 0, the others free. */
static int setup(void **state)
{
	struct siprtx_slot *s = &w.slots[CALL];

	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = START;
	memcpy(w.in_force.profiles, builtin_profile, sizeof(builtin_profile));
	w.in_force.tunables[TUN_remember] = 32000;
	for (uint32_t i = 1; i < SLOTS; i++)
		w.below[2 * i] = i + 1 < SLOTS ? i + 2 : 0;
	w.free_head = 2;
	put_message(s, "INVITE sip:c@d SIP/2.0", "");
	s->ingress = 7;
	s->profile = 2; /* fast-failover: 0.5,1,2,4,4,4 */
	s->word = 5ull << 32 | ST_TERMINATED | END_NO_RESPONSE << 12;
	boot();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replies_free(w.r);
	return 0;
}

static unsigned free_slots(void)
{
	const struct free_list list = {w.below, &w.free_head};
	unsigned n = 0;

	for (int64_t at = free_list_below(&list, -1); at >= 0; at = free_list_below(&list, at))
		n++;
	return n;
}

static void run_until(uint64_t ms)
{
	uint64_t end = START + ms * MS;

	while (replies_next(w.r) <= end) {
		if (replies_next(w.r) > w.now)
			w.now = replies_next(w.r);
		assert_int_equal(replies_run(w.r, w.now), 0);
	}
	w.now = end;
}

static void note(uint16_t kind, uint16_t code)
{
	const struct siprtx_note n = {
		.ns = w.now, .word = w.slots[CALL].word, .slot = CALL, .kind = kind, .code = code};

	replies_note(w.r, &n, w.now);
}

/* A late final as XDP hands it over, in the slot on top of the free list. */
static void late_final_in(uint16_t code, uint64_t ns)
{
	const struct free_list list = {w.below, &w.free_head};
	int64_t slot = slot_obtain(&list);
	struct siprtx_late_final n = {.note = {.ns = ns,
					       .word = w.slots[CALL].word,
					       .slot = CALL,
					       .kind = NOTE_REPLY_LATE_FINAL,
					       .code = code}};

	assert_true(slot > 0);
	put_message(&w.slots[slot], "SIP/2.0 486 Busy Here", ";tag=g");
	n.response = slot;
	replies_note(w.r, &n.note, w.now);
}

static void expect_sent(unsigned n, const uint64_t *ms)
{
	assert_int_equal(w.n_sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(w.sent_ms[i], ms[i]);
}
#define EXPECT_SENT(...)                                                                                               \
	do {                                                                                                           \
		const uint64_t due_ms[] = {__VA_ARGS__};                                                               \
		expect_sent(sizeof(due_ms) / sizeof(*due_ms), due_ms);                                                 \
	} while (0)

static bool flagged(uint32_t flag)
{
	return w.slots[CALL].word & flag;
}

static void expect_over(void)
{
	assert_int_equal(w.n_over, 1);
	assert_int_equal(free_slots(), SLOTS - 1);
	assert_int_equal(w.stats[STAT_reply_slots], 0);
	assert_false(flagged(WORD_REPLIED | WORD_CANCELLED));
	assert_int_equal(replies_code(w.r, CALL), 0);
}

static void rule_50_timer_g_and_h(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 503, w.now));
	assert_true(flagged(WORD_REPLIED));
	assert_int_equal(replies_code(w.r, CALL), 503);
	assert_memory_equal(w.first[0], "SIP/2.0 503 Service Unavailable", 31);
	run_until(31999);
	assert_int_equal(w.n_over, 0);
	EXPECT_SENT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	run_until(60000);
	assert_int_equal(w.n_sent, 11);
	expect_over();
}

static void rule_50_ack_ends_the_repeats(void **state)
{
	(void)state;
	w.hold_descriptors = true;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	note(NOTE_REPLY_ACKED, 0);
	/* the kernel still has the frame */
	assert_int_equal(free_slots(), SLOTS - 2);
	w.in_flight[1] = 0;
	replies_sent(w.r, 1);
	assert_int_equal(free_slots(), SLOTS - 1);
	note(NOTE_REPLY_ACKED, 0);
	note(NOTE_REPLY_REPEAT, 0);
	run_until(31999);
	EXPECT_SENT(0);
	assert_int_equal(w.stats[STAT_replies_acked], 1);
	assert_true(flagged(WORD_REPLIED));
	run_until(32001);
	expect_over();
}

static void rule_50_not_without_a_slot(void **state)
{
	(void)state;
	w.free_head = 0;
	assert_false(replies_begin(w.r, CALL, 408, w.now));
	assert_false(flagged(WORD_REPLIED));
	assert_int_equal(replies_code(w.r, CALL), 0);
	assert_int_equal(w.stats[STAT_not_replied], 1);
}

static void rule_50_not_where_it_cannot_be_sent(void **state)
{
	(void)state;
	w.send_error = -ENETDOWN;
	assert_false(replies_begin(w.r, CALL, 408, w.now));
	assert_false(flagged(WORD_REPLIED));
	w.slots[CALL].ingress = 8;
	assert_false(replies_begin(w.r, CALL, 408, w.now));
	assert_int_equal(free_slots(), SLOTS - 1);
	assert_int_equal(w.stats[STAT_not_replied], 2);
	assert_int_equal(w.n_over, 0);
}

static void rule_50_no_room_at_first(void **state)
{
	(void)state;
	w.send_error = -EAGAIN;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	assert_false(flagged(WORD_REPLIED));
	run_until(100);
	w.send_error = 0;
	run_until(650);
	EXPECT_SENT(105, 605);
	assert_true(flagged(WORD_REPLIED));
	/* and never any: given up */
	teardown(NULL);
	setup(NULL);
	w.send_error = -EAGAIN;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	run_until(1100);
	expect_over();
	assert_int_equal(w.stats[STAT_not_replied], 1);
}

static void rule_50_link_lost_later(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	w.send_error = -ENETDOWN;
	run_until(600);
	assert_false(flagged(WORD_REPLIED));
	w.send_error = 0;
	run_until(1100);
	assert_true(flagged(WORD_REPLIED));
	EXPECT_SENT(0, 1000);
}

static void rule_50_cancel(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	note(NOTE_REPLY_ACKED, 0);
	assert_false(flagged(WORD_CANCELLED));
	note(NOTE_REPLY_LATE, 180);
	assert_true(flagged(WORD_CANCELLED));
	assert_memory_equal(w.first[1], "CANCEL sip:c@d SIP/2.0", 22);
	run_until(20);
	note(NOTE_REPLY_LATE, 183);
	run_until(25000);
	EXPECT_SENT(0, 0, 500, 1500, 3500, 7500, 11500, 15500);
	assert_int_equal(w.stats[STAT_reply_slots], 0);
	assert_int_equal(w.n_late, 2);
	/* the first 1xx alone is a record (rule 24) */
	assert_int_equal(w.n_recorded, 1);
	assert_int_equal(w.recorded[0], 180);
	note(NOTE_REPLY_LATE, 180);
	assert_int_equal(w.n_sent, 8);
}

static void rule_50_cancel_answered(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	note(NOTE_REPLY_ACKED, 0);
	note(NOTE_REPLY_LATE, 100);
	note(NOTE_REPLY_CANCEL_OK, 200);
	assert_int_equal(free_slots(), SLOTS - 1);
	late_final_in(487, w.now);
	run_until(20000);
	EXPECT_SENT(0, 0, 0);
	assert_memory_equal(w.first[2], "ACK sip:c@d SIP/2.0", 19);
	assert_int_equal(w.n_late, 1);
	assert_int_equal(w.stats[STAT_late_acks], 1);
}

static void rule_50_ack_slot_comes_back(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	note(NOTE_REPLY_ACKED, 0);
	w.hold_descriptors = true;
	late_final_in(486, w.now);
	assert_int_equal(free_slots(), SLOTS - 2);
	assert_int_equal(w.stats[STAT_reply_slots], 1);
	for (uint32_t i = 1; i < SLOTS; i++) {
		w.in_flight[i] = 0;
		replies_sent(w.r, i);
	}
	assert_int_equal(free_slots(), SLOTS - 1);
	w.send_error = -EAGAIN;
	late_final_in(486, w.now);
	assert_int_equal(free_slots(), SLOTS - 1);
	/* of a call that is not answered here any more */
	w.slots[CALL].word += 1ull << 32;
	late_final_in(486, w.now);
	assert_int_equal(free_slots(), SLOTS - 1);
	assert_int_equal(w.stats[STAT_late_acks], 1);
	/* told of before this process was there: its slot was found again as a lost one */
	late_final_in(486, START - 1);
	assert_int_equal(free_slots(), SLOTS - 2);
}

static void rule_50_late_2xx_ends_it(void **state)
{
	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	note(NOTE_REPLY_LATE, 180);
	assert_int_equal(w.n_sent, 2);
	note(NOTE_REPLY_LATE, 200);
	run_until(31000);
	assert_int_equal(w.n_sent, 2);
	assert_int_equal(free_slots(), SLOTS - 1);
	run_until(33000);
	expect_over();
}

static void rule_50_rings_at_the_end(void **state)
{
	(void)state;
	w.slots[CALL].word |= STAGE_RINGING << 4;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	EXPECT_SENT(0, 0);
	assert_memory_equal(w.first[1], "CANCEL", 6);
}

static void rule_50_new_controller_goes_on(void **state)
{
	uint32_t tag;

	(void)state;
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	run_until(600);
	tag = w.slots[CALL].reply_tag;
	assert_int_not_equal(tag, 0);
	/* what the killed one held was lost, and is found again before anything else */
	slot_free(&(struct free_list){w.below, &w.free_head}, w.slots, 1);
	replies_free(w.r);
	boot();
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	assert_int_equal(w.slots[CALL].reply_tag, tag);
	run_until(2000);
	EXPECT_SENT(0, 500, 605);
	assert_int_equal(w.stats[STAT_replied], 1);
	note(NOTE_REPLY_ACKED, 0);
	replies_free(w.r);
	boot();
	assert_true(replies_begin(w.r, CALL, 408, w.now));
	run_until(31000);
	assert_int_equal(w.n_sent, 3);
	assert_int_equal(w.n_over, 0);
	run_until(32300);
	expect_over();
}

/* As refuse.c leaves it. */
static bool refuse(void)
{
	struct siprtx_slot *s = &w.slots[CALL];

	s->word = 5ull << 32 | ST_TERMINATED | END_GATEWAY_DOWN << 12;
	s->bypass = BYPASS_REFUSED;
	s->retry_after = 7;
	return replies_refuse(w.r, CALL, w.now);
}

static void rule_51_timers_g_h_and_i(void **state)
{
	const char *reply = (char *)&w.slots[1] + SLOT_L3 + 28;

	(void)state;
	assert_true(refuse());
	assert_int_equal(w.n_refused[true], 1);
	assert_true(flagged(WORD_REPLIED));
	assert_memory_equal(w.first[0], "SIP/2.0 503 Service Unavailable", 31);
	assert_non_null(strstr(reply, "\r\nRetry-After: 7\r\n"));
	run_until(600);
	EXPECT_SENT(0, 500);
	/* the reply's slot goes with the ACK, the INVITE's after Timer I */
	note(NOTE_REPLY_ACKED, 0);
	assert_int_equal(free_slots(), SLOTS - 1);
	run_until(3000);
	note(NOTE_REPLY_ACKED, 0);
	run_until(5599);
	assert_int_equal(w.n_over, 0);
	run_until(5600);
	EXPECT_SENT(0, 500);
	expect_over();
	/* without one Timer H */
	teardown(NULL);
	setup(NULL);
	assert_true(refuse());
	run_until(31999);
	assert_int_equal(w.n_over, 0);
	run_until(32000);
	expect_over();
	assert_int_equal(w.n_refused[true], 1);
}

static void rule_51_timer_i_outlives_a_crash(void **state)
{
	(void)state;
	assert_true(refuse());
	note(NOTE_REPLY_ACKED, 0);
	run_until(2000);
	replies_free(w.r);
	boot();
	assert_true(replies_begin(w.r, CALL, 503, w.now));
	run_until(4999);
	assert_int_equal(w.n_over, 0);
	run_until(5000);
	expect_over();
	EXPECT_SENT(0);
	assert_int_equal(w.n_refused[true], 1);
}

/* Nothing is left of it here, and the INVITE goes on. */
static void expect_not_refused(void)
{
	assert_false(flagged(WORD_REPLIED));
	assert_int_equal(replies_code(w.r, CALL), 0);
	assert_int_equal(w.n_refused[true] + w.n_over + w.stats[STAT_replied] + w.stats[STAT_not_replied], 0);
	assert_int_equal(w.stats[STAT_reply_slots], 0);
}

static void rule_51_not_where_it_cannot_be_sent(void **state)
{
	(void)state;
	w.send_error = -ENETDOWN;
	assert_false(refuse());
	expect_not_refused();
	w.send_error = 0;
	w.slots[CALL].ingress = 8;
	assert_false(refuse());
	expect_not_refused();
	assert_int_equal(free_slots(), SLOTS - 1);
	w.slots[CALL].ingress = 7;
	w.free_head = 0;
	assert_false(refuse());
	expect_not_refused();
	assert_int_equal(w.n_refused[false], 0);
}

static void rule_51_no_room_at_first(void **state)
{
	(void)state;
	w.send_error = -EAGAIN;
	assert_true(refuse());
	assert_false(flagged(WORD_REPLIED));
	run_until(100);
	assert_int_equal(w.n_refused[true], 0);
	w.send_error = 0;
	run_until(110);
	EXPECT_SENT(105);
	assert_int_equal(w.n_refused[true], 1);
	/* none by the softswitch's first copy; and the link gone meanwhile */
	for (int i = 0; i < 2; i++) {
		teardown(NULL);
		setup(NULL);
		w.send_error = -EAGAIN;
		assert_true(refuse());
		run_until(i ? 20 : 499);
		assert_int_equal(w.n_refused[false], 0);
		w.send_error = i ? -ENETDOWN : -EAGAIN;
		run_until(i ? 25 : 505);
		assert_int_equal(w.n_refused[false], 1);
		expect_not_refused();
		run_until(40000);
		assert_int_equal(w.n_refused[false], 1);
		assert_int_equal(w.n_sent, 0);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rule_50_timer_g_and_h),
		CASE(rule_50_ack_ends_the_repeats),
		CASE(rule_50_not_without_a_slot),
		CASE(rule_50_not_where_it_cannot_be_sent),
		CASE(rule_50_no_room_at_first),
		CASE(rule_50_link_lost_later),
		CASE(rule_50_cancel),
		CASE(rule_50_cancel_answered),
		CASE(rule_50_ack_slot_comes_back),
		CASE(rule_50_late_2xx_ends_it),
		CASE(rule_50_rings_at_the_end),
		CASE(rule_50_new_controller_goes_on),
		CASE(rule_51_timers_g_h_and_i),
		CASE(rule_51_timer_i_outlives_a_crash),
		CASE(rule_51_not_where_it_cannot_be_sent),
		CASE(rule_51_no_room_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
