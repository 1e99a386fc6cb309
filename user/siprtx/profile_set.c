// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx profile set: judged whole, then written whole. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "schedule.h"

#define LIST "resend_interval"

struct change {
	unsigned field;
	uint32_t value, former;
};

static int no_such_field(const char *word)
{
	const char *names[PF_COUNT + 1] = {LIST};
	unsigned i;
	int near;

	for (i = 0; i < PF_COUNT; i++)
		names[i + 1] = profile_field_name(i);
	near = nearest_name(word, names, PF_COUNT + 1);
	return cli_fail(CLI_USAGE, "a profile has no field \"%s\"; %s", word,
			near < 0 ? "siprtx help profile set names them" : did_you_mean(names[near]).s);
}

/* What FIELD VALUE asks for: one change, or one for each interval. How many, or 0 with the fault told. */
static unsigned changes_asked(const char *name, const char *value, struct change c[MAX_INTERVALS])
{
	uint32_t ms[MAX_INTERVALS];
	const char *fault;
	char why[256];
	unsigned i;

	if (!strcmp(name, LIST)) {
		if (parse_intervals(value, ms, why, sizeof(why)) < 0) {
			cli_fail(CLI_USAGE, "%s; nothing was changed", why);
			return 0;
		}
		for (i = 0; i < MAX_INTERVALS; i++)
			c[i] = (struct change){.field = PF_INTERVAL + i, .value = ms[i]};
		return MAX_INTERVALS;
	}
	for (i = 0; i < PF_COUNT && strcmp(name, profile_field_name(i)); i++)
		;
	if (i == PF_COUNT) {
		no_such_field(name);
		return 0;
	}
	*c = (struct change){.field = i};
	fault = profile_field_is_count(i) ? parse_u32(value, &c->value) : parse_seconds(value, &c->value);
	if (!fault)
		return 1;
	cli_fail(CLI_USAGE, "%s cannot be \"%s\": it %s; give %s", name, value, fault,
		 profile_field_is_count(i) ? "a count" : "seconds, as in 0.5");
	return 0;
}

static uint32_t key_of(uint32_t profile, const struct change *c)
{
	return profile * PROFILE_FIELDS + c->field;
}

/* Writes all of them, or on a failure puts back those written. 0 or -errno. */
static int write_changes(const struct pins *pins, uint32_t profile, struct change *c, unsigned n)
{
	int fd = pins->fd[PIN_profiles], err;
	uint32_t key;
	unsigned i;

	for (i = 0; i < n; i++) {
		key = key_of(profile, &c[i]);
		c[i].former = *pins_u32(pins->profiles, key);
		if (bpf_map_update_elem(fd, &key, &c[i].value, BPF_ANY))
			break;
	}
	if (i == n)
		return 0;
	err = -errno;
	while (i--) {
		key = key_of(profile, &c[i]);
		bpf_map_update_elem(fd, &key, &c[i].former, BPF_ANY);
	}
	return err;
}

static int print_changes(const struct cli *cli, uint32_t profile, const struct change *c, unsigned n)
{
	json_t *list = cli->json ? json_array() : NULL;
	char line[PATH_MAX + 128];
	bool any = false;
	unsigned i;

	for (i = 0; i < n; i++) {
		const char *name = profile_field_name(c[i].field);

		if (c[i].value == c[i].former)
			continue;
		any = true;
		bpftool_line(cli->config.pin_path, pin_name(PIN_profiles), key_of(profile, &c[i]), c[i].value, line,
			     sizeof(line));
		if (list)
			json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s}", "field", name, "former",
							      (json_int_t)c[i].former, "value", (json_int_t)c[i].value,
							      "bpftool", line));
		else
			printf("%s: %s -> %s%s\n%s\n", name, text_field(c[i].field, c[i].former).s,
			       text_field(c[i].field, c[i].value).s, c[i].field == PF_SEND_RETRY ? "" : " s", line);
	}
	if (list)
		return cli_print_json(cli, json_pack("{s:i, s:s, s:o}", "schema_version", CLI_SCHEMA_VERSION, "profile",
						     profile_label(&cli->pins, profile).s, "changed", list));
	if (!any)
		printf("%s has that value already\n", profile_label(&cli->pins, profile).s);
	return CLI_OK;
}

int cmd_profile_set(struct cli *cli, char **args)
{
	struct change c[MAX_INTERVALS];
	int profile, err;
	unsigned i, n;
	char why[256];

	profile = profile_find(&cli->pins, args[0]);
	if (profile < 0)
		return CLI_USAGE;
	n = changes_asked(args[1], args[2], c);
	if (!n)
		return CLI_USAGE;
	for (i = 0; i < n; i++)
		if (!profile_field_ok(c[i].field, c[i].value, why, sizeof(why)))
			return cli_fail(CLI_USAGE, "%s; nothing was changed", why);
	err = write_changes(&cli->pins, profile, c, n);
	if (err)
		return cli_fail(CLI_FAILED, "the profiles under %s cannot be written: %s; nothing was changed",
				cli->config.pin_path, strerror(-err));
	return print_changes(cli, profile, c, n);
}
