// SPDX-License-Identifier: GPL-2.0-or-later
#include "sysctl.h"

#include <stdarg.h>
#include <stdio.h>

long long sysctl_number(const char *format, ...)
{
	char path[128];
	long long n = -1;
	va_list args;
	FILE *f;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%lld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}
