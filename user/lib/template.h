/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notification templates: the operator's text with ${name} in it, filled with what a record says. Names are those of
 * record_json() and besides: gateway_address and gateway_port (the two halves of `gateway`), and record (the whole
 * object). $$ is a dollar. What the record does not have is null, and empty inside of quotes.
 *
 * Most values come from the wire. In JSON (TEMPLATE_JSON) none can leave its place, whatever bytes it has: inside of
 * quotes it is escaped, outside it is one JSON value with its own quotes where it is a string.
 */
#ifndef SIPRTX_TEMPLATE_H
#define SIPRTX_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>

#include "abi.h"

/* Bytes of a filled template: a UDP datagram carries 65,507, the softswitches' own buffers end a little before. */
#define TEMPLATE_MAX 65000

enum template_quoting {
	TEMPLATE_PLAIN, /* values as they are */
	TEMPLATE_JSON,
};

/*
 * Is it good for JSON-RPC 2.0? All its variables exist, and whatever a record holds, the filled text is one JSON object
 * with "jsonrpc": "2.0", a "method" and members that no record decides, and an "id", if any, that is ${seq}. Returns 0,
 * or -EINVAL with a sentence in `why`, or -ENOMEM with one.
 */
int template_check(const char *template, char *why, size_t size);

/*
 * Fills `template` into *out, to be freed by the caller. Returns 0, -ENOMEM, -EINVAL (an unknown name, a ${ without
 * its }, in JSON a variable within a \ escape) or -EMSGSIZE (longer than TEMPLATE_MAX); *out is untouched then.
 */
int template_fill(const char *template, const struct siprtx_record *r, enum template_quoting quoting, char **out);

/*
 * All that a variable can be: record_json()'s members, gateway_address (string) and gateway_port (integer). Owned by
 * the caller (json_decref). NULL: no memory.
 */
json_t *template_values(const struct siprtx_record *r);

#endif
