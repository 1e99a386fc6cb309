// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_parse.h"
#include "schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct section_kind *const kinds[] = {&section_siprtx, &section_profile, &section_gateway,
						   &section_notify};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

/* "siprtx.conf:12" or "-o siprtx.inside=eth9" */
static void say_where(const struct parser *p, const struct origin *at, char *where, size_t size)
{
	const char *path = p->path ? p->path : "";
	char line[16] = "";
	size_t n = strlen(path), most;

	if (at->line)
		snprintf(line, sizeof(line), ":%u", at->line);
	/* of a very long path the end says more than the beginning, and the line must not be cut off */
	most = size - sizeof(line) - 1;
	if (at->override)
		snprintf(where, size, "-o %s", at->override);
	else
		snprintf(where, size, "%s%s", n > most ? path + n - most : path, line);
}

void parse_error(struct parser *p, const char *remedy, const char *what, ...)
{
	char where[216], text[256];
	va_list args;

	say_where(p, &p->at, where, sizeof(where));
	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	problem_add(p->problems, PROBLEM_ERROR, where, remedy, "%s", text);
}

void keep_where(struct parser *p, const struct section *s)
{
	char at[48];
	unsigned n = 0;

	for (unsigned i = 0; i < SECTION_KEYS && s->kind->key[i].name && n < CONFIG_WHERE; i++) {
		if (!s->key[i].line && !s->key[i].override)
			continue;
		say_where(p, &s->key[i], at, sizeof(at));
		snprintf(p->c->where[n].key, sizeof(p->c->where[n].key), "%s", s->kind->key[i].name);
		snprintf(p->c->where[n].at, sizeof(p->c->where[n].at), "%s: %s", at, s->kind->key[i].name);
		n++;
	}
}

bool config_uses(const struct config *c, unsigned profile)
{
	bool used = !profile;

	for (unsigned i = 0; i < c->n_gateways && !used; i++)
		used = c->gateway[i].profile == profile;
	return used;
}

const char *config_where(const struct config *c, const char *key)
{
	for (unsigned i = 0; i < CONFIG_WHERE; i++)
		if (!strcmp(c->where[i].key, key))
			return c->where[i].at;
	return key;
}

void bad_value(struct parser *p, const struct key *key, const char *value, const char *reason, const char *remedy)
{
	parse_error(p, remedy, "%s cannot be \"%.100s\": it %s", key->name, value, reason);
}

void too_many(struct parser *p, const struct key *key, const char *things, unsigned n, unsigned most)
{
	char remedy[64];

	snprintf(remedy, sizeof(remedy), "Remove %u of them", n - most);
	parse_error(p, remedy, "%s has %u %s, the most is %u", key->name, n, things, most);
}

static const struct section_kind *find_kind(const char *word)
{
	for (unsigned i = 0; i < N_KINDS; i++) {
		if (!strcmp(kinds[i]->word, word))
			return kinds[i];
	}
	return NULL;
}

/* "word NAME", cut into `word` and the name. NULL with the error added: no such kind, or its name is wrong. */
static const struct section_kind *read_header(struct parser *p, char *word, char **name)
{
	size_t n = strcspn(word, " \t");
	const struct section_kind *kind;
	char remedy[128];
	const char *fault;

	*name = trim(word + n);
	word[n] = '\0';
	kind = find_kind(word);
	if (!kind) {
		parse_error(p, "The sections are [siprtx], [profile NAME], [gateway NAME] and [notify NAME]",
			    "there is no section [%.60s]", word);
		return NULL;
	}
	if (!kind->named && **name) {
		parse_error(p, "Write [siprtx]", "section [%s] takes no name", kind->word);
		return NULL;
	}
	fault = kind->named ? name_fault(*name) : NULL;
	if (fault) {
		snprintf(remedy, sizeof(remedy), "Write [%s NAME], a name of 1 to 31 of A-Z a-z 0-9 _ . -", kind->word);
		parse_error(p, remedy, "%s name \"%.60s\" %s", kind->word, *name, fault);
		return NULL;
	}
	return kind;
}

static struct section *find_section(struct parser *p, const struct section_kind *kind, const char *name)
{
	for (unsigned i = 0; i < p->n_sections; i++) {
		if (p->section[i].kind == kind && !strcmp(p->section[i].name, name))
			return &p->section[i];
	}
	return NULL;
}

static bool add_section(struct parser *p, const struct section_kind *kind, const char *name)
{
	struct section fresh = {.kind = kind, .at = p->at};
	struct section *list = realloc(p->section, (p->n_sections + 1) * sizeof(*list));

	if (!list) {
		parse_error(p, NULL, "out of memory");
		return false;
	}
	p->section = list;
	strcpy(fresh.name, name);
	if (kind->open && !kind->open(p, &fresh))
		return false;
	p->current = p->n_sections;
	p->section[p->n_sections++] = fresh;
	return true;
}

void section_enter(struct parser *p, const char *header)
{
	const struct section_kind *kind;
	struct section *known;
	char text[256], *name;

	p->skip = true;
	snprintf(text, sizeof(text), "%s", header);
	kind = read_header(p, trim(text), &name);
	if (!kind)
		return;
	known = find_section(p, kind, name);
	if (!known) {
		p->skip = !add_section(p, kind, name);
		return;
	}
	/* only the file is one place: an -o goes on where it, or another -o, left off */
	if (!p->at.override) {
		parse_error(p, "Put its keys together under one header", "section [%s] stands in line %u already",
			    header, known->at.line);
		return;
	}
	p->current = known - p->section;
	p->skip = false;
}

static void unknown_key(struct parser *p, const struct section_kind *kind, const char *name)
{
	char remedy[256] = "The keys are ";

	for (const struct key *key = kind->key; key->name; key++) {
		size_t n = strlen(remedy);

		snprintf(remedy + n, sizeof(remedy) - n, "%s%s", key == kind->key ? "" : ", ", key->name);
	}
	parse_error(p, remedy, "[%s] has no key %.60s", kind->word, name);
}

void section_set(struct parser *p, const char *name, const char *value)
{
	const struct key *key;
	struct section *s;
	struct origin *at;
	char *copy;

	if (p->skip)
		return;
	if (!p->n_sections) {
		parse_error(p, "Put it under [siprtx]", "%.60s stands before the first section", name);
		return;
	}
	s = &p->section[p->current];
	for (key = s->kind->key; key->name && strcmp(key->name, name); key++)
		;
	if (!key->name) {
		unknown_key(p, s->kind, name);
		return;
	}
	at = &s->key[key - s->kind->key];
	if (at->line && !p->at.override) {
		parse_error(p, "Remove one of them", "%s is given in line %u already", name, at->line);
		return;
	}
	*at = p->at;
	if (!*value) {
		parse_error(p, "Give one, or remove the line", "%s has no value", name);
		return;
	}
	copy = strdup(value);
	if (!copy) {
		parse_error(p, NULL, "out of memory");
		return;
	}
	key->set(p, key, copy);
	free(copy);
}

/* "section.key=value"; a name may have dots in it, a key has none */
static void read_override(struct parser *p, const char *text)
{
	char *copy = strdup(text), *value, *key;

	p->at = (struct origin){.override = text};
	if (!copy) {
		parse_error(p, NULL, "out of memory");
		return;
	}
	value = strchr(copy, '=');
	if (value)
		*value++ = '\0';
	key = value ? strrchr(copy, '.') : NULL;
	if (key) {
		*key++ = '\0';
		section_enter(p, copy);
		section_set(p, trim(key), trim(value));
	} else {
		parse_error(p, "Write -o SECTION.KEY=VALUE, as in -o siprtx.inside=eth0",
			    "this is no section, key and value");
	}
	free(copy);
}

static bool set_defaults(struct config *c)
{
	*c = (struct config){
		.mode = MODE_INLINE,
		.sip_ports = {5060},
		.n_sip_ports = 1,
		.max_transactions = 65536,
		.capture = CAPTURE_AUTO,
		.pin_path = "/sys/fs/bpf/siprtx",
		.journal = "/var/lib/siprtx/exhausted.jsonl",
		.n_profiles = sizeof(builtin_profile) / sizeof(*builtin_profile),
	};
	for (unsigned i = 0; i < c->n_profiles; i++) {
		strcpy(c->profile[i].name, builtin_profile_name[i]);
		memcpy(c->profile[i].field, builtin_profile[i], sizeof(builtin_profile[i]));
	}
	c->gateway = calloc(CONFIG_MAX_GATEWAYS, sizeof(*c->gateway));
	c->notify = calloc(CONFIG_MAX_NOTIFY, sizeof(*c->notify));
	return c->gateway && c->notify;
}

int config_load(const char *path, char *const *overrides, unsigned n_overrides, struct config *out,
		struct problems *problems)
{
	struct parser p = {.c = out, .problems = problems, .path = path};
	unsigned before = problems->errors;

	if (!set_defaults(out)) {
		parse_error(&p, NULL, "out of memory");
		return -EINVAL;
	}
	if (path && !read_file(&p)) {
		free(p.section);
		return -EINVAL;
	}
	for (unsigned i = 0; i < n_overrides; i++)
		read_override(&p, overrides[i]);
	/* what must be set is asked for even where the file has no [siprtx] */
	p.at = (struct origin){0};
	if (!find_section(&p, &section_siprtx, ""))
		add_section(&p, &section_siprtx, "");
	for (unsigned i = 0; i < p.n_sections; i++) {
		if (p.section[i].kind->close)
			p.section[i].kind->close(&p, &p.section[i]);
	}
	free(p.section);
	return problems->errors > before ? -EINVAL : 0;
}

void config_free(struct config *c)
{
	free(c->gateway);
	c->gateway = NULL;
	c->n_gateways = 0;
	for (unsigned i = 0; c->notify && i < CONFIG_MAX_NOTIFY; i++)
		for (unsigned e = 0; e < CONFIG_RECORD_EVENTS; e++)
			free(c->notify[i].template_of[e]);
	free(c->notify);
	c->notify = NULL;
	c->n_notify = 0;
}
