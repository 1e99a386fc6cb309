/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading values byte by byte, quoted strings and folding minded (RFC 3261 25.1). For files that take a message apart.
 */
#ifndef SIPRTX_SIP_READER_H
#define SIPRTX_SIP_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "abi.h"
#include "sip_detail.h"

/* What is left to read; `base` is the slot's start. */
struct reader {
	const char *base;
	uint16_t at, end;
};

static inline bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool is_among(char c, const char *set)
{
	return c && strchr(set, c);
}

static inline void skip_space(struct reader *r)
{
	while (r->at < r->end && is_space(r->base[r->at]))
		r->at++;
}

/* Steps over a quoted string; one that is not closed takes all there is (RFC 3261 25.1). */
static inline void skip_quoted(struct reader *r)
{
	for (r->at++; r->at < r->end && r->base[r->at] != '"'; r->at++)
		if (r->base[r->at] == '\\')
			r->at++;
	r->at = r->at < r->end ? r->at + 1 : r->end;
}

/* Goes on to the first byte of `set` outside quoted strings. False: there is none. */
static inline bool find(struct reader *r, const char *set)
{
	while (r->at < r->end && !is_among(r->base[r->at], set)) {
		if (r->base[r->at] == '"')
			skip_quoted(r);
		else
			r->at++;
	}
	return r->at < r->end;
}

/* Takes what comes before white space or a byte of `stop`. */
static inline struct sip_span take_until(struct reader *r, const char *stop)
{
	uint16_t start = r->at;

	while (r->at < r->end && !is_space(r->base[r->at]) && !is_among(r->base[r->at], stop))
		r->at++;
	return (struct sip_span){start, r->at - start};
}

static inline struct sip_span trimmed(const struct reader *r)
{
	struct reader t = *r;

	skip_space(&t);
	while (t.end > t.at && is_space(t.base[t.end - 1]))
		t.end--;
	return (struct sip_span){t.at, t.end - t.at};
}

/* The line that begins at `at`; with `folded`, its continuation lines too (RFC 3261 7.3.1). */
static inline struct reader line_at(const struct siprtx_slot *s, uint16_t at, uint16_t end, bool folded)
{
	struct reader r = {(const char *)s, at, at < end ? at : end};

	for (r.at = r.end; r.end < end; r.end++) {
		if (r.base[r.end] != '\n')
			continue;
		if (!folded || r.end + 1 >= end || !is_among(r.base[r.end + 1], " \t"))
			break;
	}
	return r;
}

#endif
