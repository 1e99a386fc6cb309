/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of SIP methods (enum sip_method), and the tunable `methods` as an operator reads and types it. Pure. */
#ifndef SIPRTX_METHODS_H
#define SIPRTX_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "sip_msg.h"

#define METHODS_TEXT 128 /* all the names there are, with commas */

const char *method_name(unsigned method); /* "INVITE"; none of them: "?" */

/* "BYE,OPTIONS", "all" or "none"; bits of no method as a number at the end. Returns buf, at least METHODS_TEXT long. */
char *methods_text(uint32_t methods, char *buf, size_t size);
/* The same back, names in any case, or the number itself. False with a sentence in `why`; *methods is then untouched.
 */
bool parse_methods(const char *text, uint32_t *methods, char *why, size_t why_size);
/* Has it no bits but METHODS_ALL? False with the reason in `why`: "methods has the bit of ACK (4), ..." */
bool methods_ok(uint32_t methods, char *why, size_t why_size);

#endif
