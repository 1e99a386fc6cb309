// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As many datagrams through an edge as one CPU can send, each counted where it arrives.
 *
 *   blast NETNS-A ADDRESS-A NETNS-B ADDRESS-B sip|rtp COUNT
 *
 * CPU 0 sends, and by its softirqs forwards and delivers; CPU 1 reads, once a millisecond, so that the two seldom meet.
 * The datagrams are BYEs of 400 bytes on port 5060, or RTP of 172 bytes on port 30000, numbered. Prints one JSON line:
 * what arrived, what of it twice or unlike, and the ns from the first sendmmsg() to the end of the last.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	 32
#define RECEIVE	 (256 << 20)
#define DIGITS	 8
#define LARGEST	 400
#define QUIET_NS 300000000ull /* nothing for so long after the last was sent: the rest is lost */

static char packet[LARGEST];
static size_t length, number_at;
static unsigned count, arrived, wrong;
static bool *seen;
static int in;
static atomic_ullong sent_ns; /* when the last was sent, 0: not yet */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int socket_in(const char *netns, const char *address, unsigned port, struct sockaddr_in *a)
{
	int bytes = RECEIVE, fd, ns;
	char path[256];

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) || inet_pton(AF_INET, address, &a->sin_addr) != 1)
		return -1;
	close(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)a, sizeof(*a)))
		return -1;
	return fd;
}

static void pin_to(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void put_number(char *at, unsigned n)
{
	for (int i = 0; i < DIGITS; i++)
		at[i] = "0123456789abcdef"[n >> 4 * i & 15];
}

static unsigned number_of(const char *at)
{
	unsigned n = 0;

	for (int i = 0; i < DIGITS; i++)
		n |= (unsigned)(at[i] <= '9' ? at[i] - '0' : at[i] - 'a' + 10) << 4 * i;
	return n;
}

static void take(char *data, size_t n)
{
	unsigned number = n == length ? number_of(data + number_at) : UINT32_MAX;

	arrived++;
	if (number >= count || seen[number] || memcmp(data, packet, number_at) ||
	    memcmp(data + number_at + DIGITS, packet + number_at + DIGITS, length - number_at - DIGITS))
		wrong++;
	else
		seen[number] = true;
}

static void *receive(void *unused)
{
	static char data[BATCH][LARGEST + 1];
	struct mmsghdr messages[BATCH] = {};
	struct iovec vectors[BATCH];
	uint64_t last = now_ns();

	pin_to(1);
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){data[i], sizeof(data[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	while (arrived < count) {
		int n = recvmmsg(in, messages, BATCH, MSG_DONTWAIT, NULL);
		uint64_t sent = sent_ns, now = now_ns();

		for (int i = 0; i < n; i++)
			take(data[i], messages[i].msg_len);
		if (n > 0)
			last = now;
		else if (!n || errno == EAGAIN)
			usleep(1000);
		if (n <= 0 && sent && now > sent + QUIET_NS && now > last + QUIET_NS)
			break;
	}
	return unused;
}

static bool send_all(int fd, const struct sockaddr_in *to)
{
	static char data[BATCH][LARGEST];
	struct mmsghdr messages[BATCH] = {};
	struct iovec vectors[BATCH];

	for (int i = 0; i < BATCH; i++) {
		memcpy(data[i], packet, length);
		vectors[i] = (struct iovec){data[i], length};
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = (void *)to, .msg_namelen = sizeof(*to), .msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	for (unsigned n = 0; n < count; n += BATCH) {
		for (int i = 0; i < BATCH; i++)
			put_number(data[i] + number_at, n + i);
		if (sendmmsg(fd, messages, BATCH, 0) != BATCH)
			return false;
	}
	return true;
}

static void make_packet(bool sip)
{
	int n;

	if (!sip) {
		length = 172;
		number_at = 12;
		memset(packet, 0x55, length);
		memcpy(packet, "\x80\x08", 2);
		return;
	}
	n = snprintf(packet, sizeof(packet),
		     "BYE sip:1001@10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=z9hG4bK00000000\r\n"
		     "Max-Forwards: 70\r\nFrom: <sip:a@10.77.1.2>;tag=f\r\nTo: <sip:1001@10.77.2.2>;tag=t\r\n"
		     "Call-ID: blast@10.77.1.2\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\nUser-Agent: ");
	length = LARGEST;
	number_at = strstr(packet, "z9hG4bK") + 7 - packet;
	memset(packet + n, 'x', length - n - 4);
	memcpy(packet + length - 4, "\r\n\r\n", 4);
}

int main(int argc, char **argv)
{
	bool sip = argc == 7 && !strcmp(argv[5], "sip"), all;
	struct sockaddr_in from, to;
	pthread_t reader;
	uint64_t start;
	int out;

	if (argc != 7)
		return 2;
	count = strtoul(argv[6], NULL, 10) / BATCH * BATCH;
	seen = calloc(count, sizeof(*seen));
	make_packet(sip);
	out = socket_in(argv[1], argv[2], sip ? 5060 : 30000, &from);
	in = socket_in(argv[3], argv[4], sip ? 5060 : 30000, &to);
	if (!seen || out < 0 || in < 0 || pthread_create(&reader, NULL, receive, NULL))
		return 1;
	pin_to(0);
	start = now_ns();
	all = send_all(out, &to);
	sent_ns = now_ns();
	pthread_join(reader, NULL);
	printf("{\"sent\": %u, \"arrived\": %u, \"wrong\": %u, \"ns\": %" PRIu64 "}\n", count, arrived, wrong,
	       (uint64_t)sent_ns - start);
	return !all;
}
