// SPDX-License-Identifier: GPL-2.0-or-later
#include "health.h"

#include <string.h>

#include "fill.h"
#include "view.h"

const struct siprtx_interface *meta_interface(const struct siprtx_meta *meta, const char *name)
{
	unsigned i;

	for (i = 0; i < meta->interfaces && i < MAX_INTERFACES; i++)
		if (!strncmp(meta->interface[i].name, name, sizeof(meta->interface[i].name)))
			return &meta->interface[i];
	return NULL;
}

bool controller_alive(const struct siprtx_meta *meta, uint64_t now_ns)
{
	return meta->pid && meta->alive_ns && age_ns(now_ns, meta->alive_ns) < ALIVE_NS;
}

static bool is_attached(const struct health_facts *f, const char *name)
{
	unsigned i;

	for (i = 0; i < f->n_attached; i++)
		if (!strncmp(f->attached[i].name, name, sizeof(f->attached[i].name)))
			return true;
	return false;
}

static bool is_at_egress(const struct health_facts *f, const char *name)
{
	unsigned i;

	for (i = 0; i < f->n_egress; i++)
		if (!strncmp(f->egress[i], name, sizeof(f->egress[i])))
			return true;
	return false;
}

/* Is the program that takes messages there, where it is to be on this side? */
static bool takes(const struct health_facts *f, const char *name, bool outside)
{
	return !outside || !config_takes_egress(f->config) || is_at_egress(f, name);
}

/* Seen lately, and there. */
static bool at_work(const struct health_facts *f)
{
	return controller_alive(f->meta, f->now_ns) && f->meta->pid && !f->gone;
}

static void judge_controller(const struct health_facts *f, struct problems *reasons)
{
	const struct siprtx_meta *m = f->meta;

	if (at_work(f))
		return;
	if (f->gone)
		problem_add(reasons, PROBLEM_ERROR, "", "start siprtxd", "the controller, process %u, is gone", m->pid);
	else if (!m->pid || !m->alive_ns)
		problem_add(reasons, PROBLEM_ERROR, "", "start siprtxd", "the controller is not running");
	else
		problem_add(reasons, PROBLEM_ERROR, "", "start siprtxd", "the controller has not been seen for %s",
			    text_age(age_ns(f->now_ns, m->alive_ns)).s);
}

static bool served(const struct health_facts *f, const char *name, bool outside)
{
	const struct siprtx_interface *i;
	uint64_t beat;

	if (!is_attached(f, name) || !takes(f, name, outside))
		return false;
	/* without a controller no heart beats: that has been said already */
	if (!outside || !at_work(f))
		return true;
	i = meta_interface(f->meta, name);
	beat = i && i->outside < MAX_OUTSIDE ? f->meta->heartbeat[i->outside] : 0;
	return beat && age_ns(f->now_ns, beat) < HEARTBEAT_NS;
}

static void judge_side(const struct health_facts *f, const char (*name)[IFNAMSIZ], unsigned n, bool outside,
		       struct problems *reasons)
{
	const char *side = outside ? "outside" : "inside";
	enum problem_level level = PROBLEM_ERROR;
	const struct siprtx_interface *known;
	unsigned i;

	for (i = 0; i < n; i++)
		if (served(f, name[i], outside))
			level = PROBLEM_WARNING;
	for (i = 0; i < n; i++) {
		if (served(f, name[i], outside))
			continue;
		known = meta_interface(f->meta, name[i]);
		if (!is_attached(f, name[i]) && known && !known->up && at_work(f))
			problem_add(reasons, level, "", "bring it back, siprtxd attaches to it by itself",
				    "%s interface %s is gone or down", side, name[i]);
		else if (!is_attached(f, name[i]))
			problem_add(reasons, level, "", "start siprtxd, or run siprtx load",
				    "no program is attached to %s interface %s", side, name[i]);
		else if (!takes(f, name[i], outside))
			problem_add(reasons, level, "", "start siprtxd, or run siprtx load",
				    "no program is at TC egress of %s interface %s", side, name[i]);
		else if (known && !known->up)
			problem_add(reasons, level, "", "set it up", "%s interface %s is down", side, name[i]);
		else
			problem_add(reasons, level, "", "see the log of siprtxd",
				    "copies due on %s interface %s do not get out", side, name[i]);
	}
}

enum health health_judge(const struct health_facts *f, struct problems *reasons)
{
	unsigned errors = reasons->errors, n = reasons->n;

	judge_controller(f, reasons);
	judge_side(f, f->config->outside, f->config->n_outside, true, reasons);
	if (!config_takes_egress(f->config))
		judge_side(f, f->config->inside, f->config->n_inside, false, reasons);
	if (!f->capture && at_work(f))
		problem_add(reasons, PROBLEM_ERROR, "", "run siprtx set capture 1", "capture is switched off");
	if (f->meta->journal_errno)
		problem_add(reasons, PROBLEM_WARNING, "", "make room or set the path's rights",
			    "the journal cannot be written: %s", strerror(f->meta->journal_errno));
	return reasons->errors > errors ? HEALTH_INACTIVE : reasons->n > n ? HEALTH_DEGRADED : HEALTH_ACTIVE;
}

void health_warn(uint32_t slots_used, uint32_t slots_total, struct problems *warnings)
{
	unsigned mark = fill_mark(slots_used, slots_total);

	if (mark)
		problem_add(warnings, PROBLEM_WARNING, "", FILL_REMEDY, "%u of %u slots are in use, %u %% or more",
			    slots_used, slots_total, mark);
}
