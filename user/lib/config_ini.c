// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file, line by line into libinih. A packaged libinih tells a handler neither the line nor of a section without
 * keys, and knows ';' alone as the start of a comment inside a line; so the lines are counted, cleaned and judged
 * before it sees them.
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
	bool entered; /* a header was the last line handed over */
};

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
	while ((n = getline(&s->line, &s->size, s->file)) >= 0) {
		bool bom = !s->p->at.line++ && n >= 3 && !memcmp(s->line, "\xef\xbb\xbf", 3);
		char *line = s->line + (bom ? 3 : 0);

		if (strlen(s->line) != (size_t)n) {
			parse_error(s->p, "Save the file as plain text", "the line has a NUL byte in it");
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
	struct parser *p = user;

	if (!*name)
		section_enter(p, section);
	else
		section_set(p, name, value);
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
	if (ini_parse_stream(next_line, &s, handle, p))
		parse_error(p, NULL, "libinih cannot parse the file");
	read = !ferror(s.file);
	if (!read)
		parse_error(p, "Name the configuration file with -c", "the file cannot be read: %s", strerror(errno));
	free(s.line);
	fclose(s.file);
	return read;
}
