// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "log.h"

int state_open(struct state *s, const char *journal)
{
	const char *slash = strrchr(journal, '/');
	char path[PATH_MAX];

	*s = (struct state){.lock = -1};
	if (snprintf(s->path, sizeof(s->path), "%.*s/notify.state", (int)(slash - journal), journal) >=
		    (int)sizeof(s->path) ||
	    snprintf(path, sizeof(path), "%.*s/notify.lock", (int)(slash - journal), journal) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return -errno;
	return flock(s->lock, LOCK_EX | LOCK_NB) ? -errno : 0;
}

uint64_t state_read(const struct state *s, const char *name)
{
	FILE *f = fopen(s->path, "re");
	char line[256], known[64];
	uint64_t seq, found = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %" SCNu64, known, &seq) == 2 && !strcmp(known, name))
			found = seq;
	if (f)
		fclose(f);
	return found;
}

static int replace(const struct state *s, const char *text, int sync)
{
	char anew[PATH_MAX + 8];
	size_t n = strlen(text);
	ssize_t put;
	int fd, err;

	snprintf(anew, sizeof(anew), "%s.new", s->path);
	fd = open(anew, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	put = write(fd, text, n);
	err = put == (ssize_t)n ? 0 : put < 0 ? -errno : -ENOSPC;
	if (!err && sync && fdatasync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(anew, s->path))
		err = -errno;
	if (err)
		unlink(anew);
	return err;
}

void state_write(struct state *s, const char *text, int sync)
{
	char *copy;
	int err;

	if (s->lock < 0 || (s->text && !strcmp(s->text, text)))
		return;
	copy = strdup(text);
	err = copy ? replace(s, text, sync) : -ENOMEM;
	if (err && err != s->error)
		log_warning(
			"%s cannot be written: %s. After `siprtx unload` or a reboot consumers may be told again of "
			"what they know; make room or mend it, it is tried again every second.",
			s->path, strerror(-err));
	if (!err && s->error)
		log_info("%s is written again", s->path);
	s->error = err;
	if (err) {
		free(copy);
		return;
	}
	free(s->text);
	s->text = copy;
}

void state_close(struct state *s)
{
	if (s->lock >= 0)
		close(s->lock);
	s->lock = -1;
	free(s->text);
	s->text = NULL;
}
