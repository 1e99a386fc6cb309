// SPDX-License-Identifier: GPL-2.0-or-later
#include "head.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const __u32 first = 0, capture = TUN_capture;

int head_take(const void *value, size_t size, struct siprtx_meta *head)
{
	*head = (struct siprtx_meta){};
	if (size < META_HEAD)
		return -EPROTO;
	memcpy(head, value, META_HEAD);
	return head->magic == SIPRTX_MAGIC ? 0 : -EPROTO;
}

/* The fd of a map that is an ARRAY of values of at least `least` bytes; *size: how many they are. */
static int open_array(const char *folder, const char *name, __u32 flags, __u32 least, __u32 *size)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = flags);
	struct bpf_map_info info = {};
	__u32 info_size = sizeof(info);
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get_opts(path, &opts);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_size) || info.type != BPF_MAP_TYPE_ARRAY ||
	    info.value_size < least) {
		close(fd);
		return -EPROTO;
	}
	*size = info.value_size;
	return fd;
}

int head_read(const char *folder, struct siprtx_meta *head)
{
	__u32 size = 0;
	int fd = open_array(folder, "meta", BPF_F_RDONLY, META_HEAD, &size), err;
	char *value;

	*head = (struct siprtx_meta){};
	if (fd < 0)
		return fd;
	value = malloc(size < META_HEAD ? META_HEAD : size);
	if (!value)
		err = -ENOMEM;
	else
		err = bpf_map_lookup_elem(fd, &first, value) ? -errno : head_take(value, size, head);
	free(value);
	close(fd);
	return err;
}

int head_capture(const char *folder, uint32_t *value)
{
	__u32 size = 0;
	int fd = open_array(folder, "tunables", BPF_F_RDONLY, sizeof(*value), &size), err;

	if (fd < 0)
		return fd;
	err = size != sizeof(*value) ? -EPROTO : bpf_map_lookup_elem(fd, &capture, value) ? -errno : 0;
	close(fd);
	return err;
}

int head_set_capture(const char *folder, uint32_t value)
{
	__u32 size = 0;
	int fd = open_array(folder, "tunables", 0, sizeof(value), &size), err;

	if (fd < 0)
		return fd;
	err = size != sizeof(value) ? -EPROTO : bpf_map_update_elem(fd, &capture, &value, BPF_ANY) ? -errno : 0;
	close(fd);
	return err;
}

void head_explain(const char *folder, char *why, size_t why_size)
{
	struct siprtx_meta head;

	if (!head_read(folder, &head) && head.abi != SIPRTX_ABI) {
		snprintf(why, why_size,
			 "the maps under %s are of version %u, this siprtx is of version %u: `siprtx load` takes over "
			 "from them, that version's own siprtx shows them.",
			 folder, head.abi, SIPRTX_ABI);
		return;
	}
	snprintf(why, why_size,
		 "some of the pins under %s are missing, or are not siprtx's: run `siprtx unload`, then load again.",
		 folder);
}
