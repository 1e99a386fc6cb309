// SPDX-License-Identifier: GPL-2.0-or-later
#include "owner.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE  0750
#define MAP_MODE     0640
#define PRIVATE_MODE 0700

int owner_find(const char *user, struct owner *out)
{
	const struct passwd *p = getpwnam(*user ? user : SERVICE_USER);

	*out = (struct owner){};
	if (!p)
		return *user ? -ENOENT : 0;
	out->set = true;
	out->uid = p->pw_uid;
	out->gid = p->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", p->pw_name);
	return 0;
}

/* The mode first: afterwards it may be another's. */
static int give(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (st.st_uid == uid && st.st_gid == gid && (st.st_mode & 07777) == mode)
		return 0;
	return chmod(path, mode) || chown(path, uid, gid) ? -errno : 0;
}

int owner_give_folder(const struct owner *o, const char *path)
{
	return o->set ? give(path, geteuid(), o->gid, FOLDER_MODE) : 0;
}

int owner_give_map(const struct owner *o, const char *path)
{
	return o->set ? give(path, o->uid, o->gid, MAP_MODE) : 0;
}

int owner_give_private(const struct owner *o, const char *path)
{
	return o->set ? give(path, o->uid, o->gid, PRIVATE_MODE) : 0;
}
