// SPDX-License-Identifier: GPL-2.0-or-later
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pins_copy.h"

static const struct {
	const char *name;
	int mapped;
} pin[PIN_COUNT] = {
#define MAP(name, mapped) [PIN_##name] = {#name, mapped},
	PINNED_MAPS(MAP)
#undef MAP
};

uint64_t pins_ino(const char *pin_path)
{
	char path[PATH_MAX + NAME_LEN];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", pin_path, pin_name(PIN_meta));
	return stat(path, &st) ? 0 : st.st_ino;
}

const char *pin_name(enum pin_id id)
{
	return pin[id].name;
}

static bool is_mapped(const struct pins *p, enum pin_id id)
{
	return p->writable ? pin[id].mapped : pin[id].mapped == 1;
}

static int open_map(struct pins *p, enum pin_id id, const char *pin_path)
{
	/* the kernel maps no memory of a map opened read-only, not even for reading */
	bool mapped = is_mapped(p, id) && !p->copied;
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = p->writable || mapped ? 0 : BPF_F_RDONLY);
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", pin_path, pin[id].name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	p->fd[id] = bpf_obj_get_opts(path, &opts);
	if (p->fd[id] < 0 && errno == EACCES && !p->writable && mapped) {
		p->copied = true;
		opts.file_flags = BPF_F_RDONLY;
		p->fd[id] = bpf_obj_get_opts(path, &opts);
	}
	if (p->fd[id] < 0) {
		int err = -errno;

		p->fd[id] = -1;
		return err;
	}
	if (bpf_obj_get_info_by_fd(p->fd[id], &info, &size))
		return -errno;
	p->entries[id] = info.max_entries;
	if (is_mapped(p, id)) {
		size_t page = sysconf(_SC_PAGESIZE);
		size_t length = (size_t)info.max_entries * ((info.value_size + 7) & ~7u);

		p->length[id] = (length + page - 1) & ~(page - 1);
	}
	return 0;
}

static int map_memory(struct pins *p, enum pin_id id, void *where)
{
	int prot = p->writable || p->copied ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = p->copied ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
	void *at = mmap(NULL, p->length[id], prot, flags, p->copied ? -1 : p->fd[id], 0);

	if (at == MAP_FAILED)
		return -errno;
	*(void **)where = at;
	return p->copied ? pins_copy(p->fd[id], id, at) : 0;
}

static void **memory_of(struct pins *p, enum pin_id id)
{
	switch (id) {
	case PIN_slots:
		return (void **)&p->slots;
	case PIN_txns:
		return (void **)&p->txns;
	case PIN_meta:
		return (void **)&p->meta;
	case PIN_in_force:
		return (void **)&p->in_force;
	case PIN_profiles:
		return (void **)&p->profiles;
	case PIN_tunables:
		return (void **)&p->tunables;
	case PIN_free_slots:
		return (void **)&p->free_slots;
	case PIN_free_head:
		return (void **)&p->free_head;
	case PIN_stats:
		return (void **)&p->stats;
	case PIN_lateness:
		return (void **)&p->lateness;
	case PIN_events:
		return (void **)&p->events;
	case PIN_notify:
		return (void **)&p->notify;
	case PIN_live_batch:
		return (void **)&p->live_batch;
	default:
		return NULL;
	}
}

int pins_open(struct pins *p, const char *pin_path, unsigned use)
{
	int err = 0;

	memset(p, 0, sizeof(*p));
	memset(p->fd, -1, sizeof(p->fd));
	p->writable = use & PINS_WRITE;
	snprintf(p->path, sizeof(p->path), "%s", pin_path);
	for (int id = 0; id < PIN_COUNT && !err; id++) {
		err = open_map(p, id, pin_path);
		if (!err && is_mapped(p, id) && (id != PIN_slots || use & PINS_SLOTS))
			err = map_memory(p, id, memory_of(p, id));
		/* one map there and another not: pins of another program, or of another version */
		if (err == -ENOENT && id > 0)
			err = -EPROTO;
	}
	if (!err &&
	    (p->meta->magic != SIPRTX_MAGIC || p->meta->abi != SIPRTX_ABI || p->entries[PIN_slots] != p->meta->slots))
		err = -EPROTO;
	if (err)
		pins_close(p);
	return err;
}

int pins_renew(struct pins *p, enum pin_id id)
{
	void **memory = memory_of(p, id);

	return p->copied && memory && *memory ? pins_copy(p->fd[id], id, *memory) : 0;
}

int pins_renew_all(struct pins *p)
{
	/* what the copied meta tells of must be in the copies made after it */
	int err = pins_renew(p, PIN_meta);

	for (int id = 0; id < PIN_COUNT && !err; id++)
		if (id != PIN_meta)
			err = pins_renew(p, id);
	return err;
}

void pins_close(struct pins *p)
{
	for (int id = 0; id < PIN_COUNT; id++) {
		void **memory = memory_of(p, id);

		if (memory && *memory) {
			munmap(*memory, p->length[id]);
			*memory = NULL;
		}
		if (p->fd[id] >= 0)
			close(p->fd[id]);
		p->fd[id] = -1;
	}
}
