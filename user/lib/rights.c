// SPDX-License-Identifier: GPL-2.0-or-later
#include "rights.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool rights_have(unsigned capability)
{
	bool admin = capability == CAP_BPF || capability == CAP_PERFMON;

	return capng_have_capability(CAPNG_EFFECTIVE, capability) ||
	       (admin && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN));
}

void rights_read(void)
{
	capng_get_caps_process();
}

bool rights_to_load(void)
{
	rights_read();
	return rights_have(CAP_BPF) && rights_have(CAP_PERFMON) && rights_have(CAP_NET_ADMIN);
}

static int become(const struct owner *who)
{
	bool switches = geteuid() != who->uid;

	rights_read();
	if (!switches && !rights_have(CAP_NET_RAW))
		return -EPERM;
	if (switches) {
		/* still with all rights: it takes some to empty the bounding set */
		capng_clear(CAPNG_SELECT_BOTH);
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
		return capng_change_id(who->uid, who->gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) ? -EPERM : 0;
	}
	capng_clear(CAPNG_SELECT_CAPS);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int rights_reduce(const struct owner *who)
{
	int err = who->set ? become(who) : 0;

	if (!err && who->set && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		err = -errno;
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	return err;
}

int rights_access(const struct owner *who, const char *path, int mode)
{
	int status = 0;
	pid_t child;

	if (!who->set || geteuid() == who->uid)
		return faccessat(AT_FDCWD, path, mode, AT_EACCESS) ? -errno : 0;
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		/* with the user the rights of root go */
		if (initgroups(who->name, who->gid) || setgid(who->gid) || setuid(who->uid))
			_exit(EPERM);
		_exit(faccessat(AT_FDCWD, path, mode, AT_EACCESS) ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}
