// SPDX-License-Identifier: GPL-2.0-or-later
/* [gateway NAME] */
#include "config_parse.h"

#include <stdio.h>
#include <string.h>

#define NO_ADDRESS UINT32_MAX /* config_gateway.prefixlen while none, or a wrong one, was given */

enum { KEY_ADDRESS, KEY_PROFILE, KEY_ON_EXHAUSTED, KEY_ON_DOWN, KEY_GROUP }; /* places in section_gateway.key */

static bool open_gateway(struct parser *p, struct section *s)
{
	struct config *c = p->c;

	if (c->n_gateways == CONFIG_MAX_GATEWAYS) {
		parse_error(p, "Join gateways of one profile under a prefix",
			    "gateway %s is one too many, the most is %u", s->name, CONFIG_MAX_GATEWAYS);
		return false;
	}
	s->index = c->n_gateways++;
	c->gateway[s->index].prefixlen = NO_ADDRESS;
	strcpy(c->gateway[s->index].name, s->name);
	return true;
}

static struct config_gateway *gateway_now(const struct parser *p)
{
	return &p->c->gateway[section_now(p)->index];
}

static void set_address(struct parser *p, const struct key *key, char *value)
{
	char whole[128], remedy[128];
	const char *fault;

	snprintf(whole, sizeof(whole), "%s", value);
	fault = parse_gateway_address(value, gateway_now(p), remedy, sizeof(remedy));
	if (fault)
		bad_value(p, key, whole, fault, remedy);
}

static void set_profile(struct parser *p, const struct key *key, char *value)
{
	struct section *s = section_now(p);
	const char *fault = name_fault(value);

	if (fault)
		bad_value(p, key, value, fault, "Give the name of a profile");
	snprintf(s->profile, sizeof(s->profile), "%s", fault ? "" : value);
}

static void set_on_exhausted(struct parser *p, const struct key *key, char *value)
{
	static const struct choice actions[] = {
		{"record", ON_EXHAUSTED_RECORD},
		{"reply-408", ON_EXHAUSTED_REPLY_408},
		{"reply-503", ON_EXHAUSTED_REPLY_503},
		{0},
	};
	int action;

	if (choose(p, key, value, actions, &action))
		gateway_now(p)->on_exhausted = action;
}

static void set_on_down(struct parser *p, const struct key *key, char *value)
{
	static const struct choice actions[] = {
		{"pass", ON_DOWN_PASS},
		{"fast", ON_DOWN_FAST},
		{"reply-503", ON_DOWN_REPLY_503},
		{0},
	};
	int action;

	if (choose(p, key, value, actions, &action))
		gateway_now(p)->on_down = action;
}

static void set_group(struct parser *p, const struct key *key, char *value)
{
	const char *fault = name_fault(value);

	if (fault)
		bad_value(p, key, value, fault, "Give a name that gateways share which stand in for each other");
	else
		strcpy(gateway_now(p)->group, value);
}

static void resolve_profile(struct parser *p, struct section *s)
{
	const struct config *c = p->c;
	char remedy[256] = "Known are ";

	for (unsigned i = 0; i < c->n_profiles; i++) {
		size_t n = strlen(remedy);

		if (!strcmp(c->profile[i].name, s->profile)) {
			c->gateway[s->index].profile = i;
			return;
		}
		snprintf(remedy + n, sizeof(remedy) - n, "%s%s", i ? ", " : "", c->profile[i].name);
	}
	p->at = s->key[KEY_PROFILE];
	parse_error(p, remedy, "gateway %s has a profile \"%s\" that is not defined", s->name, s->profile);
}

static void close_gateway(struct parser *p, struct section *s)
{
	const struct config_gateway *gateway = p->c->gateway, *self = &gateway[s->index];

	if (*s->profile)
		resolve_profile(p, s);
	p->at = s->key[KEY_ADDRESS];
	if (!p->at.line && !p->at.override) {
		p->at = s->at;
		parse_error(p, "Add address = ADDRESS[:PORT] or PREFIX", "gateway %s has no address", s->name);
		return;
	}
	for (unsigned i = 0; i < s->index && self->prefixlen != NO_ADDRESS; i++) {
		if (gateway[i].prefixlen == self->prefixlen && gateway[i].port == self->port &&
		    !memcmp(gateway[i].addr, self->addr, sizeof(self->addr))) {
			parse_error(p, "Remove one of them", "gateway %s has the address of gateway %s", s->name,
				    gateway[i].name);
			return;
		}
	}
}

bool config_replies(const struct config *c)
{
	for (unsigned i = 0; i < c->n_gateways; i++)
		if (c->gateway[i].on_exhausted != ON_EXHAUSTED_RECORD || c->gateway[i].on_down == ON_DOWN_REPLY_503)
			return true;
	return false;
}

const struct section_kind section_gateway = {
	.word = "gateway",
	.named = true,
	.open = open_gateway,
	.close = close_gateway,
	.key =
		{
			[KEY_ADDRESS] = {"address", set_address},
			[KEY_PROFILE] = {"profile", set_profile},
			[KEY_ON_EXHAUSTED] = {"on_exhausted", set_on_exhausted},
			[KEY_ON_DOWN] = {"on_down", set_on_down},
			[KEY_GROUP] = {"group", set_group},
		},
};
