// SPDX-License-Identifier: GPL-2.0-or-later
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *s, size_t n)
{
	json_t *text;
	char *utf8;
	size_t i, len = 0;

	n = strnlen(s, n);
	text = json_stringn(s, n);
	if (text)
		return text;
	utf8 = malloc(2 * n + 1);
	if (!utf8)
		return NULL;
	for (i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (c >= 0x80)
			utf8[len++] = 0xc0 | c >> 6;
		utf8[len++] = c >= 0x80 ? 0x80 | (c & 0x3f) : c;
	}
	text = json_stringn(utf8, len);
	free(utf8);
	return text;
}
