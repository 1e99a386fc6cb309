// SPDX-License-Identifier: GPL-2.0-or-later
#include "privilege.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "filter.h"
#include "log.h"
#include "rights.h"

int privilege_drop(const struct config *c, bool *may_load)
{
	const struct rlimit lowest = {1, 1};
	struct owner who = {};
	int err = *c->user ? owner_find(c->user, &who) : 0;

	/* for be_prompt(): within this limit any user may */
	setrlimit(RLIMIT_RTPRIO, &lowest);
	err = err ?: rights_reduce(&who);
	if (err && *c->user)
		log_error("cannot become user %s: %s. Start siprtxd as root, or leave user out.", c->user,
			  strerror(-err));
	else if (err)
		log_error("cannot give up the right to gain rights: %s", strerror(-err));
	*may_load = rights_to_load();
	return err;
}

void privilege_filter(bool may_load)
{
	int err = filter_install(may_load);

	if (err)
		log_warning(
			"no seccomp filter, siprtxd serves without: %s. Boot a kernel with CONFIG_SECCOMP_FILTER, or "
			"add seccomp to the unit's SystemCallFilter=.",
			strerror(-err));
}
