/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exhausted record: built from a slot, printed as one JSON line (design contract, section 3). */
#ifndef SIPRTX_RECORD_H
#define SIPRTX_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

#define RECORD_SCHEMA_VERSION 1

/* What the slot does not know. Strings may be NULL or too long: cut. */
struct record_context {
	uint64_t seq;
	uint64_t now_ns;	/* CLOCK_MONOTONIC */
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	const char *node, *boot_id, *gateway_name, *profile;
	enum siprtx_end reason;
	uint16_t reply; /* with what siprtx answers the INVITE, 0: it does not */
};

/* Reads the message in the slot with the SIP scanner; what cannot be read stays empty. A NUL in it becomes '?'. */
void record_build(const struct siprtx_slot *s, const struct record_context *c, struct siprtx_record *out);

/* Makes the record of an exhausted transaction that of a response to it which came `delay_ms` after its end (rule 24).
 */
void record_make_late(struct siprtx_record *r, uint64_t seq, uint64_t ts_ms, uint16_t code, uint32_t delay_ms);

/*
 * That of a gateway whose state became another: it and the reason in its value, `in_a_row` calls or probes that made it
 * so. What belongs to a call is empty. `reason`, `profile` and `reply` of the context are not looked at.
 */
void record_build_gateway(const struct siprtx_gateway_key *key, const struct siprtx_gateway *value, uint32_t in_a_row,
			  const struct record_context *c, struct siprtx_record *out);

/* Is it of a gateway, and not of a call? */
static inline bool record_is_of_gateway(const struct siprtx_record *r)
{
	return r->event >= RECORD_GATEWAY_UP && r->event <= RECORD_GATEWAY_DOWN;
}

/* Room for the longest line. */
#define RECORD_LINE_ROOM 12288

/*
 * The record as a JSON object, keys in the contract's order; owned by the caller (json_decref). NULL: no memory.
 * gateway and src are "192.0.2.10:5060" or "[2001:db8::1]:5060"; of a gateway's record src, stage, first_send and
 * last_send are "". A string that is not UTF-8 is taken as Latin-1.
 */
json_t *record_json(const struct siprtx_record *r);
/* The same as one line with its '\n' into `out`, which has RECORD_LINE_ROOM; no NUL follows. Returns its length. */
size_t record_write(const struct siprtx_record *r, char *out);
/* The same, to be freed by the caller. NULL: no memory. */
char *record_line(const struct siprtx_record *r);

const char *record_reason_name(enum siprtx_end reason);	  /* "no_response" ... */
const char *record_why_name(enum siprtx_gateway_why why); /* "silent" ... */
/* The reason of a record, of whichever it is. */
const char *record_reason(const struct siprtx_record *r);
const char *record_event_name(enum siprtx_record_event event);
/* "port_unreachable" ..., else "type/code". Returns buf. */
char *format_icmp(uint8_t type, uint8_t code, char *buf, size_t size);
/* "192.0.2.10:5060" / "[2001:db8::1]:5060"; port 0: the address alone. Returns buf. */
char *format_endpoint(const uint8_t addr[16], uint16_t port, char *buf, size_t size);
/* "2026-01-31T23:59:59.123Z" (RFC 3339, UTC). Returns buf. */
char *format_time(uint64_t unix_ms, char *buf, size_t size);

#endif
