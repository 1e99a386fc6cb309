/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator reads and types: times, shares, rates, lateness as text; values and names as typed. Pure. */
#ifndef SIPRTX_VIEW_H
#define SIPRTX_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Returned by value, so that several can stand in one printf. */
struct text {
	char s[64];
};

struct text text_seconds(uint64_t ms);			 /* "0.5", "32": seconds as the configuration has them */
struct text text_us_as_ms(int64_t us);			 /* "0.12 ms", "-3.00 ms" */
struct text text_age(uint64_t ns);			 /* "350 ms", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h" */
struct text text_percent(uint64_t part, uint64_t whole); /* "81.2 %"; of nothing: "0.0 %" */
struct text text_rate(double per_s);			 /* "1000", "12.5", "0.03" */
struct text text_field(unsigned field, uint32_t value);	 /* a profile's field: seconds, or the count of send_retry */

/* Events a second between two readings of a counter; 0 when it went back or no time passed. */
double rate_per_s(uint64_t before, uint64_t after, uint64_t period_ns);

/*
 * The largest lateness in us of all that is in the buckets. seen_us, the largest since the controller began, is
 * exact; where it began after the largest was counted, the bound of that one's bucket.
 */
uint64_t lateness_max_us(const __u64 *buckets, uint64_t seen_us);
/*
 * The lateness in us that a share `q` (0..1) of all retransmissions stayed within: the bound of its bucket, but
 * never over max_us, the largest. False: none was sent yet.
 */
bool lateness_quantile(const __u64 *buckets, double q, uint64_t max_us, uint64_t *us);

/* Seconds with up to three decimals, "0.5" or "4", to ms; digits alone to a number. NULL, or what is wrong ("is
 * negative"). */
const char *parse_seconds(const char *s, uint32_t *ms);
const char *parse_u32(const char *s, uint32_t *value);
/*
 * "0.5,1,2" to ms; what follows the last one is 0. A 0 among them is refused: a list ends by itself. No range is
 * judged. Returns how many, or -EINVAL with a sentence in `why`; `ms` is untouched then.
 */
int parse_intervals(const char *s, uint32_t ms[MAX_INTERVALS], char *why, size_t why_size);

/* The number of the name most like `word`, or -1 when none is near enough to be what was meant. NULL names are skipped.
 */
int nearest_name(const char *word, const char *const *names, unsigned n);

/* The bpftool line that does the same as one write into a pinned map of u32 -> u32 (host byte order). Returns buf. */
char *bpftool_line(const char *pin_path, const char *map, uint32_t key, uint32_t value, char *buf, size_t size);

/* Names as in the JSON and the tables; unknown: "?". */
const char *state_name(enum siprtx_state state);
const char *stage_name(enum siprtx_stage stage);
const char *event_name(enum siprtx_event_kind kind);
const char *kind_name(enum siprtx_kind kind);
const char *gateway_state_name(enum siprtx_gateway_state state);
const char *bypass_name(enum siprtx_bypass bypass);
const char *on_down_name(enum siprtx_on_down on_down);
const char *admin_name(enum siprtx_admin admin);
/* That of a slot: a response is unconfirmed or confirmed. */
const char *slot_state_name(enum siprtx_kind kind, enum siprtx_state state);
/* What is held: "INVITE", "BYE", "200 INVITE". */
struct text text_message(enum siprtx_kind kind, unsigned method, unsigned code);

#endif
