// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx profile list|show: the schedules, as written and as in force. */
#include <string.h>

#include "cli.h"
#include "schedule.h"

/* A profile's fields as the operator wrote them. */
static void written(const struct pins *pins, uint32_t profile, uint32_t *field)
{
	unsigned i;

	for (i = 0; i < PROFILE_FIELDS; i++)
		field[i] = *pins_u32(pins->profiles, profile * PROFILE_FIELDS + i);
}

static const uint32_t *in_force(const struct pins *pins, uint32_t profile)
{
	return &pins->in_force->profiles[profile * PROFILE_FIELDS];
}

/* The list up to the 0 that ends it: "0.5,1,2". Returns buf. */
static char *intervals_text(const uint32_t *field, char *buf, size_t size)
{
	unsigned i;

	*buf = '\0';
	for (i = 0; i < MAX_INTERVALS && field[i]; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", i ? "," : "", text_seconds(field[i]).s);
	return buf;
}

/* When each copy leaves and when it is over, ms after the first send; `at` has room for MAX_INTERVALS + 2. */
static unsigned timeline(const uint32_t *field, uint32_t *at)
{
	struct schedule_wait wait;
	unsigned n = 0;

	at[0] = 0;
	do {
		wait = schedule_next(field, BYPASS_NONE, n, at[n]);
		at[n + 1] = at[n] + wait.wait_ms;
		n++;
	} while (wait.action == SCHEDULE_SEND);
	return n + 1;
}

static json_t *fields_json(const uint32_t *field)
{
	json_t *all = json_object(), *intervals = json_array();
	char name[64];
	unsigned i;

	for (i = 0; i < MAX_INTERVALS && field[i]; i++)
		json_array_append_new(intervals, json_integer(field[i]));
	json_object_set_new(all, "resend_interval_ms", intervals);
	for (i = MAX_INTERVALS; i < PF_COUNT; i++) {
		snprintf(name, sizeof(name), "%s%s", profile_field_name(i), profile_field_is_count(i) ? "" : "_ms");
		json_object_set_new(all, name, json_integer(field[i]));
	}
	return all;
}

static json_t *profile_json(const struct pins *pins, uint32_t profile)
{
	uint32_t field[PROFILE_FIELDS], at[MAX_INTERVALS + 2];
	unsigned i, n = timeline(in_force(pins, profile), at);
	json_t *sends = json_array();

	written(pins, profile, field);
	for (i = 0; i + 1 < n; i++)
		json_array_append_new(sends, json_integer(at[i]));
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:I}", "number", (int)profile, "name",
			 profile_label(pins, profile).s, "written", fields_json(field), "in_force",
			 fields_json(in_force(pins, profile)), "sends_at_ms", sends, "exhausted_at_ms",
			 (json_int_t)at[n - 1]);
}

static void profile_row(const struct pins *pins, struct table *t, uint32_t profile)
{
	const uint32_t *field = in_force(pins, profile);
	char intervals[256];
	unsigned i;

	table_cell(t, PLAIN, "%u", profile);
	table_cell(t, PLAIN, "%s", profile_label(pins, profile).s);
	table_cell(t, PLAIN, "%s", intervals_text(field, intervals, sizeof(intervals)));
	for (i = PF_SEND_RETRY; i < PF_COUNT; i++)
		table_cell(t, PLAIN, "%s", text_field(i, field[i]).s);
	table_cell(t, PLAIN, "%s", text_seconds(schedule_window_ms(field)).s);
}

int cmd_profile_list(struct cli *cli, char **args)
{
	struct table *t = NULL;
	json_t *list = NULL;
	uint32_t i;

	(void)args;
	if (cli->json)
		list = json_array();
	else
		t = table_new(">NO:NAME:INTERVALS:>RETRY:>INVITE:>TRYING:>PROGRESS:>SDP:>RINGING:>FINAL:>DOWN "
			      "RETRY:>GIVES UP");
	for (i = 0; i < MAX_PROFILES; i++) {
		if (*profile_label(&cli->pins, i).s == '#')
			continue;
		if (list)
			json_array_append_new(list, profile_json(&cli->pins, i));
		else if (t)
			profile_row(&cli->pins, t, i);
	}
	if (cli->json)
		return cli_print_json(cli,
				      json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "profiles", list));
	return cli_print_table(cli, t, 0);
}

static int show(const struct cli *cli, uint32_t profile)
{
	struct table *t = table_new("FIELD:>VALUE:>IN FORCE:UNIT");
	const uint32_t *used = in_force(&cli->pins, profile);
	uint32_t field[PROFILE_FIELDS], at[MAX_INTERVALS + 2];
	unsigned i, n = timeline(used, at);
	char why[256];
	int err;

	written(&cli->pins, profile, field);
	for (i = 0; t && i < PF_COUNT; i++) {
		table_cell(t, PLAIN, "%s", profile_field_name(i));
		table_cell(t, profile_field_ok(i, field[i], why, sizeof(why)) ? PLAIN : RED, "%s",
			   text_field(i, field[i]).s);
		table_cell(t, used[i] == field[i] ? PLAIN : YELLOW, "%s", text_field(i, used[i]).s);
		table_cell(t, PLAIN, "%s", profile_field_is_count(i) ? "copies" : "s");
	}
	printf("profile %u, %s\n\n", profile, profile_label(&cli->pins, profile).s);
	err = cli_print_table(cli, t, 0);
	if (err)
		return err;
	fputs("\nsent at", stdout);
	for (i = 0; i + 1 < n; i++)
		printf(" %s", text_seconds(at[i]).s);
	printf(" s; exhausted at %s s\n", text_seconds(at[n - 1]).s);
	return CLI_OK;
}

int cmd_profile_show(struct cli *cli, char **args)
{
	int profile = profile_find(&cli->pins, args[0]);

	if (profile < 0)
		return CLI_USAGE;
	if (!cli->json)
		return show(cli, profile);
	return cli_print_json(cli, json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "profile",
					     profile_json(&cli->pins, profile)));
}
