// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Softswitch and gateway of one call in the test machine: sends an INVITE from namespace vm-sw or the one named, judges
 * what arrives in vm-gw, and prints one line of verdict.
 *
 *   peer NAME silent|answered SOFTSWITCH GATEWAY CALL-ID [NETNS]
 *
 * silent: the gateway never answers; the whole list of the test's profile must arrive. answered: 100 after the second
 * datagram, 200 later; no third datagram may come, both responses must reach the softswitch as they were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIP_PORT     5060
#define MAX_ARRIVALS 16
#define TOLERANCE_MS 60 /* an interpreted machine on a busy host; the schedule's steps are far apart */

/* resend_interval = 0.2,0.4,0.8, final_wait = 0.2, as tests/vm/init has it; ms since the first arrival. */
static const int schedule_ms[] = {0, 200, 600, 1400};
enum { SILENT_SENDS = 4, ANSWERED_SENDS = 2 };
#define SILENT_MS 2600 /* the list, the final wait, and a second for what must not come */
#define SECOND_MS 1000 /* longest wait for the second datagram */
#define FINAL_MS  600  /* from the 100 to the 200 */
#define AFTER_MS  1200 /* from the 200 on: beyond the end of the list */

struct datagram {
	int64_t ns; /* wall clock, when the kernel received it */
	size_t len;
	char data[2048];
};

struct call {
	const char *name;
	int sw, gw; /* sockets in either namespace */
	struct sockaddr_storage gateway;
	char invite[1536];
	size_t invite_len;
	struct datagram at_gw[MAX_ARRIVALS], at_sw[MAX_ARRIVALS];
	int n_gw, n_sw;
	char response[2][1024]; /* as sent */
};

static _Noreturn __attribute__((format(printf, 2, 3))) void fail(const struct call *c, const char *fmt, ...)
{
	va_list ap;

	printf("vm: FAIL %s: ", c->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static struct sockaddr_storage sip_address(const struct call *c, const char *text)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(SIP_PORT);
	} else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(SIP_PORT);
	} else {
		fail(c, "%s is no address", text);
	}
	return ss;
}

static socklen_t address_size(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* A socket bound in namespace `netns`; the process stays there, which harms nothing. */
static int socket_in(const struct call *c, const char *netns, const struct sockaddr_storage *ss)
{
	char path[64];
	int fd, s, on = 1;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(c, "namespace %s: %s", netns, strerror(errno));
	close(fd);
	s = socket(ss->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(s, (const struct sockaddr *)ss, address_size(ss)))
		fail(c, "socket in %s: %s", netns, strerror(errno));
	return s;
}

static void receive(const struct call *c, int s, struct datagram *list, int *n)
{
	char control[256];
	struct datagram *d = &list[*n];
	struct iovec iov = {d->data, sizeof(d->data)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t len;

	if (*n == MAX_ARRIVALS)
		fail(c, "more than %d datagrams", MAX_ARRIVALS);
	len = recvmsg(s, &m, 0);
	if (len < 0)
		fail(c, "recvmsg: %s", strerror(errno));
	d->len = (size_t)len;
	d->ns = now_ns();
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		struct timespec ts;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(h), sizeof(ts));
		d->ns = ts.tv_sec * 1000000000ll + ts.tv_nsec;
	}
	++*n;
}

/* Collects what arrives on either side for `ms`, or until the gateway has `enough` datagrams. */
static void collect(struct call *c, int ms, int enough)
{
	int64_t end = now_ns() + ms * 1000000ll;
	int64_t left;

	while (c->n_gw < enough && (left = end - now_ns()) > 0) {
		struct pollfd p[] = {{c->gw, POLLIN, 0}, {c->sw, POLLIN, 0}};

		if (poll(p, 2, (int)(left / 1000000) + 1) < 0)
			fail(c, "poll: %s", strerror(errno));
		if (p[0].revents)
			receive(c, c->gw, c->at_gw, &c->n_gw);
		if (p[1].revents)
			receive(c, c->sw, c->at_sw, &c->n_sw);
	}
}

static void send_invite(struct call *c, const char *sw, const char *gw, const char *call_id)
{
	bool v6 = c->gateway.ss_family == AF_INET6;
	const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
	int n = snprintf(c->invite, sizeof(c->invite),
			 "INVITE sip:1000@%s%s%s SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP %s%s%s:%d;branch=z9hG4bK%s;rport\r\n"
			 "Max-Forwards: 70\r\nFrom: <sip:caller@example.com>;tag=from\r\nTo: <sip:1000@example.com>\r\n"
			 "Call-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@%s%s%s>\r\nContent-Length: 0\r\n\r\n",
			 open, gw, close, open, sw, close, SIP_PORT, call_id, call_id, open, sw, close);

	c->invite_len = (size_t)n;
	if (sendto(c->sw, c->invite, c->invite_len, 0, (struct sockaddr *)&c->gateway, address_size(&c->gateway)) != n)
		fail(c, "cannot send the INVITE: %s", strerror(errno));
}

/* The response a UAS makes of our own INVITE (RFC 3261 8.2.6). */
static void respond(struct call *c, int which, const char *status, const struct sockaddr_storage *to)
{
	const char *via = strstr(c->invite, "Via:"), *from = strstr(c->invite, "From:");
	const char *call_id = strstr(c->invite, "Call-ID:"), *contact = strstr(c->invite, "Contact:");
	char *r = c->response[which];
	int n = snprintf(r, sizeof(c->response[which]), "SIP/2.0 %s\r\n%.*s%.*s%.*sContent-Length: 0\r\n\r\n", status,
			 (int)(strstr(via, "\r\n") + 2 - via), via, (int)(call_id - from), from,
			 (int)(contact - call_id), call_id);

	if (sendto(c->gw, r, (size_t)n, 0, (const struct sockaddr *)to, address_size(to)) != n)
		fail(c, "cannot send %s: %s", status, strerror(errno));
}

static void judge(const struct call *c, int want_gw, int want_sw)
{
	double worst = 0;

	if (c->n_gw != want_gw)
		fail(c, "%d datagrams reached the gateway, wanted %d", c->n_gw, want_gw);
	for (int i = 0; i < c->n_gw; i++) {
		const struct datagram *d = &c->at_gw[i];
		double at = (double)(d->ns - c->at_gw[0].ns) / 1e6;
		double off = at - schedule_ms[i];

		if (d->len != c->invite_len || memcmp(d->data, c->invite, d->len))
			fail(c, "datagram %d differs from the INVITE sent", i + 1);
		if (off > TOLERANCE_MS || off < -TOLERANCE_MS)
			fail(c, "datagram %d at %.0f ms, wanted %d", i + 1, at, schedule_ms[i]);
		if (off > worst)
			worst = off;
	}
	if (c->n_sw != want_sw)
		fail(c, "%d responses reached the softswitch, wanted %d", c->n_sw, want_sw);
	for (int i = 0; i < c->n_sw; i++)
		if (c->at_sw[i].len != strlen(c->response[i]) ||
		    memcmp(c->at_sw[i].data, c->response[i], c->at_sw[i].len))
			fail(c, "response %d differs from the one sent", i + 1);
	printf("vm: ok %s: %d datagrams, at most %.1f ms late\n", c->name, c->n_gw, worst);
}

int main(int argc, char **argv)
{
	static struct call c = {.name = "peer"};
	struct sockaddr_storage softswitch;
	bool answered;

	if (argc != 6 && argc != 7)
		fail(&c, "wants NAME silent|answered SOFTSWITCH GATEWAY CALL-ID [NETNS]");
	c.name = argv[1];
	answered = !strcmp(argv[2], "answered");
	softswitch = sip_address(&c, argv[3]);
	c.gateway = sip_address(&c, argv[4]);
	c.gw = socket_in(&c, "vm-gw", &c.gateway);
	c.sw = socket_in(&c, argc > 6 ? argv[6] : "vm-sw", &softswitch);
	send_invite(&c, argv[3], argv[4], argv[5]);
	if (answered) {
		collect(&c, SECOND_MS, ANSWERED_SENDS);
		respond(&c, 0, "100 Trying", &softswitch);
		collect(&c, FINAL_MS, MAX_ARRIVALS);
		respond(&c, 1, "200 OK", &softswitch);
		collect(&c, AFTER_MS, MAX_ARRIVALS);
		judge(&c, ANSWERED_SENDS, 2);
	} else {
		collect(&c, SILENT_MS, MAX_ARRIVALS);
		judge(&c, SILENT_SENDS, 0);
	}
	return 0;
}
