// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx status: is the offload active, and what does it hold? */
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "attach_tc.h"
#include "check.h"
#include "fill.h"
#include "successor.h"

/* Gateways that are not up, by name; the rest is counted. */
#define NOT_UP_NAMED 4

_Static_assert(2 * MAX_OUTSIDE <= MAX_INTERFACES, "status has room for every configured interface");

const char *const status_total_name[TOTALS] = {
#define TOTAL(name, value) [TOTAL_##name] = #name,
	STATUS_TOTALS(TOTAL)
#undef TOTAL
};

const char *health_name(enum health health)
{
	static const char *const names[] = {
		[HEALTH_ACTIVE] = "active", [HEALTH_DEGRADED] = "degraded", [HEALTH_INACTIVE] = "inactive"};

	return names[health];
}

const char *attach_name(enum siprtx_attach attach)
{
	static const char *const names[] = {
		[ATTACH_NONE] = "none", [ATTACH_NATIVE] = "native", [ATTACH_GENERIC] = "generic"};

	return names[attach];
}

const char *capture_name(const struct status_interface *i)
{
	if (i->egress)
		return "egress";
	return i->side == SIDE_INSIDE && i->attach != ATTACH_NONE ? "xdp" : NULL;
}

const char *sender_name(const struct status_interface *i)
{
	if (!i->beats)
		return NULL;
	return i->live ? "live-frames" : "afxdp";
}

static void totals(const struct sample *s, uint64_t out[TOTALS])
{
#define TOTAL(name, value) out[TOTAL_##name] = value;
	STATUS_TOTALS(TOTAL)
#undef TOTAL
}

static void read_rates(const struct cli *cli, struct status *s)
{
	uint64_t before[TOTALS];
	unsigned i;

	totals(&s->sample, s->total);
	if (!cli->have_before || cli->before.loaded_ns != s->sample.loaded_ns)
		return;
	totals(&cli->before, before);
	s->period_ns = s->sample.ns - cli->before.ns;
	for (i = 0; i < TOTALS; i++)
		s->rate[i] = rate_per_s(before[i], s->total[i], s->period_ns);
}

static void read_lateness(const struct pins *pins, struct status *s)
{
	s->late_max_us = lateness_max_us(pins->lateness, s->sample.stats[STAT_late_us_max]);
	s->late = lateness_quantile(pins->lateness, 0.50, s->late_max_us, &s->late_p50_us) &&
		  lateness_quantile(pins->lateness, 0.99, s->late_max_us, &s->late_p99_us);
}

static void read_interface(const struct cli *cli, struct status *s, const char *name, enum siprtx_side side)
{
	struct status_interface *i = &s->interface[s->n_interfaces++];
	const struct siprtx_interface *known = meta_interface(&s->meta, name);
	uint64_t beat;

	memcpy(i->name, name, sizeof(i->name));
	i->side = side;
	i->attach = attach_state(cli->config.pin_path, name);
	i->egress = side == SIDE_OUTSIDE && tc_is_attached(cli->config.pin_path, name);
	i->up = known && known->up;
	if (!known || side != SIDE_OUTSIDE || known->outside >= MAX_OUTSIDE)
		return;
	beat = s->meta.heartbeat[known->outside];
	i->beats = beat;
	i->live = s->sample.stats[STAT_live_frames] >> known->outside & 1;
	i->beat_ns = age_ns(s->now_ns, beat);
}

static void judge(const struct cli *cli, struct status *s)
{
	struct siprtx_interface attached[MAX_INTERFACES] = {0};
	char egress[MAX_INTERFACES][IFNAMSIZ];
	struct health_facts facts = {
		.config = &cli->config,
		.meta = &s->meta,
		.attached = attached,
		.egress = egress,
		.capture = cli->pins.in_force->tunables[TUN_capture],
		.succeeds = successor_pending(cli->config.pin_path),
		.gone = controller_gone(&s->meta),
		.now_ns = s->now_ns,
	};
	unsigned i;

	for (i = 0; i < s->n_interfaces; i++) {
		if (s->interface[i].attach != ATTACH_NONE)
			memcpy(attached[facts.n_attached++].name, s->interface[i].name, IFNAMSIZ);
		if (s->interface[i].egress)
			memcpy(egress[facts.n_egress++], s->interface[i].name, IFNAMSIZ);
	}
	s->health = health_judge(&facts, &s->reasons);
	health_warn(s->slots_used, s->slots_total, &s->warnings);
}

/* No reading of all gateways where siprtxd says that all are up. */
static int read_not_up(const struct pins *pins, struct status *s)
{
	unsigned n, kept = 0;
	int err;

	if (!s->sample.stats[STAT_gateways_suspect] && !s->sample.stats[STAT_gateways_down])
		return 0;
	err = gateways_read(pins, &s->not_up, &n);
	for (unsigned i = 0; !err && i < n; i++)
		if (s->not_up[i].value.state != GATEWAY_UP)
			s->not_up[kept++] = s->not_up[i];
	s->n_not_up = kept;
	return err;
}

static int status_read(const struct cli *cli, struct status *s)
{
	const struct pins *pins = &cli->pins;
	unsigned i;
	int err;

	s->meta = *pins->meta;
	s->now_ns = now_ns();
	err = sample_take(pins, &s->sample);
	if (!err)
		err = read_not_up(pins, s);
	if (err)
		return err;
	held_count(pins, &s->held);
	s->slots_total = s->meta.transactions;
	s->slots_used = s->held.slots + s->held.probes;
	read_rates(cli, s);
	read_lateness(pins, s);
	for (i = 0; i < cli->config.n_inside && !config_takes_egress(&cli->config); i++)
		read_interface(cli, s, cli->config.inside[i], SIDE_INSIDE);
	for (i = 0; i < cli->config.n_outside; i++)
		read_interface(cli, s, cli->config.outside[i], SIDE_OUTSIDE);
	if (s->meta.next_seq > s->meta.journaled_seq + 1)
		s->not_on_disk = s->meta.next_seq - 1 - s->meta.journaled_seq;
	check_values(pins, &s->values);
	judge(cli, s);
	return 0;
}

static void print_headline(const struct cli *cli, const struct status *s)
{
	static const enum colour colours[] = {
		[HEALTH_ACTIVE] = GREEN, [HEALTH_DEGRADED] = YELLOW, [HEALTH_INACTIVE] = RED};
	const struct problem *first = NULL;
	unsigned i;

	for (i = 0; i < s->reasons.n && (!first || first->level != PROBLEM_ERROR); i++)
		if (!first || s->reasons.list[i].level == PROBLEM_ERROR)
			first = &s->reasons.list[i];
	fputs(colour_code(colours[s->health], cli->colour), stdout);
	if (s->health == HEALTH_ACTIVE || !first)
		printf("offload %s", health_name(s->health));
	else if (s->health == HEALTH_DEGRADED)
		printf("offload active, but degraded: %s; %s", first->what, first->remedy);
	else
		printf("offload inactive, because %s; %s", first->what, first->remedy);
	puts(colour_code(PLAIN, cli->colour));
	for (i = 0; i < s->reasons.n; i++)
		if (&s->reasons.list[i] != first)
			printf("  also: %s; %s\n", s->reasons.list[i].what, s->reasons.list[i].remedy);
	for (i = 0; i < s->warnings.n; i++)
		printf("  warning: %s; %s\n", s->warnings.list[i].what, s->warnings.list[i].remedy);
}

static void print_held(const struct cli *cli, const struct status *s)
{
	unsigned mark = fill_mark(s->slots_used, s->slots_total);
	enum colour colour = mark >= 95 ? RED : mark ? YELLOW : PLAIN;
	bool paint = cli->colour && colour != PLAIN;

	printf("\nheld      %u calling, %u proceeding, %llu ended remembered", s->held.in_state[ST_CALLING],
	       s->held.in_state[ST_PROCEEDING], (unsigned long long)s->sample.stats[STAT_remembered]);
	if (s->held.given_back)
		printf(", %u given back to the softswitch", s->held.given_back);
	putchar('\n');
	printf("slots     %s%u of %u used (%s)%s\n", colour_code(colour, paint), s->slots_used, s->slots_total,
	       text_percent(s->slots_used, s->slots_total).s, colour_code(PLAIN, paint));
	if (s->late)
		printf("lateness  p50 %s, p99 %s, max %s; at most %llu copies in a ms of late\n",
		       text_us_as_ms(s->late_p50_us).s, text_us_as_ms(s->late_p99_us).s,
		       text_us_as_ms(s->late_max_us).s, (unsigned long long)s->sample.stats[STAT_in_one_ms]);
	else
		printf("lateness  nothing retransmitted yet\n");
}

static void print_journal(const struct cli *cli, const struct status *s)
{
	printf("journal   %s: %llu lines", cli->config.journal,
	       (unsigned long long)s->sample.stats[STAT_journal_lines]);
	if (s->not_on_disk)
		printf(", %llu records not yet on disk", (unsigned long long)s->not_on_disk);
	if (s->meta.journal_errno)
		printf(", last error: %s", strerror(s->meta.journal_errno));
	putchar('\n');
}

static void print_conntrack(const struct status *s)
{
	uint64_t every_ms = s->sample.stats[STAT_refresh_ms];

	if (!s->sample.stats[STAT_conntrack])
		return;
	if (every_ms)
		printf("conntrack on: every %g s a copy of the softswitch passes in place of siprtx's, %llu so far\n",
		       every_ms / 1000.0, (unsigned long long)s->sample.counters[CNT_refreshed]);
	else
		printf("conntrack on: it does not see siprtx's copies and may forget a call, see siprtx check\n");
}

/* "gateways  1 down, 1 suspect: a (192.0.2.1:5060) down for 12 s, calls refused; ...": nothing where all are up. */
static void print_not_up(const struct cli *cli, const struct status *s)
{
	const uint64_t *stats = s->sample.stats;
	bool down = stats[STAT_gateways_down];

	if (!s->n_not_up)
		return;
	printf("gateways  %s%llu down, %llu suspect%s:", colour_code(down ? RED : YELLOW, cli->colour),
	       (unsigned long long)stats[STAT_gateways_down], (unsigned long long)stats[STAT_gateways_suspect],
	       colour_code(PLAIN, cli->colour));
	for (unsigned i = 0; i < s->n_not_up && i < NOT_UP_NAMED; i++) {
		const struct gateway *g = &s->not_up[i];
		struct text name;

		snprintf(name.s, sizeof(name.s), "%.*s", NAME_LEN, g->value.name);
		make_printable(name.s);
		printf("%s %s%s%s%s %s for %s%s", i ? ";" : "", name.s, *name.s ? " (" : "",
		       text_endpoint(g->key.addr, g->key.port).s, *name.s ? ")" : "",
		       gateway_state_name(g->value.state), text_age(age_ns(s->now_ns, g->value.state_ns)).s,
		       g->value.bypass == BYPASS_REFUSED ? ", calls refused"
		       : g->value.bypass == BYPASS_FAST	 ? ", calls shortened"
							 : "");
	}
	if (s->n_not_up > NOT_UP_NAMED)
		printf("; and %u more, see siprtx show gateways", s->n_not_up - NOT_UP_NAMED);
	putchar('\n');
}

static int print_totals(const struct cli *cli, const struct status *s)
{
	struct table *t = table_new(s->period_ns ? ":>TOTAL:>PER SECOND" : ":>TOTAL");
	unsigned i;

	for (i = 0; t && i < TOTALS; i++) {
		table_cell(t, PLAIN, "%s", status_total_name[i]);
		table_cell(t, PLAIN, "%llu", (unsigned long long)s->total[i]);
		if (s->period_ns)
			table_cell(t, PLAIN, "%s", text_rate(s->rate[i]).s);
	}
	putchar('\n');
	return cli_print_table(cli, t, 0);
}

static int print_interfaces(const struct cli *cli, const struct status *s)
{
	struct table *t = table_new("INTERFACE:SIDE:PROGRAM:CAPTURE:SENDER:LINK:>HEARTBEAT");
	unsigned i;

	for (i = 0; t && i < s->n_interfaces; i++) {
		const struct status_interface *f = &s->interface[i];

		table_cell(t, PLAIN, "%s", f->name);
		table_cell(t, PLAIN, "%s", f->side == SIDE_OUTSIDE ? "outside" : "inside");
		table_cell(t, f->attach == ATTACH_NONE ? RED : PLAIN, "%s", attach_name(f->attach));
		table_cell(t, PLAIN, "%s", capture_name(f) ?: "-");
		table_cell(t, PLAIN, "%s", sender_name(f) ?: "-");
		table_cell(t, f->up ? PLAIN : RED, "%s", f->up ? "up" : "down");
		if (f->side != SIDE_OUTSIDE)
			table_cell(t, PLAIN, "-");
		else if (!f->beats)
			table_cell(t, RED, "none");
		else
			table_cell(t, f->beat_ns < HEARTBEAT_NS ? PLAIN : RED, "%s ago", text_age(f->beat_ns).s);
	}
	putchar('\n');
	return cli_print_table(cli, t, 0);
}

static int print_unhelped(const struct cli *cli, const struct status *s)
{
	struct table *t = NULL;
	unsigned i;

	for (i = 0; i < CNT_COUNT; i++) {
		if (!is_unhelped(i) || !s->sample.counters[i])
			continue;
		if (!t)
			t = table_new("UNHELPED:>CALLS:REASON");
		if (!t)
			return cli_no_memory();
		table_cell(t, YELLOW, "%s", counter_name[i]);
		table_cell(t, PLAIN, "%llu", (unsigned long long)s->sample.counters[i]);
		table_cell(t, PLAIN, "%s", counter_help[i]);
	}
	if (!t)
		return CLI_OK;
	putchar('\n');
	return cli_print_table(cli, t, 0);
}

static int status_print(const struct cli *cli, const struct status *s)
{
	unsigned i;
	int err;

	print_headline(cli, s);
	print_held(cli, s);
	print_journal(cli, s);
	print_conntrack(s);
	print_not_up(cli, s);
	err = print_totals(cli, s);
	if (!err)
		err = print_interfaces(cli, s);
	if (!err)
		err = print_unhelped(cli, s);
	if (!err)
		err = status_print_notify(cli, s);
	if (!err && s->values.n)
		puts("\nout of range, not in force:");
	for (i = 0; !err && i < s->values.n; i++)
		printf("  %s: %s. %s.\n", s->values.list[i].where, s->values.list[i].what, s->values.list[i].remedy);
	return err;
}

static int not_open(const struct cli *cli, int err, const char *why)
{
	struct problems reasons = {0};
	bool loaded = err != -ENOENT;

	if (cli->json) {
		problem_add(&reasons, PROBLEM_ERROR, "", NULL, "%s", why);
		cli_print_json(cli, json_pack("{s:i, s:s, s:o}", "schema_version", CLI_SCHEMA_VERSION, "state",
					      loaded ? "unknown" : "inactive", "reasons", problems_json(&reasons)));
		problems_free(&reasons);
		return CLI_FAILED;
	}
	if (loaded)
		return cli_fail(CLI_FAILED, "%s", why);
	printf("%soffload inactive, because %s%s\n", colour_code(RED, cli->colour), why,
	       colour_code(PLAIN, cli->colour));
	return CLI_FAILED;
}

int cmd_status(struct cli *cli, char **args)
{
	struct status s = {0};
	char why[PATH_MAX + 256];
	int err;

	(void)args;
	err = cli_open(cli, false, why, sizeof(why));
	if (err)
		return not_open(cli, err, why);
	err = status_read(cli, &s);
	if (err)
		err = cli_fail(CLI_FAILED, "the maps under %s cannot be read: %s", cli->config.pin_path,
			       strerror(-err));
	else
		err = cli->json ? cli_print_json(cli, status_json(cli, &s)) : status_print(cli, &s);
	if (!err) {
		cli->before = s.sample;
		cli->have_before = true;
	}
	free(s.not_up);
	problems_free(&s.reasons);
	problems_free(&s.warnings);
	problems_free(&s.values);
	return err ? err : s.health == HEALTH_ACTIVE ? CLI_OK : CLI_DEGRADED;
}
