/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table for a terminal: each column as wide as its widest cell, text from the network made harmless. */
#ifndef SIPRTX_TABLE_H
#define SIPRTX_TABLE_H

#include <stdbool.h>
#include <stdio.h>

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

/* The escape sequence that begins a colour; PLAIN ends any. "" when `on` is false. */
const char *colour_code(enum colour c, bool on);

/* A byte a terminal might act on, or not in ASCII, becomes '?': text from the network is anybody's. */
void make_printable(char *s);

struct table; /* opaque */

/*
 * `columns`: "SLOT:STATE:GATEWAY"; a '>' in front sets a column's numbers flush right ("SLOT:>SENDS"). The string
 * must outlive the table. An empty heading in every column: no line of headings. NULL: no memory.
 */
struct table *table_new(const char *columns);
/* The next cell, row by row, made printable. Out of memory loses the table: table_print() tells. */
void table_cell(struct table *t, enum colour c, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Each line begins with `indent` spaces. 0, or -ENOMEM with nothing printed. */
int table_print(const struct table *t, FILE *f, unsigned indent, bool colour);
void table_free(struct table *t);

#endif
