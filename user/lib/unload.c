// SPDX-License-Identifier: GPL-2.0-or-later
#include "unload.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "attach_tc.h"
#include "lock.h"
#include "pins.h"
#include "successor.h"

void unpin_maps(const char *pin_path)
{
	char path[PATH_MAX];

	for (int id = 0; id < PIN_COUNT; id++)
		if (snprintf(path, sizeof(path), "%s/%s", pin_path, pin_name(id)) < (int)sizeof(path))
			unlink(path);
}

/* Whatever is pinned there, maps of another version too: the folder is siprtx's own, but for the file system's root. */
static int empty_folder(const char *pin_path)
{
	char parent[PATH_MAX];
	struct dirent *entry;
	struct statfs fs;
	int err = 0;
	DIR *dir;

	if (snprintf(parent, sizeof(parent), "%s/..", pin_path) >= (int)sizeof(parent))
		return -ENAMETOOLONG;
	if (statfs(parent, &fs) || fs.f_type != BPF_FS_MAGIC) {
		unpin_maps(pin_path);
		return 0;
	}
	dir = opendir(pin_path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_type != DT_DIR && unlinkat(dirfd(dir), entry->d_name, 0))
			err = -errno;
	closedir(dir);
	return err;
}

int remove_folder(const char *pin_path)
{
	return empty_folder(pin_path) ?: lock_remove(pin_path) ?: rmdir(pin_path) ? -errno : 0;
}

static int unload_folder(const char *pin_path, char *why, size_t why_size)
{
	int lock = lock_pins(pin_path), filters, links, err = 0;

	/* pins of another version, or a folder somebody made */
	if (lock == -ENOENT && !lock_make(pin_path))
		lock = lock_pins(pin_path);
	if (lock < 0) {
		if (lock == -ENOENT)
			snprintf(why, why_size, "nothing is loaded under %s.", pin_path);
		else if (lock == -EWOULDBLOCK)
			snprintf(why, why_size, "a siprtxd is at work on the maps under %s. End it first.", pin_path);
		else
			snprintf(why, why_size, "cannot read %s: %s. Run as root.", pin_path, strerror(-lock));
		return lock == -EWOULDBLOCK ? -EBUSY : lock;
	}
	filters = tc_detach_others(pin_path, NULL, 0);
	links = filters < 0 ? filters : detach_others(pin_path, NULL, 0);
	err = links < 0 ? links : remove_folder(pin_path);
	if (err) {
		snprintf(why, why_size, "%s cannot be removed: %s. Remove what is in it by hand.", pin_path,
			 strerror(-err));
	}
	close(lock);
	return err;
}

int unload(const char *pin_path, char *why, size_t why_size)
{
	char former[PATH_MAX];
	int moved = successor_folder(pin_path, former) ?: unload_folder(former, why, why_size), err;

	if (moved && moved != -ENOENT)
		return moved;
	err = unload_folder(pin_path, why, why_size);
	return err == -ENOENT ? moved : err;
}
