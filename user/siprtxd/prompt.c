// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* SCHED_RESET_ON_FORK */
#include "prompt.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "log.h"

void be_prompt(void)
{
	const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	prctl(PR_SET_TIMERSLACK, 1);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
		log_debug("no real-time priority: %s. Copies may be later under load; LimitRTPRIO=1 or CAP_SYS_NICE "
			  "mends it.",
			  strerror(errno));
}
