// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx show gateways */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json_text.h"
#include "health.h"
#include "record.h"

/* As the data path chooses: the gateway's own, else the longest prefix, else the first profile. */
static uint32_t profile_of(const struct pins *pins, const struct gateway *g)
{
	struct siprtx_prefix prefix = {.prefixlen = 128};
	uint32_t profile;

	if (g->value.profile < MAX_PROFILES)
		return g->value.profile;
	memcpy(prefix.addr, g->key.addr, sizeof(prefix.addr));
	if (bpf_map_lookup_elem(pins->fd[PIN_gw_profile], &prefix, &profile) || profile >= MAX_PROFILES)
		return 0;
	return profile;
}

static const char *on_exhausted_name(uint32_t on_exhausted)
{
	static const char *const name[] = {
		[ON_EXHAUSTED_RECORD] = "record",
		[ON_EXHAUSTED_REPLY_408] = "reply-408",
		[ON_EXHAUSTED_REPLY_503] = "reply-503",
	};

	return on_exhausted < sizeof(name) / sizeof(*name) ? name[on_exhausted] : "unknown";
}

static enum colour state_colour(uint32_t state)
{
	return state == GATEWAY_UP ? GREEN : state == GATEWAY_SUSPECT ? YELLOW : RED;
}

static const char *name_of(const struct gateway *g)
{
	return *g->value.name ? g->value.name : "-";
}

/* What it is taken for, and what its calls meet with. */
static void state_row(const struct pins *pins, struct table *t, const struct gateway *g, uint64_t now)
{
	const struct siprtx_gateway *v = &g->value;

	table_cell(t, PLAIN, "%s", text_endpoint(g->key.addr, g->key.port).s);
	table_cell(t, PLAIN, "%.*s", NAME_LEN, name_of(g));
	table_cell(t, PLAIN, "%.*s", NAME_LEN, *v->group ? v->group : "-");
	table_cell(t, state_colour(v->state), "%s%s", gateway_state_name(v->state),
		   v->admin == ADMIN_AUTO ? "" : " (held)");
	table_cell(t, PLAIN, "%s", v->state_ns ? text_age(age_ns(now, v->state_ns)).s : "-");
	table_cell(t, PLAIN, "%s", v->state_why ? record_why_name(v->state_why) : "-");
	table_cell(t, v->bypass ? YELLOW : PLAIN, "%s",
		   v->bypass == BYPASS_REFUSED ? "refused"
		   : v->bypass == BYPASS_FAST  ? "shortened"
					       : "pass");
	table_cell(t, PLAIN, "%s", on_down_name(v->on_down));
	table_cell(t, PLAIN, "%s", on_exhausted_name(v->on_exhausted));
	table_cell(t, PLAIN, "%s", profile_label(pins, profile_of(pins, g)).s);
}

static void count_row(struct table *t, const struct gateway *g, uint64_t now)
{
	const struct siprtx_gateway *v = &g->value;

	table_cell(t, PLAIN, "%s", text_endpoint(g->key.addr, g->key.port).s);
	table_cell(t, PLAIN, "%.*s", NAME_LEN, name_of(g));
	table_cell(t, PLAIN, "%llu", v->invites);
	table_cell(t, PLAIN, "%llu", v->sends);
	table_cell(t, PLAIN, "%llu", v->answered);
	table_cell(t, v->exhausted ? YELLOW : PLAIN, "%llu", v->exhausted);
	table_cell(t, v->silent ? RED : PLAIN, "%u", v->silent);
	table_cell(t, PLAIN, "%llu", v->timeouts);
	table_cell(t, PLAIN, "%llu", v->cancelled);
	table_cell(t, PLAIN, "%s", v->last_invite_ns ? text_age(age_ns(now, v->last_invite_ns)).s : "-");
	if (v->last_response_ns)
		table_cell(t, PLAIN, "%u, %s", v->last_code, text_age(age_ns(now, v->last_response_ns)).s);
	else
		table_cell(t, PLAIN, "-");
}

static json_t *age_json(uint64_t now, uint64_t then)
{
	return then ? json_integer(age_ns(now, then) / 1000) : json_null();
}

static json_t *state_json(const struct siprtx_gateway *v, uint64_t now)
{
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:s, s:s}", "state",
			 gateway_state_name(v->state), "state_age_us", age_json(now, v->state_ns), "state_why",
			 record_why_name(v->state_why), "state_changes", (json_int_t)v->state_changes, "unanswered",
			 (json_int_t)v->unanswered, "probes", (json_int_t)v->probes, "probe_answers",
			 (json_int_t)v->probe_answers, "refused", (json_int_t)v->refused, "shortened",
			 (json_int_t)v->shortened, "bypass", bypass_name(v->bypass), "group",
			 json_text(v->group, NAME_LEN), "on_down", on_down_name(v->on_down), "admin",
			 admin_name(v->admin));
}

static json_t *gateway_json(const struct pins *pins, const struct gateway *g, uint64_t now)
{
	const struct siprtx_gateway *v = &g->value;
	json_t *o;

	o = json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:I, s:s}",
		      "gateway", text_endpoint(g->key.addr, g->key.port).s, "name", json_text(v->name, NAME_LEN),
		      "profile", profile_label(pins, profile_of(pins, g)).s, "invites", (json_int_t)v->invites,
		      "retransmissions", (json_int_t)v->sends, "answered", (json_int_t)v->answered, "exhausted",
		      (json_int_t)v->exhausted, "timeouts", (json_int_t)v->timeouts, "cancelled",
		      (json_int_t)v->cancelled, "silent_in_a_row", (json_int_t)v->silent, "last_invite_age_us",
		      age_json(now, v->last_invite_ns), "last_response_age_us", age_json(now, v->last_response_ns),
		      "last_code", (json_int_t)v->last_code, "last_retry_after",
		      v->last_retry_after == NO_RETRY_AFTER ? json_null() : json_integer(v->last_retry_after), "icmp",
		      (json_int_t)v->icmp, "over_budget", (json_int_t)v->over_budget, "on_exhausted",
		      on_exhausted_name(v->on_exhausted));
	json_object_update_new(o, state_json(v, now));
	return o;
}

static int print_tables(const struct cli *cli, const struct gateway *list, unsigned n, uint64_t now)
{
	struct table *t = table_new("GATEWAY:NAME:GROUP:STATE:>SINCE:WHY:CALLS NOW:ON DOWN:ON EXHAUSTED:PROFILE");
	unsigned i;
	int err;

	for (i = 0; t && i < n; i++)
		state_row(&cli->pins, t, &list[i], now);
	err = cli_print_table(cli, t, 0);
	if (err)
		return err;
	putchar('\n');
	t = table_new("GATEWAY:NAME:>INVITES:>RESENT:>ANSWERED:>EXHAUSTED:>IN A ROW:>TIMEOUTS:>CANCELLED:>CALLED:"
		      "RESPONDED");
	for (i = 0; t && i < n; i++)
		count_row(t, &list[i], now);
	return cli_print_table(cli, t, 0);
}

int cmd_gateways(struct cli *cli, char **args)
{
	uint64_t now = now_ns();
	struct gateway *list;
	json_t *all;
	unsigned i, n;
	int err;

	(void)args;
	err = gateways_read(&cli->pins, &list, &n);
	if (err)
		return cli_fail(CLI_FAILED, "the gateways cannot be read: %s", strerror(-err));
	if (cli->json) {
		all = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(all, gateway_json(&cli->pins, &list[i], now));
		err = cli_print_json(cli,
				     json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "gateways", all));
	} else {
		err = print_tables(cli, list, n, now);
	}
	free(list);
	return err;
}
