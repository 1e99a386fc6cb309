// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file, line by line into libinih. A packaged libinih tells a handler neither the line nor of a section without
 * keys, knows ';' alone as the start of a comment inside a line, and takes no line over 198 characters; so the lines
 * are counted, cleaned and judged before it sees them.
 *
 * A value that begins with '{' is JSON: nothing in it is a comment, it may be long, and it goes on over the indented
 * lines that follow until its braces are closed. libinih sees no more of it than the brace.
 */
#include "config_parse.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
	struct parser *p;
	FILE *file;
	char *line; /* getline's */
	size_t size;
	bool entered;	/* a header was the last line handed over */
	bool unread;	/* the line was read, but has not been looked at */
	char *json;	/* the value of the key handed over last; NULL: libinih has it */
	unsigned lines; /* lines that value took beyond its first */
};

#define JSON_MOST 4000 /* characters; a datagram or a line it makes has its limits too */

static void cut_comment(char *line)
{
	for (char *s = line; *s; s++) {
		if ((*s == '#' || *s == ';') && (s == line || isspace((unsigned char)s[-1]))) {
			*s = '\0';
			return;
		}
	}
}

/* False: the line is not for the parser, and the error was added. */
static bool line_ok(struct parser *p, const char *line, size_t most)
{
	if (strlen(line) > most) {
		parse_error(p, "Shorten it", "the line is longer than %zu characters", most);
	} else if (*line == '[') {
		/* keys under a header that cannot be read belong to no section */
		p->skip = true;
		if (strchr(line, ']') == line + strlen(line) - 1)
			return true;
		parse_error(p, "Write it like [gateway carrier-a]", "\"%.60s\" is not a section header", line);
	} else if (*line == '=' || *line == ':' || !strpbrk(line, "=:")) {
		parse_error(p, "Write KEY = VALUE", "\"%.60s\" is neither a section nor a key with its value", line);
	} else {
		return true;
	}
	return false;
}

/* Braces opened and not closed again, outside of strings; a negative number: one too many was closed. */
static int braces_open(const char *json)
{
	bool string = false;
	int open = 0;

	for (const char *s = json; *s; s++) {
		if (string && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			string = !string;
		else if (!string && (*s == '{' || *s == '}'))
			open += *s == '{' ? 1 : -1;
	}
	return open;
}

/* The value in a line of "KEY = {"; NULL: it is none. */
static char *json_value(char *line)
{
	char *value = line + strcspn(line, "=:");

	if (!isalpha((unsigned char)*line) || !*value)
		return NULL;
	for (value++; isspace((unsigned char)*value); value++)
		;
	return *value == '{' ? value : NULL;
}

/* Adds `text` to s->json. False: out of memory, or it would be too long, and the error was added. */
static bool json_add(struct source *s, const char *text)
{
	size_t n = s->json ? strlen(s->json) : 0, more = strlen(text);
	char *longer;

	if (n + 1 + more > JSON_MOST) {
		parse_error(s->p, "Shorten it; a brace may be open in it", "the value is longer than %d characters",
			    JSON_MOST);
		return false;
	}
	longer = realloc(s->json, n + 1 + more + 1);
	if (!longer) {
		parse_error(s->p, NULL, "out of memory");
		return false;
	}
	snprintf(longer + n, 1 + more + 1, "%s%s", n ? " " : "", text);
	s->json = longer;
	return true;
}

static bool read_line(struct source *s, ssize_t *n)
{
	if (s->unread) {
		s->unread = false;
		*n = (ssize_t)strlen(s->line);
		return true;
	}
	*n = getline(&s->line, &s->size, s->file);
	return *n >= 0;
}

/* Takes the value and what goes on in the lines after it. */
static bool take_json(struct source *s, const char *value)
{
	bool well = json_add(s, value);
	ssize_t n;

	while (well && braces_open(s->json) > 0 && read_line(s, &n)) {
		/* a key of its own, a header, an empty line: the braces stay open, whoever checks the value says so */
		s->unread = !isspace((unsigned char)*s->line) || strlen(s->line) != (size_t)n || !*trim(s->line);
		if (s->unread)
			break;
		s->lines++;
		well = json_add(s, trim(s->line));
	}
	if (!well) {
		free(s->json);
		s->json = NULL;
	}
	return well;
}

/* As fgets(): the next line that says something. */
static char *next_line(char *buffer, int size, void *arg)
{
	struct source *s = arg;
	ssize_t n;

	if (s->entered) {
		/* a key without a name: makes libinih tell of the section, keys or not */
		s->entered = false;
		return strcpy(buffer, "=\n");
	}
	free(s->json);
	s->json = NULL;
	s->p->at.line += s->lines;
	s->lines = 0;
	while (read_line(s, &n)) {
		bool bom = !s->p->at.line++ && n >= 3 && !memcmp(s->line, "\xef\xbb\xbf", 3);
		char *line = s->line + (bom ? 3 : 0), *json;

		if (strlen(s->line) != (size_t)n) {
			parse_error(s->p, "Save the file as plain text", "the line has a NUL byte in it");
			continue;
		}
		line = trim(line);
		json = json_value(line);
		if (json) {
			snprintf(buffer, size, "%.*s{\n", (int)(json - line), line);
			if (json - line < size - 3 && take_json(s, json))
				return buffer;
			continue;
		}
		cut_comment(line);
		line = trim(line);
		if (!*line || !line_ok(s->p, line, size - strlen("\n") - 1))
			continue;
		s->entered = *line == '[';
		snprintf(buffer, size, "%s\n", line);
		return buffer;
	}
	return NULL;
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct source *s = user;

	if (!*name)
		section_enter(s->p, section);
	else
		section_set(s->p, name, s->json ? s->json : value);
	return 1;
}

bool read_file(struct parser *p)
{
	bool read;

	struct source s = {.p = p, .file = fopen(p->path, "re")};

	if (!s.file) {
		parse_error(p, "Name the configuration file with -c", "the file cannot be opened: %s", strerror(errno));
		return false;
	}
	errno = 0;
	if (ini_parse_stream(next_line, &s, handle, &s))
		parse_error(p, NULL, "libinih cannot parse the file");
	read = !ferror(s.file);
	if (!read)
		parse_error(p, "Name the configuration file with -c", "the file cannot be read: %s", strerror(errno));
	free(s.line);
	free(s.json);
	fclose(s.file);
	return read;
}
