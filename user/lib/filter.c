// SPDX-License-Identifier: GPL-2.0-or-later
#include "filter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* By name, for the C library chooses among several, and an older libseccomp does not know them all. */
static const char serving[] =
	/* the loop and its clocks */
	"epoll_wait epoll_pwait epoll_pwait2 epoll_ctl epoll_create1 poll ppoll clock_gettime clock_getres "
	"clock_nanosleep nanosleep gettimeofday time restart_syscall signalfd4 eventfd2 "
	/* files: the journal, /proc and /sys, the time zone */
	"read pread64 readv write pwrite64 writev lseek ftruncate fdatasync fsync open openat close fstat stat "
	"lstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat fcntl flock ioctl "
	"getdents64 dup dup3 pipe2 getcwd "
	/* sockets, and sendto() that makes AF_XDP send */
	"sendto sendmsg recvfrom recvmsg bind connect getsockname getpeername getsockopt setsockopt shutdown "
	/* memory */
	"brk munmap mremap madvise membarrier getrandom "
	/* the journal's thread, locks, the end */
	"clone clone3 set_robust_list rseq futex futex_wait futex_wake gettid getpid getppid sched_yield "
	"sched_getaffinity sched_setscheduler sched_getscheduler sched_getparam set_tid_address prctl prlimit64 "
	"getrlimit setrlimit uname sysinfo getuid geteuid getgid getegid capget rt_sigaction rt_sigprocmask "
	"rt_sigreturn sigaltstack tgkill tkill kill exit exit_group wait4";

/* Pins are made and given away; libraries of the user database may be opened. */
static const char loading[] = "bpf mmap mprotect mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 symlink "
			      "symlinkat chmod fchmodat chown lchown fchown fchownat socket "
			      "fchmodat2 memfd_create";

static const int domains[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_XDP};

/* Maps are opened by their pins, read and written, siprtx_lift is run: nothing is made, loaded or detached. */
static const int bpf_commands[] = {
	BPF_OBJ_GET,	      BPF_OBJ_GET_INFO_BY_FD,	      BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,
	BPF_MAP_DELETE_ELEM,  BPF_MAP_GET_NEXT_KEY,	      BPF_MAP_LOOKUP_BATCH, BPF_MAP_UPDATE_BATCH,
	BPF_MAP_DELETE_BATCH, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_PROG_TEST_RUN,
};

/* One this libseccomp has no name for cannot be allowed: the C library does without it. */
static int allow(scmp_filter_ctx f, const char *names)
{
	char name[32];
	int err = 0;

	for (size_t n; *names && !err; names += n + strspn(names + n, " ")) {
		int number;

		n = strcspn(names, " ");
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		number = seccomp_syscall_resolve_name(name);
		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0);
	}
	return err;
}

static int allow_first(scmp_filter_ctx f, int number, const int *values, unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)values[i]));
	return err;
}

/* Memory is never made executable. */
static int allow_data(scmp_filter_ctx f, int number)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int fill(scmp_filter_ctx f, bool loads)
{
	int err = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);

	err = err ?: seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* a tree instead of a list: bpf() is called for every call held, and asks the filter each time */
	err = err ?: seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	err = err ?: allow(f, serving);
	if (loads)
		return err ?: allow(f, loading);
	err = err ?: allow_first(f, SCMP_SYS(socket), domains, COUNT(domains));
	err = err ?: allow_first(f, SCMP_SYS(bpf), bpf_commands, COUNT(bpf_commands));
	err = err ?: allow_data(f, SCMP_SYS(mmap));
	return err ?: allow_data(f, SCMP_SYS(mprotect));
}

int filter_install(bool loads)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err;

	if (!f)
		return -ENOMEM;
	err = fill(f, loads) ?: seccomp_load(f);
	seccomp_release(f);
	return err;
}
