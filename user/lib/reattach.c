// SPDX-License-Identifier: GPL-2.0-or-later
#include "reattach.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "attach.h"
#include "attach_tc.h"
#include "egress.h"
#include "health.h"
#include "ways.h"

static int reattach_one(const struct config *c, struct siprtx_meta *m, const char *name)
{
	const struct siprtx_interface *known = meta_interface(m, name);
	struct siprtx_interface *itf = known ? &m->interface[known - m->interface] : NULL;
	int err = itf ? 0 : -ENOENT;

	if (attach_state(c->pin_path, name) != ATTACH_NONE)
		return 0;
	err = err ?: attach_again(c->pin_path, name);
	if (err)
		return err;
	itf->ifindex = if_nametoindex(name);
	itf->attach = attach_state(c->pin_path, name);
	return 0;
}

static int reattach_egress(const struct config *c, const char *name)
{
	return tc_is_attached(c->pin_path, name) ? 0 : tc_attach_again(c->pin_path, name);
}

int reattach(const struct config *c, struct pins *pins)
{
	bool egress = config_takes_egress(c);
	int err = 0;

	/* as load() does: the side that stops timers first */
	for (unsigned i = 0; i < c->n_outside && !err; i++)
		err = reattach_one(c, pins->meta, c->outside[i]);
	for (unsigned i = 0; i < c->n_outside && egress && !err; i++)
		err = reattach_egress(c, c->outside[i]);
	for (unsigned i = 0; i < c->n_inside && !egress && !err; i++)
		err = reattach_one(c, pins->meta, c->inside[i]);
	err = err ?: egress_refresh(pins->fd[PIN_egress], pins->meta);
	return err ?: ways_refresh(pins->fd[PIN_ways], pins->meta, c->forward);
}
