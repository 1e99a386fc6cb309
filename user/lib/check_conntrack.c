// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_conntrack.h"

#include <stdio.h>

#include "conntrack.h"
#include "pins.h"
#include "schedule.h"

/* Of the maps, where they are there and may be read; else as they are made. */
static uint32_t refresh_of(const struct config *c)
{
	static const uint32_t as_made[TUN_COUNT] = {
#define TUNABLE(number, name, def, min, max, unit, help) [number] = def,
#include "tunables.def"
#undef TUNABLE
	};
	uint32_t refresh = as_made[TUN_refresh];
	struct pins pins;

	if (pins_open(&pins, c->pin_path, PINS_READ))
		return refresh;
	refresh = pins.in_force->tunables[TUN_refresh];
	pins_close(&pins);
	return refresh;
}

void check_conntrack(const struct config *c, struct problems *problems)
{
	uint64_t longest = 0;
	struct conntrack now;
	char remedy[192];
	uint32_t every;

	if (config_takes_egress(c)) /* absorbed copies have passed it */
		return;
	conntrack_read(&now);
	for (unsigned i = 0; i < c->n_profiles; i++) {
		uint64_t window = config_uses(c, i) ? schedule_window_ms(c->profile[i].field) : 0;

		longest = window > longest ? window : longest;
	}
	if (!now.on || longest < now.forgets_ms)
		return;
	every = c->forward != FORWARD_KERNEL ? 0 : conntrack_refresh_ms(&now, refresh_of(c));
	snprintf(remedy, sizeof(remedy), "%s: sysctl -w net.netfilter.nf_conntrack_udp_timeout=%llu",
		 every				? "Where the softswitch does not retransmit by itself, run"
		 : c->forward != FORWARD_KERNEL ? "Set forward = kernel, or run"
						: "Run: siprtx set refresh 15000, or",
		 (unsigned long long)longest / 1000 + 10);
	if (every)
		problem_add(problems, PROBLEM_WARNING, "conntrack", remedy,
			    "conntrack is on (flows now: %u) and forgets an unanswered UDP flow after %g s, a call is "
			    "tried for up to %g s; copies sent by siprtx do not refresh it, so every %g s one of the "
			    "softswitch's passes in place of siprtx's",
			    now.flows, now.forgets_ms / 1000.0, longest / 1000.0, every / 1000.0);
	else
		problem_add(problems, PROBLEM_WARNING, "conntrack", remedy,
			    "conntrack is on (flows now: %u) and forgets an unanswered UDP flow after %g s, a call is "
			    "tried for up to %g s; copies sent by siprtx do not refresh it, and %s",
			    now.flows, now.forgets_ms / 1000.0, longest / 1000.0,
			    c->forward != FORWARD_KERNEL ? "forward = xdp takes the calls past it altogether"
							 : "refresh is 0");
}
