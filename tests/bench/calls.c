// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Silent calls, evenly: INVITEs, each with a branch, a Call-ID and a tag of its own, one every 1/RATE s by the clock.
 *
 *   calls [-s SIZE] [-a START] FROM PORT TO PORT RATE COUNT
 *
 * SIZE: bytes of SIP a message (1024). START: wall clock, ns, when the first one leaves (at once). Sleeps until the
 * next one is due and sends what is due by then, so that a call is late by what waking takes, and catches up after a
 * delay. Answers are thrown away. Prints one JSON line at the end: what was sent, when (wall clock, ns), and how late.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	32
#define LARGEST 4096
#define MARK	"########" /* eight hexadecimal digits: the call's number */
#define MARKS	8
#define LATEST	1000000 /* us; more than that counts as this */
#define WAKING	4000	/* ns: with less to go it does not sleep */

static char data[BATCH][LARGEST];
static struct mmsghdr messages[BATCH];
static struct iovec iov[BATCH];
static size_t mark[MARKS];
static int marks;
static uint32_t late_us[LATEST + 1]; /* how many calls left this late */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* An INVITE with MARK wherever the call's number goes. */
static size_t invite(char *m, uint32_t run, const char *from, const char *port, const char *to, size_t size)
{
	char sdp[LARGEST], head[LARGEST];
	int head_size, sdp_size;

	head_size =
		snprintf(head, sizeof(head),
			 "INVITE sip:" MARK "@%s:5060 SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP %s:%s;branch=z9hG4bK%08x." MARK ";rport\r\nMax-Forwards: 70\r\n"
			 "From: \"Caller\" <sip:caller@%s>;tag=" MARK "\r\nTo: <sip:" MARK "@%s>\r\n"
			 "Call-ID: %08x." MARK "@softswitch.test\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@%s:%s>\r\n"
			 "Content-Type: application/sdp\r\n",
			 to, from, port, run, from, to, run, from, port);
	sdp_size =
		snprintf(sdp, sizeof(sdp),
			 "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\n"
			 "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
			 "a=sendrecv\r\na=x-fill:",
			 from, from);
	for (; head_size + sizeof("Content-Length: 999\r\n\r\n") - 1 + sdp_size + 2 < size; sdp_size++)
		sdp[sdp_size] = 'x';
	memcpy(sdp + sdp_size, "\r\n", 3);
	sdp_size += 2;
	return snprintf(m, LARGEST, "%sContent-Length: %d\r\n\r\n%s", head, sdp_size, sdp);
}

static void make_messages(char **argv, uint32_t run, size_t size)
{
	size = invite(data[0], run, argv[0], argv[1], argv[2], size);
	for (char *p = data[0]; marks < MARKS && (p = strstr(p, MARK)); p += sizeof(MARK) - 1)
		mark[marks++] = p - data[0];
	for (int i = 0; i < BATCH; i++) {
		memcpy(data[i], data[0], size);
		iov[i] = (struct iovec){data[i], size};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
}

static void number(char *m, uint32_t n)
{
	char digits[8];

	for (int i = 7; i >= 0; i--, n >>= 4)
		digits[i] = "0123456789abcdef"[n & 15];
	for (int i = 0; i < marks; i++)
		memcpy(m + mark[i], digits, sizeof(digits));
}

static int bound_socket(const char *from, int port, const char *to, int to_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)},
			   b = {.sin_family = AF_INET, .sin_port = htons(to_port)};
	int room = 16 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, from, &a.sin_addr) != 1 || inet_pton(AF_INET, to, &b.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || connect(fd, (struct sockaddr *)&b, sizeof(b)))
		return -1;
	return fd;
}

static uint32_t late_share(uint64_t count, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)(count * share);

	for (uint32_t us = 0; us < LATEST; us++)
		if ((seen += late_us[us]) > wanted)
			return us;
	return LATEST;
}

/* How many of the `due` datagrams from number `n` on left; 0 when there is no room at the moment; -errno. */
static int send_some(int fd, uint32_t n, uint64_t due)
{
	int k;

	if (due > BATCH)
		due = BATCH;
	for (uint32_t i = 0; i < due; i++)
		number(data[i], n + i);
	k = sendmmsg(fd, messages, due, 0);
	if (k < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
		return -errno;
	return k < 0 ? 0 : k;
}

int main(int argc, char **argv)
{
	uint64_t start = 0, size = 1024, first = 0, now = 0, count, at;
	double rate;
	int option, fd;

	while ((option = getopt(argc, argv, "s:a:")) != -1) {
		if (option == 's')
			size = strtoull(optarg, NULL, 10);
		else if (option == 'a')
			start = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	argc -= optind;
	argv += optind;
	if (argc != 6 || size > LARGEST - 64 || (rate = atof(argv[4])) <= 0) {
		fprintf(stderr, "usage: calls [-s SIZE] [-a START] FROM PORT TO PORT RATE COUNT\n");
		return 2;
	}
	count = strtoull(argv[5], NULL, 10);
	fd = bound_socket(argv[0], atoi(argv[1]), argv[2], atoi(argv[3]));
	if (fd < 0) {
		perror("calls");
		return 1;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	if (!start)
		start = now_ns() + 1000000;
	make_messages(argv, start / 1000, size);
	for (uint64_t n = 0; n < count;) {
		at = start + (uint64_t)(n * 1e9 / rate);
		now = now_ns();
		if (now < at) {
			if (at - now > WAKING)
				clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME,
						&(struct timespec){at / 1000000000, at % 1000000000}, NULL);
			continue;
		}
		uint64_t due = (uint64_t)((now - start) * rate / 1e9) + 1;
		int k = send_some(fd, n, (due < count ? due : count) - n);

		if (k < 0) {
			fprintf(stderr, "calls: %s\n", strerror(-k));
			return 1;
		}
		if (!n && k)
			first = now;
		for (; k > 0; k--, n++) {
			uint64_t us = (now - start - (uint64_t)(n * 1e9 / rate)) / 1000;

			late_us[us < LATEST ? us : LATEST]++;
		}
	}
	printf("{\"sent\": %" PRIu64 ", \"first_ns\": %" PRIu64 ", \"last_ns\": %" PRIu64
	       ", \"late_us\": {\"p50\": %u, \"p99\": %u, \"max\": %u}}\n",
	       count, first, now, late_share(count, .5), late_share(count, .99), late_share(count, 1 - .5 / count));
	return 0;
}
