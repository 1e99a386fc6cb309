// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller_private.h"

#include "log.h"

static const char *why_not(const struct controller *c, unsigned i)
{
	const struct port *p = &c->sender.port[i];

	if (!port_is_bound(p))
		return c->sender.options.live_frames ? "no XDP frames can be sent there"
						     : "no AF_XDP socket is bound there";
	return p->behind ? "the kernel does not take them"
			 : "more are due than get into the TX ring, see siprtx show counters";
}

/* Absorption ended there, or begins again. A link that is down is told of by the sender. */
static void tell_lapse(struct controller *c, unsigned i, bool well, uint64_t now)
{
	struct lapse *l = &c->lapse[i];
	const char *name = c->sender.port[i].name;
	uint64_t for_ns;

	if (!c->sender.port[i].up)
		return lapse_excused(l);
	switch (lapse_round(l, well, now, &for_ns)) {
	case LAPSE_BEGAN:
		log_warning(
			"%s: copies that are due do not get out: %s. The softswitch's own copies pass until they do.",
			name, why_not(c, i));
		break;
	case LAPSE_ENDED:
		log_warning("%s: for %.1f s not all copies that were due got out, and the softswitch's own ones "
			    "passed. They are "
			    "sent again.",
			    name, for_ns / 1e9);
		break;
	case LAPSE_NOTHING:
		break;
	}
}

void controller_beat(struct controller *c, uint64_t now)
{
	struct siprtx_meta *m = c->pins.meta;
	bool all = true;

	m->capturing = c->pins.in_force->tunables[TUN_capture];
	m->held = controller_held(c);
	m->unwritten = m->next_seq - 1 - m->journaled_seq;
	__atomic_store_n(&m->alive_ns, now, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < c->sender.n_ports; i++) {
		bool well = sender_is_well(&c->sender, i) && !transactions_overdue(c->transactions, i);

		if (well)
			__atomic_store_n(&m->heartbeat[i], now, __ATOMIC_RELEASE);
		tell_lapse(c, i, well, now);
		all &= well;
	}
	if (all && !c->ready)
		service_log_ready(&c->pins, c->config);
	c->ready |= all;
}
