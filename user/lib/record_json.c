// SPDX-License-Identifier: GPL-2.0-or-later
/* A record as JSON. The line is written straight, for there may be tens of thousands a second. */
#define _GNU_SOURCE /* mempcpy */
#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "record.h"
#include "view.h"

_Static_assert(RECORD_LINE_ROOM >= JSON_TEXT_ROOM(sizeof(struct siprtx_record)) + 1024,
	       "every text in its longest form, and the names and numbers");

static char *put_name(char *to, const char *name)
{
	if (to[-1] != '{')
		*to++ = ',';
	*to++ = '"';
	to = stpcpy(to, name);
	*to++ = '"';
	*to++ = ':';
	return to;
}

static char *put_number(char *to, const char *name, uint64_t n)
{
	return json_put_number(put_name(to, name), n);
}

static char *put_text(char *to, const char *name, const char *text, size_t size)
{
	return json_put_text(put_name(to, name), text, size);
}

/* Of siprtx's own making. */
static char *put_word(char *to, const char *name, const char *word)
{
	to = put_name(to, name);
	*to++ = '"';
	to = stpcpy(to, word);
	*to++ = '"';
	return to;
}

static char *put_endpoint(char *to, const char *name, const uint8_t addr[16], uint16_t port)
{
	char text[64];

	return put_word(to, name, format_endpoint(addr, port, text, sizeof(text)));
}

static char *put_time(char *to, const char *name, uint64_t unix_ms)
{
	char text[40];

	return put_word(to, name, format_time(unix_ms, text, sizeof(text)));
}

static char *put_icmp(char *to, const struct siprtx_record *r)
{
	char text[32];

	if (!r->icmp_type)
		return stpcpy(put_name(to, "icmp"), "null");
	return put_word(to, "icmp", format_icmp(r->icmp_type, r->icmp_code, text, sizeof(text)));
}

/* What belongs to the message and to who sent it. */
static char *put_message(char *to, const struct siprtx_record *r)
{
	to = put_text(to, "method", r->method, sizeof(r->method));
	to = put_text(to, "call_id", r->call_id, sizeof(r->call_id));
	to = put_number(to, "cseq", r->cseq);
	to = put_text(to, "branch", r->branch, sizeof(r->branch));
	to = put_text(to, "from_tag", r->from_tag, sizeof(r->from_tag));
	to = put_text(to, "ruri", r->ruri, sizeof(r->ruri));
	to = put_text(to, "from_uri", r->from_uri, sizeof(r->from_uri));
	to = put_text(to, "to_uri", r->to_uri, sizeof(r->to_uri));
	to = stpcpy(put_name(to, "in_dialog"), r->in_dialog ? "true" : "false");
	if (record_is_of_gateway(r))
		return put_word(to, "src", "");
	return put_endpoint(to, "src", r->saddr, r->sport);
}

static char *put_sends(char *to, const struct siprtx_record *r)
{
	bool of_call = !record_is_of_gateway(r);

	to = put_number(to, "sends", r->sends);
	to = of_call ? put_time(to, "first_send", r->first_send_ms) : put_word(to, "first_send", "");
	to = of_call ? put_time(to, "last_send", r->last_send_ms) : put_word(to, "last_send", "");
	to = put_number(to, "duration_ms", r->duration_ms);
	to = put_number(to, "last_code", r->last_code);
	to = put_number(to, "timer_late_us_max", r->late_us_max);
	to = put_word(to, "stage", of_call ? stage_name(r->stage) : "");
	to = put_icmp(to, r);
	return put_number(to, "reply", r->reply);
}

size_t record_write(const struct siprtx_record *r, char *out)
{
	char *to = out;

	*to++ = '{';
	to = put_number(to, "schema_version", RECORD_SCHEMA_VERSION);
	to = put_number(to, "seq", r->seq);
	to = put_text(to, "node", r->node, sizeof(r->node));
	to = put_text(to, "boot_id", r->boot_id, sizeof(r->boot_id));
	to = put_time(to, "ts", r->ts_ms);
	to = put_word(to, "event", record_event_name(r->event));
	to = put_word(to, "reason", record_reason(r));
	to = put_endpoint(to, "gateway", r->daddr, r->dport);
	to = put_text(to, "gateway_name", r->gateway_name, sizeof(r->gateway_name));
	to = put_text(to, "profile", r->profile, sizeof(r->profile));
	to = put_message(to, r);
	to = put_sends(to, r);
	if (r->event == RECORD_LATE_RESPONSE) {
		to = put_number(to, "of_seq", r->of_seq);
		to = put_number(to, "delay_ms", r->delay_ms);
	}
	if (r->truncated)
		to = stpcpy(put_name(to, "truncated"), "true");
	to = mempcpy(to, "}\n", 2);
	return to - out;
}

json_t *record_json(const struct siprtx_record *r)
{
	char *line = malloc(RECORD_LINE_ROOM);
	json_t *object = line ? json_loadb(line, record_write(r, line), 0, NULL) : NULL;

	free(line);
	return object;
}

char *record_line(const struct siprtx_record *r)
{
	char *line = malloc(RECORD_LINE_ROOM), *whole;
	size_t n;

	if (!line)
		return NULL;
	n = record_write(r, line);
	line[n] = 0;
	whole = realloc(line, n + 1);
	return whole ?: line;
}
