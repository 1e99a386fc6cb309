// SPDX-License-Identifier: GPL-2.0-or-later
#include "alarms.h"

#include "counter_sum.h"
#include "log.h"

/* What goes on and on must not fill the log. */
#define EVERY_NS 10000000000ull

static void slots(struct alarms *a, uint32_t total, uint32_t free_slots)
{
	uint32_t used = free_slots < total ? total - free_slots : 0;
	unsigned percent = fill_reached(&a->slots, used, total);

	if (percent)
		log_warning("%u of %u slots are in use, %u %% or more: " FILL_REMEDY ".", used, total, percent);
}

/* The counter does not say from where. */
static void wrong_source(struct alarms *a, const struct pins *pins, uint64_t now_ns)
{
	uint64_t count, news;

	if (!pins->in_force->tunables[TUN_match_source] || counter_sum(pins, CNT_wrong_source, 1, &count))
		return;
	news = rising_news(&a->wrong_source, count, now_ns, EVERY_NS);
	if (news)
		log_warning("wrong_source rose by %llu: responses, ACKs or PRACKs from an address that their message "
			    "did not go to stop nothing (match_source). Forged, or of a gateway that answers from "
			    "another address: then siprtx set match_source 0.",
			    (unsigned long long)news);
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
