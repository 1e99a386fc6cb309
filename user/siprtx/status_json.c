// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "json_text.h"
#include "status.h"

#define US(ns) ((json_int_t)((ns) / 1000))

static json_t *controller_json(const struct status *s)
{
	const struct siprtx_meta *m = &s->meta;
	bool seen = m->alive_ns;

	return json_pack("{s:b, s:i, s:o, s:o}", "alive", controller_alive(m, s->now_ns), "pid", (int)m->pid,
			 "seen_us_ago", seen ? json_integer(US(age_ns(s->now_ns, m->alive_ns))) : json_null(),
			 "uptime_ms", seen ? json_integer(US(age_ns(s->now_ns, m->started_ns)) / 1000) : json_null());
}

static json_t *totals_json(const struct status *s)
{
	json_t *all = json_object();
	unsigned i;

	for (i = 0; i < TOTALS; i++)
		json_object_set_new(all, status_total_name[i], json_integer(s->total[i]));
	return all;
}

static json_t *rates_json(const struct status *s)
{
	json_t *all;
	unsigned i;

	if (!s->period_ns)
		return json_null();
	all = json_pack("{s:I}", "period_ms", US(s->period_ns) / 1000);
	for (i = 0; i < TOTALS; i++)
		json_object_set_new(all, status_total_name[i], json_real(s->rate[i]));
	return all;
}

static json_t *lateness_json(const struct status *s)
{
	if (!s->late)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "p50_us", (json_int_t)s->late_p50_us, "p99_us",
			 (json_int_t)s->late_p99_us, "max_us", (json_int_t)s->late_max_us, "in_one_ms",
			 (json_int_t)s->sample.stats[STAT_in_one_ms]);
}

static json_t *interfaces_json(const struct status *s)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < s->n_interfaces; i++) {
		const struct status_interface *f = &s->interface[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:b, s:o}", "name", f->name, "side",
						      f->side == SIDE_OUTSIDE ? "outside" : "inside", "program",
						      attach_name(f->attach), "capture", capture_name(f), "sender",
						      sender_name(f), "up", f->up, "heartbeat_age_us",
						      f->beats ? json_integer(US(f->beat_ns)) : json_null()));
	}
	return list;
}

static json_t *journal_json(const struct cli *cli, const struct status *s)
{
	uint32_t error = s->meta.journal_errno;

	return json_pack("{s:s, s:I, s:I, s:I, s:o}", "path", cli->config.journal, "lines",
			 (json_int_t)s->sample.stats[STAT_journal_lines], "errors",
			 (json_int_t)s->sample.stats[STAT_journal_errors], "not_on_disk", (json_int_t)s->not_on_disk,
			 "last_error", error ? json_string(strerror(error)) : json_null());
}

static json_t *conntrack_json(const struct status *s)
{
	return json_pack("{s:b, s:I, s:I, s:I}", "on", s->sample.stats[STAT_conntrack] != 0, "refresh_ms",
			 (json_int_t)s->sample.stats[STAT_refresh_ms], "refreshed",
			 (json_int_t)s->sample.counters[CNT_refreshed], "missed",
			 (json_int_t)s->sample.stats[STAT_refresh_missed]);
}

static json_t *gateways_json(const struct status *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n_not_up; i++) {
		const struct gateway *g = &s->not_up[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:I, s:s}", "gateway",
						      text_endpoint(g->key.addr, g->key.port).s, "name",
						      json_text(g->value.name, NAME_LEN), "state",
						      gateway_state_name(g->value.state), "state_age_us",
						      US(age_ns(s->now_ns, g->value.state_ns)), "bypass",
						      bypass_name(g->value.bypass)));
	}
	return json_pack("{s:I, s:I, s:I, s:o}", "suspect", (json_int_t)s->sample.stats[STAT_gateways_suspect], "down",
			 (json_int_t)s->sample.stats[STAT_gateways_down], "bypassed",
			 (json_int_t)s->sample.stats[STAT_gateways_bypassed], "not_up", list);
}

static json_t *unhelped_json(const struct status *s)
{
	json_t *all = json_object();
	unsigned i;

	for (i = 0; i < CNT_COUNT; i++)
		if (is_unhelped(i))
			json_object_set_new(all, counter_name[i], json_integer(s->sample.counters[i]));
	return all;
}

json_t *status_json(const struct cli *cli, const struct status *s)
{
	return json_pack(
		"{s:i, s:s, s:o, s:o, s:s, s:o, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:f}, s:o, s:o, s:o, "
		"s:o, s:o, s:o, "
		"s:o, "
		"s:o, s:o, s:o}",
		"schema_version", CLI_SCHEMA_VERSION, "state", health_name(s->health), "reasons",
		problems_json(&s->reasons), "warnings", problems_json(&s->warnings), "pin_path", cli->config.pin_path,
		"controller", controller_json(s), "held", "calling", (json_int_t)s->held.in_state[ST_CALLING],
		"proceeding", (json_int_t)s->held.in_state[ST_PROCEEDING], "remembered",
		(json_int_t)s->sample.stats[STAT_remembered], "given_back", (json_int_t)s->held.given_back, "slots",
		"used", (json_int_t)s->slots_used, "total", (json_int_t)s->slots_total, "percent",
		s->slots_total ? 100.0 * s->slots_used / s->slots_total : 0.0, "totals", totals_json(s), "rates_per_s",
		rates_json(s), "lateness", lateness_json(s), "interfaces", interfaces_json(s), "journal",
		journal_json(cli, s), "conntrack", conntrack_json(s), "gateways", gateways_json(s), "unhelped",
		unhelped_json(s), "notify", status_notify_json(cli, s), "out_of_range", problems_json(&s->values));
}
