// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Steady traffic through an edge, both ways, each datagram counted where it arrives.
 *
 *   steady NETNS-A ADDRESS-A NETNS-B ADDRESS-B RATE
 *
 * RATE datagrams a second in each of four streams, until SIGTERM: OPTIONS from A, port 5062, to B, port 5060, their
 * answers from B to A, and RTP-like ones of 172 bytes on port 30000, both ways. Prints "ready" once it sends, and at
 * the end one JSON line: what was sent, did not arrive, arrived twice or otherwise than it was sent, and the longest
 * time in which nothing arrived.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM	 (1u << 21) /* datagrams a stream */
#define RECEIVE	 (64 << 20)
#define LARGEST	 512
#define SLEEP_NS 1000000
#define QUIET_NS 300000000

struct stream {
	const char *name;
	int from, to;
	struct sockaddr_in peer;
	uint8_t *got;
	uint32_t sent, doubled, changed;
	uint64_t last_ns, longest_ns;
	size_t (*make)(char *, uint32_t);
};

static volatile sig_atomic_t ending;

static void end(int number)
{
	(void)number;
	ending = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static size_t sip(char *m, const char *start, uint32_t n)
{
	return snprintf(m, LARGEST,
			"%s\r\nVia: SIP/2.0/UDP 10.77.1.2:5062;branch=z9hG4bK-steady-%08x\r\nMax-Forwards: 70\r\n"
			"From: <sip:a@10.77.1.2>;tag=f\r\nTo: <sip:b@10.77.2.9>\r\nCall-ID: steady-%08x\r\n"
			"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			start, n, n);
}

static size_t request(char *m, uint32_t n)
{
	return sip(m, "OPTIONS sip:b@10.77.2.9 SIP/2.0", n);
}

static size_t response(char *m, uint32_t n)
{
	return sip(m, "SIP/2.0 200 OK", n);
}

static size_t rtp(char *m, uint32_t n)
{
	memset(m, n & 0xff, 172);
	m[0] = (char)0x80;
	m[1] = 8;
	memcpy(m + 4, &n, sizeof(n));
	return 172;
}

static uint32_t number_of(const char *m, size_t size)
{
	static const char mark[] = "z9hG4bK-steady-";
	const char *at = memmem(m, size, mark, sizeof(mark) - 1);
	uint32_t n = UINT32_MAX;

	if (at)
		return strtoul(at + sizeof(mark) - 1, NULL, 16);
	if (size >= 8)
		memcpy(&n, m + 4, sizeof(n));
	return n;
}

static int socket_in(const char *netns, const char *address, uint16_t port, struct sockaddr_in *a)
{
	int room = RECEIVE, fd, ns;
	char path[128];

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) || inet_pton(AF_INET, address, &a->sin_addr) != 1)
		return -1;
	close(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)a, sizeof(*a)))
		return -1;
	return fd;
}

static void send_due(struct stream *s, uint32_t until)
{
	char m[LARGEST];
	size_t size;

	for (; s->sent < until && s->sent < ROOM; s->sent++) {
		size = s->make(m, s->sent);
		if (sendto(s->from, m, size, 0, (struct sockaddr *)&s->peer, sizeof(s->peer)) < 0)
			break; /* no room at the moment: again */
	}
}

static void receive(struct stream *s)
{
	char m[2 * LARGEST], wanted[LARGEST];
	ssize_t size;
	uint32_t n;

	while ((size = recv(s->to, m, sizeof(m), 0)) >= 0) {
		uint64_t now = now_ns();

		n = number_of(m, size);
		if (n >= s->sent || s->make(wanted, n) != (size_t)size || memcmp(m, wanted, size)) {
			s->changed++;
			continue;
		}
		if (s->last_ns && now - s->last_ns > s->longest_ns)
			s->longest_ns = now - s->last_ns;
		s->last_ns = now;
		if (s->got[n]++)
			s->doubled++;
	}
}

static void report(const struct stream *s, const char *before)
{
	uint32_t lost = 0;

	for (uint32_t i = 0; i < s->sent; i++)
		lost += !s->got[i];
	printf("%s\"%s\": {\"sent\": %u, \"lost\": %u, \"doubled\": %u, \"changed\": %u, \"longest_ms\": %.1f}", before,
	       s->name, s->sent, lost, s->doubled, s->changed, s->longest_ns / 1e6);
}

int main(int argc, char **argv)
{
	struct stream streams[4] = {
		{.name = "requests", .make = request},
		{.name = "responses", .make = response},
		{.name = "media_out", .make = rtp},
		{.name = "media_in", .make = rtp},
	};
	struct sigaction act = {.sa_handler = end};
	struct sockaddr_in a, b, media_a, media_b;
	uint64_t start, quiet;
	unsigned rate;

	if (argc != 6) {
		fprintf(stderr, "usage: steady NETNS-A ADDRESS-A NETNS-B ADDRESS-B RATE\n");
		return 2;
	}
	rate = strtoul(argv[5], NULL, 10);
	sigaction(SIGTERM, &act, NULL);
	int at_a = socket_in(argv[1], argv[2], 5062, &a), at_b = socket_in(argv[3], argv[4], 5060, &b);
	int rtp_a = socket_in(argv[1], argv[2], 30000, &media_a), rtp_b = socket_in(argv[3], argv[4], 30000, &media_b);

	if (at_a < 0 || at_b < 0 || rtp_a < 0 || rtp_b < 0) {
		perror("steady");
		return 1;
	}
	for (int i = 0; i < 4; i++) {
		struct stream *s = &streams[i];

		s->from = (const int[]){at_a, at_b, rtp_a, rtp_b}[i];
		s->to = (const int[]){at_b, at_a, rtp_b, rtp_a}[i];
		s->peer = i == 0 ? b : i == 1 ? a : i == 2 ? media_b : media_a;
		s->got = calloc(ROOM, 1);
		if (!s->got)
			return 1;
	}
	puts("ready");
	fflush(stdout);
	start = now_ns();
	for (quiet = 0; !quiet || now_ns() < quiet;) {
		if (!quiet && ending)
			quiet = now_ns() + QUIET_NS;
		for (int i = 0; i < 4; i++) {
			if (!quiet)
				send_due(&streams[i], (now_ns() - start) * rate / 1000000000);
			receive(&streams[i]);
		}
		nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
	}
	for (int i = 0; i < 4; i++)
		report(&streams[i], i ? ", " : "{");
	printf("}\n");
	return 0;
}
