// SPDX-License-Identifier: GPL-2.0-or-later
#include "gateway_health.h"

#include <errno.h>
#include <stdlib.h>

#include "deadline.h"
#include "slot.h"

#define MS 1000000ull

/* Those not up, or about to change, are looked at this often. */
#define LOOK_NS (5 * MS)

struct gateway_health {
	struct gateway_health_env env;
	struct deadlines *deadlines; /* when a call is one without any answer */
	struct gateway *watched;
	uint64_t look_ns;
	bool judged; /* the tunable health, as last acted on */
	int error;
};

struct wanted {
	uint32_t state, why, in_a_row;
	bool at_once;
};

struct gateway_health *gateway_health_new(const struct gateway_health_env *env)
{
	struct gateway_health *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->env = *env;
	h->judged = true;
	h->deadlines = deadlines_new();
	if (h->deadlines)
		return h;
	free(h);
	return NULL;
}

void gateway_health_free(struct gateway_health *h)
{
	if (!h)
		return;
	deadlines_free(h->deadlines);
	free(h);
}

static uint32_t tunable(const struct gateway_health *h, enum siprtx_tunable t)
{
	return h->env.in_force->tunables[t];
}

static bool is_bad(const struct gateway_health *h, uint16_t code)
{
	uint32_t bad = tunable(h, TUN_bad_codes);

	return (code == 408 && bad & 1) || (code == 503 && bad & 2);
}

static bool is_held(const struct gateway *gw)
{
	return gw->value.admin == ADMIN_UP || gw->value.admin == ADMIN_DOWN;
}

static bool is_later(uint64_t ns, uint64_t *seen)
{
	if (ns > *seen)
		*seen = ns;
	return *seen == ns;
}

/* States */

static enum siprtx_stat gauge(uint32_t state)
{
	return state == GATEWAY_DOWN ? STAT_gateways_down : STAT_gateways_suspect;
}

static void watch(struct gateway_health *h, struct gateway *gw)
{
	if (gw->signs.watched)
		return;
	gw->signs.watched = true;
	gw->signs.next_watched = h->watched;
	h->watched = gw;
}

static void set_bypass(struct gateway_health *h, struct gateway *gw)
{
	struct siprtx_gateway *v = &gw->value;

	if (v->bypass == gw->member.bypass)
		return;
	h->env.stats[STAT_gateways_bypassed] += !v->bypass;
	h->env.stats[STAT_gateways_bypassed] -= !gw->member.bypass;
	v->bypass = gw->member.bypass;
	h->env.ops->write(h->env.ctx, gw);
}

static uint32_t action(const struct gateway *gw)
{
	switch (gw->value.on_down) {
	case ON_DOWN_FAST:
		return BYPASS_FAST;
	case ON_DOWN_REPLY_503:
		/* what nothing would end is not begun */
		return gw->signs.probing || is_held(gw) ? BYPASS_REFUSED : BYPASS_FAST;
	default:
		return BYPASS_NONE;
	}
}

/* True: its group is to be settled anew. */
static bool update_member(struct gateway *gw)
{
	const struct group_member before = gw->member;

	gw->member.down_ns = gw->value.state == GATEWAY_DOWN ? gw->value.state_ns ?: 1 : 0;
	gw->member.action = action(gw);
	return gw->member.down_ns != before.down_ns || gw->member.action != before.action;
}

static void settle_group(struct gateway_health *h, struct gateway *gw)
{
	struct group_member *first = gw->group ? gw->group->members : &gw->member;

	group_settle(first, !gw->group || gw->group->uncalled);
	for (struct group_member *m = first; m; m = m->next)
		set_bypass(h, gateway_of_member(m));
}

/* What its calls meet with, and, that having changed, those to the others of its group. */
static void settle(struct gateway_health *h, struct gateway *gw)
{
	if (update_member(gw))
		settle_group(h, gw);
}

/* A slot to make a probe of, -1: none. */
static int64_t last_invite(const struct gateway_health *h, const struct gateway *gw)
{
	uint64_t known = gw->signs.slot_gen, slot = (known >> 32) - 1;
	uint64_t word;

	if (!known || slot >= h->env.n_slots)
		return -1;
	word = slot_word(&h->env.slots[slot]);
	return word_gen(word) == (uint32_t)known && word_state(word) != ST_FREE ? (int64_t)slot : -1;
}

/* Probes it, or does so no longer. */
static void see_to_probes(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	struct gateway_signs *g = &gw->signs;
	bool wants = gw->value.state != GATEWAY_UP && !is_held(gw) && tunable(h, TUN_health) && tunable(h, TUN_probe);
	int64_t slot = wants && !g->probing ? last_invite(h, gw) : -1;

	if (!wants && g->probing)
		h->env.ops->probe_end(h->env.ctx, &gw->key);
	g->probing &= wants;
	if (slot < 0)
		return;
	g->probing = !h->env.ops->probe_begin(h->env.ctx, slot, now);
	g->orphaned &= !g->probing;
	g->slot_gen = 0; /* a failure is not tried again with the same one */
}

static void change(struct gateway_health *h, struct gateway *gw, const struct wanted *to, uint64_t now)
{
	struct siprtx_gateway *v = &gw->value;
	struct gateway_signs *g = &gw->signs;

	if (v->state != GATEWAY_UP)
		h->env.stats[gauge(v->state)]--;
	if (to->state != GATEWAY_UP)
		h->env.stats[gauge(to->state)]++;
	h->env.stats[STAT_state_changes]++;
	v->state = to->state;
	v->state_why = to->why;
	v->state_ns = now;
	v->state_changes++;
	g->responded = false;
	if (v->state != GATEWAY_DOWN)
		g->missed = g->answers = 0;
	if (v->state == GATEWAY_UP) {
		v->silent = v->unanswered = 0;
		g->orphaned = false;
	}
	see_to_probes(h, gw, now);
	settle(h, gw);
	h->env.ops->write(h->env.ctx, gw);
	h->env.ops->changed(h->env.ctx, gw, to->in_a_row, now);
}

static struct wanted stay(const struct gateway *gw)
{
	return (struct wanted){.state = gw->value.state};
}

static struct wanted from_up(const struct gateway_health *h, const struct gateway *gw)
{
	const struct siprtx_gateway *v = &gw->value;

	if (v->silent >= tunable(h, TUN_down_calls))
		return (struct wanted){GATEWAY_SUSPECT, WHY_EXHAUSTED, v->silent, false};
	if (v->unanswered >= tunable(h, TUN_suspect_calls))
		return (struct wanted){GATEWAY_SUSPECT, WHY_SILENT, v->unanswered, false};
	return stay(gw);
}

static struct wanted judge(const struct gateway_health *h, const struct gateway *gw)
{
	const struct siprtx_gateway *v = &gw->value;
	const struct gateway_signs *g = &gw->signs;
	bool exhausted = v->silent >= tunable(h, TUN_down_calls);

	if (!tunable(h, TUN_health))
		return (struct wanted){GATEWAY_UP, WHY_UNKNOWN, 0, true};
	if (is_held(gw))
		return (struct wanted){v->admin == ADMIN_UP ? GATEWAY_UP : GATEWAY_DOWN, WHY_OPERATOR, 0, true};
	if (g->held)
		return (struct wanted){GATEWAY_UP, WHY_OPERATOR, 0, true};
	if (v->state == GATEWAY_UP)
		return from_up(h, gw);
	if (g->orphaned)
		return (struct wanted){GATEWAY_UP, WHY_UNKNOWN, 0, false};
	if (exhausted && v->state == GATEWAY_SUSPECT && (!g->probing || g->missed))
		return (struct wanted){GATEWAY_DOWN, WHY_EXHAUSTED, v->silent, false};
	/* a row is later than the last response: that ended the one before */
	if (exhausted || v->unanswered >= tunable(h, TUN_suspect_calls))
		return stay(gw);
	if (g->responded)
		return (struct wanted){GATEWAY_UP, WHY_RESPONSE, 0, false};
	if (g->answers >= tunable(h, TUN_probe_answers))
		return (struct wanted){GATEWAY_UP, WHY_PROBED, g->answers, false};
	return stay(gw);
}

static bool is_too_soon(const struct gateway_health *h, const struct gateway *gw, uint64_t now)
{
	return gw->value.state_ns && now < gw->value.state_ns + tunable(h, TUN_state_hold) * MS;
}

/* Where the operator holds it in the state it has that is no change, but it has another reason from then on. */
static void note_holding(const struct gateway_health *h, struct gateway *gw)
{
	struct siprtx_gateway *v = &gw->value;
	bool held = is_held(gw) && tunable(h, TUN_health);

	if (gw->signs.held && !held)
		v->silent = v->unanswered = 0;
	gw->signs.held = held;
	if (!held || v->state_why == WHY_OPERATOR)
		return;
	v->state_why = WHY_OPERATOR;
	gw->changed = true;
}

/* Gives it the state it is to have now. True: it is to be looked at again. */
static bool consider(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	struct wanted to = judge(h, gw);

	while (to.state != gw->value.state && (to.at_once || !is_too_soon(h, gw, now))) {
		change(h, gw, &to, now);
		note_holding(h, gw);
		to = judge(h, gw);
	}
	note_holding(h, gw);
	see_to_probes(h, gw, now);
	settle(h, gw);
	return to.state != gw->value.state || gw->value.state != GATEWAY_UP;
}

static void look(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	if (consider(h, gw, now))
		watch(h, gw);
}

/* Signs */

static void count_exhausted(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	gw->value.silent++;
	gw->changed = true;
	look(h, gw, now);
}

/* `proves`: it says more than that the host is there. */
static void heard(struct gateway_health *h, struct gateway *gw, bool proves, uint64_t ns, uint64_t now)
{
	struct siprtx_gateway *v = &gw->value;

	if (is_later(ns, &gw->signs.heard_ns))
		v->unanswered = 0;
	if (proves && is_later(ns, &gw->signs.proved_ns)) {
		v->silent = 0;
		gw->signs.responded = v->state != GATEWAY_UP;
	}
	gw->changed = true;
	if (gw->signs.watched)
		look(h, gw, now);
}

void gateway_health_response(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint16_t code, uint64_t ns,
			     uint64_t now)
{
	const struct siprtx_slot *s = &h->env.slots[slot];

	if (s->kind != KIND_INVITE)
		return heard(h, gw, true, ns, now);
	if (!is_bad(h, code))
		return heard(h, gw, code != 100 || !tunable(h, TUN_bad_codes), ns, now);
	if (gw->signs.proved_ns < s->first_ns && !h->env.ops->in_dialog(h->env.ctx, slot))
		count_exhausted(h, gw, now);
}

void gateway_health_late(struct gateway_health *h, struct gateway *gw, uint16_t code, uint64_t ns, uint64_t now)
{
	if (!is_bad(h, code))
		heard(h, gw, code != 100 || !tunable(h, TUN_bad_codes), ns, now);
}

void gateway_health_exhausted(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint64_t now)
{
	if (gw->signs.heard_ns < h->env.slots[slot].first_ns && !h->env.ops->in_dialog(h->env.ctx, slot))
		count_exhausted(h, gw, now);
}

void gateway_health_probe(struct gateway_health *h, struct gateway *gw, uint16_t code, uint64_t now)
{
	struct gateway_signs *g = &gw->signs;
	bool answered = code && !is_bad(h, code);

	gw->value.probe_answers += code != 0;
	gw->changed = true;
	g->missed = answered ? 0 : g->missed + 1;
	g->answers = answered ? g->answers + 1 : 0;
	if (answered) {
		g->heard_ns = g->proved_ns = now;
		gw->value.silent = gw->value.unanswered = 0;
	}
	look(h, gw, now);
}

void gateway_health_probe_lost(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	gw->signs.probing = false;
	look(h, gw, now);
}

void gateway_health_operator(struct gateway_health *h, struct gateway *gw, uint64_t now)
{
	look(h, gw, now);
}

/* Calls without any answer */

static void await(struct gateway_health *h, uint32_t slot, uint64_t at_ns, uint64_t wait_ns)
{
	const struct deadline d = {at_ns, slot, word_gen(slot_word(&h->env.slots[slot]))};

	if (deadlines_add(h->deadlines, wait_ns, d))
		h->error = -ENOMEM;
}

void gateway_health_call(struct gateway_health *h, struct gateway *gw, uint32_t slot, uint64_t now)
{
	const struct siprtx_slot *s = &h->env.slots[slot];
	uint64_t wait = tunable(h, TUN_suspect_after) * MS;

	if (!tunable(h, TUN_health))
		return;
	gw->signs.slot_gen = (slot + 1ull) << 32 | word_gen(slot_word(s));
	if (gw->value.state != GATEWAY_UP && !gw->signs.probing)
		look(h, gw, now);
	await(h, slot, s->first_ns + wait, wait);
}

static void expire(struct gateway_health *h, const struct deadline *d, uint64_t now)
{
	const struct siprtx_slot *s = &h->env.slots[d->slot];
	uint64_t word = slot_word(s);
	struct gateway *gw;

	if (word_gen(word) != d->gen || word_state(word) != ST_CALLING || word_end(word))
		return;
	gw = h->env.ops->gateway(h->env.ctx, d->slot);
	if (!gw || !tunable(h, TUN_health) || gw->signs.heard_ns >= s->first_ns ||
	    h->env.ops->in_dialog(h->env.ctx, d->slot))
		return;
	gw->value.unanswered++;
	gw->changed = true;
	look(h, gw, now);
}

static void look_at_watched(struct gateway_health *h, uint64_t now)
{
	struct gateway *gw = h->watched, *next;

	h->watched = NULL;
	for (; gw; gw = next) {
		next = gw->signs.next_watched;
		gw->signs.watched = false;
		look(h, gw, now);
	}
}

/* They are judged from now on, with what comes from now on; or no longer. */
static void begin_anew(struct gateway_health *h, uint64_t now)
{
	for (struct gateway *gw = h->env.gateways->list; gw; gw = gw->next) {
		gw->value.silent = gw->value.unanswered = 0;
		gw->changed = true;
		look(h, gw, now);
	}
}

int gateway_health_run(struct gateway_health *h, uint64_t now)
{
	bool judged = tunable(h, TUN_health);
	struct deadline d;

	while (deadlines_pop(h->deadlines, now, &d))
		expire(h, &d, now);
	if (judged != h->judged) {
		h->judged = judged;
		begin_anew(h, now);
	}
	if (now >= h->look_ns) {
		h->look_ns = now + LOOK_NS;
		look_at_watched(h, now);
	}
	return h->error;
}

/* Adoption */

void gateway_health_probed(struct gateway *gw)
{
	gw->signs.probing = true;
}

static void adopt(struct gateway_health *h, struct gateway *gw)
{
	struct siprtx_gateway *v = &gw->value;
	struct gateway_signs *g = &gw->signs;

	if (v->state > GATEWAY_DOWN)
		v->state = GATEWAY_UP;
	g->heard_ns = g->proved_ns = v->last_response_ns;
	g->held = is_held(gw) || (v->state != GATEWAY_UP && v->state_why == WHY_OPERATOR);
	g->orphaned = v->state != GATEWAY_UP && !g->probing && tunable(h, TUN_probe);
	h->env.stats[STAT_gateways_bypassed] += v->bypass != BYPASS_NONE;
	update_member(gw);
	if (v->state != GATEWAY_UP)
		h->env.stats[gauge(v->state)]++;
}

void gateway_health_adopt(struct gateway_health *h, uint64_t now)
{
	__u64 *stats = h->env.stats;
	struct gateway *gw;

	stats[STAT_gateways_suspect] = stats[STAT_gateways_down] = stats[STAT_gateways_bypassed] = 0;
	for (gw = h->env.gateways->list; gw; gw = gw->next)
		adopt(h, gw);
	for (gw = h->env.gateways->list; gw; gw = gw->next) {
		if (!gw->group || gw->group->members == &gw->member)
			settle_group(h, gw);
		look(h, gw, now);
	}
	h->judged = tunable(h, TUN_health);
}

static int by_due(const void *a, const void *b)
{
	const struct deadline *x = a, *y = b;

	return x->due_ns < y->due_ns ? -1 : x->due_ns > y->due_ns;
}

int gateway_health_adopt_calls(struct gateway_health *h, uint64_t now)
{
	uint64_t wait = tunable(h, TUN_suspect_after) * MS;
	struct deadline *d = calloc(h->env.n_slots, sizeof(*d));
	uint32_t n = 0;

	if (!d)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < h->env.n_slots; slot++) {
		const struct siprtx_slot *s = &h->env.slots[slot];

		/* those that were due before were counted by the former controller */
		if (s->kind == KIND_INVITE && word_state(slot_word(s)) == ST_CALLING && s->first_ns + wait > now)
			d[n++] = (struct deadline){s->first_ns + wait, slot, 0};
	}
	/* their waits are what is left of it: sorted, one queue holds them all */
	qsort(d, n, sizeof(*d), by_due);
	for (uint32_t i = 0; i < n; i++)
		await(h, d[i].slot, d[i].due_ns, UINT64_MAX);
	free(d);
	return h->error;
}
