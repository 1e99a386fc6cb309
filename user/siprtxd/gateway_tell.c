// SPDX-License-Identifier: GPL-2.0-or-later
#include "gateway_tell.h"

#include <stdio.h>

#include "record.h"

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

static void why(const struct gateway *gw, uint32_t n, const struct siprtx_in_force *in_force, char *buf, size_t size)
{
	uint32_t after_ms = in_force->tunables[TUN_suspect_after];

	switch (gw->value.state_why) {
	case WHY_SILENT:
		snprintf(buf, size, "%u call%s in a row without any answer after %g s", n, plural(n), after_ms / 1e3);
		break;
	case WHY_EXHAUSTED:
		snprintf(buf, size, "%u calls in a row exhausted%s", n,
			 gw->signs.missed && gw->value.state == GATEWAY_DOWN ? ", no probe answered" : "");
		break;
	case WHY_RESPONSE:
		snprintf(buf, size, "it answered a call");
		break;
	case WHY_PROBED:
		snprintf(buf, size, "it answered %u probe%s in a row", n, plural(n));
		break;
	case WHY_OPERATOR:
		snprintf(buf, size,
			 gw->value.admin == ADMIN_AUTO ? "the operator holds it no longer, it is judged again"
						       : "the operator holds it so");
		break;
	default:
		snprintf(buf, size,
			 in_force->tunables[TUN_health] ? "there is nothing left to probe it with"
							: "gateways are not judged any more (health 0)");
	}
}

/* What its calls meet with now. */
static const char *then(const struct gateway *gw)
{
	bool held = gw->value.admin == ADMIN_DOWN;

	if (gw->value.state == GATEWAY_SUSPECT)
		return gw->signs.probing ? "; it is probed" : "";
	if (gw->value.state != GATEWAY_DOWN)
		return "";
	switch (gw->value.bypass) {
	case BYPASS_REFUSED:
		return held ? "; its calls are refused with 503 until he says otherwise"
			    : "; its calls are refused with 503 until it answers";
	case BYPASS_FAST:
		return "; its calls are sent by the shorter schedule until it answers";
	default:
		return gw->value.on_down == ON_DOWN_PASS
			       ? "; its calls are sent as ever"
			       : "; its calls are sent as ever, for its group has no other gateway";
	}
}

char *gateway_sentence(const struct gateway *gw, uint32_t in_a_row, const struct siprtx_in_force *in_force, char *buf,
		       size_t size)
{
	static const char *const state[] = {
		[GATEWAY_UP] = "up", [GATEWAY_SUSPECT] = "suspect", [GATEWAY_DOWN] = "down"};
	char endpoint[64], reason[128];

	format_endpoint(gw->key.addr, gw->key.port, endpoint, sizeof(endpoint));
	why(gw, in_a_row, in_force, reason, sizeof(reason));
	if (*gw->value.name)
		snprintf(buf, size, "gateway %s (%s) is %s: %s%s", gw->value.name, endpoint, state[gw->value.state],
			 reason, then(gw));
	else
		snprintf(buf, size, "gateway %s is %s: %s%s", endpoint, state[gw->value.state], reason, then(gw));
	return buf;
}
