// SPDX-License-Identifier: GPL-2.0-or-later
#include "sip_detail.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What is left to read; `base` is the slot's start. */
struct reader {
	const char *base;
	uint16_t at, end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_among(char c, const char *set)
{
	return c && strchr(set, c);
}

static void skip_space(struct reader *r)
{
	while (r->at < r->end && is_space(r->base[r->at]))
		r->at++;
}

/* Steps over a quoted string; one that is not closed takes all there is (RFC 3261 25.1). */
static void skip_quoted(struct reader *r)
{
	for (r->at++; r->at < r->end && r->base[r->at] != '"'; r->at++)
		if (r->base[r->at] == '\\')
			r->at++;
	r->at = r->at < r->end ? r->at + 1 : r->end;
}

/* Goes on to the first byte of `set` outside quoted strings. False: there is none. */
static bool find(struct reader *r, const char *set)
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
static struct sip_span take_until(struct reader *r, const char *stop)
{
	uint16_t start = r->at;

	while (r->at < r->end && !is_space(r->base[r->at]) && !is_among(r->base[r->at], stop))
		r->at++;
	return (struct sip_span){start, r->at - start};
}

static struct sip_span trimmed(const struct reader *r)
{
	struct reader t = *r;

	skip_space(&t);
	while (t.end > t.at && is_space(t.base[t.end - 1]))
		t.end--;
	return (struct sip_span){t.at, t.end - t.at};
}

/* The line that begins at `at`; with `folded`, its continuation lines too (RFC 3261 7.3.1). */
static struct reader line_at(const struct siprtx_slot *s, uint16_t at, uint16_t end, bool folded)
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

static void read_start_line(struct reader r, struct sip_detail *out)
{
	struct sip_span line = trimmed(&r);

	r.at = line.at;
	r.end = line.at + line.len;
	out->method = take_until(&r, "");
	while (r.end > r.at && !is_space(r.base[r.end - 1]))
		r.end--; /* the version: a broken URI may have spaces of its own */
	out->ruri = trimmed(&r);
}

/* The URI and tag of a From or To value. */
static void read_address(struct reader r, struct sip_span *uri, struct sip_span *tag)
{
	struct reader whole = r;

	skip_space(&whole);
	if (find(&r, "<;") && r.base[r.at] == '<') {
		struct reader inside = {r.base, r.at + 1, r.end};
		const char *close = memchr(r.base + inside.at, '>', r.end - inside.at);

		if (!close)
			return;
		inside.end = close - r.base;
		r.at = inside.end + 1;
		*uri = trimmed(&inside);
	} else {
		*uri = take_until(&whole, ";\"");
	}
	while (find(&r, ";")) {
		struct sip_span name;

		r.at++;
		skip_space(&r);
		name = take_until(&r, "=;\""); /* not into a quoted string, whatever it does there */
		skip_space(&r);
		if (name.len != 3 || strncasecmp(r.base + name.at, "tag", 3) || r.at >= r.end || r.base[r.at] != '=')
			continue;
		r.at++;
		skip_space(&r);
		*tag = take_until(&r, ";,");
		return;
	}
}

void sip_detail(const struct siprtx_slot *s, uint16_t end, const struct sip_msg *m, struct sip_detail *out)
{
	struct reader r;

	*out = (struct sip_detail){0};
	if (end > SLOT_SIZE)
		end = SLOT_SIZE;
	if (m->body < end)
		end = m->body; /* the header section alone */
	if (!m->code)
		read_start_line(line_at(s, m->start, end, false), out);
	if (m->call_id) {
		r = line_at(s, m->call_id, end, true);
		out->call_id = trimmed(&r);
	}
	if (m->from)
		read_address(line_at(s, m->from, end, true), &out->from_uri, &out->from_tag);
	if (m->to)
		read_address(line_at(s, m->to, end, true), &out->to_uri, &out->to_tag);
}
