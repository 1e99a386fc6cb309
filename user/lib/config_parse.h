/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the config_*.c files, and the number and list readers by view.c: sections, their keys and how a value is
 * judged. */
#ifndef SIPRTX_CONFIG_PARSE_H
#define SIPRTX_CONFIG_PARSE_H

#include "config.h"

#define SECTION_KEYS 16

/* Where a section or key was given: a line of the file, or an -o. Both unset: nowhere. */
struct origin {
	unsigned line;
	const char *override;
};

struct parser;
struct section;

struct key {
	const char *name;
	/* `value` is not empty and may be cut up; what is wrong goes to parse_error() or bad_value() */
	void (*set)(struct parser *p, const struct key *key, char *value);
	unsigned field; /* the setter's own: enum siprtx_profile_field, enum siprtx_side */
};

struct section_kind {
	const char *word;
	bool named; /* "[profile NAME]" */
	/* Makes room for `name` and sets s->index. False: the problem was added. */
	bool (*open)(struct parser *p, struct section *s);
	/* All is read: what depends on more than one key or section. */
	void (*close)(struct parser *p, struct section *s);
	struct key key[SECTION_KEYS]; /* ends at a NULL name */
};

extern const struct section_kind section_siprtx, section_profile, section_gateway, section_notify;

struct section {
	const struct section_kind *kind;
	char name[NAME_LEN];
	unsigned index;		/* in config.profile, config.gateway or config.notify */
	char profile[NAME_LEN]; /* the one a gateway names, which may come later in the file */
	uint32_t events;	/* those that a notify names: it depends on the kind, which may come later */
	struct origin at;
	struct origin key[SECTION_KEYS]; /* as kind->key */
};

struct parser {
	struct config *c;
	struct problems *problems;
	const char *path;
	struct origin at;	 /* what is being read */
	struct section *section; /* owned, all there are */
	unsigned n_sections;
	unsigned current; /* the open one */
	bool skip;	  /* its header was wrong: no word about its keys */
};

static inline bool is_given(const struct origin *at)
{
	return at->line || at->override;
}

static inline struct section *section_now(const struct parser *p)
{
	return &p->section[p->current];
}

/* An error at p->at. `remedy` may be NULL. */
void parse_error(struct parser *p, const char *remedy, const char *what, ...) __attribute__((format(printf, 3, 4)));
/* The same for "KEY cannot be VALUE: it REASON". */
void bad_value(struct parser *p, const struct key *key, const char *value, const char *reason, const char *remedy);
void too_many(struct parser *p, const struct key *key, const char *things, unsigned n, unsigned most);

/* Keeps where each key of this section was set, for config_where(). */
void keep_where(struct parser *p, const struct section *s);

/* config_ini.c: each header to section_enter(), each key to section_set(). False: the file cannot be read. */
bool read_file(struct parser *p);
void section_enter(struct parser *p, const char *header);
void section_set(struct parser *p, const char *name, const char *value);

/* config_value.c: nothing in it but the text */

/* What keeps `text` from being a name of a profile or gateway; NULL: nothing. */
const char *name_fault(const char *text);
/* The next item of a comma list, trimmed; NULL: no more. */
char *next_item(char **list);
/* Trims in place at both ends. */
char *trim(char *text);
/*
 * An unsigned number with at most `decimals` of them, times 10^decimals; over 10^15 it stays there. Returns NULL,
 * or what is wrong ("is negative"); *out is then untouched.
 */
const char *parse_decimal(const char *text, unsigned decimals, uint64_t *out);
/*
 * "192.0.2.10", "192.0.2.10:5060", "[2001:db8::1]:5060", "2001:db8::/32" to addr, prefixlen and port. Cuts `text` up.
 * Returns NULL, or what is wrong with the remedy; *out is then untouched.
 */
const char *parse_gateway_address(char *text, struct config_gateway *out, char *remedy, size_t remedy_size);

/* One of the words: true and its value; none: false and an error. The list ends at a NULL word. */
struct choice {
	const char *word;
	int value;
};
bool choose(struct parser *p, const struct key *key, const char *text, const struct choice *list, int *out);
/* False with an error: no number, or out of range. */
bool whole_number(struct parser *p, const struct key *key, const char *text, uint32_t min, uint32_t max, uint32_t *out);

#endif
