/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line that siprtxd and siprtx-notify have in common. */
#ifndef SIPRTX_ARGUMENTS_H
#define SIPRTX_ARGUMENTS_H

#include <stdbool.h>

struct arguments {
	const char *file; /* -c */
	char **overrides; /* -o, in their order; owned, arguments_free() */
	unsigned n_overrides;
	bool check; /* --check: start nothing */
};

struct arguments_of { /* what --help and the errors say of the program */
	const char *name, *about;
	const char *check, *verbose; /* help of --check and -v */
};

/* -v sets log_verbose. Returns -1 to go on, or the exit status: --help, --version, wrong usage, which was told. */
int arguments_read(int argc, char **argv, const struct arguments_of *of, struct arguments *out);
void arguments_free(struct arguments *a);

#endif
