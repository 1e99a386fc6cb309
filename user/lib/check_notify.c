// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_notify.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void warn(struct problems *problems, const struct config_notify *n, const char *remedy, const char *what,
		 const char *path, const char *why)
{
	char where[NAME_LEN + 16];

	snprintf(where, sizeof(where), "notify %s", n->name);
	problem_add(problems, PROBLEM_WARNING, where, remedy, "%s %.120s %s", what, path, why);
}

static void check_folder(struct problems *problems, const struct config_notify *n, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		warn(problems, n, "Make it, and give it to the user that siprtx-notify runs as", "the folder", path,
		     errno == ENOENT ? "is not there" : strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		warn(problems, n, "Name a folder", "", path, "is no folder");
	else if (access(path, W_OK | X_OK))
		warn(problems, n, "Give it to the user that siprtx-notify runs as", "the folder", path,
		     "cannot be written");
}

/* The folder a socket is to be made in. */
static void check_parent(struct problems *problems, const struct config_notify *n, const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	check_folder(problems, n, folder);
}

static void check_program(struct problems *problems, const struct config_notify *n)
{
	struct stat st;

	if (stat(n->run, &st))
		warn(problems, n, "Name the program by its whole path", "the program", n->run,
		     errno == ENOENT ? "is not there" : strerror(errno));
	else if (!S_ISREG(st.st_mode) || access(n->run, X_OK))
		warn(problems, n, "chmod +x it", "the program", n->run, "cannot be executed");
}

/* A datagram socket of another program. */
static void check_socket(struct problems *problems, const struct config_notify *n, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		warn(problems, n, "Start the program that reads it; it is tried again until then", "the socket", path,
		     errno == ENOENT ? "is not there" : strerror(errno));
	else if (!S_ISSOCK(st.st_mode))
		warn(problems, n, "Name a socket", "", path, "is no socket");
	else if (access(path, W_OK))
		warn(problems, n, "Let the user that siprtx-notify runs as write it", "the socket", path,
		     "cannot be written");
}

void check_notify(const struct config *c, struct problems *problems)
{
	for (unsigned i = 0; i < c->n_notify; i++) {
		const struct config_notify *n = &c->notify[i];
		bool is_unix = !strncmp(n->to, "unix:", strlen("unix:"));

		if (n->kind == NOTIFY_EXEC)
			check_program(problems, n);
		else if (n->kind == NOTIFY_CDR)
			check_folder(problems, n, n->to);
		else if (n->kind == NOTIFY_STREAM)
			check_parent(problems, n, n->to + strlen("unix:"));
		else if (is_unix)
			check_socket(problems, n, n->to + strlen("unix:"));
	}
}
