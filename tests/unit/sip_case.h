/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the SIP scanner share: parts of a message, and scanning one in the plain parser's company. */
#ifndef SIPRTX_SIP_CASE_H
#define SIPRTX_SIP_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/agree.h"
/* no part of the library */
#include "../fuzz/plain_dialog.c"
#include "../fuzz/plain_key.c"
#include "../fuzz/plain_sip.c"

#define INVITE "INVITE sip:bob@example.com SIP/2.0\r\n"
#define VIA    "Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds\r\n"
#define CSEQ   "CSeq: 314159 INVITE\r\n"
#define REST   "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: a84b4c@pc33\r\n"
#define OK200  "SIP/2.0 200 OK\r\n"

static struct siprtx_slot slot;

/* The verdict on `len` bytes; fails where the plain parser has another. Positions in *m count from the slot's start. */
static inline int scan_bytes(const void *data, size_t len, struct sip_msg *m)
{
	const char *what = disagreement(data, len);

	if (what)
		fail_msg("scanner and plain parser disagree: %s, in:\n%.*s", what, (int)len, (const char *)data);
	assert_true(AGREE_BEGIN + len <= SLOT_SIZE);
	agree_fill(&slot, "\n");
	memcpy((uint8_t *)&slot + AGREE_BEGIN, data, len);
	return sip_scan(&slot, AGREE_BEGIN, (uint32_t)(AGREE_BEGIN + len), m);
}

static inline int scan(const char *text, struct sip_msg *m)
{
	return scan_bytes(text, strlen(text), m);
}

/* A message of these lines and the empty one. */
static inline int scan_lines(const char *start, const char *via, const char *cseq, const char *more, struct sip_msg *m)
{
	char text[4 * SLOT_SIZE];

	snprintf(text, sizeof(text), "%s%s%s" REST "%s\r\n", start, via, cseq, more);
	return scan(text, m);
}

static inline void assert_bytes(uint16_t at, size_t len, const char *expected)
{
	assert_int_equal(len, strlen(expected));
	assert_memory_equal((const uint8_t *)&slot + at, expected, len);
}

#endif
