// SPDX-License-Identifier: GPL-2.0-or-later
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_MODE 0700

struct lock_path {
	char s[PATH_MAX];
};

/* Empty where it would be too long: that is no file. */
static struct lock_path path_of(const char *pin_path)
{
	struct lock_path p;

	if (snprintf(p.s, sizeof(p.s), "%s/lock", pin_path) >= (int)sizeof(p.s))
		*p.s = '\0';
	return p;
}

int lock_make(const char *pin_path)
{
	return mkdir(path_of(pin_path).s, LOCK_MODE) && errno != EEXIST ? -errno : 0;
}

int lock_give(const char *pin_path, const struct owner *o)
{
	return owner_give_private(o, path_of(pin_path).s);
}

int lock_remove(const char *pin_path)
{
	return rmdir(path_of(pin_path).s) && errno != ENOENT ? -errno : 0;
}

bool lock_is_there(const char *pin_path)
{
	struct stat st;

	return !stat(path_of(pin_path).s, &st);
}

/* What was locked may have been taken away and made anew before it was. */
static bool is_same(int fd, const char *path)
{
	struct stat mine, there;

	return !fstat(fd, &mine) && !stat(path, &there) && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int lock_pins(const char *pin_path)
{
	struct lock_path path = path_of(pin_path);
	int fd = open(path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = flock(fd, LOCK_EX | LOCK_NB) ? -errno : is_same(fd, path.s) ? 0 : -ENOENT;
	if (!err)
		return fd;
	close(fd);
	return err;
}

bool lock_is_of(int lock, const char *pin_path)
{
	return is_same(lock, path_of(pin_path).s);
}
