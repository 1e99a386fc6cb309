/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that `siprtx status` tells, read once, then printed as text or JSON. */
#ifndef SIPRTX_STATUS_H
#define SIPRTX_STATUS_H

#include "cli.h"
#include "health.h"

/* The counts an operator asks for first. TOTAL(name, from a sample) */
#define STATUS_TOTALS(TOTAL)                                                                                           \
	TOTAL(captured, s->counters[CNT_captured])                                                                     \
	TOTAL(retransmitted, s->stats[STAT_sends])                                                                     \
	TOTAL(over_budget, s->stats[STAT_over_budget])                                                                 \
	TOTAL(absorbed, s->counters[CNT_absorbed])                                                                     \
	TOTAL(answered, s->answered)                                                                                   \
	TOTAL(exhausted, s->stats[STAT_no_response] + s->stats[STAT_trying_timeout] +                                  \
				 s->stats[STAT_progress_timeout] + s->stats[STAT_ringing_timeout] +                    \
				 s->stats[STAT_unreachable])                                                           \
	TOTAL(given_up, s->stats[STAT_abandoned] + s->stats[STAT_superseded])

enum status_total {
#define TOTAL(name, value) TOTAL_##name,
	STATUS_TOTALS(TOTAL)
#undef TOTAL
		TOTALS
};

/* Does this counter tell of requests that could not be helped? */
static inline bool is_unhelped(unsigned c)
{
	return (c >= CNT_no_slot && c <= CNT_no_controller) || c == CNT_over_rate_source || c == CNT_over_rate ||
	       c == CNT_gso || c == CNT_tags;
}

struct status_interface {
	char name[IFNAMSIZ];
	enum siprtx_side side;
	enum siprtx_attach attach;
	bool live;   /* an outside interface, and sent from by XDP live frames now */
	bool egress; /* the program that takes messages is at its TC egress */
	bool up;
	bool beats;	  /* an outside interface, and it has a heartbeat */
	uint64_t beat_ns; /* age */
};

struct status {
	enum health health;
	struct problems reasons, warnings, values;
	struct siprtx_meta meta; /* a copy, of one moment as near as can be */
	uint64_t now_ns;
	struct held held;
	uint32_t slots_used, slots_total;
	struct sample sample;
	uint64_t total[TOTALS];
	double rate[TOTALS]; /* a second; with period_ns */
	uint64_t period_ns;  /* 0: no rates */
	bool late;	     /* the three below are known */
	uint64_t late_p50_us, late_p99_us, late_max_us;
	struct status_interface interface[MAX_INTERFACES];
	unsigned n_interfaces;
	uint64_t not_on_disk;	/* records */
	struct gateway *not_up; /* owned; gateways that are suspect or down */
	unsigned n_not_up;
};

extern const char *const status_total_name[TOTALS];
extern const char *const counter_name[CNT_COUNT], *const counter_help[CNT_COUNT];
extern const char *const stat_name[STAT_COUNT], *const stat_help[STAT_COUNT];

const char *health_name(enum health health);
const char *attach_name(enum siprtx_attach attach);
/* At which hook messages are taken on this interface, NULL: at none. */
const char *capture_name(const struct status_interface *i);
/* How an outside interface is sent from; NULL: it is not. */
const char *sender_name(const struct status_interface *i);
/* status_notify.c: the consumers of siprtx-notify, nothing where none is configured */
int status_print_notify(const struct cli *cli, const struct status *s);
json_t *status_notify_json(const struct cli *cli, const struct status *s);
/* NULL: no memory */
json_t *status_json(const struct cli *cli, const struct status *s);

#endif
