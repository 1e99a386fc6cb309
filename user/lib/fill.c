// SPDX-License-Identifier: GPL-2.0-or-later
#include "fill.h"

static const unsigned mark[] = FILL_MARKS;

#define MARKS (sizeof(mark) / sizeof(mark[0]))

static unsigned marks_within(uint64_t used, uint64_t total)
{
	unsigned n = 0;

	while (n < MARKS && total && used * 100 >= mark[n] * total)
		n++;
	return n;
}

unsigned fill_mark(uint64_t used, uint64_t total)
{
	unsigned n = marks_within(used, total);

	return n ? mark[n - 1] : 0;
}

unsigned fill_reached(struct fill *f, uint64_t used, uint64_t total)
{
	unsigned n = marks_within(used, total);

	while (f->marks > n && used * 100 < (mark[f->marks - 1] - FILL_BACK) * total)
		f->marks--;
	if (n <= f->marks)
		return 0;
	f->marks = n;
	return mark[n - 1];
}
