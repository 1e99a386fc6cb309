// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gateway that only listens, fast: counts datagrams and notes when each one reached the interface, by the kernel's
 * clock, and whose it is (FNV-1a hash of the branch, 0 without one).
 *
 *   sink ADDRESS PORT [LOG]
 *
 * Prints "ready" once bound. On SIGTERM or SIGINT writes the log, 16 bytes a datagram (u64 wall clock ns, u64 hash,
 * host byte order), and one JSON line: what arrived, what the socket had no room for, first and last time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH	128
#define ROOM	(16u << 20) /* datagrams that can be noted; memory is taken as they come */
#define HEAD	512	    /* enough of a message to hold the top Via */
#define RECEIVE (1 << 30)   /* bytes of socket buffer: a burst must not be lost in front of the clock */
#define LOOK_NS 2000000	    /* between two looks at the socket */

struct note {
	uint64_t ns, branch;
};

static volatile sig_atomic_t ending;

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

static uint64_t branch_hash(const char *message, size_t length)
{
	static const char mark[] = "branch=";
	const char *p = memmem(message, length, mark, sizeof(mark) - 1);
	uint64_t hash = 14695981039346656037ull;

	if (!p)
		return 0;
	for (p += sizeof(mark) - 1; p<message + length && * p> ' ' && *p != ';' && *p != ','; p++)
		hash = (hash ^ (unsigned char)*p) * 1099511628211ull;
	return hash;
}

static int bound_socket(const char *address, const char *port)
{
	int on = 1, room = RECEIVE, v6 = !!strchr(address, ':');
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = a6.sin6_port};
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, address, v6 ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) ||
	    bind(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)))
		return -1;
	return fd;
}

/* The datagram's time; *lost: what the socket had dropped by then. */
static uint64_t arrival(struct msghdr *m, uint32_t *lost)
{
	struct timespec ts = {};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(lost, CMSG_DATA(c), sizeof(*lost));
	}
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/*
 * Looks at the socket now and then and never waits in it: over a veth the sender would pay for waking it, for each
 * datagram, what no gateway at the other end of a wire ever costs it.
 */
static int listen_until_ended(int fd, struct note *notes, uint64_t *count, uint32_t *lost)
{
	static char data[BATCH][HEAD], control[BATCH][128];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];

	bool last = false;

	while (!last && *count + BATCH <= ROOM) {
		last = ending;
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){data[i], HEAD};
			m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
						       .msg_iovlen = 1,
						       .msg_control = control[i],
						       .msg_controllen = sizeof(control[i])};
		}
		int n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++)
			notes[(*count)++] =
				(struct note){arrival(&m[i].msg_hdr, lost),
					      branch_hash(data[i], m[i].msg_len < HEAD ? m[i].msg_len : HEAD)};
		if (n < BATCH)
			nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
		else
			last = false;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = end};
	uint64_t count = 0;
	uint32_t lost = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: sink ADDRESS PORT [LOG]\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	struct note *notes = mmap(NULL, sizeof(*notes) * ROOM, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = bound_socket(argv[1], argv[2]);

	if (notes == MAP_FAILED || fd < 0) {
		fprintf(stderr, "sink: %s port %s: %s\n", argv[1], argv[2], strerror(errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	int error = listen_until_ended(fd, notes, &count, &lost);
	FILE *log = argc > 3 ? fopen(argv[3], "w") : NULL;

	if (error || (argc > 3 && (!log || fwrite(notes, sizeof(*notes), count, log) != count || fclose(log)))) {
		fprintf(stderr, "sink: %s\n", strerror(error ? -error : errno));
		return 1;
	}
	printf("{\"datagrams\": %" PRIu64 ", \"lost\": %u, \"first_ns\": %" PRIu64 ", \"last_ns\": %" PRIu64 "}\n",
	       count, lost, count ? notes[0].ns : 0, count ? notes[count - 1].ns : 0);
	return 0;
}
