// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* SCHED_RESET_ON_FORK */
#include "privilege.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "filter.h"
#include "log.h"
#include "rights.h"

int privilege_drop(const struct config *c, bool *may_load)
{
	const struct rlimit lowest = {1, 1};
	struct owner who = {};
	int err = *c->user ? owner_find(c->user, &who) : 0;

	/* for privilege_be_prompt(): within this limit any user may */
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

void privilege_be_prompt(void)
{
	const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	prctl(PR_SET_TIMERSLACK, 1);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
		log_debug("no real-time priority: %s. Copies may be later under load; LimitRTPRIO=1 or CAP_SYS_NICE "
			  "mends it.",
			  strerror(errno));
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
