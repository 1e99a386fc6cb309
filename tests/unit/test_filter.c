// SPDX-License-Identifier: GPL-2.0-or-later
/* The seccomp filter, each time in a child: it cannot be taken off again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"

static char path[] = "/tmp/siprtx-test-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int remove_it(void **state)
{
	(void)state;
	return unlink(path);
}

/* What `act` returns under the filter: 0, or an errno. */
static int under_filter(bool loads, int (*act)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		_exit(filter_install(loads) ? 255 : act());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int run_program(void)
{
	char *const argv[] = {"true", NULL};

	return result(execv("/bin/true", argv));
}

static int trace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int packet_socket(void)
{
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int bpf_command(int command)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	return result(syscall(SYS_bpf, command, &attr, sizeof(attr)));
}

static int load_program(void)
{
	return bpf_command(BPF_PROG_LOAD);
}

static int detach_link(void)
{
	return bpf_command(BPF_LINK_DETACH);
}

static int look_up(void)
{
	return bpf_command(BPF_MAP_LOOKUP_ELEM);
}

static int run_lift(void)
{
	return bpf_command(BPF_PROG_TEST_RUN);
}

static int executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int remove_file(void)
{
	return result(unlink("/tmp/siprtx-is-not-there"));
}

static int rename_file(void)
{
	return result(rename("/tmp/siprtx-is-not-there", "/tmp/siprtx-nor-this"));
}

static int other_user(void)
{
	return result(setuid(getuid()));
}

static void *in_thread(void *arg)
{
	*(int *)arg = trace();
	return NULL;
}

static int thread_calls(void)
{
	pthread_t thread;
	int got = 0;

	if (pthread_create(&thread, NULL, in_thread, &got))
		return EAGAIN;
	pthread_join(thread, NULL);
	return got;
}

/* A bit of all that a serving siprtxd does. */
static int serve(void)
{
	struct timespec pause = {.tv_nsec = 1000};
	char *memory = malloc(1 << 20);
	time_t now = time(NULL);
	struct tm tm;
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC), sockets[3];

	if (fd < 0 || !memory)
		return 1;
	free(memory);
	if (write(fd, "x", 1) != 1 || fdatasync(fd) || ftruncate(fd, 0) || close(fd))
		return 2;
	sockets[0] = socket(AF_INET, SOCK_DGRAM, 0);
	sockets[1] = socket(AF_NETLINK, SOCK_RAW, 0);
	sockets[2] = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (unsigned i = 0; i < 3; i++)
		if (sockets[i] < 0 || close(sockets[i]))
			return 3;
	return nanosleep(&pause, NULL) || !localtime_r(&now, &tm) ? 4 : 0;
}

static void what_siprtxd_never_does_is_refused(void **state)
{
	(void)state;
	assert_int_equal(under_filter(false, run_program), ENOSYS);
	assert_int_equal(under_filter(false, trace), ENOSYS);
	assert_int_equal(under_filter(false, packet_socket), ENOSYS);
	assert_int_equal(under_filter(false, load_program), ENOSYS);
	assert_int_equal(under_filter(false, detach_link), ENOSYS);
	assert_int_equal(under_filter(false, executable_memory), ENOSYS);
	assert_int_equal(under_filter(false, remove_file), ENOSYS);
	assert_int_equal(under_filter(false, rename_file), ENOSYS);
	assert_int_equal(under_filter(false, other_user), ENOSYS);
	assert_int_equal(under_filter(false, thread_calls), ENOSYS);
}

static void what_it_does_is_not(void **state)
{
	(void)state;
	assert_int_equal(under_filter(false, serve), 0);
	assert_int_not_equal(under_filter(false, look_up), ENOSYS); /* EBADF: the kernel's own answer */
	assert_int_not_equal(under_filter(false, run_lift), ENOSYS);
}

static void who_loads_may_load_and_no_more(void **state)
{
	(void)state;
	assert_int_not_equal(under_filter(true, load_program), ENOSYS);
	assert_int_equal(under_filter(true, remove_file), ENOENT);
	assert_int_equal(under_filter(true, rename_file), ENOENT);
	assert_int_equal(under_filter(true, serve), 0);
	assert_int_equal(under_filter(true, run_program), ENOSYS);
	assert_int_equal(under_filter(true, trace), ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_siprtxd_never_does_is_refused),
		cmocka_unit_test(what_it_does_is_not),
		cmocka_unit_test(who_loads_may_load_and_no_more),
	};

	return cmocka_run_group_tests(tests, make_file, remove_it);
}
