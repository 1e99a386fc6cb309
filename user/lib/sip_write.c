// SPDX-License-Identifier: GPL-2.0-or-later
#include "sip_write.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sip.h"
#include "sip_reader.h"

void write_text(struct sip_writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->at, w->room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= w->room) {
		w->full = true;
		return;
	}
	w->at += n;
	w->room -= n;
}

void write_bytes(struct sip_writer *w, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || (bytes[i] == '\r' && i + 1 < n && bytes[i + 1] == '\n'))
			continue;
		if (!w->room) {
			w->full = true;
			return;
		}
		*w->at++ = bytes[i];
		w->room--;
	}
}

void write_span(struct sip_writer *w, const struct siprtx_slot *s, struct sip_span span)
{
	write_bytes(w, (const char *)s + span.at, span.len);
}

bool header_next(const struct siprtx_slot *s, uint16_t *at, uint16_t end, struct sip_header *h)
{
	struct reader line = line_at(s, *at, end, true), value = line;

	*at = line.end < end ? line.end + 1 : end;
	h->name = take_until(&value, ":");
	skip_space(&value);
	if (!h->name.len || value.at >= value.end || value.base[value.at] != ':')
		return false;
	value.at++;
	h->value = trimmed(&value);
	return true;
}

bool header_is(const struct siprtx_slot *s, const struct sip_header *h, const char *name, char compact)
{
	const char *at = (const char *)s + h->name.at;

	if (h->name.len == 1)
		return compact && (*at | 0x20) == compact;
	return h->name.len == strlen(name) && !strncasecmp(at, name, h->name.len);
}

int sip_read_whole(const struct siprtx_slot *s, struct sip_whole *out)
{
	struct reader start;

	*out = (struct sip_whole){.slot = s, .end = s->sip_off + s->sip_len};
	if (sip_scan(s, s->sip_off, out->end, &out->msg) != SIP_OK)
		return -EBADMSG;
	sip_detail(s, out->end, &out->msg, &out->detail);
	out->end = out->msg.body; /* behind the empty line */
	start = line_at(s, out->msg.start, out->end, false);
	out->headers = start.end + 1;
	return 0;
}

void sip_read_top_via(const struct siprtx_slot *s, struct sip_span value, struct sip_top_via *out)
{
	struct reader r = {(const char *)s, value.at, value.at + value.len}, element = r;

	*out = (struct sip_top_via){.value = value};
	while (find(&r, ";,") && r.base[r.at] == ';') {
		struct sip_span name;
		bool has_value;

		r.at++;
		skip_space(&r);
		name = take_until(&r, "=;,");
		skip_space(&r);
		has_value = r.at < r.end && r.base[r.at] == '=';
		if (name.len == 5 && !strncasecmp(r.base + name.at, "rport", 5) && !has_value)
			out->rport_end = name.at + name.len;
		out->received |= name.len == 8 && !strncasecmp(r.base + name.at, "received", 8);
		out->maddr |= name.len == 5 && !strncasecmp(r.base + name.at, "maddr", 5);
	}
	element.end = r.at;
	out->element = trimmed(&element);
}
