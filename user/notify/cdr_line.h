/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the hourly CDR file, columns parted by '|', as siprtx-notify(8) names them. Pure. */
#ifndef SIPRTX_NOTIFY_CDR_LINE_H
#define SIPRTX_NOTIFY_CDR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define CDR_LINE 2048 /* the longest, with its '\n' and NUL */
#define CDR_NAME 24

/* "2026013123.txt": of the hour in which the record was made, in the zone of the process (TZ). Returns buf. */
char *cdr_name(const struct siprtx_record *r, char *buf, size_t size);
/* Is it the name of such a file? */
bool cdr_is_name(const char *name);
/* The line with its '\n'; its length. */
size_t cdr_line(const struct siprtx_record *r, char line[CDR_LINE]);
/* The number of the record that a line, with or without its '\n', was made of, and when it ended (Unix ms); 0: no such
 * line. */
uint64_t cdr_line_seq(const char *line, size_t n, uint64_t *ts_ms);

#endif
