// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx show tunables, siprtx set */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "methods.h"
#include "schedule.h"

struct tunable {
	const char *name, *unit, *help;
	uint32_t def, min, max;
};

static const struct tunable tunable[TUN_COUNT] = {
#define TUNABLE(number, name, def, min, max, unit, help) [number] = {#name, unit, help, def, min, max},
#include "tunables.def"
#undef TUNABLE
};

static bool has_unit(unsigned index)
{
	return tunable[index].max != 1 && index != TUN_methods;
}

struct value_text {
	char s[METHODS_TEXT + 16];
};

/* As a number; a bit set with its names. */
static struct value_text value_text(unsigned index, uint32_t value)
{
	char names[METHODS_TEXT];
	struct value_text t;

	if (index == TUN_methods)
		snprintf(t.s, sizeof(t.s), "%u (%s)", value, methods_text(value, names, sizeof(names)));
	else
		snprintf(t.s, sizeof(t.s), "%u", value);
	return t;
}

static json_t *methods_json(uint32_t methods)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < SIP_METHODS; i++)
		if (methods & METHODS_ALL & 1u << i)
			json_array_append_new(list, json_string(method_name(i)));
	return list;
}

static json_t *tunable_json(unsigned index, uint32_t value, uint32_t in_force)
{
	const struct tunable *t = &tunable[index];
	json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "value", (json_int_t)value, "in_force",
			      (json_int_t)in_force, "default", (json_int_t)t->def, "min", (json_int_t)t->min, "max",
			      (json_int_t)t->max, "unit", t->unit, "help", t->help);

	if (index == TUN_methods) {
		json_object_set_new(o, "names", methods_json(value));
		json_object_set_new(o, "in_force_names", methods_json(in_force));
	}
	return o;
}

int cmd_tunables(struct cli *cli, char **args)
{
	struct table *t = cli->json ? NULL : table_new("KEY:>VALUE:>IN FORCE:>DEFAULT:RANGE:UNIT:MEANING");
	json_t *all = cli->json ? json_object() : NULL;
	unsigned i;

	(void)args;
	for (i = 0; i < TUN_COUNT; i++) {
		const struct tunable *one = &tunable[i];
		uint32_t value = *pins_u32(cli->pins.tunables, i), in_force = cli->pins.in_force->tunables[i];
		char why[256];

		if (!one->name)
			continue; /* a number not given */
		if (all)
			json_object_set_new(all, one->name, tunable_json(i, value, in_force));
		if (!t)
			continue;
		table_cell(t, PLAIN, "%s", one->name);
		table_cell(t, tunable_ok(i, value, why, sizeof(why)) ? PLAIN : RED, "%s", value_text(i, value).s);
		table_cell(t, in_force == value ? PLAIN : YELLOW, "%s", value_text(i, in_force).s);
		table_cell(t, PLAIN, "%u", one->def);
		table_cell(t, PLAIN, "%u-%u", one->min, one->max);
		table_cell(t, PLAIN, "%s", one->unit);
		table_cell(t, PLAIN, "%s", one->help);
	}
	if (cli->json)
		return cli_print_json(cli,
				      json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "tunables", all));
	return cli_print_table(cli, t, 0);
}

/* CLI_OK, or the fault told. */
static int value_asked(unsigned key, const char *name, const char *text, uint32_t *value)
{
	char why[256];
	const char *fault;

	if (key == TUN_methods)
		return parse_methods(text, value, why, sizeof(why)) ? CLI_OK : cli_fail(CLI_USAGE, "%s", why);
	fault = parse_u32(text, value);
	if (fault)
		return cli_fail(CLI_USAGE, "%s cannot be \"%s\": it %s; give a whole number from %u to %u", name, text,
				fault, tunable[key].min, tunable[key].max);
	if (!tunable_ok(key, *value, why, sizeof(why)))
		return cli_fail(CLI_USAGE, "%s; give %u to %u", why, tunable[key].min, tunable[key].max);
	return CLI_OK;
}

int tunable_write(struct cli *cli, unsigned key, uint32_t value)
{
	if (bpf_map_update_elem(cli->pins.fd[PIN_tunables], &key, &value, BPF_ANY))
		return cli_fail(CLI_FAILED, "the tunables under %s cannot be written: %s", cli->config.pin_path,
				strerror(errno));
	return CLI_OK;
}

int cmd_set(struct cli *cli, char **args)
{
	const char *names[TUN_COUNT], *unit;
	char line[PATH_MAX + 128];
	uint32_t value, former;
	int i, key = -1;

	for (i = 0; i < TUN_COUNT; i++) {
		names[i] = tunable[i].name;
		if (names[i] && !strcmp(names[i], args[0]))
			key = i;
	}
	if (key < 0) {
		i = nearest_name(args[0], names, TUN_COUNT);
		return cli_fail(CLI_USAGE, "there is no tunable \"%s\"; %s", args[0],
				i < 0 ? "siprtx show tunables names them" : did_you_mean(names[i]).s);
	}
	if (value_asked(key, args[0], args[1], &value))
		return CLI_USAGE;
	former = *pins_u32(cli->pins.tunables, key);
	if (tunable_write(cli, key, value))
		return CLI_FAILED;
	bpftool_line(cli->config.pin_path, pin_name(PIN_tunables), key, value, line, sizeof(line));
	if (cli->json)
		return cli_print_json(cli, json_pack("{s:i, s:s, s:I, s:I, s:s}", "schema_version", CLI_SCHEMA_VERSION,
						     "key", tunable[key].name, "former", (json_int_t)former, "value",
						     (json_int_t)value, "bpftool", line));
	unit = has_unit(key) ? tunable[key].unit : "";
	printf("%s: %s -> %s%s%s\n%s\n", tunable[key].name, value_text(key, former).s, value_text(key, value).s,
	       *unit ? " " : "", unit, line);
	return CLI_OK;
}
