// SPDX-License-Identifier: GPL-2.0-or-later
#include "check.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "check_conntrack.h"
#include "check_down.h"
#include "check_forward.h"
#include "check_link.h"
#include "check_netfilter.h"
#include "check_notify.h"
#include "check_rights.h"
#include "head.h"
#include "load.h"
#include "rights.h"
#include "schedule.h"
#include "sysctl.h"

#define LONGEST_PATIENCE_MS 10000 /* VOS3000's INVITE timer, the shortest in the field; Kamailio's is 30 s */
#define TIMER_B_MS	    32000 /* RFC 3261 17.1.1.2: a client has given up by then */

static void check_kernel(bool loaded, struct problems *problems)
{
	unsigned major = 0, minor = 0;
	struct utsname host;
	int fd;

	if (uname(&host) || sscanf(host.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
	    (major == 6 && minor < 1))
		problem_add(problems, PROBLEM_ERROR, "kernel", "Boot Linux 6.1 or later", "kernel %s is too old",
			    host.release);
	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	else if (errno == EAFNOSUPPORT)
		problem_add(problems, PROBLEM_ERROR, "kernel", "Boot a kernel with CONFIG_XDP_SOCKETS",
			    "this kernel has no AF_XDP sockets");
	/* a probe without the right to load would blame the kernel */
	if (loaded || !rights_have(CAP_BPF) || !rights_have(CAP_NET_ADMIN))
		return;
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) != 1)
		problem_add(problems, PROBLEM_ERROR, "kernel", "Boot a kernel with CONFIG_BPF_SYSCALL",
			    "this kernel loads no XDP program");
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) != 1)
		problem_add(problems, PROBLEM_ERROR, "kernel", "Boot a kernel with CONFIG_BPF_SYSCALL",
			    "this kernel makes no BPF ring buffer");
}

/* Cuts `path` to the part that exists and tells its file system; EPERM is bpffs's word for a '.'. 0 or -errno. */
static int existing_part(char *path, struct statfs *fs)
{
	while (statfs(path, fs)) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT && errno != ENOTDIR && errno != EPERM)
			return -errno;
		slash[slash == path] = '\0';
	}
	return 0;
}

static void check_bpffs(const struct config *c, struct problems *problems)
{
	char path[PATH_MAX];
	struct statfs fs;
	int err;

	strcpy(path, c->pin_path);
	err = existing_part(path, &fs);
	if (err)
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"),
			    "Run as root, or choose a pin_path you may look into", "%.150s cannot be looked at: %s",
			    c->pin_path, strerror(-err));
	else if (fs.f_type != BPF_FS_MAGIC)
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"),
			    "Run: mount -t bpf bpf /sys/fs/bpf, and keep pin_path below it",
			    "%.150s is not on a BPF file system", c->pin_path);
	else if (strchr(c->pin_path + strlen(path) + 1, '/'))
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"),
			    "Make it with mkdir -p, or choose another",
			    "the folder that %.150s is to be in is not there", c->pin_path);
	else if (strchr(c->pin_path + strlen(path), '.'))
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"), "Choose a name without it",
			    "%.150s has a '.', which the BPF file system refuses", c->pin_path);
}

/* The slots are the UMEM, and the kernel counts a UMEM as locked memory (ENOBUFS over the limit). */
static void check_memlock(const struct config *c, struct problems *problems)
{
	rlim_t need = (rlim_t)c->max_transactions * SLOT_SIZE;
	struct rlimit limit;
	char remedy[128];

	if (rights_have(CAP_IPC_LOCK) || rights_have(CAP_SYS_RESOURCE) || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_max >= need)
		return;
	snprintf(remedy, sizeof(remedy), "Set LimitMEMLOCK=infinity for the service, or max_transactions to %llu",
		 (unsigned long long)limit.rlim_max / SLOT_SIZE);
	problem_add(problems, PROBLEM_ERROR, config_where(c, "max_transactions"), remedy,
		    "%u transactions need %llu KiB of locked memory, the limit is %llu KiB", c->max_transactions,
		    (unsigned long long)need >> 10, (unsigned long long)limit.rlim_max >> 10);
}

static void check_patience(const struct config *c, struct problems *problems)
{
	char names[160] = "";
	uint64_t longest = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_profiles; i++) {
		const struct config_profile *profile = &c->profile[i];
		uint64_t window = schedule_window_ms(profile->field);
		size_t used = strlen(names);

		if (!config_uses(c, i) || profile->field[PF_TIMEOUT_INVITE] || window <= LONGEST_PATIENCE_MS)
			continue;
		snprintf(names + used, sizeof(names) - used, "%s%s", n++ ? ", " : "", profile->name);
		longest = window > longest ? window : longest;
	}
	if (n)
		problem_add(
			problems, PROBLEM_WARNING, "profiles",
			"Set it to the softswitch's own INVITE timer: VOS3000 gives up after 10 s, Kamailio after 30 s",
			"timeout_invite is 0 in %s, and a call is tried for up to %g s", names, longest / 1000.0);
}

/* A reply after the softswitch's own Timer B answers nobody. */
static void check_late_replies(const struct config *c, struct problems *problems)
{
	for (unsigned i = 0; i < c->n_gateways; i++) {
		const struct config_gateway *g = &c->gateway[i];
		const struct config_profile *profile = &c->profile[g->profile];
		uint64_t window = schedule_window_ms(profile->field);
		char remedy[128], where[NAME_LEN + 8];

		if (g->on_exhausted == ON_EXHAUSTED_RECORD || window < TIMER_B_MS)
			continue;
		snprintf(remedy, sizeof(remedy),
			 "Set timeout_invite of profile %s under the softswitch's own INVITE timer", profile->name);
		snprintf(where, sizeof(where), "gateway %s", g->name);
		problem_add(
			problems, PROBLEM_WARNING, where, remedy,
			"on_exhausted answers an INVITE %g s after it was sent, when the softswitch has given it up",
			window / 1000.0);
	}
}

/* The lookup of the next hop at capture asks the inside interface's own setting (BPF_FIB_LKUP_RET_FWD_DISABLED). */
static void check_forwarding(const struct config *c, struct problems *problems)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool wanted[2] = {!c->n_gateways, false};
	static const struct {
		const char *folder, *name, *remedy;
	} family[2] = {
		{"ipv4", "IPv4", "Run: sysctl -w net.ipv4.ip_forward=1"},
		{"ipv6", "IPv6", "Run: sysctl -w net.ipv6.conf.all.forwarding=1"},
	};

	for (unsigned i = 0; i < c->n_gateways; i++)
		wanted[!!memcmp(c->gateway[i].addr, mapped, sizeof(mapped))] = true;
	for (unsigned i = 0; i < c->n_inside; i++) {
		for (unsigned v = 0; v < 2; v++) {
			if (wanted[v] &&
			    !sysctl_number("/proc/sys/net/%s/conf/%s/forwarding", family[v].folder, c->inside[i]))
				problem_add(
					problems, PROBLEM_WARNING, "inside", family[v].remedy,
					"%s forwarding is off on %s, so its calls are neither forwarded nor captured",
					family[v].name, c->inside[i]);
		}
	}
}

/* Copies that may be sent in the long run, against what a full table of calls without an answer wants. */
static void check_pace(const struct pins *pins, struct problems *problems)
{
	const struct siprtx_in_force *f = pins->in_force;
	uint64_t sends = f->tunables[TUN_tick_sends], tick = f->tunables[TUN_tick];
	uint64_t window = schedule_window_ms(f->profiles), want;
	char remedy[128];

	if (!sends || !tick || !window)
		return;
	want = pins->meta->transactions * 1000ull * schedule_count(f->profiles) / window;
	if (sends * 1000000 / tick >= want)
		return;
	snprintf(remedy, sizeof(remedy), "Run: siprtx set tick_sends %" PRIu64, want * tick / 1000000 + 1);
	problem_add(problems, PROBLEM_WARNING, "tunables", remedy,
		    "tick_sends and tick let %" PRIu64
		    " copies a second out, and %u calls without an answer want %" PRIu64
		    "; the rest is left to the softswitch",
		    sends * 1000000 / tick, pins->meta->transactions, want);
}

/* With capture at egress a reply takes a program, which siprtxd runs. */
static void check_lift(const struct config *c, struct problems *problems)
{
	if (config_takes_egress(c) && config_replies(c) && !lift_is_pinned(c->pin_path))
		problem_add(problems, PROBLEM_WARNING, config_where(c, "pin_path"),
			    "Run: siprtx load, and start siprtxd again",
			    "%.150s/" PROGRAM_LIFT " is missing: replies cannot be handed to this host's network "
			    "stack, so calls are recorded and not answered",
			    c->pin_path);
}

/*
 * Maps that are there already, with transactions in them, must be those this configuration asks for. False: they may
 * not even be looked at.
 */
static bool check_pins(const struct config *c, struct problems *problems)
{
	struct siprtx_meta head;
	struct pins pins;
	int err = pins_open(&pins, c->pin_path, PINS_READ);

	if (err == -EACCES)
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"),
			    "Run as root, or as the user they were loaded for",
			    "there is no right to read the maps under %.150s", c->pin_path);
	if (err == -EPROTO && !head_read(c->pin_path, &head) && head.abi != SIPRTX_ABI)
		problem_add(problems, PROBLEM_WARNING, config_where(c, "pin_path"),
			    "Run siprtx load while its siprtxd serves: it waits for them",
			    "%.150s holds maps of version %u (this is version %u) and %u transactions in them",
			    c->pin_path, head.abi, SIPRTX_ABI, head.held);
	else if (err == -EPROTO)
		problem_add(problems, PROBLEM_ERROR, config_where(c, "pin_path"), "Run: siprtx unload",
			    "some of the pins under %.150s are missing, or are not siprtx's", c->pin_path);
	if (err)
		return err != -EACCES;
	if (pins.meta->transactions != c->max_transactions)
		problem_add(problems, PROBLEM_ERROR, config_where(c, "max_transactions"),
			    "Set it back, or run siprtx unload, which drops the transactions held",
			    "the maps that are loaded have %u transactions, not %u", pins.meta->transactions,
			    c->max_transactions);
	check_lift(c, problems);
	check_pace(&pins, problems);
	check_judged(c, &pins, problems);
	pins_close(&pins);
	return true;
}

void check_host(const struct config *c, enum check_purpose purpose, struct problems *problems)
{
	bool loaded = load_is_done(c), there;
	struct owner who;

	rights_read();
	check_links(c, problems);
	check_user(c, purpose, &who, problems);
	there = check_way_to_pins(c, purpose, &who, problems);
	if (there) {
		check_attached(c, problems);
		loaded |= !check_pins(c, problems);
		check_bpffs(c, problems);
	}
	check_rights(c, purpose, loaded || !there, problems);
	check_kernel(loaded, problems);
	if (purpose != CHECK_LOAD) {
		check_memlock(c, problems);
		check_journal(c, &who, problems);
	}
	check_conntrack(c, problems);
	check_netfilter(c, problems);
	check_forward(c, problems);
	if (c->mode == MODE_INLINE)
		check_forwarding(c, problems);
	check_patience(c, problems);
	check_late_replies(c, problems);
	check_down(c, problems);
	if (purpose == CHECK_ALL)
		check_notify(c, problems);
}
