/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to try the programs with: those of others, those the fuzzer kept, and three of our own. */
#ifndef TEST_MESSAGES_H
#define TEST_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

typedef void message_fn(void *ctx, const char *name, const uint8_t *data, size_t len);

/* Where the RFCs' messages and the captures are: $SIPRTX_CORPUS or, without it, ../shared/corpus. */
const char *corpus_folder(void);

/* Each calls fn for every message it has, in the order of the names, and returns how many: 0, nothing is there. */
unsigned corpus_messages(message_fn *fn, void *ctx);  /* RFC 4475, RFC 5118 */
unsigned capture_messages(message_fn *fn, void *ctx); /* UDP payloads of the captures, SIP or not */
unsigned kept_messages(message_fn *fn, void *ctx);    /* tests/fuzz: seeds and what was kept */

/*
 * All are SIP_OK, the first two of one transaction, the third the PRACK to the second: folded lines, bare LF, quoted
 * parameters, compact names, sent-by an IPv6 address.
 */
extern const char own_invite[];
extern const char own_response[];
extern const char own_prack[];

#endif
