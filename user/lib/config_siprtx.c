// SPDX-License-Identifier: GPL-2.0-or-later
/* [siprtx] */
#include "config_parse.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MODE, KEY_INSIDE, KEY_OUTSIDE, KEY_FORWARD, KEY_CAPTURE, KEY_ZEROCOPY }; /* places in section_siprtx.key */

static void set_mode(struct parser *p, const struct key *key, char *value)
{
	static const struct choice modes[] = {
		{"inline", MODE_INLINE},
		{"host", MODE_HOST},
		{0},
	};
	int mode;

	if (choose(p, key, value, modes, &mode))
		p->c->mode = mode;
}

static void set_capture(struct parser *p, const struct key *key, char *value)
{
	static const struct choice captures[] = {
		{"auto", CAPTURE_AUTO},
		{"xdp", CAPTURE_XDP},
		{"egress", CAPTURE_EGRESS},
		{0},
	};
	int capture;

	if (choose(p, key, value, captures, &capture))
		p->c->capture = capture;
}

static void set_forward(struct parser *p, const struct key *key, char *value)
{
	static const struct choice forwarders[] = {
		{"kernel", FORWARD_KERNEL},
		{"xdp", FORWARD_XDP},
		{"xdp-all", FORWARD_XDP_ALL},
		{0},
	};
	int forward;

	if (choose(p, key, value, forwarders, &forward))
		p->c->forward = forward;
}

static void set_zerocopy(struct parser *p, const struct key *key, char *value)
{
	static const struct choice answers[] = {{"no", false}, {"yes", true}, {0}};
	int yes;

	if (choose(p, key, value, answers, &yes))
		p->c->zerocopy = yes;
}

static void set_sender(struct parser *p, const struct key *key, char *value)
{
	static const struct choice senders[] = {{"afxdp", false}, {"live-frames", true}, {0}};
	int live;

	if (choose(p, key, value, senders, &live))
		p->c->live_frames = live;
}

static bool has_interface(char list[][IFNAMSIZ], unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(list[i], name))
			return true;
	}
	return false;
}

static void set_interfaces(struct parser *p, const struct key *key, char *value)
{
	bool inside = key->field == SIDE_INSIDE;
	char(*list)[IFNAMSIZ] = inside ? p->c->inside : p->c->outside;
	unsigned n = 0, kept = 0;
	char *name;

	while ((name = next_item(&value))) {
		n++;
		if (!*name)
			bad_value(p, key, name, "is empty", "Remove a comma");
		else if (strlen(name) >= IFNAMSIZ || strpbrk(name, "/: \t"))
			bad_value(p, key, name, "is not the name of an interface",
				  "Take it from the output of: ip link");
		else if (has_interface(list, kept, name))
			bad_value(p, key, name, "is there twice", "Name each interface once");
		else if (kept < MAX_OUTSIDE)
			strcpy(list[kept++], name);
	}
	if (n > MAX_OUTSIDE)
		too_many(p, key, "interfaces", n, MAX_OUTSIDE);
	*(inside ? &p->c->n_inside : &p->c->n_outside) = kept;
}

static void set_ports(struct parser *p, const struct key *key, char *value)
{
	unsigned n = 0, kept = 0;
	uint32_t port;
	char *item;

	while ((item = next_item(&value))) {
		n++;
		if (!whole_number(p, key, item, 1, UINT16_MAX, &port))
			continue;
		for (unsigned i = 0; i < kept; i++) {
			if (p->c->sip_ports[i] == port)
				bad_value(p, key, item, "is there twice", "Name each port once");
		}
		if (kept < CONFIG_MAX_PORTS)
			p->c->sip_ports[kept++] = port;
	}
	if (n > CONFIG_MAX_PORTS)
		too_many(p, key, "ports", n, CONFIG_MAX_PORTS);
	p->c->n_sip_ports = kept;
}

static void set_transactions(struct parser *p, const struct key *key, char *value)
{
	whole_number(p, key, value, 16, 4194304, &p->c->max_transactions);
}

/* controller and CLI read the same file from different folders */
static void set_path(struct parser *p, const struct key *key, const char *value, char out[PATH_MAX])
{
	if (*value != '/')
		bad_value(p, key, value, "is not an absolute path", "Begin it with a /");
	else if (strlen(value) >= PATH_MAX)
		bad_value(p, key, value, "is too long", "Choose a shorter path");
	else
		strcpy(out, value);
}

static void set_pin_path(struct parser *p, const struct key *key, char *value)
{
	set_path(p, key, value, p->c->pin_path);
}

static void set_journal(struct parser *p, const struct key *key, char *value)
{
	set_path(p, key, value, p->c->journal);
}

static void set_user(struct parser *p, const struct key *key, char *value)
{
	if (strlen(value) >= sizeof(p->c->user) || strpbrk(value, "/: \t,"))
		bad_value(p, key, value, "is not the name of a user", "Name one that `getent passwd` lists");
	else
		strcpy(p->c->user, value);
}

bool config_takes_egress(const struct config *c)
{
	return c->capture == CAPTURE_EGRESS || (c->capture == CAPTURE_AUTO && c->mode == MODE_HOST);
}

static void check_sender(struct parser *p, const struct section *s)
{
	if (!p->c->live_frames || !p->c->zerocopy)
		return;
	p->at = s->key[KEY_ZEROCOPY];
	parse_error(p, "Write zerocopy = no, or sender = afxdp", "zerocopy = yes is of AF_XDP: XDP frames are copied");
}

/* What the mode and the place of capture rule out. */
static void check_capture(struct parser *p, const struct section *s)
{
	const struct config *c = p->c;

	if (c->mode == MODE_HOST && is_given(&s->key[KEY_INSIDE])) {
		p->at = s->key[KEY_INSIDE];
		parse_error(
			p, "Remove the line",
			"inside has no meaning with mode = host: what this host itself sends is taken as it leaves");
	}
	if (c->mode == MODE_HOST && c->capture == CAPTURE_XDP) {
		p->at = s->key[KEY_CAPTURE];
		parse_error(p, "Write capture = auto, or remove the line",
			    "capture = xdp takes nothing with mode = host: XDP does not see what this host sends");
	}
	if (config_takes_egress(c) && c->forward != FORWARD_KERNEL) {
		p->at = s->key[KEY_FORWARD];
		parse_error(p, "Write forward = kernel, or remove the line",
			    "forward = %s cannot be with capture at egress, which is behind the kernel's forwarding",
			    c->forward == FORWARD_XDP ? "xdp" : "xdp-all");
	}
}

static void close_siprtx(struct parser *p, struct section *s)
{
	struct config *c = p->c;

	p->at = s->at;
	/* a list that was given and refused has had its word */
	if (!is_given(&s->key[KEY_OUTSIDE]))
		parse_error(p, "Name the interfaces towards the gateways, as in outside = eth1", "outside is not set");
	if (!is_given(&s->key[KEY_INSIDE]) && c->mode == MODE_INLINE)
		parse_error(p, "Name the interfaces towards the softswitch, as in inside = eth0", "inside is not set");
	keep_where(p, s);
	check_capture(p, s);
	check_sender(p, s);
	p->at = s->key[KEY_OUTSIDE];
	for (unsigned i = 0; i < c->n_outside; i++) {
		if (has_interface(c->inside, c->n_inside, c->outside[i]))
			parse_error(p, "Name each interface on one side alone", "%s is both inside and outside",
				    c->outside[i]);
	}
}

const struct section_kind section_siprtx = {
	.word = "siprtx",
	.close = close_siprtx,
	.key =
		{
			[KEY_MODE] = {"mode", set_mode},
			[KEY_INSIDE] = {"inside", set_interfaces, SIDE_INSIDE},
			[KEY_OUTSIDE] = {"outside", set_interfaces, SIDE_OUTSIDE},
			[KEY_FORWARD] = {"forward", set_forward},
			[KEY_CAPTURE] = {"capture", set_capture},
			[KEY_ZEROCOPY] = {"zerocopy", set_zerocopy},
			{"sip_ports", set_ports},
			{"max_transactions", set_transactions},
			{"sender", set_sender},
			{"pin_path", set_pin_path},
			{"journal", set_journal},
			{"user", set_user},
		},
};
