// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *name_fault(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

	if (!*text)
		return "is empty";
	if (text[n])
		return "has other characters than A-Z a-z 0-9 _ . -";
	if (n >= NAME_LEN)
		return "is longer than 31 characters";
	return NULL;
}

char *trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

char *next_item(char **list)
{
	char *item = strsep(list, ",");

	return item ? trim(item) : NULL;
}

const char *parse_decimal(const char *text, unsigned decimals, uint64_t *out)
{
	const uint64_t most = 1000000000000000;
	const char *s = text;
	uint64_t n = 0;
	unsigned left = decimals;

	if (!*s)
		return "is empty";
	if (*s == '-')
		return "is negative";
	if (!isdigit((unsigned char)*s))
		return "is not a number";
	for (; isdigit((unsigned char)*s); s++)
		n = n < most ? n * 10 + (*s - '0') : most;
	if (*s == '.') {
		if (!decimals)
			return "is not a whole number";
		if (!isdigit((unsigned char)*++s))
			return "is not a number";
		for (; isdigit((unsigned char)*s) && left; s++, left--)
			n = n < most ? n * 10 + (*s - '0') : most;
		if (isdigit((unsigned char)*s))
			return "has too many decimals";
	}
	if (*s)
		return "is not a number";
	for (; left; left--)
		n = n < most ? n * 10 : most;
	*out = n < most ? n : most;
	return NULL;
}

/* Clears what is past the first `bits`; true when there was any. */
static bool clear_host_bits(uint8_t addr[16], uint32_t bits)
{
	bool any = false;

	for (unsigned i = 0; i < 16; i++) {
		uint8_t keep = bits >= 8 * (i + 1) ? 0xff : bits <= 8 * i ? 0 : 0xff << (8 - bits % 8);

		any |= addr[i] & ~keep;
		addr[i] &= keep;
	}
	return any;
}

const char *parse_gateway_address(char *text, struct config_gateway *out, char *remedy, size_t remedy_size)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char *length = strchr(text, '/'), *port = NULL, *colon = strchr(text, ':');
	bool bracket = *text == '[', v4;
	uint64_t n_port = 0, n_length;
	char shown[INET6_ADDRSTRLEN];
	uint8_t addr[16];

	snprintf(remedy, remedy_size, "Write it like 192.0.2.10, 192.0.2.10:5060, [2001:db8::1]:5060 or 192.0.2.0/24");
	if (length) {
		if (strpbrk(length, ":]")) {
			snprintf(remedy, remedy_size, "Take the port away, or name single addresses");
			return "is a prefix with a port";
		}
		*length++ = '\0';
	} else if (bracket) {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return "is not an address";
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		text++;
	} else if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		port = colon + 1;
	}

	v4 = !bracket && inet_pton(AF_INET, text, addr + 12) == 1;
	if (v4)
		memcpy(addr, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, addr) != 1)
		return "is not an address";
	else if (!memcmp(addr, mapped, sizeof(mapped)))
		return "is an IPv4 address written as IPv6";

	n_length = v4 ? 32 : 128;
	if (length && (parse_decimal(length, 0, &n_length) || n_length > (v4 ? 32 : 128))) {
		snprintf(remedy, remedy_size, "Give 0 to %u bits after the /", v4 ? 32 : 128);
		return "has no valid prefix length";
	}
	if (clear_host_bits(addr, n_length + (v4 ? 96 : 0))) {
		inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, shown, sizeof(shown));
		snprintf(remedy, remedy_size, "Write %s/%u", shown, (unsigned)n_length);
		return "has bits set after its prefix";
	}
	if (port && (parse_decimal(port, 0, &n_port) || !n_port || n_port > UINT16_MAX)) {
		snprintf(remedy, remedy_size, "Give a port from 1 to 65535");
		return "has no valid port";
	}

	memcpy(out->addr, addr, sizeof(addr));
	out->prefixlen = n_length + (v4 ? 96 : 0);
	out->port = n_port;
	return NULL;
}

bool choose(struct parser *p, const struct key *key, const char *text, const struct choice *list, int *out)
{
	char remedy[256] = "Use ";
	const struct choice *one;

	for (one = list; one->word && strcmp(one->word, text); one++)
		;
	if (one->word) {
		*out = one->value;
		return true;
	}
	for (one = list; one->word; one++) {
		size_t n = strlen(remedy);

		snprintf(remedy + n, sizeof(remedy) - n, "%s%s", n > strlen("Use ") ? " or " : "", one->word);
	}
	bad_value(p, key, text, "is none of its words", remedy);
	return false;
}

bool whole_number(struct parser *p, const struct key *key, const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	const char *fault;
	char remedy[64];
	uint64_t n = 0;

	fault = parse_decimal(text, 0, &n);
	if (!fault && (n < min || n > max))
		fault = "is out of range";
	if (!fault) {
		*out = n;
		return true;
	}
	snprintf(remedy, sizeof(remedy), "Give a whole number from %u to %u", min, max);
	bad_value(p, key, text, fault, remedy);
	return false;
}
