// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx events: the ladder of each transaction, as it happens. */
#include <string.h>

#include "json_text.h"
#include "event_read.h"
#include "follow.h"
#include "methods.h"
#include "record.h"

struct reader {
	uint64_t pos;
	int64_t wall_offset_ns;
};

static bool from_gateway(const struct siprtx_event *e)
{
	return e->kind == EV_RESPONSE || e->kind == EV_LATE || e->kind == EV_CONFIRMED;
}

/* Nothing more is sent, and `code` says why. */
static bool has_reason(const struct siprtx_event *e)
{
	return e->kind == EV_EXHAUSTED || e->kind == EV_GIVEN_UP;
}

/* Is `code` that of a response, one that came or the one that is held? */
static bool has_code(const struct siprtx_event *e)
{
	return from_gateway(e) || (kind_is_response(e->slot_kind) && !has_reason(e));
}

static const char *reason(const struct siprtx_event *e)
{
	if (kind_is_response(e->slot_kind) && e->code == END_NO_RESPONSE)
		return "unconfirmed";
	return record_reason_name(e->code);
}

/* What happened, in as many columns as the widest takes. What is of an INVITE says so only where one was sent. */
static struct text what(const struct siprtx_event *e)
{
	const char *method = method_name(e->method), *of = e->method == SIP_INVITE ? "" : method;
	const char *blank = *of ? " " : "";
	struct text message = text_message(e->slot_kind, e->method, e->code), t;

	switch (e->kind) {
	case EV_NEW:
	case EV_SEND:
		snprintf(t.s, sizeof(t.s), "%.32s %u", message.s, e->attempt);
		break;
	case EV_COPY:
		snprintf(t.s, sizeof(t.s), "%.32s %u, own copy", message.s, e->attempt);
		break;
	case EV_RESPONSE:
		snprintf(t.s, sizeof(t.s), "%u%s%s", e->code, blank, of);
		break;
	case EV_LATE:
		snprintf(t.s, sizeof(t.s), "%u, late", e->code);
		break;
	case EV_CONFIRMED:
		snprintf(t.s, sizeof(t.s), "%s", e->slot_kind == KIND_RELIABLE ? "PRACK" : "ACK");
		break;
	case EV_REPLIED:
		snprintf(t.s, sizeof(t.s), "%u by siprtx", e->code);
		break;
	case EV_CANCEL:
		snprintf(t.s, sizeof(t.s), "CANCEL");
		break;
	case EV_ICMP:
		format_icmp(e->code >> 8, e->code, t.s, sizeof(t.s));
		break;
	case EV_GATEWAY:
		snprintf(t.s, sizeof(t.s), "%s: %s", gateway_state_name(e->code), record_why_name(e->attempt));
		break;
	case EV_EXHAUSTED:
	case EV_GIVEN_UP:
		snprintf(t.s, sizeof(t.s), "%s%s%s", reason(e), blank, of);
		break;
	default:
		snprintf(t.s, sizeof(t.s), "event %u", e->kind);
	}
	return t;
}

static enum colour colour_of(const struct siprtx_event *e)
{
	if (e->kind == EV_GATEWAY)
		return e->code == GATEWAY_UP ? GREEN : e->code == GATEWAY_SUSPECT ? YELLOW : RED;
	return from_gateway(e) ? GREEN : e->kind == EV_EXHAUSTED ? RED : PLAIN;
}

static int print_text(const struct cli *cli, const struct siprtx_event *e, uint64_t unix_ms)
{
	bool timed = e->kind == EV_SEND || has_reason(e);
	enum colour colour = colour_of(e);
	const char *arrow = e->kind == EV_GATEWAY					     ? "***"
			    : from_gateway(e) || e->kind == EV_ICMP || e->kind == EV_REPLIED ? "<--"
			    : has_reason(e)						     ? "--x"
											     : "-->";
	char nominal[32] = "", late[32] = "";

	if (timed)
		snprintf(nominal, sizeof(nominal), "%u.%03u s", e->nominal_ms / 1000, e->nominal_ms % 1000);
	if (timed)
		snprintf(late, sizeof(late), "%+.2f ms", e->late_us / 1e3);
	return stream_line(cli, colour, "%s  %s  %-*s  %-21s  %10s  %10s  %.*s", text_clock(unix_ms).s, arrow,
			   STREAM_ENDPOINT, text_endpoint(e->addr, e->port).s, what(e).s, nominal, late,
			   (int)sizeof(e->call_id), e->call_id);
}

static json_t *event_json(const struct siprtx_event *e, uint64_t unix_ms)
{
	char ts[32], icmp[32];
	json_t *event = json_pack(
		"{s:i, s:I, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:i, s:I, s:i, s:o, s:o, s:o}", "schema_version",
		CLI_SCHEMA_VERSION, "seq", (json_int_t)e->seq, "ts", format_time(unix_ms, ts, sizeof(ts)), "event",
		event_name(e->kind), "kind", kind_name(e->slot_kind), "method", method_name(e->method), "slot",
		(int)e->slot, "generation", (json_int_t)e->gen, "gateway", text_endpoint(e->addr, e->port).s, "attempt",
		(int)e->attempt, "nominal_ms", (json_int_t)e->nominal_ms, "late_us", e->late_us, "code",
		has_code(e) || e->kind == EV_REPLIED ? json_integer(e->code) : json_null(), "reason",
		has_reason(e) ? json_string(reason(e)) : json_null(), "call_id",
		json_text(e->call_id, sizeof(e->call_id)));

	/* what only some of them have */
	if (e->kind == EV_GATEWAY) {
		json_object_set_new(event, "state", json_string(gateway_state_name(e->code)));
		json_object_set_new(event, "reason", json_string(record_why_name(e->attempt)));
		json_object_set_new(event, "attempt", json_integer(0));
	}
	if (e->kind == EV_EXHAUSTED)
		json_object_set_new(event, "stage", json_string(stage_name(e->stage)));
	if (e->kind == EV_ICMP)
		json_object_set_new(event, "icmp", json_string(format_icmp(e->code >> 8, e->code, icmp, sizeof(icmp))));
	if (e->kind == EV_RESPONSE && e->retry_after != NO_RETRY_AFTER)
		json_object_set_new(event, "retry_after", json_integer(e->retry_after));
	return event;
}

static int print_event(const struct cli *cli, const struct siprtx_event *e, int64_t wall_offset_ns)
{
	uint64_t unix_ms = (e->ns + wall_offset_ns) / 1000000;

	return cli->json ? cli_print_json_line(event_json(e, unix_ms)) : print_text(cli, e, unix_ms);
}

/* What the log holds now, as one object. */
static int print_snapshot(const struct cli *cli, struct reader *r)
{
	json_t *list = json_array();
	struct siprtx_event e;
	uint64_t missed = 0;

	while (event_next(cli->pins.events, &cli->pins.meta->next_event, &r->pos, &e, &missed))
		json_array_append_new(list, event_json(&e, (e.ns + r->wall_offset_ns) / 1000000));
	return cli_print_json(cli, json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "events", list));
}

static int print_new(const struct cli *cli, void *at)
{
	struct reader *r = at;
	struct siprtx_event e;
	uint64_t missed = 0;
	int err = CLI_OK;

	while (!err && event_next(cli->pins.events, &cli->pins.meta->next_event, &r->pos, &e, &missed)) {
		if (missed)
			err = stream_missed(cli, missed);
		missed = 0;
		if (!err)
			err = print_event(cli, &e, r->wall_offset_ns);
	}
	return err;
}

int cmd_events(struct cli *cli, char **args)
{
	uint32_t n = cli->count_given ? cli->count : cli->follow ? 0 : FOLLOW_COUNT;
	struct reader r = {
		.pos = event_start(&cli->pins.meta->next_event, n),
		.wall_offset_ns = wall_offset_ns(),
	};

	(void)args;
	if (cli->json && !cli->follow)
		return print_snapshot(cli, &r);
	return cli->follow ? follow(cli, print_new, &r) : print_new(cli, &r);
}
