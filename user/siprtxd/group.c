// SPDX-License-Identifier: GPL-2.0-or-later
#include "group.h"

#include <stddef.h>

static uint32_t asked_for(const struct group_member *m)
{
	return m->down_ns ? m->action : BYPASS_NONE;
}

/* The one to be left open. NULL: none needs to be, another one takes calls. */
static const struct group_member *last_way(const struct group_member *members)
{
	const struct group_member *last = members;

	for (const struct group_member *m = members; m; m = m->next) {
		if (asked_for(m) == BYPASS_NONE)
			return NULL;
		if (m->down_ns > last->down_ns)
			last = m;
	}
	return last;
}

void group_settle(struct group_member *members, bool another)
{
	const struct group_member *open = another ? NULL : last_way(members);

	for (struct group_member *m = members; m; m = m->next)
		m->bypass = m == open ? BYPASS_NONE : asked_for(m);
}
