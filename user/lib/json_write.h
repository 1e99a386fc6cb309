/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON text into a buffer that is large enough: what is written often is not made of json_t first. */
#ifndef SIPRTX_JSON_WRITE_H
#define SIPRTX_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* What a string of n bytes takes at most, its quotes included: each byte as \u0000. */
#define JSON_TEXT_ROOM(n) (6 * (n) + 2)

/* The functions return the end of what they wrote; there is no NUL after it. */
char *json_put_number(char *to, uint64_t n);
/* As json_text(): at most n bytes up to a NUL; a string that is not UTF-8 is taken as Latin-1. */
char *json_put_text(char *to, const char *s, size_t n);

#endif
