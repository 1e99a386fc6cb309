// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A softswitch gone mad: INVITEs, each a call of its own, as fast as they go out.
 *
 *   flood SOFTSWITCH-NETNS SOURCE GATEWAY-NETNS GATEWAY SECONDS
 *
 * The gateway's socket is bound and never read, so that nothing there answers, not even by ICMP. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int socket_in(const char *netns, const char *address, struct sockaddr_in *a)
{
	char path[256];
	int fd, ns;

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060)};
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		return -1;
	close(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, address, &a->sin_addr) != 1 || bind(fd, (struct sockaddr *)a, sizeof(*a)))
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	static char data[BATCH][1024];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from, to;
	uint64_t start, end, sent = 0, refused = 0, n = 0;
	int source, sink, k;

	if (argc != 6) {
		fprintf(stderr, "usage: flood SOFTSWITCH-NETNS SOURCE GATEWAY-NETNS GATEWAY SECONDS\n");
		return 2;
	}
	sink = socket_in(argv[3], argv[4], &to);
	source = socket_in(argv[1], argv[2], &from);
	if (sink < 0 || source < 0) {
		perror("flood");
		return 1;
	}
	start = now_ns();
	end = start + (uint64_t)(atof(argv[5]) * 1e9);
	while (now_ns() < end) {
		for (int i = 0; i < BATCH; i++, n++) {
			int length = snprintf(
				data[i], sizeof(data[i]),
				"INVITE sip:b@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK-flood-%" PRIu64
				"\r\n"
				"Max-Forwards: 70\r\nFrom: <sip:a@%s>;tag=f\r\nTo: <sip:b@%s>\r\n"
				"Call-ID: flood-%" PRIu64 "\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
				argv[4], argv[2], n, argv[2], argv[4], n);

			iov[i] = (struct iovec){data[i], length};
			m[i].msg_hdr = (struct msghdr){
				.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov[i], .msg_iovlen = 1};
		}
		k = sendmmsg(source, m, BATCH, 0);
		if (k > 0)
			sent += k;
		else
			refused++;
	}
	printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"seconds\": %.3f}\n", sent, refused,
	       (now_ns() - start) / 1e9);
	return 0;
}
