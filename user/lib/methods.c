// SPDX-License-Identifier: GPL-2.0-or-later
#include "methods.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config_parse.h"
#include "view.h"

static const char *const names[SIP_METHODS] = {
	[SIP_INVITE] = "INVITE",     [SIP_ACK] = "ACK",		[SIP_CANCEL] = "CANCEL",       [SIP_BYE] = "BYE",
	[SIP_REGISTER] = "REGISTER", [SIP_OPTIONS] = "OPTIONS", [SIP_SUBSCRIBE] = "SUBSCRIBE", [SIP_NOTIFY] = "NOTIFY",
	[SIP_REFER] = "REFER",	     [SIP_INFO] = "INFO",	[SIP_UPDATE] = "UPDATE",       [SIP_PRACK] = "PRACK",
	[SIP_MESSAGE] = "MESSAGE",   [SIP_PUBLISH] = "PUBLISH",
};

_Static_assert(METHODS_ALL == (1u << SIP_METHODS) - (1u << SIP_CANCEL), "a bit a method from CANCEL on");

const char *method_name(unsigned method)
{
	return method < SIP_METHODS && names[method] ? names[method] : "?";
}

char *methods_text(uint32_t methods, char *buf, size_t size)
{
	uint32_t rest = methods & ~METHODS_ALL;
	size_t n = 0;

	if (!methods || methods == METHODS_ALL) {
		snprintf(buf, size, "%s", methods ? "all" : "none");
		return buf;
	}
	for (unsigned i = 0; i < SIP_METHODS; i++)
		if (methods & METHODS_ALL & 1u << i)
			n += snprintf(buf + n, size - n, "%s%s", n ? "," : "", names[i]);
	if (rest)
		snprintf(buf + n, size - n, "%s%u", n ? "," : "", rest);
	return buf;
}

bool methods_ok(uint32_t methods, char *why, size_t why_size)
{
	uint32_t wrong = methods & ~METHODS_ALL;

	if (!wrong)
		return true;
	if (wrong & 1u << SIP_ACK)
		snprintf(why, why_size, "methods is %u, which has the bit of ACK (%u): nothing answers an ACK", methods,
			 1u << SIP_ACK);
	else if (wrong & 1u << SIP_INVITE)
		snprintf(why, why_size, "methods is %u, which has the bit of INVITE (%u): INVITE is always on", methods,
			 1u << SIP_INVITE);
	else
		snprintf(why, why_size, "methods is %u, which has bits of no method (%u)", methods, wrong);
	return false;
}

static bool unknown_name(const char *item, char *why, size_t why_size)
{
	int near = nearest_name(item, names, SIP_METHODS);

	if (near >= SIP_CANCEL)
		snprintf(why, why_size, "methods cannot have \"%.32s\"; did you mean \"%s\"?", item, names[near]);
	else
		snprintf(why, why_size,
			 "methods cannot have \"%.32s\"; give names as in BYE,OPTIONS, or all, none, or a number",
			 item);
	return false;
}

static bool add_name(const char *item, uint32_t *methods, char *why, size_t why_size)
{
	unsigned i = SIP_INVITE;

	while (i < SIP_METHODS && strcasecmp(item, names[i]))
		i++;
	if (i == SIP_METHODS)
		return unknown_name(item, why, why_size);
	if (i == SIP_INVITE)
		snprintf(why, why_size, "INVITE is always on; name the others alone");
	else if (i == SIP_ACK)
		snprintf(why, why_size, "nothing answers an ACK, so it is never sent again; leave it out");
	else
		*methods |= 1u << i;
	return i >= SIP_CANCEL;
}

bool parse_methods(const char *text, uint32_t *methods, char *why, size_t why_size)
{
	char copy[256], *rest = copy, *item;
	uint32_t value = 0;

	if (!strcasecmp(text, "none") || !strcasecmp(text, "all")) {
		*methods = strcasecmp(text, "all") ? 0 : METHODS_ALL;
		return true;
	}
	if (!parse_u32(text, &value)) {
		if (methods_ok(value, why, why_size)) {
			*methods = value;
			return true;
		}
		snprintf(why + strlen(why), why_size - strlen(why), "; leave it out");
		return false;
	}
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy)) {
		snprintf(why, why_size, "the list is too long; name each method once");
		return false;
	}
	while ((item = next_item(&rest)))
		if (!add_name(item, &value, why, why_size))
			return false;
	*methods = value;
	return true;
}
