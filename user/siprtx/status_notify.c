// SPDX-License-Identifier: GPL-2.0-or-later
/* The consumers of siprtx-notify, as `siprtx status` tells of them. */
#include <string.h>

#include "json_text.h"
#include "status.h"

#define DEAD_NS 5000000000ull /* siprtx-notify writes its sign of life some times a second */

static bool is_alive(const struct siprtx_sink *sink, uint64_t now)
{
	return sink->alive_ns && age_ns(now, sink->alive_ns) < DEAD_NS;
}

/* Its place, by name; NULL: siprtx-notify has not served it since the maps were made. */
static const struct siprtx_sink *place_of(const struct cli *cli, const struct config_notify *n)
{
	for (unsigned i = 0; i < MAX_SINKS; i++)
		if (!strncmp(cli->pins.notify[i].name, n->name, NAME_LEN))
			return &cli->pins.notify[i];
	return NULL;
}

static const char *kind_word(enum config_notify_kind kind)
{
	static const char *const words[] = {
		[NOTIFY_JSONRPC] = "jsonrpc", [NOTIFY_EXEC] = "exec", [NOTIFY_STREAM] = "stream", [NOTIFY_CDR] = "cdr"};

	return words[kind];
}

static uint64_t lag_of(const struct status *s, const struct siprtx_sink *sink)
{
	return s->meta.next_seq > sink->next_seq && sink->next_seq ? s->meta.next_seq - sink->next_seq : 0;
}

static bool is_running(const struct cli *cli, const struct status *s)
{
	const struct siprtx_sink *sink;
	bool running = false;

	for (unsigned i = 0; i < cli->config.n_notify && !running; i++) {
		sink = place_of(cli, &cli->config.notify[i]);
		running = sink && is_alive(sink, s->now_ns);
	}
	return running;
}

static void row(struct table *t, const struct status *s, const struct config_notify *n, const struct siprtx_sink *sink)
{
	bool bad = !sink || *sink->error;

	table_cell(t, bad ? YELLOW : PLAIN, "%s", n->name);
	table_cell(t, PLAIN, "%s", kind_word(n->kind));
	if (!sink) {
		for (unsigned i = 0; i < 4; i++)
			table_cell(t, PLAIN, "-");
		table_cell(t, YELLOW, "siprtx-notify does not serve it");
		return;
	}
	table_cell(t, PLAIN, "%llu", (unsigned long long)sink->sent);
	table_cell(t, PLAIN, "%llu", (unsigned long long)sink->failed);
	table_cell(t, sink->dropped ? YELLOW : PLAIN, "%llu", (unsigned long long)sink->dropped);
	table_cell(t, PLAIN, "%llu", (unsigned long long)lag_of(s, sink));
	if (*sink->error)
		table_cell(t, YELLOW, "%.*s (%s ago)", SINK_ERROR, sink->error,
			   text_age(age_ns(s->now_ns, sink->error_ns)).s);
	else if (n->kind == NOTIFY_STREAM)
		table_cell(t, PLAIN, "%u subscribers", sink->subscribers);
	else
		table_cell(t, PLAIN, "-");
}

int status_print_notify(const struct cli *cli, const struct status *s)
{
	struct table *t;

	if (!cli->config.n_notify)
		return CLI_OK;
	putchar('\n');
	if (!is_running(cli, s)) {
		puts("siprtx-notify is not running, nobody is told of what is recorded; start it, or take the [notify] "
		     "sections out");
		return CLI_OK;
	}
	t = table_new("NOTIFY:KIND:>SENT:>FAILED:>DROPPED:>LAG:STATE");
	for (unsigned i = 0; t && i < cli->config.n_notify; i++)
		row(t, s, &cli->config.notify[i], place_of(cli, &cli->config.notify[i]));
	return cli_print_table(cli, t, 0);
}

static json_t *age_json(uint64_t now, uint64_t ns)
{
	return ns ? json_integer((json_int_t)(age_ns(now, ns) / 1000)) : json_null();
}

static json_t *consumer_json(const struct status *s, const struct config_notify *n, const struct siprtx_sink *sink)
{
	static const struct siprtx_sink none;
	const struct siprtx_sink *k = sink ? sink : &none;

	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:o, s:o}", "name", n->name, "kind",
			 kind_word(n->kind), "alive", sink && is_alive(sink, s->now_ns), "sent", (json_int_t)k->sent,
			 "failed", (json_int_t)k->failed, "timeouts", (json_int_t)k->timeouts, "dropped",
			 (json_int_t)k->dropped, "lag", (json_int_t)(sink ? lag_of(s, sink) : 0), "subscribers",
			 (int)k->subscribers, "last_us_ago", age_json(s->now_ns, k->last_ns), "error",
			 *k->error ? json_text(k->error, sizeof(k->error)) : json_null(), "error_us_ago",
			 *k->error ? age_json(s->now_ns, k->error_ns) : json_null());
}

json_t *status_notify_json(const struct cli *cli, const struct status *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < cli->config.n_notify; i++)
		json_array_append_new(list,
				      consumer_json(s, &cli->config.notify[i], place_of(cli, &cli->config.notify[i])));
	return json_pack("{s:b, s:o}", "running", is_running(cli, s), "consumers", list);
}
