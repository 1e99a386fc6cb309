// SPDX-License-Identifier: GPL-2.0-or-later
#include "alarms.h"

#include <bpf/bpf.h>
#include <stdio.h>

#include "counter_sum.h"
#include "log.h"
#include "record.h"

/* What goes on and on must not fill the log. */
#define EVERY_NS       10000000000ull
#define OFFENDER_LOOKS 3

static void slots(struct alarms *a, uint32_t total, uint32_t free_slots)
{
	uint32_t used = free_slots < total ? total - free_slots : 0;
	unsigned percent = fill_reached(&a->slots, used, total);

	if (percent)
		log_warning("%u of %u slots are in use, %u %% or more: " FILL_REMEDY ".", used, total, percent);
}

/* Whence the last of them came, or one a moment before it: " (the last one from 192.0.2.1:5060)". */
static const char *offender(const struct pins *pins, char *text, size_t size)
{
	struct siprtx_offender o;
	char from[64];
	__u32 zero = 0;

	*text = '\0';
	/* being written: that takes no time */
	for (int i = 0; i < OFFENDER_LOOKS; i++) {
		if (bpf_map_lookup_elem(pins->fd[PIN_offender], &zero, &o) || o.ns != o.begun_ns || !o.ns)
			continue;
		format_endpoint(o.addr, o.port, from, sizeof(from));
		snprintf(text, size, " (the last one from %s)", from);
		break;
	}
	return text;
}

static void wrong_source(struct alarms *a, const struct pins *pins, uint64_t now_ns)
{
	uint64_t count, news;
	char from[96];

	if (!pins->in_force->tunables[TUN_match_source] || counter_sum(pins, CNT_wrong_source, 1, &count))
		return;
	news = rising_news(&a->wrong_source, count, now_ns, EVERY_NS);
	if (news)
		log_warning("wrong_source rose by %llu%s: responses, ACKs or PRACKs from an address that their message "
			    "did not go to stop nothing (match_source). Forged, or of a gateway that answers from "
			    "another address: then siprtx set match_source 0.",
			    (unsigned long long)news, offender(pins, from, sizeof(from)));
}

static void over_budget(struct alarms *a, const struct pins *pins, uint64_t now_ns)
{
	uint64_t news = rising_news(&a->over_budget, pins->stats[STAT_over_budget], now_ns, EVERY_NS);

	if (news)
		log_warning("over_budget rose by %llu: retransmissions over rate_gateway, %u a second to one gateway. "
			    "The softswitch's own copies pass in their place. siprtx -j show gateways says where to; "
			    "siprtx set rate_gateway where more can be taken there.",
			    (unsigned long long)news, pins->in_force->tunables[TUN_rate_gateway]);
}

void alarms_open(struct alarms *a, const struct pins *pins)
{
	*a = (struct alarms){.over_budget.told = pins->stats[STAT_over_budget]};
	counter_sum(pins, CNT_wrong_source, 1, &a->wrong_source.told);
}

void alarms_run(struct alarms *a, const struct pins *pins, uint32_t free_slots, uint64_t now_ns)
{
	slots(a, pins->meta->transactions, free_slots);
	wrong_source(a, pins, now_ns);
	over_budget(a, pins, now_ns);
}
