/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings of the wire as JSON, which is UTF-8. */
#ifndef SIPRTX_JSON_TEXT_H
#define SIPRTX_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* At most n bytes up to a NUL; a string that is not UTF-8 is taken as Latin-1. Owned by the caller. NULL: no memory. */
json_t *json_text(const char *s, size_t n);

#endif
