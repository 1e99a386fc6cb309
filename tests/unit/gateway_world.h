/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gateways, calls and a clock for the judging of gateways alone. One test program each. */
#ifndef GATEWAY_WORLD_H
#define GATEWAY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/siprtxd/gateway_health.c"
#include "../../user/siprtxd/gateway_tell.c"
#include "../../user/siprtxd/group.c"

#define SLOTS	 64
#define GATEWAYS 3
#define START	 (1000000 * MS)

static struct world {
	struct siprtx_slot slots[SLOTS];
	struct gateway *of[SLOTS]; /* by slot */
	bool in_dialog[SLOTS];
	struct siprtx_in_force in_force;
	struct gateways gateways;
	struct gateway gw[GATEWAYS];
	struct group group;
	__u64 stats[MAX_STATS];
	struct gateway_health *h;
	uint64_t now;
	int probe_error; /* what probe_begin() answers */
	unsigned begun, ended, changes, writes;
	struct {
		uint32_t state, why, in_a_row;
		uint64_t ns;
	} last, before;
} w;

static inline struct gateway *op_gateway(void *ctx, uint32_t slot)
{
	(void)ctx;
	return w.of[slot];
}

static inline bool op_in_dialog(void *ctx, uint32_t slot)
{
	(void)ctx;
	return w.in_dialog[slot];
}

static inline void op_write(void *ctx, struct gateway *gw)
{
	(void)ctx, (void)gw;
	w.writes++;
}

static inline void op_changed(void *ctx, struct gateway *gw, uint32_t in_a_row, uint64_t now)
{
	(void)ctx;
	w.changes++;
	w.before = w.last;
	w.last.state = gw->value.state;
	w.last.why = gw->value.state_why;
	w.last.in_a_row = in_a_row;
	w.last.ns = now;
	assert_int_equal(gw->value.state_ns, now);
	assert_true(w.writes > 0);
}

static inline int op_probe_begin(void *ctx, uint32_t slot, uint64_t now)
{
	(void)ctx, (void)now;
	assert_true(word_state(w.slots[slot].word) != ST_FREE);
	w.begun += !w.probe_error;
	return w.probe_error;
}

static inline void op_probe_end(void *ctx, const struct siprtx_gateway_key *gateway)
{
	(void)ctx, (void)gateway;
	w.ended++;
}

static const struct gateway_health_ops ops = {op_gateway, op_in_dialog,	  op_write,
					      op_changed, op_probe_begin, op_probe_end};

static inline void set(enum siprtx_tunable t, uint32_t value)
{
	w.in_force.tunables[t] = value;
}

static inline int setup(void **state)
{
	const struct gateway_health_env env = {w.slots, SLOTS, &w.in_force, &w.gateways, w.stats, &ops, NULL};

	(void)state;
	memset(&w, 0, sizeof(w));
	w.now = START;
	for (unsigned i = 0; i < GATEWAYS; i++) {
		w.gw[i].next = i + 1 < GATEWAYS ? &w.gw[i + 1] : NULL;
		w.gw[i].key.addr[15] = i;
	}
	w.gateways.list = w.gw;
	w.gateways.n = GATEWAYS;
	set(TUN_health, 1);
	set(TUN_suspect_calls, 3);
	set(TUN_suspect_after, 2000);
	set(TUN_down_calls, 3);
	set(TUN_probe_answers, 2);
	set(TUN_state_hold, 2000);
	w.h = gateway_health_new(&env);
	assert_non_null(w.h);
	gateway_health_adopt(w.h, w.now);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	gateway_health_free(w.h);
	return 0;
}

/* What the world does */

static inline void pass(uint64_t ms)
{
	uint64_t until = w.now + ms * MS;

	while (w.now < until) {
		w.now += until - w.now < 5 * MS ? until - w.now : 5 * MS;
		assert_int_equal(gateway_health_run(w.h, w.now), 0);
	}
}

static inline uint32_t begin(struct gateway *gw)
{
	uint32_t slot = 0;

	while (word_state(w.slots[slot].word) != ST_FREE)
		assert_true(++slot < SLOTS);
	w.slots[slot] = (struct siprtx_slot){
		.word = (w.slots[slot].word & ~0xffffffffull) + (1ull << 32) + ST_CALLING,
		.first_ns = w.now,
	};
	w.of[slot] = gw;
	w.in_dialog[slot] = false;
	gateway_health_call(w.h, gw, slot, w.now);
	return slot;
}

static inline void end(uint32_t slot)
{
	w.slots[slot].word &= ~0xfull;
}

static inline void exhaust(uint32_t slot)
{
	gateway_health_exhausted(w.h, w.of[slot], slot, w.now);
	end(slot);
}

static inline void respond(uint32_t slot, uint16_t code)
{
	gateway_health_response(w.h, w.of[slot], slot, code, w.now, w.now);
	if (code >= 200)
		end(slot);
	else
		w.slots[slot].word = word_moved(w.slots[slot].word, ST_PROCEEDING, STAGE_TRYING, code);
}

/* A call that nobody answers, from its begin to its exhaustion. */
static inline void silent(struct gateway *gw, uint64_t ms)
{
	uint32_t slot = begin(gw);

	pass(ms);
	exhaust(slot);
}

static inline void expect(const struct gateway *gw, enum siprtx_gateway_state state, enum siprtx_gateway_why why)
{
	assert_int_equal(gw->value.state, state);
	assert_int_equal(gw->value.state_why, why);
}

static inline void make_suspect(struct gateway *gw)
{
	for (int i = 0; i < 3; i++)
		begin(gw);
	pass(2001);
	expect(gw, GATEWAY_SUSPECT, WHY_SILENT);
}

/* The slots of those that were begun: all exhausted. */
static inline void exhaust_all(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (word_state(w.slots[slot].word) != ST_FREE)
			exhaust(slot);
}

static inline void make_down(struct gateway *gw)
{
	make_suspect(gw);
	pass(2000);
	exhaust_all();
	expect(gw, GATEWAY_DOWN, WHY_EXHAUSTED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
