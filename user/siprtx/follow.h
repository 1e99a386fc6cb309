/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams: what is new is printed as it comes, until interrupted or until the maps are gone. */
#ifndef SIPRTX_FOLLOW_H
#define SIPRTX_FOLLOW_H

#include "cli.h"

#define FOLLOW_COUNT	20 /* the last so many, where -n says nothing */
#define STREAM_ENDPOINT 21 /* "255.255.255.255:65535"; an IPv6 endpoint moves what comes after it */

/* Calls print_new(cli, at) some times a second, copied maps brought up to date before. Returns when it or the output
 * fails, or the maps are gone. */
int follow(struct cli *cli, int (*print_new)(const struct cli *cli, void *at), void *at);

/* One line of text, made printable. CLI_OK or CLI_FAILED. */
int stream_line(const struct cli *cli, enum colour c, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Tells that n were overwritten before they could be read. */
int stream_missed(const struct cli *cli, uint64_t n);

#endif
