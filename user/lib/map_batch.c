// SPDX-License-Identifier: GPL-2.0-or-later
#include "map_batch.h"

#include <bpf/bpf.h>
#include <errno.h>

void map_delete_keys(int fd, const void *keys, size_t key_size, __u32 n)
{
	__u32 done = 0;

	while (done < n) {
		__u32 count = n - done;

		/* it stops at a key that is not there: on with the one after */
		if (!bpf_map_delete_batch(fd, (const char *)keys + done * key_size, &count, NULL))
			return;
		if (errno != ENOENT)
			count = 0;
		done += count;
		bpf_map_delete_elem(fd, (const char *)keys + done++ * key_size);
	}
}
