// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx check, load, unload */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "check.h"
#include "cli.h"
#include "health.h"
#include "load.h"

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
		check_host(&cli->config, &problems);
		err = cli_open(cli, false, why, sizeof(why));
		if (!err)
			check_values(&cli->pins, &problems);
		else if (err == -EPROTO)
			problem_add(&problems, PROBLEM_ERROR, cli->config.pin_path, NULL, "%s", why);
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
	check_host(&cli->config, &problems);
	problems_print(&problems, stderr, "siprtx");
	err = problems.errors;
	problems_free(&problems);
	if (err)
		return CLI_FAILED;
	if (load(&cli->config, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	return done(cli, "loaded");
}

/* The process that calls itself the controller of these maps, 0: none is there. */
static pid_t controller_pid(struct cli *cli)
{
	char why[PATH_MAX + 256];
	pid_t pid = 0;

	if (cli_open(cli, false, why, sizeof(why)))
		return 0;
	if (controller_alive(cli->pins.meta, now_ns()))
		pid = cli->pins.meta->pid;
	cli_close(cli);
	return pid > 0 && (!kill(pid, 0) || errno == EPERM) ? pid : 0;
}

int cmd_unload(struct cli *cli, char **args)
{
	char why[PATH_MAX + 512];
	pid_t pid = controller_pid(cli);

	(void)args;
	if (pid)
		return cli_fail(CLI_FAILED, "siprtxd, process %d, is at work on the maps under %s; stop it first",
				(int)pid, cli->config.pin_path);
	if (unload(cli->config.pin_path, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	return done(cli, "unloaded");
}
