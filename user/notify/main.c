// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx-notify: tells consumers ([notify NAME]) of what siprtxd records; a process of its own, for it runs programs.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_notify.h"
#include "config.h"
#include "log.h"
#include "loop.h"
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
	{OPTION_CHECK, "check", NULL, "says what is wrong with [notify] sections, starts nothing"},
	{'v', "verbose", NULL, "more lines, each failure among them"},
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
	printf("siprtx-notify - tells other programs of what siprtxd records\n\nUsage: siprtx-notify [-c FILE] [-o "
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
			puts("siprtx-notify " SIPRTX_VERSION);
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
	fprintf(stderr,
		"siprtx-notify: %s is one argument too many; a file is named with -c FILE, see siprtx-notify --help\n",
		argv[optind]);
	return USAGE_ERROR;
}

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
	struct arguments a = {.file = CONFIG_DEFAULT, .overrides = calloc(argc, sizeof(*a.overrides))};
	int status = a.overrides ? parse(argc, argv, &a) : EXIT_FAILURE;

	if (status < 0)
		status = run(&a);
	free(a.overrides);
	return status;
}
