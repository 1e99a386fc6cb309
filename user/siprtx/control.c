// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx check, load, unload */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "cli.h"
#include "health.h"
#include "load.h"
#include "unload.h"
#include "successor.h"

/* The configuration, then the host, then what is loaded: all that is wrong with any of them. */
int cmd_check(struct cli *cli, char **args)
{
	struct problems problems = {0};
	char why[PATH_MAX + 256];
	int err;

	(void)args;
	err = config_load(cli->config_path, cli->overrides, cli->n_overrides, &cli->config, &problems);
	/* of a configuration with errors the host cannot be asked: half of what it names may be missing */
	if (!err) {
		check_host(&cli->config, CHECK_ALL, &problems);
		err = cli_open(cli, false, why, sizeof(why));
		if (!err)
			check_values(&cli->pins, &problems);
	}
	err = problems.errors ? CLI_FAILED : CLI_OK;
	if (cli->json) {
		if (cli_print_json(cli, json_pack("{s:i, s:b, s:o}", "schema_version", CLI_SCHEMA_VERSION, "ok", !err,
						  "problems", problems_json(&problems))))
			err = CLI_FAILED;
	} else {
		problems_print(&problems, stdout, "siprtx");
		if (!err)
			printf("ok: %s can be used%s\n", cli->config_path, problems.n ? ", see the warnings" : "");
	}
	problems_free(&problems);
	return err;
}

static int done(const struct cli *cli, const char *what)
{
	if (cli->json)
		return cli_print_json(cli, json_pack("{s:i, s:s, s:s}", "schema_version", CLI_SCHEMA_VERSION, "done",
						     what, "pin_path", cli->config.pin_path));
	printf("%s: %s\n", what, cli->config.pin_path);
	return CLI_OK;
}

int cmd_load(struct cli *cli, char **args)
{
	struct problems problems = {0};
	char why[PATH_MAX + 512];
	int err;

	(void)args;
	check_host(&cli->config, CHECK_LOAD, &problems);
	problems_print(&problems, stderr, "siprtx");
	err = problems.errors;
	problems_free(&problems);
	if (err)
		return CLI_FAILED;
	if (load(&cli->config, cli->limit_ns ?: SUCCESSOR_LIMIT_NS, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	return done(cli, "loaded");
}

int cmd_unload(struct cli *cli, char **args)
{
	char why[PATH_MAX + 512];

	(void)args;
	if (unload(cli->config.pin_path, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	return done(cli, "unloaded");
}
