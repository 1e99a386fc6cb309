// SPDX-License-Identifier: GPL-2.0-or-later
#include "check_rights.h"

#include <cap-ng.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "load.h"
#include "rights.h"

#define JOURNAL_ROOM (16ull << 20) /* a day of 20,000 records of 800 bytes */

void check_user(const struct config *c, enum check_purpose purpose, struct owner *who, struct problems *problems)
{
	char remedy[160];

	*who = (struct owner){};
	if (!*c->user)
		return;
	if (owner_find(c->user, who)) {
		snprintf(remedy, sizeof(remedy), "Make it: useradd -r -s /usr/sbin/nologin %s, or leave user out",
			 c->user);
		problem_add(problems, PROBLEM_ERROR, config_where(c, "user"), remedy, "there is no user %s", c->user);
	} else if (purpose != CHECK_LOAD && geteuid() != who->uid &&
		   !(rights_have(CAP_SETUID) && rights_have(CAP_SETGID) && rights_have(CAP_SETPCAP))) {
		snprintf(remedy, sizeof(remedy), "Start it as root or as %s", c->user);
		problem_add(problems, PROBLEM_ERROR, config_where(c, "user"), remedy,
			    "siprtxd cannot become %s: CAP_SETUID, CAP_SETGID or CAP_SETPCAP is missing", c->user);
	}
}

/* Sending needs less than loading: a daemon without the other rights can run on what root has loaded. */
void check_rights(const struct config *c, enum check_purpose purpose, bool loaded, struct problems *problems)
{
	static const struct {
		int capability;
		const char *name, *use;
		bool load; /* wanted for loading alone, else for sending alone */
	} rights[] = {
		{CAP_BPF, "CAP_BPF", "load the programs", true},
		{CAP_PERFMON, "CAP_PERFMON", "load the programs", true},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN", "attach the programs", true},
		{CAP_NET_RAW, "CAP_NET_RAW", "send by AF_XDP", false},
	};
	bool none = !rights_have(CAP_BPF) && !rights_have(CAP_PERFMON) && !rights_have(CAP_NET_ADMIN);

	if (purpose == CHECK_SERVE && !loaded && none) {
		problem_add(problems, PROBLEM_ERROR, "rights",
			    "Run: systemctl restart siprtx-load, or as root: siprtx load",
			    "what is configured is not loaded under %.150s, and loading it needs rights that siprtxd "
			    "does not have",
			    c->pin_path);
		loaded = true;
	}
	for (unsigned i = 0; i < sizeof(rights) / sizeof(*rights); i++) {
		if (rights[i].load ? loaded && purpose != CHECK_LOAD : purpose == CHECK_LOAD)
			continue;
		if (!rights_have(rights[i].capability))
			problem_add(problems, PROBLEM_ERROR, "rights",
				    "Run as root, or give the service AmbientCapabilities",
				    "%s is missing, without it siprtx cannot %s", rights[i].name, rights[i].use);
	}
}

bool check_way_to_pins(const struct config *c, enum check_purpose purpose, const struct owner *who,
		       struct problems *problems)
{
	static const struct owner myself;
	bool other = who->set && purpose != CHECK_LOAD && geteuid() != who->uid;
	char parent[PATH_MAX], remedy[PATH_MAX + 32], *slash;

	strcpy(parent, c->pin_path);
	slash = strrchr(parent, '/');
	slash[slash == parent] = '\0';
	if (rights_access(other ? who : &myself, parent, X_OK) != -EACCES)
		return true;
	/* systemd mounts /sys/fs/bpf for root alone */
	snprintf(remedy, sizeof(remedy), "Run: chmod o+x %.150s", parent);
	problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"), remedy, "%s%s may not enter %.150s",
		    other ? "user " : "this user", other ? who->name : "", parent);
	return false;
}

void check_journal(const struct config *c, const struct owner *who, struct problems *problems)
{
	/* what is at work already goes on: the records wait in the map */
	enum problem_level level = load_is_done(c) ? PROBLEM_WARNING : PROBLEM_ERROR;
	char path[PATH_MAX], remedy[256] = "Name another file as journal";
	struct statvfs fs;
	struct stat file;
	const char *folder;
	int err;

	if (!stat(c->journal, &file) && !S_ISREG(file.st_mode)) {
		problem_add(problems, PROBLEM_ERROR, config_where(c, "journal"), remedy, "%.150s is not a file",
			    c->journal);
		return;
	}
	strcpy(path, c->journal);
	folder = dirname(path);
	if (stat(folder, &file)) {
		if (errno == ENOENT)
			snprintf(remedy, sizeof(remedy), "Run: mkdir -p %.200s", folder);
		problem_add(problems, level, config_where(c, "journal"), remedy, "folder %.150s cannot be used: %s",
			    folder, strerror(errno));
		return;
	}
	err = rights_access(who, folder, W_OK | X_OK) ?: rights_access(who, c->journal, R_OK | W_OK);
	if (err == -EROFS)
		problem_add(problems, PROBLEM_WARNING, config_where(c, "journal"),
			    "Mount it for writing, or name a file elsewhere", "%.150s is on a read-only file system",
			    c->journal);
	else if (err && err != -ENOENT)
		problem_add(problems, level, config_where(c, "journal"),
			    "Give the user of siprtxd the right to write there", "%.150s cannot be written: %s",
			    c->journal, strerror(-err));
	else if (!statvfs(folder, &fs) && (uint64_t)fs.f_bavail * fs.f_frsize < JOURNAL_ROOM)
		problem_add(problems, level, config_where(c, "journal"), "Make room, or name a file elsewhere",
			    "the file system of %.150s has %llu KiB left, the least is %llu KiB", folder,
			    (unsigned long long)fs.f_bavail * fs.f_frsize >> 10, JOURNAL_ROOM >> 10);
}
