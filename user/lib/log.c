// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "table.h"

bool log_verbose;

void log_line(int priority, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n = 0;

	if (priority >= LOG_DEBUG && !log_verbose)
		return;
	/* sd-daemon(3): the prefix is the priority; systemd sets JOURNAL_STREAM for a service it logs */
	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, sizeof(line), "<%d>", priority);
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	make_printable(line);
	fprintf(stderr, "%s\n", line);
}
