/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second parser: the same answers as include/sip.h, sip_dialog.h and key.h, found in the slow and obvious way, a
 * byte at a time from the grammar of RFC 3261, 25. It shares the enums and limits with the scanner, and no code.
 */
#ifndef SIPRTX_PLAIN_SIP_H
#define SIPRTX_PLAIN_SIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sip_msg.h"

enum plain_header {
	PLAIN_VIA,
	PLAIN_CALL_ID,
	PLAIN_CSEQ,
	PLAIN_FROM,
	PLAIN_TO, /* up to here a message must have them all */
	PLAIN_CONTENT_LENGTH,
	PLAIN_RSEQ,
	PLAIN_RACK,
	PLAIN_RETRY_AFTER,
	PLAIN_HEADERS
};

struct plain_span { /* offset into the message; len 0: none */
	size_t at, len;
};

/* Whole with SIP_OK only. All offsets are from the first byte of the datagram. */
struct plain_msg {
	enum sip_verdict verdict;
	unsigned int code;
	enum sip_method method;
	uint32_t cseq;
	struct plain_span host, branch;
	uint16_t port;
	size_t start, body, via_end;
	struct plain_span value[PLAIN_HEADERS]; /* from the colon to the line end; at 0: no such header */
	bool unreadable[PLAIN_HEADERS];		/* from RSeq on: doubled or without a colon */
	unsigned int lines;
	uint32_t content_length; /* ~0u: no such header */
	uint32_t retry_after;	 /* ~0u: none that can be read */
};

/* Whole with SIP_OK only. */
struct plain_dialog {
	enum sip_verdict verdict;
	struct plain_span call_id, from_tag, to_tag;
	uint32_t cseq, rseq;
};

/* Reads the datagram of `len` bytes. */
void plain_sip(const uint8_t *data, size_t len, struct plain_msg *out);
/* Reads the first `len` bytes of a datagram: of its verdicts only SIP_OK says anything. */
void plain_quote(const uint8_t *data, size_t len, struct plain_msg *out);

/* Reads what sip_dialog() does of a message that is SIP_OK. */
void plain_dialog(const uint8_t *data, const struct plain_msg *m, struct plain_dialog *out);

/* The transaction key of a message that is SIP_OK, with `method` for its own and the KEY_WORDS words of `key`. */
void plain_key(const uint8_t *data, const struct plain_msg *m, uint32_t method, const uint32_t *key, uint64_t out[2]);
/* The dialog key of what is SIP_OK. */
void plain_dialog_key(const uint8_t *data, const struct plain_dialog *d, const uint32_t *key, uint64_t out[2]);

#endif
