// SPDX-License-Identifier: GPL-2.0-or-later
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIGURES 96
#define MAX_ROUNDS  64

static struct figure {
	const char *name;
	unsigned n;
	double value[MAX_ROUNDS];
} figures[MAX_FIGURES];
static unsigned used;

void sample(const char *name, double value)
{
	unsigned i = 0;

	while (i < used && strcmp(figures[i].name, name))
		i++;
	if (i == MAX_FIGURES || figures[i].n == MAX_ROUNDS) {
		fprintf(stderr, "more figures or rounds than there is room for: %s\n", name);
		exit(1);
	}
	if (i == used) {
		figures[i].name = name;
		used++;
	}
	figures[i].value[figures[i].n++] = value;
}

void samples_print(void)
{
	printf("{");
	for (unsigned i = 0; i < used; i++) {
		printf("%s\"%s\": [", i ? ", " : "", figures[i].name);
		for (unsigned k = 0; k < figures[i].n; k++)
			printf("%s%.1f", k ? ", " : "", figures[i].value[k]);
		printf("]");
	}
	printf("}\n");
}
