// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a program with the system calls named in a file, a line each, and no others: only_calls FILE PROGRAM
 * [ARGUMENT...] */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	FILE *names = argc > 2 ? fopen(argv[1], "re") : NULL;
	char name[64];

	if (!names || !f) {
		fprintf(stderr, "usage: only_calls FILE PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	while (fgets(name, sizeof(name), names)) {
		int number;

		name[strcspn(name, "\n")] = '\0';
		number = seccomp_syscall_resolve_name(name);
		if (number != __NR_SCMP_ERROR && seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0))
			return 2;
	}
	if (fclose(names) || seccomp_load(f))
		return 2;
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
