// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* mempcpy */
#include "json_write.h"

#include <stdbool.h>
#include <string.h>

char *json_put_number(char *to, uint64_t n)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = '0' + n % 10;
	while (n /= 10);
	return mempcpy(to, at, digits + sizeof(digits) - at);
}

/* Bytes of the UTF-8 character (RFC 3629, 4) that begins here, 0: none does. */
static size_t character(const unsigned char *s, size_t n)
{
	size_t len = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* too long for what it says, a surrogate, over U+10FFFF */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
	    (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static bool is_utf8(const unsigned char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = character(s + i, n - i);
		if (!len)
			return false;
	}
	return true;
}

static char *put_escaped(char *to, unsigned char c)
{
	static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\", hex[] = "0123456789ABCDEF";

	*to++ = '\\';
	for (const char *p = named; *p; p += 2) {
		if ((unsigned char)*p != c)
			continue;
		*to++ = p[1];
		return to;
	}
	to = mempcpy(to, "u00", 3);
	*to++ = hex[c >> 4];
	*to++ = hex[c & 0xf];
	return to;
}

char *json_put_text(char *to, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	bool latin1;

	n = strnlen(s, n);
	latin1 = !is_utf8(p, n);
	*to++ = '"';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];

		if (c < ' ' || c == '"' || c == '\\') {
			to = put_escaped(to, c);
		} else if (c >= 0x80 && latin1) {
			*to++ = 0xc0 | c >> 6;
			*to++ = 0x80 | (c & 0x3f);
		} else {
			*to++ = c;
		}
	}
	*to++ = '"';
	return to;
}
