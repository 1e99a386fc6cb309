// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* timegm, strptime */
#include "record_parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "view.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* "2026-01-31T23:59:59.123Z" to Unix ms; anything else: 0. */
static uint64_t time_of(const json_t *object, const char *key)
{
	struct tm tm = {0};
	const char *rest = strptime(text_of(object, key), "%Y-%m-%dT%H:%M:%S", &tm);

	if (!rest || *rest != '.')
		return 0;
	return (uint64_t)timegm(&tm) * 1000 + strtoul(rest + 1, NULL, 10);
}

/* "192.0.2.1:5060", "[2001:db8::1]:5060" or either without a port, as format_endpoint() makes them. */
static void endpoint_of(const json_t *object, const char *key, uint8_t addr[16], uint16_t *port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char text[64], *colon, *host = text;

	snprintf(text, sizeof(text), "%s", text_of(object, key));
	colon = strrchr(text, ':');
	if (*text == '[') {
		host++;
		text[strcspn(text, "]")] = '\0';
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* IPv6 alone */
	} else if (colon) {
		*colon = '\0';
	}
	if (inet_pton(AF_INET, host, addr + 12) == 1)
		memcpy(addr, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, host, addr) != 1)
		return;
	*port = colon ? strtoul(colon + 1, NULL, 10) : 0;
}

/* The number whose name is `text`; 0: none. */
static unsigned number_named(const char *text, const char *(*name)(unsigned number), unsigned most)
{
	for (unsigned i = 0; i <= most; i++)
		if (!strcmp(name(i), text))
			return i;
	return 0;
}

static const char *event_named(unsigned n)
{
	return record_event_name(n);
}

static const char *reason_named(unsigned n)
{
	return record_reason_name(n);
}

static const char *why_named(unsigned n)
{
	return record_why_name(n);
}

static const char *stage_named(unsigned n)
{
	return stage_name(n);
}

/* Type and code by their name; two codes may share one, which is then the first. */
static void icmp_of(const json_t *object, struct siprtx_record *r)
{
	const char *name = text_of(object, "icmp");
	unsigned type = 0, code = 0;
	char buf[32];

	if (sscanf(name, "%u/%u", &type, &code) == 2) {
		r->icmp_type = type;
		r->icmp_code = code;
		return;
	}
	for (code = 0; *name && code < 16; code++) {
		/* 3: ICMP, 1: ICMPv6 */
		for (type = 3; type; type = type == 3 ? 1 : 0) {
			if (strcmp(format_icmp(type, code, buf, sizeof(buf)), name))
				continue;
			r->icmp_type = type;
			r->icmp_code = code;
			return;
		}
	}
}

#define COPY(field) snprintf(out->field, sizeof(out->field), "%s", text_of(object, #field))

static void fill(const json_t *object, struct siprtx_record *out)
{
	*out = (struct siprtx_record){
		.seq = number_of(object, "seq"),
		.ts_ms = time_of(object, "ts"),
		.first_send_ms = time_of(object, "first_send"),
		.last_send_ms = time_of(object, "last_send"),
		.duration_ms = number_of(object, "duration_ms"),
		.sends = number_of(object, "sends"),
		.cseq = number_of(object, "cseq"),
		.late_us_max = number_of(object, "timer_late_us_max"),
		.last_code = number_of(object, "last_code"),
		.event = number_named(text_of(object, "event"), event_named, RECORD_GATEWAY_DOWN),
		.in_dialog = json_is_true(json_object_get(object, "in_dialog")),
		.truncated = json_is_true(json_object_get(object, "truncated")),
		.stage = number_named(text_of(object, "stage"), stage_named, STAGE_RINGING),
		.reply = number_of(object, "reply"),
		.of_seq = number_of(object, "of_seq"),
		.delay_ms = number_of(object, "delay_ms"),
	};
	out->reason = number_named(text_of(object, "reason"), record_is_of_gateway(out) ? why_named : reason_named, 15);
	endpoint_of(object, "gateway", out->daddr, &out->dport);
	endpoint_of(object, "src", out->saddr, &out->sport);
	icmp_of(object, out);
	COPY(node);
	COPY(boot_id);
	COPY(gateway_name);
	COPY(profile);
	COPY(method);
	COPY(call_id);
	COPY(branch);
	COPY(from_tag);
	COPY(ruri);
	COPY(from_uri);
	COPY(to_uri);
}

int record_parse(const char *line, size_t n, struct siprtx_record *out)
{
	json_t *object = json_loadb(line, n, 0, NULL);

	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	fill(object, out);
	json_decref(object);
	return out->seq && out->event ? 0 : -EBADMSG;
}

unsigned record_line_event(const char *line)
{
	/* no text of a value has these bytes: a quote in it is escaped */
	const char *at = strstr(line, "\"event\":\"");
	char name[24];

	if (!at)
		return 0;
	at += strlen("\"event\":\"");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "\""), at);
	return number_named(name, event_named, RECORD_GATEWAY_DOWN);
}
