// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Softswitch and gateway in one process, one clock: a crowd of calls through an edge, and what became of each datagram.
 *
 *   crowd SOFTSWITCH-NETNS GATEWAY-NETNS RATE SECONDS SEED ANSWERED TAIL LOG [MS...]
 *
 * Makes RATE calls a second for SECONDS from 10.77.1.2 to 10.77.2.2. ANSWERED percent of them are answered, at their
 * first, second or third INVITE, with 180 and 200; the softswitch acknowledges. The others stay silent. With MS the
 * softswitch sends each INVITE again so many ms after the first one, until it sees the 200. It listens on
 * for TAIL seconds, then writes LOG, 16 bytes an event (u64 wall clock ns, arrivals by the kernel's stamp; u32 call;
 * u32 enum what), and one JSON line. Prints "ready" once bound.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM	(8u << 20) /* events */
#define RECEIVE (256 << 20)

enum what {
	INVITE_SENT = 1,
	INVITE_ARRIVED = 2,
	ANSWER_SENT = 3,
	ANSWER_ARRIVED = 4, /* the 200 */
	ACK_SENT = 5,
	ACK_ARRIVED = 6,
	OTHER_ARRIVED = 7,
};

struct event {
	uint64_t ns;
	uint32_t call, what;
};

struct call {
	uint64_t sent_ns;
	uint8_t answer_at; /* INVITE number, 0: never */
	uint8_t invites;
	uint8_t answered; /* as the softswitch knows */
};

/* The softswitch's own copies: each at one time after its call's first, so the calls come to it in order. */
static struct own {
	uint64_t after_ns;
	uint32_t next;
} own[16];
static unsigned n_own;
static uint32_t n_begun;

static struct event *events;
static size_t n_events;
static struct call *calls;
static uint32_t n_calls;
static int softswitch, gateway;
static struct sockaddr_in to_gateway, to_softswitch;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void note_at(uint64_t ns, uint32_t call, enum what what)
{
	if (n_events < ROOM)
		events[n_events++] = (struct event){ns, call, what};
}

static void note(uint32_t call, enum what what)
{
	note_at(now_ns(), call, what);
}

/* One datagram with its end marked by a NUL, and when it reached the interface. -1: none is there. */
static ssize_t receive(int fd, char *m, size_t size, uint64_t *ns)
{
	char control[128];
	struct iovec iov = {m, size - 1};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &h, 0);
	struct timespec ts;

	*ns = now_ns();
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		*ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	}
	m[n < 0 ? 0 : n] = 0;
	return n;
}

static int socket_in(const char *netns, const char *address)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5060)};
	int room = RECEIVE, on = 1, fd, ns;
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	inet_pton(AF_INET, address, &a.sin_addr);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		return -1;
	close(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return -1;
	return fd;
}

static void send_request(const char *method, uint32_t call, const char *suffix)
{
	char m[1024];
	int n = snprintf(m, sizeof(m),
			 "%s sip:b%u@10.77.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=z9hG4bK-crowd-%u%s\r\n"
			 "Max-Forwards: 70\r\nFrom: <sip:a@10.77.1.2>;tag=f%u\r\nTo: <sip:b%u@10.77.2.2>%s\r\n"
			 "Call-ID: crowd-%u\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
			 method, call, call, suffix, call, call, *suffix ? ";tag=t" : "", call, method);

	while (sendto(softswitch, m, n, 0, (struct sockaddr *)&to_gateway, sizeof(to_gateway)) < 0 && errno == EAGAIN)
		poll(&(struct pollfd){softswitch, POLLOUT, 0}, 1, 100);
}

static void answer(uint32_t call, const char *status)
{
	char m[1024];
	int n = snprintf(m, sizeof(m),
			 "SIP/2.0 %s\r\nVia: SIP/2.0/UDP 10.77.1.2:5060;branch=z9hG4bK-crowd-%u\r\n"
			 "From: <sip:a@10.77.1.2>;tag=f%u\r\nTo: <sip:b%u@10.77.2.2>;tag=t\r\nCall-ID: crowd-%u\r\n"
			 "CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
			 status, call, call, call, call);

	sendto(gateway, m, n, 0, (struct sockaddr *)&to_softswitch, sizeof(to_softswitch));
}

/* Sends the copies that are due; when the next one is. */
static uint64_t send_own(uint64_t now)
{
	uint64_t next = UINT64_MAX, due;

	for (struct own *o = own; o < own + n_own; o++) {
		for (; o->next < n_begun; o->next++) {
			due = calls[o->next].sent_ns + o->after_ns;
			if (due > now) {
				next = due < next ? due : next;
				break;
			}
			if (!calls[o->next].answered)
				send_request("INVITE", o->next, "");
		}
	}
	return next;
}

static uint32_t call_of(const char *m, size_t n)
{
	static const char mark[] = "branch=z9hG4bK-crowd-";
	const char *p = memmem(m, n, mark, sizeof(mark) - 1);

	return p ? strtoul(p + sizeof(mark) - 1, NULL, 10) : UINT32_MAX;
}

static void gateway_got(const char *m, size_t n, uint64_t ns)
{
	uint32_t call = call_of(m, n);
	struct call *c = call < n_calls ? &calls[call] : NULL;

	if (c && !strncmp(m, "INVITE ", 7)) {
		note_at(ns, call, INVITE_ARRIVED);
		if (!c->answer_at || ++c->invites < c->answer_at)
			return;
		note(call, ANSWER_SENT);
		answer(call, "180 Ringing");
		answer(call, "200 OK");
	} else {
		note_at(ns, call, c && !strncmp(m, "ACK ", 4) ? ACK_ARRIVED : OTHER_ARRIVED);
	}
}

static void softswitch_got(const char *m, size_t n, uint64_t ns)
{
	uint32_t call = call_of(m, n);

	if (call >= n_calls || strncmp(m, "SIP/2.0 200", 11))
		return;
	note_at(ns, call, ANSWER_ARRIVED);
	calls[call].answered = 1;
	note(call, ACK_SENT);
	send_request("ACK", call, "-ack");
}

static void listen_until(uint64_t until)
{
	struct pollfd p[2] = {{softswitch, POLLIN, 0}, {gateway, POLLIN, 0}};
	struct timespec left;
	char m[2048];
	uint64_t now, next;
	ssize_t n;

	while ((now = now_ns()) < until) {
		next = send_own(now);
		next = next < until ? next : until;
		left = (struct timespec){(next - now) / 1000000000, (next - now) % 1000000000};
		if (ppoll(p, 2, &left, NULL) <= 0)
			continue;
		while ((n = receive(gateway, m, sizeof(m), &now)) >= 0)
			gateway_got(m, n, now);
		while ((n = receive(softswitch, m, sizeof(m), &now)) >= 0)
			softswitch_got(m, n, now);
	}
}

int main(int argc, char **argv)
{
	uint64_t start, rate, seconds;
	unsigned answered;
	FILE *log;

	if (argc < 9 || argc > 25) {
		fprintf(stderr,
			"usage: crowd SOFTSWITCH-NETNS GATEWAY-NETNS RATE SECONDS SEED ANSWERED TAIL LOG [MS...]\n");
		return 2;
	}
	for (int i = 9; i < argc; i++)
		own[n_own++].after_ns = strtoull(argv[i], NULL, 10) * 1000000;
	rate = strtoull(argv[3], NULL, 10);
	seconds = strtoull(argv[4], NULL, 10);
	srandom(strtoul(argv[5], NULL, 10));
	answered = strtoul(argv[6], NULL, 10);
	n_calls = rate * seconds;
	events = calloc(ROOM, sizeof(*events));
	calls = calloc(n_calls, sizeof(*calls));
	gateway = socket_in(argv[2], "10.77.2.2");
	softswitch = socket_in(argv[1], "10.77.1.2");
	if (!events || !calls || gateway < 0 || softswitch < 0) {
		perror("crowd");
		return 1;
	}
	to_gateway = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060)};
	to_softswitch = to_gateway;
	inet_pton(AF_INET, "10.77.2.2", &to_gateway.sin_addr);
	inet_pton(AF_INET, "10.77.1.2", &to_softswitch.sin_addr);
	for (uint32_t i = 0; i < n_calls; i++)
		calls[i].answer_at = (unsigned)(random() % 100) < answered ? 1 + random() % 3 : 0;
	puts("ready");
	fflush(stdout);
	start = now_ns();
	for (uint32_t i = 0; i < n_calls; i++) {
		listen_until(start + i * 1000000000ull / rate);
		note(i, INVITE_SENT);
		calls[i].sent_ns = now_ns();
		n_begun = i + 1;
		send_request("INVITE", i, "");
	}
	listen_until(now_ns() + strtoull(argv[7], NULL, 10) * 1000000000ull);
	log = fopen(argv[8], "w");
	if (!log || fwrite(events, sizeof(*events), n_events, log) != n_events || fclose(log)) {
		perror(argv[8]);
		return 1;
	}
	printf("{\"calls\": %u, \"events\": %zu, \"complete\": %s}\n", n_calls, n_events,
	       n_events < ROOM ? "true" : "false");
	return 0;
}
