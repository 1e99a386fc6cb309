// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtxd: the controller, in the foreground. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "controller.h"
#include "log.h"
#include "problem.h"
#include "version.h"

#define USAGE_ERROR 2

enum { OPTION_CHECK = 256, OPTION_VERSION };

/* Read by getopt_long and by --help alike. */
static const struct {
	int id;
	const char *name, *value, *help;
} option[] = {
	{'c', "config", "FILE", "configuration file (" CONFIG_DEFAULT ")"},
	{'o', "option", "SECTION.KEY=VALUE", "overrides one value of the file; may be repeated"},
	{OPTION_CHECK, "check", NULL, "says what is wrong with configuration and host, starts nothing"},
	{'v', "verbose", NULL, "more lines, the kernel's reasons among them"},
	{OPTION_VERSION, "version", NULL, "prints the version"},
	{'h', "help", NULL, "prints this"},
};
#define OPTIONS (sizeof(option) / sizeof(*option))

struct arguments {
	const char *file;
	char **overrides;
	unsigned n_overrides;
	bool check;
};

static void print_help(void)
{
	printf("siprtxd - retransmits unanswered INVITEs from the NIC path\n\nUsage: siprtxd [-c FILE] [-o "
	       "SECTION.KEY=VALUE ...]\n\n");
	for (unsigned i = 0; i < OPTIONS; i++) {
		char text[64], letter[8] = "    ";

		if (option[i].id < OPTION_CHECK)
			snprintf(letter, sizeof(letter), "-%c, ", option[i].id);
		snprintf(text, sizeof(text), "%s--%s %s", letter, option[i].name,
			 option[i].value ? option[i].value : "");
		printf("  %-32s %s\n", text, option[i].help);
	}
}

/* Returns -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct arguments *a)
{
	struct option longs[OPTIONS + 1] = {};
	char shorts[2 * OPTIONS + 1] = "", *at = shorts;
	int id;

	for (unsigned i = 0; i < OPTIONS; i++) {
		longs[i] = (struct option){option[i].name, option[i].value ? required_argument : no_argument, NULL,
					   option[i].id};
		if (option[i].id >= OPTION_CHECK)
			continue;
		*at++ = option[i].id;
		if (option[i].value)
			*at++ = ':';
	}
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (id) {
		case 'c':
			a->file = optarg;
			break;
		case 'o':
			a->overrides[a->n_overrides++] = optarg;
			break;
		case OPTION_CHECK:
			a->check = true;
			break;
		case 'v':
			log_verbose = true;
			break;
		case OPTION_VERSION:
			puts("siprtxd " SIPRTX_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		default:
			return USAGE_ERROR;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "siprtxd: %s is one argument too many; a file is named with -c FILE, see siprtxd --help\n",
		argv[optind]);
	return USAGE_ERROR;
}

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
	struct arguments a = {.file = CONFIG_DEFAULT, .overrides = calloc(argc, sizeof(*a.overrides))};
	int status = a.overrides ? parse(argc, argv, &a) : EXIT_FAILURE;

	if (status < 0)
		status = run(&a);
	free(a.overrides);
	return status;
}
