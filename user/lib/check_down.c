// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_down.h"

#include <stdio.h>
#include <string.h>

#include "schedule.h"

static const char *place(const struct config_gateway *g, char *where, size_t size)
{
	snprintf(where, size, "gateway %s", g->name);
	return where;
}

static void check_list(const struct config_profile *profile, const struct config_gateway *g, struct problems *problems)
{
	char where[NAME_LEN + 8], remedy[128];

	if (g->on_down != ON_DOWN_FAST ||
	    schedule_count_of(profile->field, BYPASS_FAST) < schedule_count(profile->field))
		return;
	snprintf(remedy, sizeof(remedy), "Set down_retry of profile %s to 1 up to %u, or on_down = pass", profile->name,
		 schedule_count(profile->field) > 1 ? schedule_count(profile->field) - 1 : 1);
	problem_add(problems, PROBLEM_WARNING, place(g, where, sizeof(where)), remedy,
		    "on_down = fast shortens nothing: down_retry of profile %s is %u, and its list is %u long",
		    profile->name, profile->field[PF_DOWN_RETRY], schedule_count(profile->field));
}

/* A prefix may be several gateways. */
static bool is_alone(const struct config *c, const struct config_gateway *g)
{
	for (unsigned i = 0; i < c->n_gateways; i++)
		if (&c->gateway[i] != g && !strcmp(c->gateway[i].group, g->group))
			return false;
	return g->prefixlen == 128;
}

void check_down(const struct config *c, struct problems *problems)
{
	char where[NAME_LEN + 8];

	for (unsigned i = 0; i < c->n_gateways; i++) {
		const struct config_gateway *g = &c->gateway[i];

		if (g->on_down == ON_DOWN_PASS)
			continue;
		check_list(&c->profile[g->profile], g, problems);
		if (*g->group && is_alone(c, g))
			problem_add(problems, PROBLEM_WARNING, place(g, where, sizeof(where)),
				    "Name another gateway of the same group, or leave group out",
				    "it is the only one of group %s, and so never bypassed: on_down does nothing",
				    g->group);
	}
}

void check_judged(const struct config *c, const struct pins *pins, struct problems *problems)
{
	char where[NAME_LEN + 8];

	for (unsigned i = 0; i < c->n_gateways && !pins->in_force->tunables[TUN_health]; i++)
		if (c->gateway[i].on_down != ON_DOWN_PASS)
			problem_add(problems, PROBLEM_WARNING, place(&c->gateway[i], where, sizeof(where)),
				    "Run: siprtx set health 1",
				    "on_down is set, and no gateway is found down while the tunable health is 0");
}
