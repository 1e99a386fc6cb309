/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator should hear of unasked: slots running out, answers from elsewhere, a budget spent. A line in the
 * log. */
#ifndef SIPRTX_ALARMS_H
#define SIPRTX_ALARMS_H

#include <stdint.h>

#include "fill.h"
#include "pins.h"
#include "rising.h"

struct alarms {
	struct fill slots;
	struct rising wrong_source, over_budget;
};

/* What was counted before is not news. */
void alarms_open(struct alarms *a, const struct pins *pins);
/* free_slots: as in stats.def */
void alarms_run(struct alarms *a, const struct pins *pins, uint32_t free_slots, uint64_t now_ns);

#endif
