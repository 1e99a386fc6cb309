/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one line that a subscriber of a stream may write. Pure. */
#ifndef SIPRTX_NOTIFY_STREAM_REQUEST_H
#define SIPRTX_NOTIFY_STREAM_REQUEST_H

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* "from SEQ" or "from end", without its end; a '\r' there is no harm. 0: *seq is SEQ, untouched for the end. -EINVAL.
 */
static inline int stream_request(const char *line, uint64_t *seq)
{
	size_t n = strlen(line);
	char *end;

	if (n && line[n - 1] == '\r')
		n--;
	if (strncmp(line, "from ", 5))
		return -EINVAL;
	if (n == strlen("from end") && !strncmp(line, "from end", n))
		return 0;
	if (!isdigit((unsigned char)line[5]) || n > strlen("from ") + 19)
		return -EINVAL;
	*seq = strtoull(line + 5, &end, 10);
	if (!*seq)
		*seq = 1;
	return end == line + n ? 0 : -EINVAL;
}

#endif
