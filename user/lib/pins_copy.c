// SPDX-License-Identifier: GPL-2.0-or-later
#include "pins_copy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slot.h"

#define BATCH_BYTES (1 << 20)

static void put_value(enum pin_id id, char *to, const char *value, size_t size)
{
	const struct siprtx_slot *slot = (const void *)value;

	if (id == PIN_slots && word_state(slot_word(slot)) == ST_FREE)
		((struct siprtx_slot *)(void *)to)->word = slot->word;
	else
		memcpy(to, value, size);
}

static int copy_batches(int fd, enum pin_id id, const struct bpf_map_info *info, __u32 *keys, char *values, __u32 room,
			char *to)
{
	size_t stride = (info->value_size + 7) & ~7u;
	__u32 next, done = 0;
	int err = 0;

	while (!err && done < info->max_entries) {
		__u32 n = room;

		/* -ENOENT: these were the last */
		err = bpf_map_lookup_batch(fd, done ? &next : NULL, &next, keys, values, &n, NULL);
		if (err == -ENOENT && n)
			err = 0;
		if (!n && !err)
			err = -EIO;
		for (__u32 i = 0; i < n && !err && done < info->max_entries; i++, done++)
			put_value(id, to + done * stride, values + (size_t)i * info->value_size, info->value_size);
	}
	return err;
}

int pins_copy(int fd, enum pin_id id, void *to)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), room;
	char *values;
	__u32 *keys;
	int err;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (!info.value_size || !info.max_entries)
		return -EPROTO;
	room = info.value_size < BATCH_BYTES ? BATCH_BYTES / info.value_size : 1;
	if (room > info.max_entries)
		room = info.max_entries;
	values = malloc((size_t)room * info.value_size);
	keys = malloc(room * sizeof(*keys));
	err = values && keys ? copy_batches(fd, id, &info, keys, values, room, to) : -ENOMEM;
	free(values);
	free(keys);
	return err;
}
