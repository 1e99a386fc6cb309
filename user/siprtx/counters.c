// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx show counters: counters.def and stats.def with their values. */
#include <string.h>

#include "status.h"

const char *const counter_name[CNT_COUNT] = {
#define COUNTER(number, name, help) [number] = #name,
#include "counters.def"
#undef COUNTER
};
const char *const counter_help[CNT_COUNT] = {
#define COUNTER(number, name, help) [number] = help,
#include "counters.def"
#undef COUNTER
};
const char *const stat_name[STAT_COUNT] = {
#define STAT(number, name, type, help) [number] = #name,
#include "stats.def"
#undef STAT
};
const char *const stat_help[STAT_COUNT] = {
#define STAT(number, name, type, help) [number] = help,
#include "stats.def"
#undef STAT
};

static bool is_gauge(unsigned stat)
{
	enum { counter, gauge };
	static const unsigned char type_of[STAT_COUNT] = {
#define STAT(number, name, type, help) [number] = type,
#include "stats.def"
#undef STAT
	};

	return type_of[stat] == gauge;
}

/* One of the two lists, `before` NULL without rates. */
struct list {
	const char *heading;
	const char *const *name, *const *help;
	const uint64_t *now, *before;
	unsigned n;
	bool (*gauge)(unsigned i);
};

static int list_print(const struct cli *cli, const struct list *l, uint64_t period_ns)
{
	struct table *t = table_new(l->heading);
	unsigned i;

	for (i = 0; t && i < l->n; i++) {
		if (!l->now[i])
			continue;
		table_cell(t, PLAIN, "%s", l->name[i]);
		table_cell(t, PLAIN, "%llu", (unsigned long long)l->now[i]);
		if (period_ns && l->gauge && l->gauge(i))
			table_cell(t, PLAIN, "-");
		else if (period_ns)
			table_cell(t, PLAIN, "%s", text_rate(rate_per_s(l->before[i], l->now[i], period_ns)).s);
		table_cell(t, PLAIN, "%s", l->help[i]);
	}
	return cli_print_table(cli, t, 0);
}

static json_t *list_json(const struct list *l, uint64_t period_ns)
{
	json_t *all = json_object(), *rates = json_object();
	unsigned i;

	for (i = 0; i < l->n; i++) {
		json_object_set_new(all, l->name[i], json_integer(l->now[i]));
		if (period_ns && !(l->gauge && l->gauge(i)))
			json_object_set_new(rates, l->name[i],
					    json_real(rate_per_s(l->before[i], l->now[i], period_ns)));
	}
	if (period_ns)
		return json_pack("{s:o, s:o}", "total", all, "rate_per_s", rates);
	json_decref(rates);
	return json_pack("{s:o}", "total", all);
}

int cmd_counters(struct cli *cli, char **args)
{
	struct sample now;
	struct list kernel = {.heading = "DATA PATH:>TOTAL:MEANING",
			      .name = counter_name,
			      .help = counter_help,
			      .now = now.counters,
			      .before = cli->before.counters,
			      .n = CNT_COUNT};
	struct list controller = {.heading = "CONTROLLER:>TOTAL:MEANING",
				  .name = stat_name,
				  .help = stat_help,
				  .now = now.stats,
				  .before = cli->before.stats,
				  .n = STAT_COUNT,
				  .gauge = is_gauge};
	uint64_t period_ns = 0;
	int err;

	(void)args;
	err = sample_take(&cli->pins, &now);
	if (err)
		return cli_fail(CLI_FAILED, "the counters cannot be read: %s", strerror(-err));
	if (cli->have_before && cli->before.loaded_ns == now.loaded_ns) {
		period_ns = now.ns - cli->before.ns;
		kernel.heading = "DATA PATH:>TOTAL:>PER SECOND:MEANING";
		controller.heading = "CONTROLLER:>TOTAL:>PER SECOND:MEANING";
	}
	if (cli->json) {
		err = cli_print_json(cli, json_pack("{s:i, s:I, s:o, s:o}", "schema_version", CLI_SCHEMA_VERSION,
						    "period_ms", (json_int_t)(period_ns / 1000000), "data_path",
						    list_json(&kernel, period_ns), "controller",
						    list_json(&controller, period_ns)));
	} else {
		err = list_print(cli, &kernel, period_ns);
		putchar('\n');
		if (!err)
			err = list_print(cli, &controller, period_ns);
	}
	cli->before = now;
	cli->have_before = true;
	return err;
}
