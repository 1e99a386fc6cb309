// SPDX-License-Identifier: GPL-2.0-or-later
#include "sip_detail.h"

#include <string.h>
#include <strings.h>

#include "sip_reader.h"

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
