/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the journal back to the record it was made of. */
#ifndef SIPRTX_RECORD_PARSE_H
#define SIPRTX_RECORD_PARSE_H

#include <stddef.h>

#include "abi.h"

/*
 * What the line does not have stays 0 or empty; so does what this version does not know. Returns 0; -EBADMSG: no JSON
 * object, or one without seq or a known event; -ENOMEM.
 */
int record_parse(const char *line, size_t n, struct siprtx_record *out);
/* enum siprtx_record_event of a line, by its text alone; 0: none that is known. `line` is NUL-terminated. */
unsigned record_line_event(const char *line);

#endif
