// SPDX-License-Identifier: GPL-2.0-or-later
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int link_path(char *path, const char *pin_path, const char *ifname)
{
	int n = snprintf(path, PATH_MAX, "%s/" LINK_PREFIX "%s", pin_path, ifname);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

bool lift_is_pinned(const char *pin_path)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/" PROGRAM_LIFT, pin_path) < (int)sizeof(path) && !stat(path, &st);
}

/* Opens the pinned link when it is attached to the interface of that name; -1: it is not. */
static int open_live(const char *pin_path, const char *ifname, __u32 *prog_id)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	char path[PATH_MAX];
	unsigned ifindex = if_nametoindex(ifname);
	int fd;

	if (!ifindex || link_path(path, pin_path, ifname))
		return -1;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != ifindex) {
		close(fd);
		return -1;
	}
	*prog_id = info.prog_id;
	return fd;
}

/* Which mode the interface runs its XDP program in. */
static enum siprtx_attach mode_of(const char *ifname)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	unsigned ifindex = if_nametoindex(ifname);

	if (!ifindex || bpf_xdp_query(ifindex, 0, &query))
		return ATTACH_NONE;
	if (query.attach_mode == XDP_ATTACHED_SKB)
		return ATTACH_GENERIC;
	return query.attach_mode == XDP_ATTACHED_NONE ? ATTACH_NONE : ATTACH_NATIVE;
}

enum siprtx_attach attach_state(const char *pin_path, const char *ifname)
{
	char path[PATH_MAX];
	struct stat st;
	__u32 prog_id;
	int fd;

	errno = 0;
	fd = open_live(pin_path, ifname, &prog_id);
	/* links are root's, for who may open one may detach it: others go by the pin and by what runs */
	if (fd < 0 && errno == EACCES)
		return link_path(path, pin_path, ifname) || stat(path, &st) ? ATTACH_NONE : mode_of(ifname);
	if (fd < 0)
		return ATTACH_NONE;
	close(fd);
	return mode_of(ifname);
}

/* Of libxdp; its name is all there is to know it by. Who may not ask is told of any other program. */
static bool is_dispatcher(__u32 prog_id)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool known = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size);

	if (fd >= 0)
		close(fd);
	return known && !strcmp(info.name, "xdp_dispatcher");
}

bool attach_other(const char *pin_path, const char *ifname, char what[160], char remedy[200])
{
	unsigned ifindex = if_nametoindex(ifname);
	__u32 id = 0;

	if (!ifindex || attach_state(pin_path, ifname) != ATTACH_NONE || bpf_xdp_query_id(ifindex, 0, &id) || !id)
		return false;
	if (is_dispatcher(id)) {
		snprintf(what, 160,
			 "libxdp's dispatcher is on %s with other XDP programs in it, and siprtx cannot be one of them",
			 ifname);
		snprintf(remedy, 200,
			 "Take them off (xdp-loader unload %s --all); what they do can be done behind siprtx, at TC "
			 "ingress",
			 ifname);
	} else {
		snprintf(what, 160, "another XDP program (id %u) is on %s", id, ifname);
		snprintf(
			remedy, 200,
			"Take it off (ip link set %s xdp off; one that a BPF link holds: bpftool link detach); what it "
			"does can be done behind siprtx, at TC ingress",
			ifname);
	}
	return true;
}

static int create(unsigned ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);

	if (fd >= 0 || errno == EBUSY || errno == EEXIST || errno == EPERM)
		return fd;
	opts.flags = XDP_FLAGS_SKB_MODE;
	return bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
}

static int attach_fresh(const char *pin_path, const char *ifname, int prog_fd, char *why, size_t why_size)
{
	char what[160], remedy[200], path[PATH_MAX];
	unsigned ifindex = if_nametoindex(ifname);
	int fd, err = link_path(path, pin_path, ifname);

	if (err)
		return err;
	if (!ifindex) {
		snprintf(why, why_size, "there is no interface %s. Name one that `ip link` shows.", ifname);
		return -ENODEV;
	}
	unlink(path); /* left by an interface of this name that is gone */
	fd = create(ifindex, prog_fd);
	if (fd < 0) {
		err = -errno;
		if ((err == -EBUSY || err == -EEXIST) && attach_other(pin_path, ifname, what, remedy))
			snprintf(why, why_size, "%s. %s.", what, remedy);
		else
			snprintf(why, why_size, "no XDP program can be attached to %s: %s.", ifname, strerror(-err));
		return err;
	}
	err = bpf_obj_pin(fd, path) ? -errno : 0;
	if (err)
		snprintf(why, why_size, "cannot pin %s: %s. Is a bpf file system mounted there?", path, strerror(-err));
	close(fd); /* the pin holds the link; without one it goes with this fd */
	return err;
}

/* The fd of a program that is attached, -1: it cannot be had. */
static int open_program(const char *pin_path, __u32 id)
{
	static const char *const names[] = {PROGRAM_PREFIX "outside", PROGRAM_PREFIX "inside"};
	int fd = bpf_prog_get_fd_by_id(id);
	char path[PATH_MAX];

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names) && fd < 0; i++) {
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (snprintf(path, sizeof(path), "%s/%s", pin_path, names[i]) >= (int)sizeof(path))
			return -1;
		fd = bpf_obj_get(path);
		if (fd >= 0 && (bpf_obj_get_info_by_fd(fd, &info, &size) || info.id != id)) {
			close(fd);
			fd = -1;
		}
	}
	return fd;
}

int attach(const char *pin_path, const char *ifname, int prog_fd, struct attached *done, char *why, size_t why_size)
{
	struct attached a = {.former = -1};
	char path[PATH_MAX];
	__u32 prog_id = 0;
	int fd, err;

	if (strlen(ifname) >= sizeof(a.name) || link_path(path, pin_path, ifname))
		return -ENAMETOOLONG;
	strcpy(a.name, ifname);
	fd = open_live(pin_path, ifname, &prog_id);
	if (fd < 0) {
		err = attach_fresh(pin_path, ifname, prog_fd, why, why_size);
		a.fresh = true;
	} else {
		a.former = open_program(pin_path, prog_id);
		err = bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
		if (err)
			snprintf(why, why_size, "the program on %s cannot be replaced: %s.", ifname, strerror(-err));
		close(fd);
	}
	if (err) {
		attach_settle(&a);
		return err;
	}
	a.mode = mode_of(ifname);
	*done = a;
	return 0;
}

int attach_again(const char *pin_path, const char *ifname)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	char path[PATH_MAX], why[512];
	int link, prog, err;

	err = link_path(path, pin_path, ifname);
	if (err)
		return err;
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(link, &info, &size) ? -errno : 0;
	prog = err ? err : open_program(pin_path, info.prog_id);
	close(link);
	if (prog < 0)
		return err ?: -ENOENT;
	err = attach_fresh(pin_path, ifname, prog, why, sizeof(why));
	close(prog);
	return err;
}

void attach_undo(const char *pin_path, struct attached *done)
{
	__u32 prog_id;
	int fd;

	if (done->fresh) {
		detach(pin_path, done->name);
	} else {
		fd = open_live(pin_path, done->name, &prog_id);
		if (fd >= 0 && done->former >= 0)
			bpf_link_update(fd, done->former, NULL);
		if (fd >= 0)
			close(fd);
	}
	attach_settle(done);
}

void attach_settle(struct attached *done)
{
	if (done->former >= 0)
		close(done->former);
	done->former = -1;
}

int detach(const char *pin_path, const char *ifname)
{
	char path[PATH_MAX];
	int fd, err;

	err = link_path(path, pin_path, ifname);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		bpf_link_detach(fd); /* at once, even where somebody else holds the link; the interface may be gone */
		close(fd);
	}
	return unlink(path) ? -errno : 0;
}

int detach_named(const char *pin_path, const char *prefix, const char (*keep)[16], unsigned n,
		 int (*fn)(const char *pin_path, const char *ifname))
{
	DIR *dir = opendir(pin_path);
	size_t length = strlen(prefix);
	struct dirent *entry;
	int count = 0, err = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		const char *ifname = entry->d_name + length;
		unsigned i;

		if (strncmp(entry->d_name, prefix, length))
			continue;
		for (i = 0; i < n && strcmp(keep[i], ifname); i++)
			;
		if (i < n)
			continue;
		err = fn(pin_path, ifname) ?: err;
		count++;
	}
	closedir(dir);
	return err ?: count;
}

int detach_others(const char *pin_path, const char (*keep)[16], unsigned n)
{
	return detach_named(pin_path, LINK_PREFIX, keep, n, detach);
}
