// SPDX-License-Identifier: GPL-2.0-or-later
#include "schedule.h"

#include <stdio.h>

#include "methods.h"

unsigned schedule_count_of(const uint32_t *field, enum siprtx_bypass bypass)
{
	uint32_t cap = bypass == BYPASS_FAST && field[PF_DOWN_RETRY] ? field[PF_DOWN_RETRY] : field[PF_SEND_RETRY];
	unsigned most = cap && cap < MAX_INTERVALS ? cap : MAX_INTERVALS;
	unsigned n = 0;

	while (n < most && field[PF_INTERVAL + n])
		n++;
	return n;
}

unsigned schedule_count(const uint32_t *field)
{
	return schedule_count_of(field, BYPASS_NONE);
}

static struct schedule_wait from_list(const uint32_t *field, enum siprtx_bypass bypass, unsigned step)
{
	if (step < schedule_count_of(field, bypass))
		return (struct schedule_wait){field[PF_INTERVAL + step], SCHEDULE_SEND};
	return (struct schedule_wait){field[PF_FINAL_WAIT], SCHEDULE_EXHAUSTED};
}

/* At the very ms of a copy the time-out wins: the softswitch has given up by then. */
static struct schedule_wait cut_at(uint32_t end, struct schedule_wait next, uint32_t elapsed_ms)
{
	if ((uint64_t)elapsed_ms + next.wait_ms < end)
		return next;
	return (struct schedule_wait){end > elapsed_ms ? end - elapsed_ms : 0, SCHEDULE_EXHAUSTED};
}

struct schedule_wait schedule_next(const uint32_t *field, enum siprtx_bypass bypass, unsigned step, uint32_t elapsed_ms)
{
	uint32_t end = field[PF_TIMEOUT_INVITE];
	struct schedule_wait next = from_list(field, bypass, step);

	return end ? cut_at(end, next, elapsed_ms) : next;
}

struct schedule_wait schedule_next_request(const uint32_t *field, unsigned step, uint32_t elapsed_ms, bool proceeding)
{
	unsigned n = schedule_count(field);
	uint32_t window = field[PF_FINAL_WAIT];

	if (!proceeding)
		return from_list(field, BYPASS_NONE, step);
	for (unsigned i = 0; i < n; i++)
		window += field[PF_INTERVAL + i];
	return cut_at(window, from_list(field, BYPASS_NONE, n ? n - 1 : 0), elapsed_ms);
}

uint32_t schedule_stage_ms(const uint32_t *field, enum siprtx_stage stage)
{
	switch (stage) {
	case STAGE_TRYING:
		return field[PF_TIMEOUT_TRYING];
	case STAGE_PROGRESS:
		return field[PF_TIMEOUT_PROGRESS];
	case STAGE_PROGRESS_SDP:
		return field[PF_TIMEOUT_PROGRESS_SDP];
	case STAGE_RINGING:
		return field[PF_TIMEOUT_RINGING];
	case STAGE_NOTHING:
		break;
	}
	return 0;
}

enum siprtx_end schedule_stage_end(enum siprtx_stage stage)
{
	switch (stage) {
	case STAGE_TRYING:
		return END_TRYING_TIMEOUT;
	case STAGE_PROGRESS:
	case STAGE_PROGRESS_SDP:
		return END_PROGRESS_TIMEOUT;
	case STAGE_RINGING:
		return END_RINGING_TIMEOUT;
	case STAGE_NOTHING:
		break;
	}
	return END_NO_RESPONSE;
}

bool end_is_exhaustion(enum siprtx_end end)
{
	return (end >= END_NO_RESPONSE && end <= END_RINGING_TIMEOUT) || end == END_UNREACHABLE ||
	       end == END_GATEWAY_DOWN;
}

uint64_t schedule_rest_ms(const uint32_t *field, enum siprtx_bypass bypass, unsigned step, uint32_t elapsed_ms)
{
	struct schedule_wait next;
	uint64_t rest = 0;

	do {
		next = schedule_next(field, bypass, step++, elapsed_ms + rest);
		rest += next.wait_ms;
	} while (next.action == SCHEDULE_SEND);
	return rest;
}

uint64_t schedule_window_ms(const uint32_t *field)
{
	return schedule_rest_ms(field, BYPASS_NONE, 0, 0);
}

const char *const builtin_profile_name[7] = {
	"standard", "unstable", "fast-failover", "high-reliability", "aggressive", "rfc3261", "vos3000",
};

/* VOS3000's defaults for the four stages; final_wait makes the standard list RFC 3261's Timer B of 32 s */
#define STAGES                                                                                                         \
	[PF_TIMEOUT_TRYING] = 20000, [PF_TIMEOUT_PROGRESS] = 20000, [PF_TIMEOUT_PROGRESS_SDP] = 120000,                \
	[PF_TIMEOUT_RINGING] = 120000, [PF_FINAL_WAIT] = 500, [PF_DOWN_RETRY] = 2
/* VOS3000's SS_SIP_RESEND_INTERVAL as shipped */
#define STANDARD_LIST 500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000

const uint32_t builtin_profile[7][PROFILE_FIELDS] = {
	{STANDARD_LIST, [PF_SEND_RETRY] = 10, STAGES},
	{500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000, STAGES},
	{500, 1000, 2000, 4000, 4000, 4000, STAGES},
	{1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000, 4000, STAGES},
	{500, 500, 1000, 1000, 2000, 2000, 4000, 4000, 4000, 4000, STAGES},
	{500, 1000, 2000, 4000, 8000, 16000, STAGES},
	{STANDARD_LIST, [PF_SEND_RETRY] = 10, [PF_TIMEOUT_INVITE] = 10000, STAGES},
};

const char *profile_field_name(unsigned field)
{
	static const char *const name[PF_COUNT] = {
		"interval_1",	   "interval_2",     "interval_3",     "interval_4",	   "interval_5",
		"interval_6",	   "interval_7",     "interval_8",     "interval_9",	   "interval_10",
		"send_retry",	   "timeout_invite", "timeout_trying", "timeout_progress", "timeout_progress_sdp",
		"timeout_ringing", "final_wait",     "down_retry",
	};

	return field < PF_COUNT ? name[field] : NULL;
}

bool profile_field_is_count(unsigned field)
{
	return field == PF_SEND_RETRY || field == PF_DOWN_RETRY;
}

static bool in_range(const char *name, uint32_t value, uint32_t min, uint32_t max, const char *unit, char *why,
		     size_t why_size)
{
	bool under = value < min;

	if (!under && value <= max)
		return true;
	snprintf(why, why_size, "%s is %u%s, %s %u%s", name, value, unit, under ? "under" : "over", under ? min : max,
		 unit);
	return false;
}

bool profile_field_ok(unsigned field, uint32_t value, char *why, size_t why_size)
{
	const char *name = profile_field_name(field);

	if (!name) {
		snprintf(why, why_size, "a profile has no field %u", field);
		return false;
	}
	if (profile_field_is_count(field))
		return in_range(name, value, 0, MAX_INTERVALS, "", why, why_size);
	if (field == PF_INTERVAL && !value) {
		snprintf(why, why_size, "interval_1 is 0, so the list is empty");
		return false;
	}
	if (field < PF_INTERVAL + MAX_INTERVALS && !value)
		return true;
	return in_range(name, value, field < MAX_INTERVALS || field == PF_FINAL_WAIT ? INTERVAL_MIN_MS : 0,
			INTERVAL_MAX_MS, " ms", why, why_size);
}

bool tunable_ok(unsigned index, uint32_t value, char *why, size_t why_size)
{
	static const struct {
		const char *name;
		uint32_t min, max;
	} tunable[TUN_COUNT] = {
#define TUNABLE(number, name, def, min, max, unit, help) [number] = {#name, min, max},
#include "tunables.def"
#undef TUNABLE
	};

	if (index >= TUN_COUNT) {
		snprintf(why, why_size, "there is no tunable %u", index);
		return false;
	}
	if (index == TUN_methods)
		return methods_ok(value, why, why_size);
	return in_range(tunable[index].name, value, tunable[index].min, tunable[index].max, "", why, why_size);
}
