// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx exhausted, siprtx show exhausted: the records in the map, the newest last. */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "record.h"

static bool read_record(const struct pins *pins, uint64_t seq, struct siprtx_record *r)
{
	return !bpf_map_lookup_elem(pins->fd[PIN_exhausted], &seq, r);
}

static uint64_t next_seq(const struct pins *pins)
{
	return __atomic_load_n(&pins->meta->next_seq, __ATOMIC_ACQUIRE);
}

/* Where the newest n begin. The map keeps MAX_RECORDS, so none is older than that. */
static uint64_t first_of(uint64_t next, uint64_t n)
{
	if (n > MAX_RECORDS)
		n = MAX_RECORDS;
	return next > n ? next - n : 1;
}

_Static_assert(RECORD_GATEWAY_DOWN - RECORD_GATEWAY_UP == GATEWAY_DOWN && GATEWAY_UP == 0, "states as their records");

static const char *state_of(const struct siprtx_record *r)
{
	return gateway_state_name(r->event - RECORD_GATEWAY_UP);
}

static enum colour colour_of(const struct siprtx_record *r)
{
	switch (r->event) {
	case RECORD_GATEWAY_UP:
		return GREEN;
	case RECORD_GATEWAY_DOWN:
		return RED;
	case RECORD_GATEWAY_SUSPECT:
	case RECORD_LATE_RESPONSE:
		return YELLOW;
	default:
		return PLAIN;
	}
}

/* Why it ended and what else was seen; or that an answer came when it had ended. */
static struct text why(const struct siprtx_record *r)
{
	char icmp[32];
	struct text t;
	int n;

	if (record_is_of_gateway(r)) {
		snprintf(t.s, sizeof(t.s), "gateway %s: %s", state_of(r), record_why_name(r->reason));
		return t;
	}
	if (r->event == RECORD_LATE_RESPONSE) {
		snprintf(t.s, sizeof(t.s), "late response to %llu", (unsigned long long)r->of_seq);
		return t;
	}
	n = snprintf(t.s, sizeof(t.s), "%s%s%s", record_reason_name(r->reason),
		     r->stage == STAGE_PROGRESS_SDP ? " with SDP" : "", r->in_dialog ? " in dialog" : "");
	if (r->icmp_type && r->reason != END_UNREACHABLE)
		snprintf(t.s + n, sizeof(t.s) - n, ", %s", format_icmp(r->icmp_type, r->icmp_code, icmp, sizeof(icmp)));
	return t;
}

static void record_row(struct table *t, const struct siprtx_record *r)
{
	bool late = r->event == RECORD_LATE_RESPONSE;

	table_cell(t, PLAIN, "%llu", r->seq);
	table_cell(t, PLAIN, "%s", text_day_clock(r->ts_ms).s);
	table_cell(t, PLAIN, "%s", text_endpoint(r->daddr, r->dport).s);
	table_cell(t, PLAIN, "%.*s", NAME_LEN, *r->gateway_name ? r->gateway_name : "-");
	table_cell(t, colour_of(r), "%s", why(r).s);
	if (record_is_of_gateway(r)) {
		for (unsigned i = 0; i < 5; i++)
			table_cell(t, PLAIN, "-");
		return;
	}
	table_cell(t, PLAIN, "%u", r->sends);
	table_cell(t, PLAIN, "%s%s s", late ? "+" : "", text_seconds(late ? r->delay_ms : r->duration_ms).s);
	table_cell(t, PLAIN, r->last_code ? "%u" : "-", r->last_code);
	table_cell(t, PLAIN, "%.*s", NAME_LEN, r->profile);
	table_cell(t, PLAIN, "%.*s", (int)sizeof(r->call_id), r->call_id);
}

static int snapshot(const struct cli *cli, uint32_t n)
{
	uint64_t next = next_seq(&cli->pins), seq;
	struct siprtx_record r;
	struct table *t = NULL;
	json_t *list = NULL;

	if (cli->json)
		list = json_array();
	else
		t = table_new(">SEQ:TIME:GATEWAY:NAME:REASON:>SENDS:>AFTER:>CODE:PROFILE:CALL-ID");
	if (!list && !t)
		return cli_no_memory();
	for (seq = first_of(next, n); seq < next; seq++) {
		if (!read_record(&cli->pins, seq, &r))
			continue;
		if (list)
			json_array_append_new(list, record_json(&r));
		else
			record_row(t, &r);
	}
	if (list)
		return cli_print_json(cli,
				      json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "records", list));
	return cli_print_table(cli, t, 0);
}

static int print_line(const struct cli *cli, const struct siprtx_record *r)
{
	char *line, what[192];

	if (cli->json) {
		line = record_line(r);
		if (!line)
			return cli_no_memory();
		fputs(line, stdout);
		free(line);
		return CLI_OK;
	}
	if (record_is_of_gateway(r))
		snprintf(what, sizeof(what), r->sends ? "%s, %u in a row" : "%s", why(r).s, r->sends);
	else if (r->event == RECORD_LATE_RESPONSE)
		snprintf(what, sizeof(what), "%u, %s, %s s late", r->last_code, why(r).s, text_seconds(r->delay_ms).s);
	else
		snprintf(what, sizeof(what), "%s after %u sends, %s s", why(r).s, r->sends,
			 text_seconds(r->duration_ms).s);
	return stream_line(cli, colour_of(r), "%s  %-*s  %s%s%.*s  %.*s", text_day_clock(r->ts_ms).s, STREAM_ENDPOINT,
			   text_endpoint(r->daddr, r->dport).s, what, *r->gateway_name ? "  " : "", NAME_LEN,
			   r->gateway_name, (int)sizeof(r->call_id), r->call_id);
}

/* Prints what is new from *at on. The controller puts a record into the map before it raises next_seq. */
static int print_new(const struct cli *cli, void *at)
{
	uint64_t *seq = at, next = next_seq(&cli->pins), first = first_of(next, MAX_RECORDS);
	struct siprtx_record r;
	int err = CLI_OK;

	if (*seq < first) {
		err = stream_missed(cli, first - *seq);
		*seq = first;
	}
	for (; !err && *seq < next; (*seq)++)
		if (read_record(&cli->pins, *seq, &r))
			err = print_line(cli, &r);
	return err;
}

int cmd_exhausted(struct cli *cli, char **args)
{
	uint32_t n = cli->count_given ? cli->count : cli->follow ? 0 : FOLLOW_COUNT;
	uint64_t seq;

	(void)args;
	if (!cli->follow)
		return snapshot(cli, n);
	seq = first_of(next_seq(&cli->pins), n);
	return follow(cli, print_new, &seq);
}
