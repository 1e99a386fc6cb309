// SPDX-License-Identifier: GPL-2.0-or-later
#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "log.h"
#include "version.h"

#define USAGE_ERROR 2

enum { OPTION_CHECK = 256, OPTION_VERSION };

/* Read by getopt_long and by --help alike. */
static const struct {
	int id;
	const char *name, *value, *help; /* help NULL: the program's own */
} option[] = {
	{'c', "config", "FILE", "configuration file (" CONFIG_DEFAULT ")"},
	{'o', "option", "SECTION.KEY=VALUE", "overrides one value of the file; may be repeated"},
	{OPTION_CHECK, "check", NULL, NULL},
	{'v', "verbose", NULL, NULL},
	{OPTION_VERSION, "version", NULL, "prints the version"},
	{'h', "help", NULL, "prints this"},
};
#define OPTIONS (sizeof(option) / sizeof(*option))

static void print_help(const struct arguments_of *of)
{
	printf("%s - %s\n\nUsage: %s [-c FILE] [-o SECTION.KEY=VALUE ...]\n\n", of->name, of->about, of->name);
	for (unsigned i = 0; i < OPTIONS; i++) {
		const char *help = option[i].help ?: option[i].id == OPTION_CHECK ? of->check : of->verbose;
		char text[64], letter[8] = "    ";

		if (option[i].id < OPTION_CHECK)
			snprintf(letter, sizeof(letter), "-%c, ", option[i].id);
		snprintf(text, sizeof(text), "%s--%s %s", letter, option[i].name,
			 option[i].value ? option[i].value : "");
		printf("  %-32s %s\n", text, help);
	}
}

/* What getopt_long() wants to know of them. */
static void for_getopt(struct option longs[OPTIONS + 1], char shorts[2 * OPTIONS + 1])
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		longs[i] = (struct option){option[i].name, option[i].value ? required_argument : no_argument, NULL,
					   option[i].id};
		if (option[i].id >= OPTION_CHECK)
			continue;
		*shorts++ = option[i].id;
		if (option[i].value)
			*shorts++ = ':';
	}
}

int arguments_read(int argc, char **argv, const struct arguments_of *of, struct arguments *out)
{
	struct option longs[OPTIONS + 1] = {};
	char shorts[2 * OPTIONS + 1] = "";
	int id;

	*out = (struct arguments){.file = CONFIG_DEFAULT, .overrides = calloc(argc, sizeof(*out->overrides))};
	if (!out->overrides)
		return EXIT_FAILURE;
	for_getopt(longs, shorts);
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (id) {
		case 'c':
			out->file = optarg;
			break;
		case 'o':
			out->overrides[out->n_overrides++] = optarg;
			break;
		case OPTION_CHECK:
			out->check = true;
			break;
		case 'v':
			log_verbose = true;
			break;
		case OPTION_VERSION:
			printf("%s " SIPRTX_VERSION "\n", of->name);
			return EXIT_SUCCESS;
		case 'h':
			print_help(of);
			return EXIT_SUCCESS;
		default:
			return USAGE_ERROR;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: %s is one argument too many; a file is named with -c FILE, see %s --help\n", of->name,
		argv[optind], of->name);
	return USAGE_ERROR;
}

void arguments_free(struct arguments *a)
{
	free(a->overrides);
	*a = (struct arguments){};
}
