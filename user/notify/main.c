// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx-notify: tells consumers ([notify NAME]) of what siprtxd records; a process of its own, for it runs programs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check_notify.h"
#include "config.h"
#include "loop.h"
#include "problem.h"

static const struct arguments_of siprtx_notify = {
	.name = "siprtx-notify",
	.about = "tells other programs of what siprtxd records",
	.check = "says what is wrong with [notify] sections, starts nothing",
	.verbose = "more lines, each failure among them",
};

/* NULL: it cannot be used, and why was printed. */
static struct config *read_config(void *arg)
{
	const struct arguments *a = arg;
	struct problems problems = {};
	struct config *config = calloc(1, sizeof(*config));
	bool bad = !config || config_load(a->file, a->overrides, a->n_overrides, config, &problems);

	if (!bad)
		check_notify(config, &problems);
	problems_print(&problems, stderr, "siprtx-notify");
	problems_free(&problems);
	if (!bad)
		return config;
	if (config)
		config_free(config);
	free(config);
	return NULL;
}

static int run(struct arguments *a)
{
	struct config *config = read_config(a);

	if (!config)
		return EXIT_FAILURE;
	if (!a->check)
		return loop_run(config, read_config, a) ? EXIT_FAILURE : EXIT_SUCCESS;
	config_free(config);
	free(config);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments a;
	int status = arguments_read(argc, argv, &siprtx_notify, &a);

	if (status < 0)
		status = run(&a);
	arguments_free(&a);
	return status;
}
