/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose the pins are: the daemon's user writes the maps, his group reads them. */
#ifndef SIPRTX_OWNER_H
#define SIPRTX_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/* The account made for the service; where there is none, and none is configured, all is left to who loads. */
#define SERVICE_USER "siprtx"

struct owner {
	bool set;
	uid_t uid;
	gid_t gid;
	char name[32];
};

/* Of the user of that name with his main group; "": of SERVICE_USER, if there is one. 0; -ENOENT: no such user. */
int owner_find(const char *user, struct owner *out);
/* The folder: root's, and his group may enter and list it. 0 or -errno. */
int owner_give_folder(const struct owner *o, const char *path);
/* One pinned map: his to write, his group's to read. Nothing to do where it is so. 0 or -errno. */
int owner_give_map(const struct owner *o, const char *path);
/* A folder that is his alone. 0 or -errno. */
int owner_give_private(const struct owner *o, const char *path);

#endif
