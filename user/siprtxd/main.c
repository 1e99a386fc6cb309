// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtxd: the controller, in the foreground. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "check.h"
#include "config.h"
#include "controller.h"
#include "problem.h"

static const struct arguments_of siprtxd = {
	.name = "siprtxd",
	.about = "retransmits unanswered INVITEs from the NIC path",
	.check = "says what is wrong with configuration and host, starts nothing",
	.verbose = "more lines, the kernel's reasons among them",
};

static int run(const struct arguments *a)
{
	struct problems problems = {};
	struct config config = {};
	int err = config_load(a->file, a->overrides, a->n_overrides, &config, &problems);

	if (!err)
		check_host(&config, CHECK_SERVE, &problems);
	problems_print(&problems, stderr, "siprtxd");
	err = problems.errors ? EXIT_FAILURE : EXIT_SUCCESS;
	problems_free(&problems);
	if (!err && !a->check && controller_run(&config))
		err = EXIT_FAILURE;
	config_free(&config);
	return err;
}

int main(int argc, char **argv)
{
	struct arguments a;
	int status = arguments_read(argc, argv, &siprtxd, &a);

	if (status < 0)
		status = run(&a);
	arguments_free(&a);
	return status;
}
