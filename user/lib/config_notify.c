// SPDX-License-Identifier: GPL-2.0-or-later
/* [notify NAME] */
#include "config_parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "template.h"

#define ALL_EVENTS                                                                                                     \
	(1u << RECORD_EXHAUSTED | 1u << RECORD_LATE_RESPONSE | 1u << RECORD_GATEWAY_UP |                               \
	 1u << RECORD_GATEWAY_SUSPECT | 1u << RECORD_GATEWAY_DOWN)

#define NO_KIND	     UINT32_MAX /* config_notify.events while no kind, or a wrong one, was given */
#define QUEUE	     10000
#define TIMEOUT_MS   5000
#define EXEC_RATE    10
#define EXEC_AT_ONCE 4

/* places in section_notify.key */
enum {
	KEY_KIND,
	KEY_TO,
	KEY_RUN,
	KEY_ON,
	KEY_QUEUE,
	KEY_RATE,
	KEY_TIMEOUT,
	KEY_AT_ONCE,
	KEY_TEMPLATE = KEY_AT_ONCE, /* + RECORD_*, from 1 on */
};

static const struct choice kinds[] = {
	{"jsonrpc", NOTIFY_JSONRPC}, {"exec", NOTIFY_EXEC}, {"stream", NOTIFY_STREAM}, {"cdr", NOTIFY_CDR}, {0},
};

static const struct choice events[] = {
	{"exhausted", RECORD_EXHAUSTED},       {"late_response", RECORD_LATE_RESPONSE},
	{"gateway_up", RECORD_GATEWAY_UP},     {"gateway_suspect", RECORD_GATEWAY_SUSPECT},
	{"gateway_down", RECORD_GATEWAY_DOWN}, {0},
};

static bool open_notify(struct parser *p, struct section *s)
{
	struct config *c = p->c;
	struct config_notify *n = &c->notify[c->n_notify];

	if (c->n_notify == CONFIG_MAX_NOTIFY) {
		parse_error(p, "Let one stream serve several programs", "notify %s is one too many, the most is %u",
			    s->name, CONFIG_MAX_NOTIFY);
		return false;
	}
	s->index = c->n_notify++;
	n->events = NO_KIND;
	n->queue = QUEUE;
	n->timeout_ms = TIMEOUT_MS;
	strcpy(n->name, s->name);
	return true;
}

static struct config_notify *notify_now(const struct parser *p)
{
	return &p->c->notify[section_now(p)->index];
}

static void set_kind(struct parser *p, const struct key *key, char *value)
{
	int kind;

	if (choose(p, key, value, kinds, &kind)) {
		notify_now(p)->kind = kind;
		notify_now(p)->events = 0;
	}
}

/* What is wrong with "192.0.2.1:8090" or "[2001:db8::1]:8090"; NULL: nothing. */
static const char *udp_fault(const char *text)
{
	struct config_gateway at = {0};
	char copy[128], remedy[128];
	const char *fault;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return "is not an address";
	fault = parse_gateway_address(copy, &at, remedy, sizeof(remedy));
	if (fault)
		return fault;
	return at.port ? NULL : "has no port";
}

static void set_to(struct parser *p, const struct key *key, char *value)
{
	struct config_notify *n = notify_now(p);
	const char *fault = NULL, *remedy =
					  "Write udp:192.0.2.1:8090, udp:[2001:db8::1]:8090, unix:/run/siprtx/NAME or, "
					  "of a cdr, a folder";

	if (strlen(value) >= sizeof(n->to))
		fault = "is too long";
	else if (!strncmp(value, "udp:", 4))
		fault = udp_fault(value + 4);
	else if (!strncmp(value, "unix:", 5))
		fault = value[5] != '/'							   ? "is not an absolute path"
			: strlen(value + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path) ? "is too long for a socket"
											   : NULL;
	else if (*value != '/')
		fault = "is neither an address nor an absolute path";
	if (fault)
		bad_value(p, key, value, fault, remedy);
	else
		strcpy(n->to, value);
}

static void set_run(struct parser *p, const struct key *key, char *value)
{
	struct config_notify *n = notify_now(p);

	if (*value != '/')
		bad_value(p, key, value, "is not an absolute path", "Name the program alone, by its path from / on");
	else if (strlen(value) >= sizeof(n->run))
		bad_value(p, key, value, "is too long", "Choose a shorter path");
	else
		strcpy(n->run, value);
}

static void set_on(struct parser *p, const struct key *key, char *value)
{
	uint32_t on = 0;
	char *item;
	int event;

	while ((item = next_item(&value))) {
		if (!*item)
			bad_value(p, key, item, "is empty", "Remove a comma");
		else if (choose(p, key, item, events, &event))
			on |= 1u << event;
	}
	/* kept until the kind is known, which may come later in the file */
	section_now(p)->events = on;
}

static void set_template(struct parser *p, const struct key *key, char *value)
{
	char **template = &notify_now(p)->template_of[key->field];
	char why[160];

	if (template_check(value, why, sizeof(why))) {
		parse_error(p, "See siprtx-notify(8) for what a template may hold", "template %s: %s", key->name, why);
		return;
	}
	free(*template);
	*template = strdup(value);
	if (!*template)
		parse_error(p, NULL, "out of memory");
}

static void set_queue(struct parser *p, const struct key *key, char *value)
{
	whole_number(p, key, value, 1, 100000000, &notify_now(p)->queue);
}

static void set_rate(struct parser *p, const struct key *key, char *value)
{
	whole_number(p, key, value, 0, 1000000, &notify_now(p)->rate);
}

static void set_timeout(struct parser *p, const struct key *key, char *value)
{
	const char *fault;
	uint64_t ms = 0;

	fault = parse_decimal(value, 3, &ms);
	if (!fault && (ms < 10 || ms > 3600000))
		fault = "is out of range";
	if (fault)
		bad_value(p, key, value, fault, "Give seconds from 0.01 to 3600, at most 3 decimals");
	else
		notify_now(p)->timeout_ms = ms;
}

static void set_at_once(struct parser *p, const struct key *key, char *value)
{
	whole_number(p, key, value, 1, 64, &notify_now(p)->at_once);
}

/* An error at where the key was given, and true, if it was. */
static bool forbid(struct parser *p, const struct section *s, unsigned key, const char *why)
{
	if (!is_given(&s->key[key]))
		return false;
	p->at = s->key[key];
	parse_error(p, "Remove the line", "%s has no meaning with kind = %s: %s", s->kind->key[key].name,
		    kinds[p->c->notify[s->index].kind].word, why);
	return true;
}

/* Is what must be given? Else the error is added. One that was given and refused has had its word. */
static void require(struct parser *p, const struct section *s, unsigned key, const char *remedy)
{
	if (is_given(&s->key[key]))
		return;
	p->at = s->at;
	parse_error(p, remedy, "notify %s has no %s", s->name, s->kind->key[key].name);
}

/* Is `to` of a form that the kind can use? */
static void check_to(struct parser *p, const struct section *s, const struct config_notify *n)
{
	bool udp = !strncmp(n->to, "udp:", 4), path = !strncmp(n->to, "unix:", 5), folder = *n->to == '/';

	p->at = s->key[KEY_TO];
	if (n->kind == NOTIFY_JSONRPC && folder)
		parse_error(p, "Write to = udp:HOST:PORT or to = unix:/PATH",
			    "notify %s is of kind jsonrpc, which sends datagrams; %.100s is a folder", s->name, n->to);
	else if (n->kind == NOTIFY_STREAM && (udp || folder))
		parse_error(p, "Write to = unix:/run/siprtx/NAME",
			    "notify %s is of kind stream, which listens on a Unix socket; %.100s is none", s->name,
			    n->to);
	else if (n->kind == NOTIFY_CDR && (udp || path))
		parse_error(p, "Write to = /FOLDER",
			    "notify %s is of kind cdr, which writes files; %.100s is no folder", s->name, n->to);
}

/* Two of these would write over each other. */
static void check_shared(struct parser *p, const struct section *s, const struct config_notify *n)
{
	for (unsigned i = 0; i < s->index; i++) {
		const struct config_notify *other = &p->c->notify[i];

		if (other->events == NO_KIND || other->kind != n->kind || strcmp(other->to, n->to) || !*n->to)
			continue;
		p->at = s->key[KEY_TO];
		parse_error(p, "Give each its own", "notify %s has the place of notify %s, %.100s", s->name,
			    other->name, n->to);
		return;
	}
}

static uint32_t templates(const struct section *s)
{
	uint32_t have = 0;

	for (const struct choice *e = events; e->word; e++)
		if (is_given(&s->key[KEY_TEMPLATE + e->value]))
			have |= 1u << e->value;
	return have;
}

static void close_jsonrpc(struct parser *p, const struct section *s, struct config_notify *n, uint32_t on)
{
	uint32_t have = templates(s);

	require(p, s, KEY_TO, "Add to = udp:HOST:PORT or to = unix:/PATH");
	if (!have) {
		p->at = s->at;
		parse_error(p, "Add one, as in gateway_down = {...}", "notify %s has no template", s->name);
	}
	for (const struct choice *e = events; have && e->word; e++) {
		if (!(on & ~have & 1u << e->value))
			continue;
		p->at = s->key[KEY_ON];
		parse_error(p, "Add one, or take the event out of on",
			    "notify %s is to be told of %s, but has no template of that name", s->name, e->word);
	}
	n->events = on ? on : have;
}

static void close_cdr(struct parser *p, const struct section *s, struct config_notify *n, uint32_t on)
{
	require(p, s, KEY_TO, "Add to = /FOLDER, where the files of each hour go");
	if (on & ~(1u << RECORD_EXHAUSTED)) {
		p->at = s->key[KEY_ON];
		parse_error(p, "Remove the line", "notify %s is of kind cdr, which has lines for exhausted alone",
			    s->name);
	}
	n->events = 1u << RECORD_EXHAUSTED;
}

static void close_notify(struct parser *p, struct section *s)
{
	struct config_notify *n = &p->c->notify[s->index];
	uint32_t on = s->events;

	if (n->events == NO_KIND) {
		require(p, s, KEY_KIND, "Add kind = jsonrpc, exec, stream or cdr");
		return;
	}
	n->events = on ? on : ALL_EVENTS;
	if (n->kind != NOTIFY_JSONRPC)
		for (const struct choice *e = events; e->word; e++)
			forbid(p, s, KEY_TEMPLATE + e->value, "it makes no text by a template");
	if (n->kind != NOTIFY_EXEC) {
		forbid(p, s, KEY_RUN, "it runs no program");
		forbid(p, s, KEY_AT_ONCE, "it runs no program");
	}
	if (n->kind == NOTIFY_STREAM || n->kind == NOTIFY_CDR) {
		forbid(p, s, KEY_QUEUE, "what it lags behind is read from the journal");
		forbid(p, s, KEY_RATE, "it takes each record at once");
		forbid(p, s, KEY_TIMEOUT, "it waits for no answer");
	}
	if (n->kind == NOTIFY_JSONRPC)
		close_jsonrpc(p, s, n, on);
	else if (n->kind == NOTIFY_CDR)
		close_cdr(p, s, n, on);
	else if (n->kind == NOTIFY_STREAM)
		require(p, s, KEY_TO, "Add to = unix:/run/siprtx/NAME");
	if (n->kind == NOTIFY_EXEC) {
		forbid(p, s, KEY_TO, "it gets its words in the environment");
		require(p, s, KEY_RUN, "Add run = /PATH of the program");
		if (!is_given(&s->key[KEY_RATE]))
			n->rate = EXEC_RATE;
		if (!n->at_once)
			n->at_once = EXEC_AT_ONCE;
	}
	check_to(p, s, n);
	if (n->kind == NOTIFY_STREAM || n->kind == NOTIFY_CDR)
		check_shared(p, s, n);
}

const struct section_kind section_notify = {
	.word = "notify",
	.named = true,
	.open = open_notify,
	.close = close_notify,
	.key =
		{
			[KEY_KIND] = {"kind", set_kind},
			[KEY_TO] = {"to", set_to},
			[KEY_RUN] = {"run", set_run},
			[KEY_ON] = {"on", set_on},
			[KEY_QUEUE] = {"queue", set_queue},
			[KEY_RATE] = {"rate", set_rate},
			[KEY_TIMEOUT] = {"timeout", set_timeout},
			[KEY_AT_ONCE] = {"at_once", set_at_once},
			[KEY_TEMPLATE + RECORD_EXHAUSTED] = {"exhausted", set_template, RECORD_EXHAUSTED},
			[KEY_TEMPLATE + RECORD_LATE_RESPONSE] = {"late_response", set_template, RECORD_LATE_RESPONSE},
			[KEY_TEMPLATE + RECORD_GATEWAY_UP] = {"gateway_up", set_template, RECORD_GATEWAY_UP},
			[KEY_TEMPLATE +
				RECORD_GATEWAY_SUSPECT] = {"gateway_suspect", set_template, RECORD_GATEWAY_SUSPECT},
			[KEY_TEMPLATE + RECORD_GATEWAY_DOWN] = {"gateway_down", set_template, RECORD_GATEWAY_DOWN},
		},
};
