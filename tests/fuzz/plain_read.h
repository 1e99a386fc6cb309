/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the plain parser reads: a byte at a time, never beyond the end. */
#ifndef SIPRTX_PLAIN_READ_H
#define SIPRTX_PLAIN_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "plain_sip.h"

#define MAX_RUN	   128 /* white space, quoted characters */
#define MAX_DIGITS 16

/* A place in the text that ends at `end`: reading there gives -1. */
struct cursor {
	const uint8_t *data;
	size_t at, end;
};

static inline int peek(const struct cursor *c, size_t ahead)
{
	return c->at + ahead < c->end ? c->data[c->at + ahead] : -1;
}

static inline bool take(struct cursor *c, int byte)
{
	if (peek(c, 0) != byte)
		return false;
	c->at++;
	return true;
}

static inline bool take_text(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if (c->end - c->at < n || strncasecmp((const char *)c->data + c->at, text, n) != 0)
		return false;
	c->at += n;
	return true;
}

static inline bool is_wsp(int byte)
{
	return byte == ' ' || byte == '\t';
}

/* CRLF or LF at the cursor: its length, else 0. */
static inline size_t line_end(const struct cursor *c)
{
	if (peek(c, 0) == '\n')
		return 1;
	return peek(c, 0) == '\r' && peek(c, 1) == '\n' ? 2 : 0;
}

/* SWS: white space and folds, as many as there may be. True where there was some. */
static inline bool take_lws(struct cursor *c)
{
	size_t before = c->at;

	for (int i = 0; i < MAX_RUN; i++) {
		size_t eol = line_end(c);

		if (!is_wsp(peek(c, eol)))
			break;
		c->at += eol + 1;
	}
	return c->at > before;
}

/* Bytes up to white space, a control, or one of `stops`. */
static inline struct plain_span take_run(struct cursor *c, const char *stops)
{
	struct plain_span run = {.at = c->at};

	while (peek(c, 0) > ' ' && !strchr(stops, peek(c, 0)))
		c->at++;
	run.len = c->at - run.at;
	return run;
}

/* 1*DIGIT, `max` at most. */
static inline bool take_number(struct cursor *c, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;
	int digits = 0;

	while (digits < MAX_DIGITS && peek(c, 0) >= '0' && peek(c, 0) <= '9') {
		value = value * 10 + (unsigned int)(peek(c, 0) - '0');
		if (value > max)
			return false;
		c->at++;
		digits++;
	}
	*out = (uint32_t)value;
	return digits > 0;
}

/* quoted-string, escapes and folds in it. */
static inline bool take_quoted(struct cursor *c)
{
	if (!take(c, '"'))
		return false;
	for (int i = 0; i < MAX_RUN && peek(c, 0) >= 0; i++) {
		if (take(c, '"'))
			return true;
		if (take(c, '\\') && (peek(c, 0) == '\n' || peek(c, 0) < 0))
			return false;
		c->at++;
	}
	return false;
}

static inline enum sip_method method_of(const uint8_t *name, size_t len)
{
	static const char *const names[] = {
		[SIP_INVITE] = "INVITE",       [SIP_ACK] = "ACK",
		[SIP_CANCEL] = "CANCEL",       [SIP_BYE] = "BYE",
		[SIP_REGISTER] = "REGISTER",   [SIP_OPTIONS] = "OPTIONS",
		[SIP_SUBSCRIBE] = "SUBSCRIBE", [SIP_NOTIFY] = "NOTIFY",
		[SIP_REFER] = "REFER",	       [SIP_INFO] = "INFO",
		[SIP_UPDATE] = "UPDATE",       [SIP_PRACK] = "PRACK",
		[SIP_MESSAGE] = "MESSAGE",     [SIP_PUBLISH] = "PUBLISH",
	};

	for (size_t i = SIP_INVITE; i < sizeof(names) / sizeof(*names); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (enum sip_method)i;
	}
	return SIP_OTHER;
}

/* 1*DIGIT LWS Method, and white space up to the end. */
static inline bool take_cseq(struct cursor *c, uint32_t *number, enum sip_method *method)
{
	struct plain_span name;

	if (!take_number(c, INT32_MAX, number) || !take_lws(c))
		return false;
	name = take_run(c, "");
	take_lws(c);
	*method = method_of(c->data + name.at, name.len);
	return name.len > 0 && peek(c, 0) < 0;
}

static inline struct cursor inside(const uint8_t *data, struct plain_span value)
{
	return (struct cursor){.data = data, .at = value.at, .end = value.at + value.len};
}

/* A piece of the value is over: nothing, another parameter or another element follows. */
static inline bool at_separator(const struct cursor *c)
{
	return peek(c, 0) < 0 || peek(c, 0) == ';' || peek(c, 0) == ',';
}

/* `name` EQUAL at the cursor, which is moved behind it; else it stays. */
static inline bool take_name(struct cursor *c, const char *name)
{
	size_t before = c->at;

	if (take_text(c, name)) {
		take_lws(c);
		if (take(c, '=')) {
			take_lws(c);
			return true;
		}
	}
	c->at = before;
	return false;
}

#endif
