// SPDX-License-Identifier: GPL-2.0-or-later
#include "record.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_text.h"
#include "sip.h"
#include "sip_detail.h"

static const char *const reason_name[] = {
	[END_NONE] = "none",
	[END_NO_RESPONSE] = "no_response",
	[END_TRYING_TIMEOUT] = "trying_timeout",
	[END_PROGRESS_TIMEOUT] = "progress_timeout",
	[END_RINGING_TIMEOUT] = "ringing_timeout",
	[END_CANCELLED] = "cancelled",
	[END_HELD_TOO_LONG] = "held_too_long",
	[END_ABANDONED] = "abandoned",
	[END_SUPERSEDED] = "superseded",
};

const char *record_reason_name(enum siprtx_end reason)
{
	return reason < sizeof(reason_name) / sizeof(*reason_name) ? reason_name[reason] : "unknown";
}

const char *record_event_name(enum siprtx_record_event event)
{
	return event == RECORD_EXHAUSTED ? "exhausted" : "unknown";
}

char *format_endpoint(const uint8_t addr[16], uint16_t port, char *buf, size_t size)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool ipv4 = !memcmp(addr, mapped, sizeof(mapped));
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? addr + 12 : addr, text, sizeof(text));
	if (!port)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, ipv4 ? "%s:%u" : "[%s]:%u", text, port);
	return buf;
}

char *format_time(uint64_t unix_ms, char *buf, size_t size)
{
	time_t seconds = unix_ms / 1000;
	struct tm tm = {0};
	char text[32] = "";

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s.%03uZ", text, (unsigned)(unix_ms % 1000));
	return buf;
}

/* Copies into a NUL-terminated field; a cut never parts a UTF-8 character. True: something was cut. */
static bool copy_field(char *dst, size_t size, const char *src, size_t n)
{
	bool cut = n >= size;

	if (cut) {
		n = size - 1;
		while (n > size - 4 && (src[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		dst[i] = src[i] ? src[i] : '?';
	dst[n] = 0;
	return cut;
}

#define COPY_BYTES(r, field, src, n)  ((r)->truncated |= copy_field((r)->field, sizeof((r)->field), src, n))
#define COPY_STRING(r, field, string) COPY_BYTES(r, field, (string) ? (string) : "", (string) ? strlen(string) : 0)
#define COPY_SPAN(r, field, s, span)  COPY_BYTES(r, field, (const char *)(s) + (span).at, (span).len)

static void read_message(const struct siprtx_slot *s, struct siprtx_record *out)
{
	uint16_t end = s->sip_off + s->sip_len;
	struct sip_detail detail;
	struct sip_msg m = {0};

	if (sip_scan(s, s->sip_off, end, &m) != SIP_OK)
		return;
	sip_detail(s, end, &m, &detail);
	COPY_SPAN(out, method, s, detail.method);
	COPY_SPAN(out, call_id, s, detail.call_id);
	COPY_BYTES(out, branch, (const char *)s + m.branch, m.branch_len);
	COPY_SPAN(out, from_tag, s, detail.from_tag);
	COPY_SPAN(out, ruri, s, detail.ruri);
	COPY_SPAN(out, from_uri, s, detail.from_uri);
	COPY_SPAN(out, to_uri, s, detail.to_uri);
	out->in_dialog = detail.to_tag.len > 0;
}

static uint64_t wall_ms(const struct record_context *c, uint64_t ns)
{
	return (ns + c->wall_offset_ns) / 1000000;
}

void record_build(const struct siprtx_slot *s, const struct record_context *c, struct siprtx_record *out)
{
	uint64_t last_send_ns = s->last_send_ns ? s->last_send_ns : s->first_ns;

	*out = (struct siprtx_record){
		.seq = c->seq,
		.ts_ms = wall_ms(c, c->now_ns),
		.first_send_ms = wall_ms(c, s->first_ns),
		.last_send_ms = wall_ms(c, last_send_ns),
		.duration_ms = (c->now_ns - s->first_ns) / 1000000,
		.sends = s->sends,
		.cseq = s->cseq,
		.late_us_max = s->late_us_max,
		.last_code = word_code(__atomic_load_n(&s->word, __ATOMIC_RELAXED)),
		.sport = s->sport,
		.dport = s->dport,
		.event = RECORD_EXHAUSTED,
		.reason = c->reason,
		.reply = c->reply,
	};
	memcpy(out->saddr, s->saddr, sizeof(out->saddr));
	memcpy(out->daddr, s->daddr, sizeof(out->daddr));
	COPY_STRING(out, node, c->node);
	COPY_STRING(out, boot_id, c->boot_id);
	COPY_STRING(out, gateway_name, c->gateway_name);
	COPY_STRING(out, profile, c->profile);
	read_message(s, out);
}

static json_t *endpoint(const uint8_t addr[16], uint16_t port)
{
	char buf[64];

	return json_string(format_endpoint(addr, port, buf, sizeof(buf)));
}

static json_t *timestamp(uint64_t unix_ms)
{
	char buf[40];

	return json_string(format_time(unix_ms, buf, sizeof(buf)));
}

json_t *record_json(const struct siprtx_record *r)
{
	struct {
		const char *key;
		json_t *value;
	} member[] = {
		{"schema_version", json_integer(RECORD_SCHEMA_VERSION)},
		{"seq", json_integer(r->seq)},
		{"node", json_text(r->node, sizeof(r->node))},
		{"boot_id", json_text(r->boot_id, sizeof(r->boot_id))},
		{"ts", timestamp(r->ts_ms)},
		{"event", json_string(record_event_name(r->event))},
		{"reason", json_string(record_reason_name(r->reason))},
		{"gateway", endpoint(r->daddr, r->dport)},
		{"gateway_name", json_text(r->gateway_name, sizeof(r->gateway_name))},
		{"profile", json_text(r->profile, sizeof(r->profile))},
		{"method", json_text(r->method, sizeof(r->method))},
		{"call_id", json_text(r->call_id, sizeof(r->call_id))},
		{"cseq", json_integer(r->cseq)},
		{"branch", json_text(r->branch, sizeof(r->branch))},
		{"from_tag", json_text(r->from_tag, sizeof(r->from_tag))},
		{"ruri", json_text(r->ruri, sizeof(r->ruri))},
		{"from_uri", json_text(r->from_uri, sizeof(r->from_uri))},
		{"to_uri", json_text(r->to_uri, sizeof(r->to_uri))},
		{"in_dialog", json_boolean(r->in_dialog)},
		{"src", endpoint(r->saddr, r->sport)},
		{"sends", json_integer(r->sends)},
		{"first_send", timestamp(r->first_send_ms)},
		{"last_send", timestamp(r->last_send_ms)},
		{"duration_ms", json_integer(r->duration_ms)},
		{"last_code", json_integer(r->last_code)},
		{"timer_late_us_max", json_integer(r->late_us_max)},
		{"reply", json_integer(r->reply)},
		{"truncated", json_true()},
	};
	size_t n = sizeof(member) / sizeof(*member) - !r->truncated;
	json_t *object = json_object();
	bool whole = object;

	for (size_t i = 0; i < n; i++)
		whole &= !json_object_set_new(object, member[i].key, member[i].value);
	if (whole)
		return object;
	json_decref(object);
	return NULL;
}

char *record_line(const struct siprtx_record *r)
{
	json_t *object = record_json(r);
	char *line = NULL, *longer = NULL;
	size_t n;

	if (object)
		line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!line)
		return NULL;
	n = strlen(line);
	longer = realloc(line, n + 2);
	if (!longer) {
		free(line);
		return NULL;
	}
	memcpy(longer + n, "\n", 2);
	return longer;
}
