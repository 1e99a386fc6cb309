// SPDX-License-Identifier: GPL-2.0-or-later
/* [profile NAME] */
#include "config_parse.h"
#include "schedule.h"

#include <stdio.h>
#include <string.h>

#define STANDARD 0 /* of builtin_profile: what a profile's own keys leave open */

static bool open_profile(struct parser *p, struct section *s)
{
	struct config *c = p->c;

	for (s->index = 0; s->index < c->n_profiles; s->index++) {
		if (!strcmp(c->profile[s->index].name, s->name))
			return true;
	}
	if (c->n_profiles == MAX_PROFILES) {
		parse_error(p, "Remove one, or change a built-in one",
			    "profile %s is one too many, the most is %zu of one's own", s->name,
			    MAX_PROFILES - sizeof(builtin_profile) / sizeof(*builtin_profile));
		return false;
	}
	strcpy(c->profile[s->index].name, s->name);
	memcpy(c->profile[s->index].field, builtin_profile[STANDARD], sizeof(builtin_profile[STANDARD]));
	c->n_profiles++;
	return true;
}

static uint32_t *fields(const struct parser *p)
{
	return p->c->profile[section_now(p)->index].field;
}

/* Seconds to the ms of a profile's field. */
static bool seconds(struct parser *p, const struct key *key, unsigned field, const char *text, uint32_t *out)
{
	const char *fault, *remedy = "Give 0.01 to 3600 seconds";
	char why[128], reason[160];
	uint64_t ms = 0;

	if (field >= MAX_INTERVALS && field != PF_FINAL_WAIT)
		remedy = "Give seconds up to 3600, or 0 for no time-out";
	fault = parse_decimal(text, 3, &ms);
	if (fault) {
		bad_value(p, key, text, fault, "Give seconds like 4 or 0.5, at most 3 decimals");
		return false;
	}
	ms = ms < UINT32_MAX ? ms : UINT32_MAX;
	if (profile_field_ok(field, ms, why, sizeof(why))) {
		*out = ms;
		return true;
	}
	snprintf(reason, sizeof(reason), "is out of range, as %s", why);
	bad_value(p, key, text, reason, remedy);
	return false;
}

static void set_intervals(struct parser *p, const struct key *key, char *value)
{
	uint32_t list[MAX_INTERVALS] = {0};
	bool ok = true;
	unsigned n = 0;
	char *item;

	while ((item = next_item(&value))) {
		if (++n > MAX_INTERVALS)
			continue;
		ok = seconds(p, key, PF_INTERVAL + n - 1, item, &list[n - 1]) && ok;
	}
	/* in the map a 0 ends the list; in the file the list has an end of its own */
	for (unsigned i = 1; ok && i < n && i < MAX_INTERVALS; i++) {
		if (!list[i]) {
			bad_value(p, key, "0", "is no interval", "Remove it: the list ends where it ends");
			ok = false;
		}
	}
	if (n > MAX_INTERVALS)
		too_many(p, key, "intervals", n, MAX_INTERVALS);
	else if (ok)
		memcpy(fields(p) + PF_INTERVAL, list, sizeof(list));
}

static void set_seconds(struct parser *p, const struct key *key, char *value)
{
	seconds(p, key, key->field, value, fields(p) + key->field);
}

static void set_retry(struct parser *p, const struct key *key, char *value)
{
	whole_number(p, key, value, 0, MAX_INTERVALS, fields(p) + key->field);
}

const struct section_kind section_profile = {
	.word = "profile",
	.named = true,
	.open = open_profile,
	.key =
		{
			{"resend_interval", set_intervals, PF_INTERVAL},
			{"send_retry", set_retry, PF_SEND_RETRY},
			{"down_retry", set_retry, PF_DOWN_RETRY},
			{"timeout_invite", set_seconds, PF_TIMEOUT_INVITE},
			{"timeout_trying", set_seconds, PF_TIMEOUT_TRYING},
			{"timeout_progress", set_seconds, PF_TIMEOUT_PROGRESS},
			{"timeout_progress_sdp", set_seconds, PF_TIMEOUT_PROGRESS_SDP},
			{"timeout_ringing", set_seconds, PF_TIMEOUT_RINGING},
			{"final_wait", set_seconds, PF_FINAL_WAIT},
		},
};
