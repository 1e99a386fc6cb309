// SPDX-License-Identifier: GPL-2.0-or-later
#include "drain.h"

enum drain drain_judge(const struct drain_facts *f)
{
	if (f->unloaded)
		return DRAIN_UNLOADED;
	if (f->capture)
		return DRAIN_CAPTURE_ON;
	if (f->interrupted)
		return DRAIN_INTERRUPTED;
	if (f->settled && !f->held)
		return DRAIN_DONE;
	if (!f->alive)
		return DRAIN_NO_CONTROLLER;
	return f->limit_ns && f->waited_ns >= f->limit_ns ? DRAIN_TIME_OVER : DRAIN_WAITS;
}
