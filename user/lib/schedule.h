/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schedule of a profile: pure arithmetic over its fields (enum siprtx_profile_field, ms). */
#ifndef SIPRTX_SCHEDULE_H
#define SIPRTX_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Retransmissions a profile makes: the length of its list, capped by send_retry (0: no cap). */
unsigned schedule_count(const uint32_t *field);
/* And of one INVITE: BYPASS_FAST puts down_retry in the place of send_retry, unless it is 0. */
unsigned schedule_count_of(const uint32_t *field, enum siprtx_bypass bypass);

enum schedule_action { SCHEDULE_SEND, SCHEDULE_EXHAUSTED };

struct schedule_wait {
	uint32_t wait_ms;	     /* from the last send */
	enum schedule_action action; /* what to do then */
};

/*
 * What comes after `step` retransmissions (0: only the first send), `elapsed_ms` after the first send: the next
 * interval, or the final wait and then exhaustion; whichever is cut short by timeout_invite.
 */
struct schedule_wait schedule_next(const uint32_t *field, enum siprtx_bypass bypass, unsigned step,
				   uint32_t elapsed_ms);
/*
 * The same for a request other than INVITE (RFC 3261 17.1.2.2), and for a response: timeout_invite does not concern it,
 * the list and final_wait are its Timer F. Once `proceeding`, it goes on at the last interval, as Timer E does at T2,
 * until then.
 */
struct schedule_wait schedule_next_request(const uint32_t *field, unsigned step, uint32_t elapsed_ms, bool proceeding);
/* How long it is from there to exhaustion, ms. */
uint64_t schedule_rest_ms(const uint32_t *field, enum siprtx_bypass bypass, unsigned step, uint32_t elapsed_ms);

/* The deadline of a stage in ms after it was entered, 0: none. STAGE_NOTHING has none here. */
uint32_t schedule_stage_ms(const uint32_t *field, enum siprtx_stage stage);
enum siprtx_end schedule_stage_end(enum siprtx_stage stage);
/* Ended for want of an answer? Then there is a record. */
bool end_is_exhaustion(enum siprtx_end end);

/* From the first send to exhaustion, ms; of a gateway that is not down. */
uint64_t schedule_window_ms(const uint32_t *field);

/* The built-in profiles 0..6, in the contract's order. */
extern const char *const builtin_profile_name[7];
extern const uint32_t builtin_profile[7][PROFILE_FIELDS];

/*
 * Is a profile's field a value the schedule may use? Intervals INTERVAL_MIN_MS..INTERVAL_MAX_MS or the 0 that ends
 * the list, the first one never 0; send_retry 0..10; time-outs 0..INTERVAL_MAX_MS; final_wait as an interval.
 * False with a reason ("interval_3 is 5 ms, under 10 ms") in `why`.
 */
bool profile_field_ok(unsigned field, uint32_t value, char *why, size_t why_size);
bool tunable_ok(unsigned index, uint32_t value, char *why, size_t why_size);
/* Names as in the configuration and on the command line: "resend_interval" fields are "interval_1".."interval_10".
 * NULL: unused. */
const char *profile_field_name(unsigned field);
/* A count, and no time? */
bool profile_field_is_count(unsigned field);

/*
 * Takes over from the operator's maps into what is in force: each value that is in range, field by field; an
 * interval of 0 ends the list, so values after it are carried but not used. Returns how many values were newly
 * found out of range. `seen` is the caller's memory of what was last looked at, so that a bad value is counted
 * once while it stands; let it begin as a copy of *in_force.
 * profiles/tunables: as mapped, 8 bytes an entry (pins_u32).
 */
unsigned in_force_refresh(struct siprtx_in_force *in_force, struct siprtx_in_force *seen, const uint32_t *profiles,
			  const uint32_t *tunables);

#endif
