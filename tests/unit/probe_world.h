/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For the tests of probes: a clock, a wire, a map of keys and slots alone. */
#ifndef PROBE_WORLD_H
#define PROBE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "../../user/siprtxd/probe.c"

#define SLOTS	  1100
#define CALL	  0 /* the INVITE's slot */
#define START	  (1000 * MS)
#define LOG	  4096
#define SNAPSHOTS 64

struct told {
	char what; /* s(ent), a(nswered), m(issed), l(ost) */
	uint16_t code;
	uint64_t ms;
};

/* What outlives the controller. */
struct maps {
	struct siprtx_slot slots[SLOTS];
	__u32 below[2 * SLOTS];
	__u64 free_head;
	__u64 txn[SLOTS]; /* the map txns: those with `used` */
	struct siprtx_key key[SLOTS];
	bool used[SLOTS];
};

static struct world {
	struct maps m;
	struct siprtx_in_force in_force;
	struct siprtx_hash_key hash_key;
	__u64 stats[MAX_STATS];
	struct probes *p;
	uint64_t now;
	int send_error, key_error;
	bool hold_descriptors;
	unsigned in_flight[SLOTS];
	struct told told[LOG];
	unsigned n_told, n_made;
	bool end_when_told, unwanted;
	struct maps *snapshot; /* of each moment at which a controller may be killed, while not NULL */
	unsigned n_snapshots;
} w;

static inline void snap(void)
{
	if (w.snapshot && w.n_snapshots < SNAPSHOTS)
		w.snapshot[w.n_snapshots++] = w.m;
}

static inline void tell(char what, const struct siprtx_gateway_key *gateway, uint16_t code)
{
	struct siprtx_gateway_key copy = *gateway;

	assert_true(w.n_told < LOG);
	w.told[w.n_told++] = (struct told){what, code, (w.now - START) / MS};
	if (w.end_when_told && what != 's')
		probes_end(w.p, &copy);
}

static inline int keys(void)
{
	int n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		n += w.m.used[i];
	return n;
}

static inline int key_at(const struct siprtx_key *key)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (w.m.used[i] && !memcmp(&w.m.key[i], key, sizeof(*key)))
			return (int)i;
	return -1;
}

/* What goes out is whole, and its answer would be found. */
static inline int fake_send(void *ctx, uint32_t slot)
{
	const struct siprtx_slot *s = &w.m.slots[slot];
	struct siprtx_key key;
	struct sip_msg m;
	int at;

	(void)ctx;
	snap();
	if (w.in_flight[slot])
		return -EAGAIN;
	if (w.send_error)
		return w.send_error;
	assert_int_equal(s->kind, KIND_PROBE);
	assert_int_equal(s->method, SIP_OPTIONS);
	assert_int_equal(word_state(s->word), ST_CALLING);
	assert_int_equal(s->sends, 0);
	assert_int_equal(sip_scan(s, s->sip_off, s->sip_off + s->sip_len, &m), SIP_OK);
	assert_int_equal(m.method, SIP_OPTIONS);
	assert_int_equal(m.cseq, s->cseq);
	sip_key(s, &m, SIP_OPTIONS, &w.hash_key, &key);
	assert_memory_equal(&key, &s->key, sizeof(key));
	at = key_at(&key);
	assert_true(at >= 0);
	assert_int_equal(w.m.txn[at], txn_at(slot, word_gen(s->word), 0));
	assert_true(w.in_force.captured_methods & 1 << SIP_OPTIONS);
	w.in_flight[slot] += w.hold_descriptors;
	return 0;
}

static inline bool fake_in_flight(void *ctx, uint32_t slot)
{
	(void)ctx;
	return w.in_flight[slot];
}

static inline void fake_made(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
	w.n_made++;
	snap();
}

static inline int fake_add_key(void *ctx, const struct siprtx_key *key, uint32_t slot, uint32_t gen)
{
	int at = key_at(key);

	(void)ctx;
	snap();
	if (w.key_error)
		return w.key_error;
	for (unsigned i = 0; i < SLOTS && at < 0; i++)
		if (!w.m.used[i])
			at = (int)i;
	assert_true(at >= 0);
	w.m.used[at] = true;
	w.m.key[at] = *key;
	w.m.txn[at] = txn_at(slot, gen, 0);
	snap();
	return 0;
}

static inline void fake_remove_key(void *ctx, const struct siprtx_key *key)
{
	int at = key_at(key);

	(void)ctx;
	snap();
	if (at >= 0)
		w.m.used[at] = false;
	snap();
}

static inline void fake_sent(void *ctx, const struct siprtx_gateway_key *gateway)
{
	(void)ctx;
	snap();
	tell('s', gateway, 0);
}

static inline void fake_answered(void *ctx, const struct siprtx_gateway_key *gateway, uint16_t code, uint64_t now)
{
	(void)ctx;
	assert_int_equal(now, w.now);
	tell('a', gateway, code);
}

static inline void fake_missed(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now)
{
	(void)ctx, (void)now;
	tell('m', gateway, 0);
}

static inline void fake_lost(void *ctx, const struct siprtx_gateway_key *gateway, uint64_t now)
{
	(void)ctx, (void)now;
	tell('l', gateway, 0);
}

static const struct probe_ops ops = {
	.send = fake_send,
	.in_flight = fake_in_flight,
	.made = fake_made,
	.add_key = fake_add_key,
	.remove_key = fake_remove_key,
	.sent = fake_sent,
	.answered = fake_answered,
	.missed = fake_missed,
	.lost = fake_lost,
};

/* An INVITE to 10.77.(2 + n / 250).(n % 250). */
static inline void put_invite(uint32_t slot, unsigned n)
{
	struct siprtx_slot *s = &w.m.slots[slot];
	uint8_t *ip = (uint8_t *)s + SLOT_L3;

	memset((char *)s + sizeof(s->word), 0, sizeof(*s) - sizeof(s->word));
	ip[0] = 0x45;
	ip[8] = 63;
	ip[9] = 17;
	s->saddr[10] = s->saddr[11] = s->daddr[10] = s->daddr[11] = 0xff;
	memcpy(s->saddr + 12, "\x0a\x4d\x01\x02", 4);
	memcpy(s->daddr + 12, (uint8_t[]){10, 77, 2 + n / 250, n % 250}, 4);
	memcpy(ip + 12, s->saddr + 12, 4);
	memcpy(ip + 16, s->daddr + 12, 4);
	s->sport = 5062;
	s->dport = 5060;
	s->outside = 1;
	s->egress = 8;
	s->first_ns = 77;
	s->frame_off = SLOT_L3 - 14;
	s->l4_off = SLOT_L3 + 20;
	s->sip_off = SLOT_L3 + 28;
	s->sip_len = sprintf((char *)s + s->sip_off, "INVITE sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP "
						     "10.77.1.2:5062;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
						     "To: <sip:c@d>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n");
	s->frame_len = s->sip_off + s->sip_len - s->frame_off;
	s->word = (uint64_t)word_gen(s->word) << 32 | ST_CALLING;
}

static inline void boot(void)
{
	const struct probe_env env = {.slots = w.m.slots,
				      .n_slots = SLOTS,
				      .in_force = &w.in_force,
				      .hash_key = &w.hash_key,
				      .free = {w.m.below, &w.m.free_head},
				      .stats = w.stats,
				      .ops = &ops};

	w.p = probes_new(&env);
	assert_non_null(w.p);
}

static inline int setup(void **state)
{
	(void)state;
	probes_free(w.p);
	memset(&w, 0, sizeof(w));
	w.now = START;
	w.in_force.tunables[TUN_probe] = 8000;
	srandom(3261);
	for (unsigned i = 0; i < KEY_WORDS; i++)
		w.hash_key.k[i] = random();
	for (uint32_t i = 1; i < SLOTS; i++)
		w.m.below[2 * i] = i + 1 < SLOTS ? i + 2 : 0;
	w.m.free_head = 2;
	w.m.slots[CALL].word = 5ull << 32;
	put_invite(CALL, 2);
	boot();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	probes_free(w.p);
	w.p = NULL;
	return 0;
}

static inline unsigned free_slots(void)
{
	const struct free_list list = {w.m.below, &w.m.free_head};
	unsigned n = 0;

	for (int64_t at = free_list_below(&list, -1); at >= 0; at = free_list_below(&list, at))
		n++;
	return n;
}

static inline void run_until(uint64_t ms)
{
	uint64_t end = START + ms * MS;

	while (probes_next(w.p) <= end) {
		if (probes_next(w.p) > w.now)
			w.now = probes_next(w.p);
		assert_int_equal(probes_run(w.p, w.now), 0);
	}
	w.now = end;
	assert_int_equal(probes_run(w.p, w.now), 0);
}

static inline struct siprtx_gateway_key gateway(void)
{
	return gateway_of(&w.m.slots[CALL]);
}

static inline bool known(void)
{
	struct siprtx_gateway_key key = gateway();

	return probes_has(w.p, &key);
}

/* The one slot of a probe there is. */
static inline struct siprtx_slot *only(void)
{
	struct siprtx_slot *found = NULL;

	for (unsigned i = 0; i < SLOTS; i++) {
		if (w.m.slots[i].kind != KIND_PROBE || word_state(w.m.slots[i].word) == ST_FREE)
			continue;
		assert_null(found);
		found = &w.m.slots[i];
	}
	assert_non_null(found);
	return found;
}

/* As the XDP program does it. */
static inline struct siprtx_note move(struct siprtx_slot *s, uint32_t state, uint16_t code)
{
	s->word = word_moved(s->word, state, STAGE_NOTHING, code);
	return (struct siprtx_note){
		.ns = w.now, .word = s->word, .slot = s - w.m.slots, .kind = NOTE_MOVED, .code = code};
}

static inline void answer(uint16_t code)
{
	struct siprtx_note n = move(only(), code < 200 ? ST_PROCEEDING : ST_COMPLETED, code);

	probes_note(w.p, &n, w.now);
}

static inline void begin(void)
{
	assert_int_equal(probes_begin(w.p, CALL, w.now), 0);
}

/* How often it was told of, from the entry `from` on. */
static inline unsigned count(char what, unsigned from)
{
	unsigned n = 0;

	for (unsigned i = from; i < w.n_told; i++)
		n += w.told[i].what == what;
	return n;
}

static inline void expect_over(void)
{
	assert_false(known());
	assert_int_equal(probes_held(w.p), 0);
	assert_int_equal(free_slots(), SLOTS - 1);
	assert_int_equal(keys(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
