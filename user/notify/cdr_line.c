// SPDX-License-Identifier: GPL-2.0-or-later
#include "cdr_line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "view.h"

#define COLUMNS 18

struct column {
	char s[192];
};

char *cdr_name(const struct siprtx_record *r, char *buf, size_t size)
{
	time_t seconds = r->ts_ms / 1000;
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	if (!strftime(buf, size, "%Y%m%d%H.txt", &tm))
		*buf = '\0';
	return buf;
}

bool cdr_is_name(const char *name)
{
	return strlen(name) == 14 && strspn(name, "0123456789") == 10 && !strcmp(name + 10, ".txt");
}

/* "2026-01-31 23:59:59" in the zone of the process */
static struct column local(uint64_t unix_ms)
{
	time_t seconds = unix_ms / 1000;
	struct column c = {""};
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	if (!strftime(c.s, sizeof(c.s), "%Y-%m-%d %H:%M:%S", &tm))
		*c.s = '\0';
	return c;
}

/* What would end a column or a line becomes a '_'. */
static struct column clean(const char *text, size_t n)
{
	struct column c = {""};
	size_t i;

	for (i = 0; i < n && i < sizeof(c.s) - 1 && text[i]; i++)
		c.s[i] = text[i] == '|' || iscntrl((unsigned char)text[i]) ? '_' : text[i];
	return c;
}

/* The number in a SIP or tel URI: what is before the '@' or, of a tel URI, the parameters. */
static struct column number(const char *uri)
{
	const char *at = strchr(uri, ':');

	at = at ? at + 1 : uri;
	return clean(at, strcspn(at, "@;>"));
}

static struct column host(const uint8_t addr[16], uint16_t port)
{
	struct column c;

	format_endpoint(addr, port, c.s, sizeof(c.s));
	return c;
}

#define CLEAN(field) clean(r->field, sizeof(r->field)).s

size_t cdr_line(const struct siprtx_record *r, char line[CDR_LINE])
{
	struct column gateway =
		*r->gateway_name ? clean(r->gateway_name, sizeof(r->gateway_name)) : host(r->daddr, r->dport);
	int n = snprintf(line, CDR_LINE,
			 "%s|%s|%s|%s|0|%s|callee|%s|%s|%s|%s|%" PRIu32 "|%u|%u|%s|%s|%" PRIu64 "|%" PRIu64 "\n",
			 number(r->from_uri).s, number(r->ruri).s, local(r->first_send_ms).s, local(r->ts_ms).s,
			 record_reason_name(r->reason), host(r->saddr, 0).s, gateway.s, host(r->saddr, r->sport).s,
			 host(r->daddr, r->dport).s, r->duration_ms, r->sends, r->last_code, CLEAN(profile),
			 CLEAN(call_id), (uint64_t)r->ts_ms, (uint64_t)r->seq);

	return n > 0 && n < CDR_LINE ? (size_t)n : 0;
}

uint64_t cdr_line_seq(const char *line, size_t n, uint64_t *ts_ms)
{
	const char *column[COLUMNS] = {line};
	char copy[CDR_LINE];
	unsigned columns = 1;

	if (n >= sizeof(copy))
		return 0;
	memcpy(copy, line, n);
	copy[n] = '\0';
	for (char *s = copy; *s; s++)
		if (*s == '|' && columns++ < COLUMNS)
			column[columns - 1] = s + 1;
	if (columns != COLUMNS)
		return 0;
	*ts_ms = strtoull(column[COLUMNS - 2], NULL, 10);
	return strtoull(column[COLUMNS - 1], NULL, 10);
}
