// SPDX-License-Identifier: GPL-2.0-or-later
#include "attach_tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tc_filters.h"

#define PROGRAM_PREFIX "egress_"
#define RENEWED_PREFIX "renewed_" /* the program that is about to take the place of egress_NAME */
#define QDISC_PREFIX   "clsact_"  /* a symbolic link to the number of the interface that siprtx made the qdisc on */

static int pin_at(char *path, const char *pin_path, const char *prefix, const char *ifname)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", pin_path, prefix, ifname);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_pin(const char *pin_path, const char *prefix, const char *ifname)
{
	char path[PATH_MAX];

	return pin_at(path, pin_path, prefix, ifname) ? -1 : bpf_obj_get(path);
}

static void drop_pin(const char *pin_path, const char *prefix, const char *ifname)
{
	char path[PATH_MAX];

	if (!pin_at(path, pin_path, prefix, ifname))
		unlink(path);
}

/* Is this the program that is pinned so? */
static bool is_pinned(const char *pin_path, const char *prefix, const char *ifname, __u32 prog_id)
{
	int fd = open_pin(pin_path, prefix, ifname);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	bool same;

	if (fd < 0)
		return false;
	same = !bpf_obj_get_info_by_fd(fd, &info, &size) && info.id == prog_id;
	close(fd);
	return same;
}

/* The number of the interface noted, 0: none. */
static unsigned noted_qdisc(const char *pin_path, const char *ifname)
{
	char path[PATH_MAX], number[16] = "";

	if (pin_at(path, pin_path, QDISC_PREFIX, ifname) || readlink(path, number, sizeof(number) - 1) < 0)
		return 0;
	return strtoul(number, NULL, 10);
}

static int note_qdisc(const char *pin_path, const char *ifname, unsigned ifindex)
{
	char path[PATH_MAX], number[16];
	int err = pin_at(path, pin_path, QDISC_PREFIX, ifname);

	snprintf(number, sizeof(number), "%u", ifindex);
	unlink(path); /* of an interface of this name that is gone */
	return err ?: symlink(number, path) ? -errno : 0;
}

static int make_qdisc(const char *pin_path, const char *ifname, unsigned ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	bool known = noted_qdisc(pin_path, ifname) == ifindex;
	int err = known ? 0 : note_qdisc(pin_path, ifname, ifindex);

	if (!err)
		err = bpf_tc_hook_create(&hook);
	if (err && !known)
		drop_pin(pin_path, QDISC_PREFIX, ifname);
	return err == -EEXIST ? 0 : err;
}

static void drop_qdisc(const char *pin_path, const char *ifname, unsigned ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct tc_filters left;

	if (ifindex && noted_qdisc(pin_path, ifname) == ifindex && !tc_filters(ifindex, &left) && !left.prog_id &&
	    !left.others)
		bpf_tc_hook_destroy(&hook);
	drop_pin(pin_path, QDISC_PREFIX, ifname);
}

static int put_filter(unsigned ifindex, int prog_fd, bool replace)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = EGRESS_HANDLE, .priority = EGRESS_PRIORITY, .prog_fd = prog_fd,
		    .flags = replace ? BPF_TC_F_REPLACE : 0);

	return bpf_tc_attach(&hook, &opts);
}

static int take_filter(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = EGRESS_HANDLE, .priority = EGRESS_PRIORITY);

	return bpf_tc_detach(&hook, &opts);
}

static int pin_renewed(const char *pin_path, const char *ifname, int prog_fd)
{
	char path[PATH_MAX];
	int err = pin_at(path, pin_path, RENEWED_PREFIX, ifname);

	if (err)
		return err;
	unlink(path);
	return bpf_obj_pin(prog_fd, path) ? -errno : 0;
}

/* The renewed program is the one that is attached. */
static int settle_pin(const char *pin_path, const char *ifname)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err = pin_at(from, pin_path, RENEWED_PREFIX, ifname) ?: pin_at(to, pin_path, PROGRAM_PREFIX, ifname);

	return err ?: rename(from, to) ? -errno : 0;
}

static int attach_fresh(const char *pin_path, const char *ifname, unsigned ifindex, int prog_fd)
{
	int err = pin_renewed(pin_path, ifname, prog_fd) ?: settle_pin(pin_path, ifname);

	err = err ?: make_qdisc(pin_path, ifname, ifindex);
	err = err ?: put_filter(ifindex, prog_fd, false);
	if (err) {
		drop_qdisc(pin_path, ifname, ifindex);
		drop_pin(pin_path, PROGRAM_PREFIX, ifname);
	}
	return err;
}

static int replace(const char *pin_path, const char *ifname, unsigned ifindex, int prog_fd)
{
	int err = pin_renewed(pin_path, ifname, prog_fd);

	err = err ?: put_filter(ifindex, prog_fd, true);
	if (!err)
		return settle_pin(pin_path, ifname);
	drop_pin(pin_path, RENEWED_PREFIX, ifname);
	return err;
}

bool tc_is_attached(const char *pin_path, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct tc_filters found;
	char path[PATH_MAX];
	struct stat st;

	return ifindex && !pin_at(path, pin_path, PROGRAM_PREFIX, ifname) && !stat(path, &st) &&
	       !tc_filters(ifindex, &found) && found.prog_id;
}

int tc_attach(const char *pin_path, const char *ifname, int prog_fd, struct attached *done, char *why, size_t why_size)
{
	struct attached a = {.former = -1};
	unsigned ifindex = if_nametoindex(ifname);
	struct tc_filters found;
	int err;

	if (strlen(ifname) >= sizeof(a.name))
		return -ENAMETOOLONG;
	strcpy(a.name, ifname);
	err = ifindex ? tc_filters(ifindex, &found) : -ENODEV;
	if (!err && found.ingress) {
		snprintf(why, why_size,
			 "%s has the qdisc \"ingress\", which keeps clsact away. Take it off (`tc qdisc del dev %s "
			 "ingress`), "
			 "and put its filters at the ingress of clsact.",
			 ifname, ifname);
		return -EBUSY;
	}
	if (!err && found.taken) {
		snprintf(why, why_size,
			 "another filter has priority %u at TC egress of %s. Take it off (`tc filter del dev %s egress "
			 "pref %u`), or give it another priority.",
			 EGRESS_PRIORITY, ifname, ifname, EGRESS_PRIORITY);
		return -EBUSY;
	}
	if (!err && found.prog_id) {
		a.former = open_pin(pin_path, PROGRAM_PREFIX, ifname);
		err = replace(pin_path, ifname, ifindex, prog_fd);
	} else if (!err) {
		a.fresh = true;
		err = attach_fresh(pin_path, ifname, ifindex, prog_fd);
	}
	if (!err) {
		*done = a;
		return 0;
	}
	attach_settle(&a);
	snprintf(why, why_size,
		 "no filter can be put at TC egress of %s: %s. The kernel needs CONFIG_NET_CLS_BPF and "
		 "CONFIG_NET_SCH_INGRESS.",
		 ifname, strerror(-err));
	return err;
}

void tc_attach_undo(const char *pin_path, struct attached *done)
{
	unsigned ifindex = if_nametoindex(done->name);

	if (done->fresh)
		tc_detach(pin_path, done->name);
	else if (ifindex && done->former >= 0)
		replace(pin_path, done->name, ifindex, done->former);
	attach_settle(done);
}

int tc_detach(const char *pin_path, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct tc_filters found = {};
	int err = ifindex ? tc_filters(ifindex, &found) : 0;

	/* one of that name in another network namespace, or made anew, may be another siprtx's */
	if (!err && found.prog_id &&
	    (is_pinned(pin_path, PROGRAM_PREFIX, ifname, found.prog_id) ||
	     is_pinned(pin_path, RENEWED_PREFIX, ifname, found.prog_id)))
		err = take_filter(ifindex);
	if (err)
		return err;
	drop_qdisc(pin_path, ifname, ifindex);
	drop_pin(pin_path, RENEWED_PREFIX, ifname);
	drop_pin(pin_path, PROGRAM_PREFIX, ifname);
	return 0;
}

int tc_detach_others(const char *pin_path, const char (*keep)[16], unsigned n)
{
	return detach_named(pin_path, PROGRAM_PREFIX, keep, n, tc_detach);
}
