// SPDX-License-Identifier: GPL-2.0-or-later
#include "template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "view.h"

#define RECORD_NAME "record" /* the variable that is the whole record */
#define MAX_NAMES   64

struct filled {
	char *s;
	size_t len, room;
	int error;
};

static void add(struct filled *t, const char *s, size_t n)
{
	char *more;
	size_t room;

	if (t->error)
		return;
	if (n > TEMPLATE_MAX - t->len) {
		t->error = -EMSGSIZE;
		return;
	}
	if (t->len + n + 1 > t->room) {
		room = 2 * (t->len + n) + 64;
		more = realloc(t->s, room);
		if (!more) {
			t->error = -ENOMEM;
			return;
		}
		t->s = more;
		t->room = room;
	}
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = 0;
}

json_t *template_values(const struct siprtx_record *r)
{
	json_t *values = record_json(r);
	char buf[64];

	if (!values)
		return NULL;
	if (json_object_set_new(values, "gateway_address",
				json_string(format_endpoint(r->daddr, 0, buf, sizeof(buf)))) ||
	    json_object_set_new(values, "gateway_port", json_integer(r->dport))) {
		json_decref(values);
		return NULL;
	}
	return values;
}

/* Where in JSON the template is: what a value looks like there, and where none may be. */
struct place {
	bool in_string;
	unsigned escape; /* characters that still belong to a \ escape */
};

static void step(struct place *p, char c)
{
	if (p->escape) {
		/* \uXXXX: four more; a u among those four is no JSON, which the check finds */
		p->escape = p->escape == 1 && c == 'u' ? 4 : p->escape - 1;
	} else if (p->in_string && c == '\\') {
		p->escape = 1;
	} else if (c == '"') {
		p->in_string = !p->in_string;
	}
}

static void add_dump(struct filled *t, const json_t *value, bool inside)
{
	char *s = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t n = s ? strlen(s) : 0;

	if (!s)
		t->error = -ENOMEM;
	else if (inside)
		add(t, s + 1, n - 2);
	else
		add(t, s, n);
	free(s);
}

/* The value as text inside of quotes, without its own. */
static void add_inside(struct filled *t, const json_t *value, enum template_quoting quoting)
{
	json_t *string;
	char *s;

	if (json_is_null(value))
		return;
	if (json_is_string(value) && quoting == TEMPLATE_PLAIN) {
		add(t, json_string_value(value), json_string_length(value));
	} else if (json_is_object(value) && quoting == TEMPLATE_JSON) {
		s = json_dumps(value, JSON_COMPACT);
		string = s ? json_string(s) : NULL;
		if (string)
			add_dump(t, string, true);
		else
			t->error = -ENOMEM;
		json_decref(string);
		free(s);
	} else {
		add_dump(t, value, json_is_string(value));
	}
}

/* Every name there is: some are in the records of one event alone. Owned by the caller. NULL: no memory. */
static json_t *all_names(void)
{
	json_t *names = json_object(), *values;
	bool whole = names;

	for (uint8_t event = RECORD_EXHAUSTED; whole && event <= RECORD_GATEWAY_DOWN; event++) {
		const struct siprtx_record r = {.event = event, .icmp_type = 3, .truncated = 1};

		values = template_values(&r);
		whole = values && !json_object_update(names, values);
		json_decref(values);
	}
	if (whole && !json_object_set_new(names, RECORD_NAME, json_null()))
		return names;
	json_decref(names);
	return NULL;
}

static int unknown(const char *name, const json_t *names, char *why, size_t size)
{
	const char *list[MAX_NAMES];
	unsigned n = 0;
	int near;

	for (void *i = json_object_iter((json_t *)names); i && n < MAX_NAMES;
	     i = json_object_iter_next((json_t *)names, i))
		list[n++] = json_object_iter_key(i);
	near = nearest_name(name, list, n);
	if (near >= 0)
		snprintf(why, size, "the template has ${%s}, which is no variable; did you mean ${%s}?", name,
			 list[near]);
	else
		snprintf(why, size,
			 "the template has ${%s}, which is no variable; they are the members of the records "
			 "in the journal, gateway_address, gateway_port and record",
			 name);
	return -EINVAL;
}

/* Takes a reference of the variable's value into *value, null where the record has none. */
static int look_up(const char *name, json_t *values, json_t **value, char *why, size_t size)
{
	json_t *found = strcmp(name, RECORD_NAME) ? json_object_get(values, name) : values, *names;
	int error = 0;

	if (found) {
		*value = json_incref(found);
		return 0;
	}
	names = all_names();
	if (!names)
		error = -ENOMEM;
	else if (!json_object_get(names, name))
		error = unknown(name, names, why, size);
	else
		*value = json_null();
	json_decref(names);
	return error;
}

/* At "${": adds the variable's value. Returns its length in the template, 0 with t->error set. */
static size_t add_variable(struct filled *t, const struct place *at, const char *p, json_t *values,
			   enum template_quoting quoting, char *why, size_t size)
{
	const char *end = strchr(p, '}');
	json_t *value = NULL;
	char name[40];

	t->error = -EINVAL;
	if (!end) {
		snprintf(why, size,
			 "the template has a ${ without its } at \"%.24s\"; close it, or write $$ for a dollar", p);
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s", end - p < 40 ? (int)(end - p - 2) : 39, p + 2);
	if (quoting == TEMPLATE_JSON && at->escape) {
		snprintf(why, size, "the template has a \\ before ${%s}, which would make half an escape; take it away",
			 name);
		return 0;
	}
	t->error = look_up(name, values, &value, why, size);
	if (t->error)
		return 0;
	if (quoting == TEMPLATE_PLAIN || at->in_string)
		add_inside(t, value, quoting);
	else
		add_dump(t, value, false);
	json_decref(value);
	return t->error ? 0 : end + 1 - p;
}

static int fill(const char *template, json_t *values, enum template_quoting quoting, char **out, char *why, size_t size)
{
	struct place at = {0};
	struct filled t = {0};

	add(&t, "", 0);
	for (const char *p = template; *p && !t.error;) {
		if (*p == '$' && p[1] == '{') {
			p += add_variable(&t, &at, p, values, quoting, why, size);
			continue;
		}
		step(&at, *p);
		add(&t, p, 1);
		p += *p == '$' && p[1] == '$' ? 2 : 1;
	}
	if (t.error) {
		free(t.s);
		return t.error;
	}
	*out = t.s;
	return 0;
}

int template_fill(const char *template, const struct siprtx_record *r, enum template_quoting quoting, char **out)
{
	json_t *values = template_values(r);
	char why[256];
	int error = values ? fill(template, values, quoting, out, why, sizeof(why)) : -ENOMEM;

	json_decref(values);
	return error;
}

#define FILL(field, text) memset(field, text, sizeof(field) - 1)

/* A record with the longest and worst there can be in each string. */
static void make_nasty(struct siprtx_record *r, uint8_t event)
{
	*r = (struct siprtx_record){
		.seq = 1ull << 53,
		.ts_ms = 1700000000000,
		.event = event,
		.reason = 1,
		.dport = 65535,
		.sport = 65535,
		.icmp_type = event & 1 ? 3 : 0,
		.icmp_code = 200,
		.truncated = 1,
	};
	memset(r->daddr, 0xfd, sizeof(r->daddr));
	memset(r->saddr, 0xfd, sizeof(r->saddr));
	FILL(r->node, '\\');
	FILL(r->boot_id, '"');
	FILL(r->gateway_name, '"');
	FILL(r->profile, '\\');
	FILL(r->method, '\x01');
	FILL(r->call_id, '\x02');
	memcpy(r->call_id, "\",\"method\":\"x\"}", 15);
	FILL(r->branch, '\xff');
	FILL(r->from_tag, '\n');
	FILL(r->ruri, '\x1f');
	FILL(r->from_uri, '"');
	FILL(r->to_uri, '\\');
}

/* "id" of a request: ${seq}, a number or a string. None: a notification, which is not answered. */
static bool id_is(const json_t *id, uint64_t seq)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
	return !id || (json_is_integer(id) && (uint64_t)json_integer_value(id) == seq) ||
	       (json_is_string(id) && !strcmp(json_string_value(id), text));
}

/* NULL: good. `plain`: the same template filled with a record that has nothing. */
static const char *judge(const json_t *request, const json_t *plain, uint64_t seq)
{
	const json_t *method = json_object_get(request, "method"), *params = json_object_get(request, "params");
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));

	if (!version || strcmp(version, "2.0"))
		return "the template has no \"jsonrpc\": \"2.0\"; JSON-RPC 2.0 wants it";
	if (!json_is_string(method) || !*json_string_value(method))
		return "the template has no \"method\"; name the softswitch's command in it";
	if (!json_equal(method, json_object_get(plain, "method")))
		return "the template's \"method\" has a variable that comes from the wire; write the method out";
	if (params && !json_is_array(params) && !json_is_object(params))
		return "the template's \"params\" is neither [...] nor {...}";
	if (!id_is(json_object_get(request, "id"), seq))
		return "the template's \"id\" is not ${seq}, by which the answer is known; write \"id\": ${seq}";
	for (void *i = json_object_iter((json_t *)request); i; i = json_object_iter_next((json_t *)request, i)) {
		if (!json_object_get(plain, json_object_iter_key(i)))
			return "the template makes the name of a member out of a variable; write the name out";
	}
	return NULL;
}

static json_t *load_filled(const char *template, const struct siprtx_record *r, int *error, char *why, size_t size)
{
	json_t *values = template_values(r), *object = NULL;
	json_error_t at;
	char *text;

	*error = values ? fill(template, values, TEMPLATE_JSON, &text, why, size) : -ENOMEM;
	json_decref(values);
	if (*error == -EMSGSIZE)
		snprintf(why, size, "the template may come to more than %u bytes; make it shorter", TEMPLATE_MAX);
	if (*error)
		return NULL;
	object = json_loads(text, JSON_REJECT_DUPLICATES, &at);
	if (!json_is_object(object)) {
		if (object)
			snprintf(why, size, "the template is no JSON object {...}; JSON-RPC wants one");
		else
			snprintf(why, size, "the template is no JSON: %.80s, near \"%.20s\" of it filled; mend it",
				 at.text,
				 at.position > 10 && (size_t)at.position <= strlen(text) ? text + at.position - 10
											 : text);
		*error = -EINVAL;
		json_decref(object);
		object = NULL;
	}
	free(text);
	return object;
}

/* Of one event's record, the worst and an empty one. */
static int check_event(const char *template, uint8_t event, char *why, size_t size)
{
	struct siprtx_record nasty, empty = {.event = event, .reason = 1, .icmp_type = event & 1 ? 0 : 3};
	json_t *request, *plain = NULL;
	const char *wrong;
	int error;

	make_nasty(&nasty, event);
	request = load_filled(template, &nasty, &error, why, size);
	if (request)
		plain = load_filled(template, &empty, &error, why, size);
	if (plain) {
		wrong = judge(request, plain, nasty.seq);
		if (!wrong)
			wrong = judge(plain, request, empty.seq);
		if (wrong) {
			snprintf(why, size, "%s", wrong);
			error = -EINVAL;
		}
	}
	json_decref(request);
	json_decref(plain);
	return error;
}

int template_check(const char *template, char *why, size_t size)
{
	int error = 0;

	for (uint8_t event = RECORD_EXHAUSTED; !error && event <= RECORD_GATEWAY_DOWN; event++)
		error = check_event(template, event, why, size);
	if (error == -ENOMEM)
		snprintf(why, size, "the template cannot be checked: no memory");
	return error == -EMSGSIZE ? -EINVAL : error;
}
