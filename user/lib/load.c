// SPDX-License-Identifier: GPL-2.0-or-later
#include "load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "attach_tc.h"
#include "clock.h"
#include "egress.h"
#include "hash.h"
#include "head.h"
#include "lock.h"
#include "log.h"
#include "owner.h"
#include "seed.h"
#include "siprtx.skel.h"
#include "successor.h"
#include "unload.h"
#include "ways.h"

struct loading {
	const struct config *c;
	char *why;
	size_t why_size;
	struct siprtx_bpf *bpf;
	struct pins pins;
	struct owner owner;
	bool new_folder, new_lock, new_maps;
	struct attached done[2 * MAX_OUTSIDE], filter[MAX_OUTSIDE];
	unsigned n_done, n_filters;
	struct successor successor;
};

static int __attribute__((format(printf, 3, 4))) because(struct loading *l, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(l->why, l->why_size, format, args);
	va_end(args);
	return err;
}

/* What the attached programs and the seeded maps hang on: the object itself and the configuration. */
static __u64 load_hash(const struct config *c)
{
	size_t size;
	const void *elf = siprtx_bpf__elf_bytes(&size);
	__u64 h = hash_bytes(HASH_START, elf, size);
	bool egress = config_takes_egress(c);

	h = hash_bytes(h, c->inside, c->n_inside * sizeof(c->inside[0]));
	h = hash_bytes(h, c->outside, c->n_outside * sizeof(c->outside[0]));
	h = hash_bytes(h, c->sip_ports, c->n_sip_ports * sizeof(c->sip_ports[0]));
	h = hash_bytes(h, &c->forward, sizeof(c->forward));
	h = hash_bytes(h, &egress, sizeof(egress));
	h = hash_bytes(h, &c->live_frames, sizeof(c->live_frames));
	h = hash_bytes(h, &c->max_transactions, sizeof(c->max_transactions));
	h = hash_bytes(h, c->user, sizeof(c->user));
	h = hash_bytes(h, c->profile, sizeof(c->profile));
	return hash_bytes(h, c->gateway, c->n_gateways * sizeof(*c->gateway));
}

/* libbpf's own lines, the verifier's among them, are for who asks. */
static int libbpf_log(enum libbpf_print_level level __attribute__((unused)), const char *format, va_list args)
{
	return log_verbose ? vfprintf(stderr, format, args) : 0;
}

/* Maps of an earlier load must fit: they hold live transactions, so they are never thrown away in silence. */
static int look_at_pins(struct loading *l)
{
	int err = pins_open(&l->pins, l->c->pin_path, PINS_WRITE);

	if (err == -ENOENT) {
		l->new_maps = true;
		return 0;
	}
	if (err == -EPROTO) {
		head_explain(l->c->pin_path, l->why, l->why_size);
		return err;
	}
	if (err)
		return because(l, err,
			       "cannot open the maps under %s: %s. Run as root, with CAP_DAC_OVERRIDE where they are "
			       "another user's.",
			       l->c->pin_path, strerror(-err));
	if (l->pins.meta->transactions != l->c->max_transactions) {
		err = because(l, -EEXIST,
			      "the maps under %s were made for max_transactions = %u, the configuration says %u. Run "
			      "`siprtx unload` first; it drops the transactions held.",
			      l->c->pin_path, l->pins.meta->transactions, l->c->max_transactions);
		pins_close(&l->pins);
	}
	return err;
}

static int make_folder(struct loading *l)
{
	int err = 0;

	if (!mkdir(l->c->pin_path, 0750))
		l->new_folder = true;
	else if (errno != EEXIST)
		err = -errno;
	if (err == -ENOENT)
		return because(
			l, err,
			"the folder that %s is to be in is not there. Make it (mkdir -p), or choose another pin_path.",
			l->c->pin_path);
	l->new_lock = !err && !lock_is_there(l->c->pin_path);
	err = err ?: lock_make(l->c->pin_path);
	if (err)
		because(l, err,
			"cannot make %s: %s. Mount a bpf file system (`mount -t bpf bpf /sys/fs/bpf`) and run as root.",
			l->c->pin_path, strerror(-err));
	return err;
}

static void set_program_constants(struct siprtx_bpf *bpf, const struct config *c)
{
	for (unsigned i = 0; i < c->n_sip_ports; i++)
		bpf->rodata->sip_ports[c->sip_ports[i] >> 6] |= 1ull << (c->sip_ports[i] & 63);
	bpf->rodata->forward_by = c->forward;
	/* what is not attached need not be verified */
	bpf_program__set_autoload(bpf->progs.siprtx_inside, !config_takes_egress(c));
	bpf_program__set_autoload(bpf->progs.siprtx_egress, config_takes_egress(c));
	bpf_program__set_autoload(bpf->progs.siprtx_lift, config_takes_egress(c));
}

static int pin_maps(struct loading *l)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err;

	for (int id = 0; id < PIN_COUNT; id++) {
		map = bpf_object__find_map_by_name(l->bpf->obj, pin_name(id));
		if (snprintf(path, sizeof(path), "%s/%s", l->c->pin_path, pin_name(id)) >= (int)sizeof(path))
			return because(l, -ENAMETOOLONG, "pin_path %s is too long. Choose a shorter one.",
				       l->c->pin_path);
		err = map ? bpf_map__set_pin_path(map, path) : -ENOENT;
		if (err)
			return because(l, err, "map %s cannot be pinned: %s.", pin_name(id), strerror(-err));
	}
	return 0;
}

static int load_programs(struct loading *l)
{
	int cpus = libbpf_num_possible_cpus(), err;

	if (cpus < 0)
		return because(l, cpus, "cannot tell how many CPUs there are: %s.", strerror(-cpus));
	l->bpf = siprtx_bpf__open();
	if (!l->bpf)
		return because(l, -errno, "cannot read the BPF object: %s.", strerror(errno));
	set_program_constants(l->bpf, l->c);
	bpf_map__set_max_entries(l->bpf->maps.slots, seed_slots(l->c, cpus));
	bpf_map__set_max_entries(l->bpf->maps.free_slots, seed_slots(l->c, cpus));
	bpf_map__set_max_entries(l->bpf->maps.txns, seed_txns(l->c));
	l->bpf->rodata->txn_buckets = seed_txns(l->c);
	err = pin_maps(l);
	if (err)
		return err;
	err = siprtx_bpf__load(l->bpf);
	if (err == -EPERM || err == -EACCES)
		return because(l, err,
			       "the kernel refuses the programs: %s. Run as root, or with CAP_BPF, CAP_NET_ADMIN and "
			       "CAP_PERFMON.",
			       strerror(-err));
	if (err)
		return because(l, err, "the kernel refuses the programs or maps: %s. `-v` shows its reasons.",
			       strerror(-err));
	return 0;
}

static int fill_maps(struct loading *l)
{
	int err = 0;

	if (l->new_maps) {
		/* the magic number is not there yet, so not by pins_open()'s own check */
		__u32 zero = 0;
		struct siprtx_meta meta = {
			.magic = SIPRTX_MAGIC, .abi = SIPRTX_ABI, .slots = bpf_map__max_entries(l->bpf->maps.slots)};

		if (bpf_map_update_elem(bpf_map__fd(l->bpf->maps.meta), &zero, &meta, BPF_ANY))
			return because(l, -errno, "cannot write the map meta: %s.", strerror(errno));
		err = pins_open(&l->pins, l->c->pin_path, PINS_WRITE);
		if (!err)
			err = seed_new(&l->pins, l->c);
	}
	if (!err)
		err = seed_values(&l->pins, l->c, 0);
	if (err)
		return because(l, err, "cannot fill the maps under %s: %s.", l->c->pin_path, strerror(-err));
	return 0;
}

/* Maps of an earlier load too: the user may have been named since. */
static int give_pins(struct loading *l)
{
	const char *folder = l->c->pin_path;
	char path[PATH_MAX];
	int err = owner_give_folder(&l->owner, folder) ?: lock_give(folder, &l->owner);

	for (int id = 0; id < PIN_COUNT && !err; id++) {
		if (snprintf(path, sizeof(path), "%s/%s", folder, pin_name(id)) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		err = owner_give_map(&l->owner, path);
	}
	/* root without the right to give away, and nobody asked for it: all stays root's */
	if (err == -EPERM && !*l->c->user)
		return 0;
	if (err)
		return because(
			l, err,
			"cannot give the maps under %s to user %s: %s. Load with CAP_CHOWN too, or leave user out.",
			folder, l->owner.name, strerror(-err));
	return 0;
}

static int attach_one(struct loading *l, const char *ifname, int prog_fd)
{
	int err = attach(l->c->pin_path, ifname, prog_fd, &l->done[l->n_done], l->why, l->why_size);

	if (!err)
		l->n_done++;
	return err;
}

/* Where the softswitch's messages are taken as they leave. */
static int attach_egress(struct loading *l, const char *ifname)
{
	int err = tc_attach(l->c->pin_path, ifname, bpf_program__fd(l->bpf->progs.siprtx_egress),
			    &l->filter[l->n_filters], l->why, l->why_size);

	if (!err)
		l->n_filters++;
	return err;
}

static int attach_all(struct loading *l)
{
	int in = bpf_program__fd(l->bpf->progs.siprtx_inside), out = bpf_program__fd(l->bpf->progs.siprtx_outside);
	bool egress = config_takes_egress(l->c);
	int err = 0;

	/* the side that stops timers first: nothing is captured before its answer would be seen */
	for (unsigned i = 0; i < l->c->n_outside && !err; i++)
		err = attach_one(l, l->c->outside[i], out);
	for (unsigned i = 0; i < l->c->n_outside && egress && !err; i++)
		err = attach_egress(l, l->c->outside[i]);
	for (unsigned i = 0; i < l->c->n_inside && !egress && !err; i++)
		err = attach_one(l, l->c->inside[i], in);
	return err;
}

static void name_interfaces(struct loading *l)
{
	struct siprtx_meta *m = l->pins.meta;

	m->interfaces = 0;
	for (unsigned i = 0; i < l->n_done; i++) {
		struct siprtx_interface *itf = &m->interface[i];

		memset(itf, 0, sizeof(*itf));
		strcpy(itf->name, l->done[i].name);
		itf->ifindex = if_nametoindex(itf->name);
		itf->attach = l->done[i].mode;
		itf->side = i < l->c->n_outside ? SIDE_OUTSIDE : SIDE_INSIDE;
		itf->outside = i < l->c->n_outside ? i : 0;
		itf->up = 1;
	}
	m->interfaces = l->n_done;
}

static void undo(struct loading *l)
{
	while (l->n_filters)
		tc_attach_undo(l->c->pin_path, &l->filter[--l->n_filters]);
	while (l->n_done)
		attach_undo(l->c->pin_path, &l->done[--l->n_done]);
	if (l->successor.moved)
		return successor_undo(&l->successor);
	if (l->new_maps)
		unpin_maps(l->c->pin_path);
	if (l->new_folder)
		remove_folder(l->c->pin_path);
	else if (l->new_lock)
		lock_remove(l->c->pin_path);
}

/* In place of those of the former load, whose fds are kept for an undo. */
static int pin_programs(struct loading *l)
{
	struct bpf_program *const program[] = {l->bpf->progs.siprtx_outside, l->bpf->progs.siprtx_inside,
					       l->bpf->progs.siprtx_lift};
	static const char *const name[] = {PROGRAM_OUTSIDE, PROGRAM_PREFIX "inside", PROGRAM_LIFT};
	/* siprtxd runs it, and so it is its user's */
	const bool own[] = {l->c->live_frames, false, config_takes_egress(l->c)};
	char path[PATH_MAX];
	int err = 0;

	for (unsigned i = 0; i < 3 && !err; i++) {
		int fd = bpf_program__fd(program[i]);

		if (snprintf(path, sizeof(path), "%s/%s", l->c->pin_path, name[i]) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		unlink(path);
		/* one that is not attached is not loaded */
		err = fd >= 0 && bpf_obj_pin(fd, path) ? -errno : 0;
		if (err || !own[i])
			continue;
		err = owner_give_map(&l->owner, path);
		if (err == -EPERM && !*l->c->user)
			err = 0;
	}
	return err ? because(l, err, "cannot pin %s: %s.", path, strerror(-err)) : 0;
}

static int finish(struct loading *l)
{
	int err;

	name_interfaces(l);
	err = egress_refresh(l->pins.fd[PIN_egress], l->pins.meta)
		      ?: ways_refresh(l->pins.fd[PIN_ways], l->pins.meta, l->c->forward);
	if (err)
		return because(l, err, "cannot ask netlink for the interfaces: %s.", strerror(-err));
	err = pin_programs(l);
	if (err)
		return err;
	err = seed_values(&l->pins, l->c, load_hash(l->c));
	if (err)
		return because(l, err, "cannot write the map configured: %s.", strerror(-err));
	l->pins.meta->loaded_ns = now_ns();
	return 0;
}

/* What this configuration does not name any more goes. */
static void settle(struct loading *l)
{
	char keep[2 * MAX_OUTSIDE][16];

	for (unsigned i = 0; i < l->n_filters; i++) {
		memcpy(keep[i], l->filter[i].name, sizeof(keep[i]));
		attach_settle(&l->filter[i]);
	}
	tc_detach_others(l->c->pin_path, keep, l->n_filters);
	for (unsigned i = 0; i < l->n_done; i++) {
		memcpy(keep[i], l->done[i].name, sizeof(keep[i]));
		attach_settle(&l->done[i]);
	}
	detach_others(l->c->pin_path, keep, l->n_done);
	successor_finish(&l->successor);
}

int load(const struct config *c, __u64 limit_ns, char *why, size_t why_size)
{
	struct loading l = {.c = c, .why = why, .why_size = why_size};
	int err;

	memset(l.pins.fd, -1, sizeof(l.pins.fd));
	libbpf_set_print(libbpf_log);
	err = owner_find(c->user, &l.owner);
	if (err)
		return because(&l, err, "there is no user %s. Make it (useradd -r %s), or leave user out.", c->user,
			       c->user);
	err = successor_begin(&l.successor, c, why, why_size);
	if (!err)
		err = look_at_pins(&l);
	if (!err)
		err = make_folder(&l);
	if (!err)
		err = load_programs(&l);
	if (!err)
		err = fill_maps(&l);
	if (!err)
		err = give_pins(&l);
	if (!err)
		err = successor_drain(&l.successor, limit_ns, why, why_size);
	if (!err)
		err = successor_take_links(&l.successor, why, why_size);
	if (!err)
		err = attach_all(&l);
	if (!err)
		err = finish(&l);
	if (err)
		undo(&l);
	else
		settle(&l);
	successor_end(&l.successor);
	pins_close(&l.pins);
	siprtx_bpf__destroy(l.bpf);
	return err;
}

bool load_is_done(const struct config *c)
{
	struct siprtx_configured configured;
	struct pins p;
	bool egress = config_takes_egress(c), done;
	__u32 zero = 0;

	if (successor_pending(c->pin_path) || pins_open(&p, c->pin_path, PINS_READ))
		return false;
	done = !bpf_map_lookup_elem(p.fd[PIN_configured], &zero, &configured) && configured.load_hash == load_hash(c);
	done = done && lock_is_there(c->pin_path) && (!egress || lift_is_pinned(c->pin_path));
	for (unsigned i = 0; i < c->n_inside && !egress && done; i++)
		done = attach_state(c->pin_path, c->inside[i]) != ATTACH_NONE;
	for (unsigned i = 0; i < c->n_outside && done; i++)
		done = attach_state(c->pin_path, c->outside[i]) != ATTACH_NONE &&
		       (!egress || tc_is_attached(c->pin_path, c->outside[i]));
	pins_close(&p);
	return done;
}
