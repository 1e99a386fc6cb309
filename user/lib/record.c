// SPDX-License-Identifier: GPL-2.0-or-later
#include "record.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	[END_UNREACHABLE] = "unreachable",
	[END_LET_GO] = "let_go",
	[END_GATEWAY_DOWN] = "gateway_down",
};

const char *record_reason_name(enum siprtx_end reason)
{
	return reason < sizeof(reason_name) / sizeof(*reason_name) && reason_name[reason] ? reason_name[reason]
											  : "unknown";
}

static const char *const why_name[] = {
	[WHY_NONE] = "none",	     [WHY_SILENT] = "silent", [WHY_EXHAUSTED] = "exhausted",
	[WHY_RESPONSE] = "response", [WHY_PROBED] = "probed", [WHY_OPERATOR] = "operator",
	[WHY_UNKNOWN] = "unknown",
};

const char *record_why_name(enum siprtx_gateway_why why)
{
	return why < sizeof(why_name) / sizeof(*why_name) ? why_name[why] : "unknown";
}

const char *record_reason(const struct siprtx_record *r)
{
	return record_is_of_gateway(r) ? record_why_name(r->reason) : record_reason_name(r->reason);
}

const char *record_event_name(enum siprtx_record_event event)
{
	switch (event) {
	case RECORD_EXHAUSTED:
		return "exhausted";
	case RECORD_LATE_RESPONSE:
		return "late_response";
	case RECORD_GATEWAY_UP:
		return "gateway_up";
	case RECORD_GATEWAY_SUSPECT:
		return "gateway_suspect";
	case RECORD_GATEWAY_DOWN:
		return "gateway_down";
	}
	return "unknown";
}

/* The codes of ICMP's destination unreachable, type 3 (RFC 792; RFC 1812, 5.2.7.1), and of ICMPv6's, type 1 (RFC 4443,
 * 3.1), as far as they have a meaning in common. */
char *format_icmp(uint8_t type, uint8_t code, char *buf, size_t size)
{
	static const char *const v4[] = {
		[0] = "net_unreachable",  [1] = "host_unreachable",  [3] = "port_unreachable",
		[9] = "admin_prohibited", [10] = "admin_prohibited", [13] = "admin_prohibited",
	};
	static const char *const v6[] = {
		[0] = "net_unreachable",  [1] = "admin_prohibited", [3] = "host_unreachable",
		[4] = "port_unreachable", [5] = "admin_prohibited", [6] = "admin_prohibited",
	};
	const char *name = NULL;

	if (type == 3 && code < sizeof(v4) / sizeof(*v4))
		name = v4[code];
	else if (type == 1 && code < sizeof(v6) / sizeof(*v6))
		name = v6[code];
	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%u/%u", type, code);
	return buf;
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

/* "07" */
static char *put_two(char *to, unsigned n)
{
	*to++ = '0' + n / 10 % 10;
	*to++ = '0' + n % 10;
	return to;
}

/* The civil date of a day counted from 1970-01-01, by years that begin in March: February is their end. */
static char *put_date(char *to, uint64_t day)
{
	uint64_t from_0000 = day + 719468, era = from_0000 / 146097;
	unsigned of_era = from_0000 % 146097;
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153; /* 0: March */

	year += era * 400 + (month >= 10);
	to = put_two(put_two(to, year / 100), year % 100);
	*to++ = '-';
	to = put_two(to, month < 10 ? month + 3 : month - 9);
	*to++ = '-';
	return put_two(to, of_year - (153 * month + 2) / 5 + 1);
}

char *format_time(uint64_t unix_ms, char *buf, size_t size)
{
	char text[32], *to = put_date(text, unix_ms / 86400000);
	unsigned ms = unix_ms % 1000, second = unix_ms / 1000 % 86400;

	*to++ = 'T';
	to = put_two(to, second / 3600);
	*to++ = ':';
	to = put_two(to, second / 60 % 60);
	*to++ = ':';
	to = put_two(to, second % 60);
	*to++ = '.';
	*to++ = '0' + ms / 100;
	to = put_two(to, ms % 100);
	*to++ = 'Z';
	*to = 0;
	snprintf(buf, size, "%s", text);
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
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
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
		.last_code = word_code(word),
		.sport = s->sport,
		.dport = s->dport,
		.event = RECORD_EXHAUSTED,
		.reason = c->reason,
		.stage = word_stage(word),
		.icmp_type = s->icmp_type,
		.icmp_code = s->icmp_code,
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

void record_build_gateway(const struct siprtx_gateway_key *key, const struct siprtx_gateway *value, uint32_t in_a_row,
			  const struct record_context *c, struct siprtx_record *out)
{
	static const uint8_t event[] = {
		[GATEWAY_UP] = RECORD_GATEWAY_UP,
		[GATEWAY_SUSPECT] = RECORD_GATEWAY_SUSPECT,
		[GATEWAY_DOWN] = RECORD_GATEWAY_DOWN,
	};

	*out = (struct siprtx_record){
		.seq = c->seq,
		.ts_ms = wall_ms(c, c->now_ns),
		.sends = in_a_row,
		.dport = key->port,
		.event = event[value->state <= GATEWAY_DOWN ? value->state : GATEWAY_UP],
		.reason = value->state_why,
	};
	memcpy(out->daddr, key->addr, sizeof(out->daddr));
	COPY_STRING(out, node, c->node);
	COPY_STRING(out, boot_id, c->boot_id);
	COPY_STRING(out, gateway_name, c->gateway_name);
}

void record_make_late(struct siprtx_record *r, uint64_t seq, uint64_t ts_ms, uint16_t code, uint32_t delay_ms)
{
	r->of_seq = r->seq;
	r->seq = seq;
	r->ts_ms = ts_ms;
	r->event = RECORD_LATE_RESPONSE;
	r->last_code = code;
	r->delay_ms = delay_ms;
}
