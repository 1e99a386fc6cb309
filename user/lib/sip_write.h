/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing a message into a slot, out of the parts of another one. For sip_make.c and its like. */
#ifndef SIPRTX_SIP_WRITE_H
#define SIPRTX_SIP_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "sip_detail.h"
#include "sip_msg.h"

struct sip_writer {
	char *at;
	size_t room;
	bool full; /* something did not go in */
};

void write_text(struct sip_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes of a value; a line end inside goes, the white space behind it stays (7.3.1). */
void write_bytes(struct sip_writer *w, const char *bytes, size_t n);
void write_span(struct sip_writer *w, const struct siprtx_slot *s, struct sip_span span);

/* A header as it stands: its name, and its value without white space around it, continuation lines included. */
struct sip_header {
	struct sip_span name, value;
};

/* The header at *at, which goes on to the next one; begin behind the start line. False: the empty line. */
bool header_next(const struct siprtx_slot *s, uint16_t *at, uint16_t end, struct sip_header *h);
/* Has it this name? `compact` is its short form, 0: none. */
bool header_is(const struct siprtx_slot *s, const struct sip_header *h, const char *name, char compact);

/* A message read whole. */
struct sip_whole {
	const struct siprtx_slot *slot;
	uint16_t end;
	struct sip_msg msg;
	struct sip_detail detail;
	uint16_t headers; /* first byte behind the start line */
};

/* 0 or -EBADMSG. */
int sip_read_whole(const struct siprtx_slot *s, struct sip_whole *out);

/* The first element of the top Via (rule 4), and what of its parameters a UAS must see to. */
struct sip_top_via {
	struct sip_span value, element; /* all of the header's value; its first element */
	uint16_t rport_end;		/* behind an rport without a value (RFC 3581), 0: none */
	bool received, maddr;
};

void sip_read_top_via(const struct siprtx_slot *s, struct sip_span value, struct sip_top_via *out);

#endif
