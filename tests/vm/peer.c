// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Softswitch and gateway of a call in the test machine: sends an INVITE from one namespace, judges what arrives in
 * vm-gw, and prints one line of verdict.
 *
 *   peer [-s NETNS] [-o MS,...] [-w MS,...] [-r] NAME silent|answered|stream SOFTSWITCH GATEWAY CALL-ID
 *
 * silent: the gateway never answers; the INVITE must arrive at the times -w, by default the list of the test's profile.
 * -r: siprtx answers it then (but not where the gateway does), with one 503 in the gateway's name, and keeps the ACK to
 * itself. answered: 100 after the second datagram, 200 later; no third datagram may come, both responses must reach the
 * softswitch as they were sent. All datagrams come from one address, whatever the edge makes of it. stream: until
 * SIGTERM an INVITE each 10 ms, its answer at once; none of either may be lost. -o: the softswitch sends copies of its
 * own then. -s: where the softswitch is, by default vm-sw.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
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

/* resend_interval = 0.2,0.4,0.8 as tests/vm/init has it; ms since the first arrival. */
#define SCHEDULE "0,200,600,1400"
enum { ANSWERED_SENDS = 2 };
#define SILENT_MS 1200 /* after the last datagram: the final wait, and a second for what must not come */
#define SECOND_MS 1000 /* longest wait for the second datagram */
#define FINAL_MS  600  /* from the 100 to the 200 */
#define AFTER_MS  1200 /* from the 200 on: beyond the end of the list */
#define STREAM_MS 10
#define MAX_CALLS 6000

struct datagram {
	int64_t ns; /* wall clock, when the kernel received it */
	struct sockaddr_storage from;
	size_t len;
	char data[2048];
};

struct times {
	int ms[MAX_ARRIVALS];
	int n;
};

struct call {
	const char *name, *call_id, *sw_text, *gw_text;
	int sw, gw; /* sockets in either namespace */
	bool replied;
	struct sockaddr_storage softswitch, gateway;
	struct times wanted, own; /* since the first arrival; since the INVITE was sent */
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

static struct sockaddr_storage udp_address(const struct call *c, const char *text, uint16_t port)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	} else {
		fail(c, "%s is no address", text);
	}
	return ss;
}

static socklen_t address_size(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* A socket bound in namespace `netns`, a port 0 filled in; the process stays there, which harms nothing. */
static int socket_in(const struct call *c, const char *netns, struct sockaddr_storage *ss)
{
	socklen_t size = sizeof(*ss);
	char path[64];
	int fd, s, on = 1;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(c, "namespace %s: %s", netns, strerror(errno));
	close(fd);
	s = socket(ss->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(s, (const struct sockaddr *)ss, address_size(ss)) || getsockname(s, (struct sockaddr *)ss, &size))
		fail(c, "socket in %s: %s", netns, strerror(errno));
	return s;
}

static void receive(const struct call *c, int s, struct datagram *d)
{
	char control[256];
	struct iovec iov = {d->data, sizeof(d->data) - 1};
	struct msghdr m = {.msg_name = &d->from,
			   .msg_namelen = sizeof(d->from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(s, &m, 0);

	if (len < 0)
		fail(c, "recvmsg: %s", strerror(errno));
	d->len = (size_t)len;
	d->data[len] = '\0';
	d->ns = now_ns();
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		struct timespec ts;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(h), sizeof(ts));
		d->ns = ts.tv_sec * 1000000000ll + ts.tv_nsec;
	}
}

static void keep(const struct call *c, int s, struct datagram *list, int *n)
{
	if (*n == MAX_ARRIVALS)
		fail(c, "more than %d datagrams", MAX_ARRIVALS);
	receive(c, s, &list[(*n)++]);
}

/* Waits `ms` at most for either side; which of them have something. */
static void wait_for(const struct call *c, int64_t ms, bool *gw, bool *sw)
{
	struct pollfd p[] = {{c->gw, POLLIN, 0}, {c->sw, POLLIN, 0}};

	if (poll(p, 2, (int)ms) < 0 && errno != EINTR)
		fail(c, "poll: %s", strerror(errno));
	*gw = p[0].revents;
	*sw = p[1].revents;
}

static void put(const struct call *c, int s, const char *data, size_t len, const struct sockaddr_storage *to)
{
	if (sendto(s, data, len, 0, (const struct sockaddr *)to, address_size(to)) != (ssize_t)len)
		fail(c, "cannot send %.20s: %s", data, strerror(errno));
}

/* The ACK of a client transaction to a failure (RFC 3261 17.1.1.3). */
static void acknowledge(const struct call *c, const struct datagram *reply)
{
	const char *via = strstr(c->invite, "Via:"), *from = strstr(c->invite, "From:");
	const char *to = strstr(reply->data, "To:"), *uri = c->invite + strlen("INVITE");
	char ack[1024];
	int len;

	if (!to)
		fail(c, "a response without To: %.300s", reply->data);
	len = snprintf(ack, sizeof(ack),
		       "ACK%.*s%.*sMax-Forwards: 70\r\n%.*s%.*sCall-ID: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		       (int)(via - uri), uri, (int)(strstr(via, "\r\n") + 2 - via), via,
		       (int)(strstr(from, "\r\n") + 2 - from), from, (int)(strstr(to, "\r\n") + 2 - to), to,
		       c->call_id);
	put(c, c->sw, ack, (size_t)len, &c->gateway);
}

/* Collects what arrives on either side for `ms`, or until the gateway has `enough` datagrams. */
static void collect(struct call *c, int64_t ms, int enough)
{
	int64_t end = now_ns() + ms * 1000000;
	int64_t left;
	bool gw, sw;

	while (c->n_gw < enough && (left = end - now_ns()) > 0) {
		wait_for(c, left / 1000000 + 1, &gw, &sw);
		if (gw)
			keep(c, c->gw, c->at_gw, &c->n_gw);
		if (sw)
			keep(c, c->sw, c->at_sw, &c->n_sw);
		if (sw && c->replied)
			acknowledge(c, &c->at_sw[c->n_sw - 1]);
	}
}

/* The INVITE of call `number` of those with this Call-ID; its length. */
static size_t write_invite(const struct call *c, int number, char *invite, size_t size)
{
	bool v6 = c->gateway.ss_family == AF_INET6;
	const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
	/* the port is at the same place in both kinds of address */
	unsigned port = ntohs(((const struct sockaddr_in *)&c->softswitch)->sin_port);

	return (size_t)snprintf(
		invite, size,
		"INVITE sip:1000@%s%s%s SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s%s%s:%u;branch=z9hG4bK%s.%d;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:caller@example.com>;tag=from\r\nTo: <sip:1000@example.com>\r\n"
		"Call-ID: %s\r\nCSeq: %d INVITE\r\nContact: <sip:caller@%s%s%s>\r\nContent-Length: 0\r\n\r\n",
		open, c->gw_text, close, open, c->sw_text, close, port, c->call_id, number, c->call_id, number, open,
		c->sw_text, close);
}

/* The response a UAS makes of one of our own INVITEs (RFC 3261 8.2.6); its length. */
static size_t write_response(const char *invite, const char *status, char *response, size_t size)
{
	const char *via = strstr(invite, "Via:"), *from = strstr(invite, "From:");
	const char *call_id = strstr(invite, "Call-ID:"), *contact = strstr(invite, "Contact:");

	return (size_t)snprintf(response, size, "SIP/2.0 %s\r\n%.*s%.*s%.*sContent-Length: 0\r\n\r\n", status,
				(int)(strstr(via, "\r\n") + 2 - via), via, (int)(call_id - from), from,
				(int)(contact - call_id), call_id);
}

static void respond(struct call *c, int which, const char *status)
{
	size_t len = write_response(c->invite, status, c->response[which], sizeof(c->response[which]));

	put(c, c->gw, c->response[which], len, &c->at_gw[0].from);
}

static void judge_reply(const struct call *c)
{
	const struct datagram *d = &c->at_sw[0];
	static const char status[] = "SIP/2.0 503 Service Unavailable\r\n";

	if (strncmp(d->data, status, strlen(status)) || !strstr(d->data, c->call_id))
		fail(c, "this is no reply to the INVITE: %.300s", d->data);
	if (memcmp(&d->from, &c->gateway, address_size(&d->from)))
		fail(c, "the reply comes from another address or port than the gateway's");
}

static void judge(const struct call *c, int want_gw, int want_sw)
{
	double worst = 0;

	for (int i = 0; i < c->n_gw && i < want_gw; i++) {
		const struct datagram *d = &c->at_gw[i];
		double at = (double)(d->ns - c->at_gw[0].ns) / 1e6;
		double off = at - c->wanted.ms[i];

		if (d->len != c->invite_len || memcmp(d->data, c->invite, d->len))
			fail(c, "datagram %d differs from the INVITE sent", i + 1);
		if (memcmp(&d->from, &c->at_gw[0].from, address_size(&d->from)))
			fail(c, "datagram %d comes from another address or port than the first", i + 1);
		if (off > TOLERANCE_MS || off < -TOLERANCE_MS)
			fail(c, "datagram %d at %.0f ms, wanted %d", i + 1, at, c->wanted.ms[i]);
		if (off > worst)
			worst = off;
	}
	if (c->n_gw != want_gw)
		fail(c, "%d datagrams reached the gateway, wanted %d", c->n_gw, want_gw);
	if (c->n_sw != want_sw)
		fail(c, "%d responses reached the softswitch, wanted %d", c->n_sw, want_sw);
	if (c->replied)
		judge_reply(c);
	for (int i = 0; i < c->n_sw && !c->replied; i++)
		if (c->at_sw[i].len != strlen(c->response[i]) ||
		    memcmp(c->at_sw[i].data, c->response[i], c->at_sw[i].len))
			fail(c, "response %d differs from the one sent", i + 1);
	printf("vm: ok %s: %d datagrams, at most %.1f ms late%s\n", c->name, c->n_gw, worst,
	       c->replied ? ", and a reply" : "");
}

static void one_call(struct call *c, bool answered)
{
	int64_t start = now_ns();

	c->invite_len = write_invite(c, 1, c->invite, sizeof(c->invite));
	put(c, c->sw, c->invite, c->invite_len, &c->gateway);
	if (answered) {
		collect(c, SECOND_MS, ANSWERED_SENDS);
		respond(c, 0, "100 Trying");
		collect(c, FINAL_MS, MAX_ARRIVALS);
		respond(c, 1, "200 OK");
		collect(c, AFTER_MS, MAX_ARRIVALS);
		judge(c, ANSWERED_SENDS, 2);
		return;
	}
	for (int i = 0; i < c->own.n; i++) {
		collect(c, c->own.ms[i] - (now_ns() - start) / 1000000, MAX_ARRIVALS);
		put(c, c->sw, c->invite, c->invite_len, &c->gateway);
	}
	collect(c, c->wanted.ms[c->wanted.n - 1] + SILENT_MS - (now_ns() - start) / 1000000, MAX_ARRIVALS);
	judge(c, c->wanted.n, c->replied);
}

static volatile sig_atomic_t ended;

static void on_term(int signal)
{
	(void)signal;
	ended = 1;
}

/* Which call's it is; 0: none of ours. */
static int number_of(const struct call *c, const char *message)
{
	char branch[128];
	int n = snprintf(branch, sizeof(branch), "branch=z9hG4bK%s.", c->call_id);
	const char *at = strstr(message, branch);

	return at ? atoi(at + n) : 0;
}

/* One look at either side; what came is marked. The gateway answers at once. */
static void turn(struct call *c, bool *asked, bool *answered, int sent, int ms)
{
	static struct datagram d;
	char wanted[sizeof(c->invite)];
	size_t len;
	bool gw, sw;
	int n;

	wait_for(c, ms, &gw, &sw);
	if (gw) {
		receive(c, c->gw, &d);
		n = number_of(c, d.data);
		len = n > 0 && n <= sent ? write_invite(c, n, wanted, sizeof(wanted)) : 0;
		if (len != d.len || memcmp(wanted, d.data, len))
			fail(c, "a datagram differs from the INVITE sent: %.300s", d.data);
		asked[n] = true;
		len = write_response(d.data, "486 Busy Here", wanted, sizeof(wanted));
		put(c, c->gw, wanted, len, &d.from);
	}
	if (sw) {
		receive(c, c->sw, &d);
		n = number_of(c, d.data);
		if (n > 0 && n <= sent)
			answered[n] = true;
	}
}

static void stream(struct call *c)
{
	static bool asked[MAX_CALLS + 1], answered[MAX_CALLS + 1];
	int64_t next = now_ns(), end;
	int sent = 0, lost = 0;

	signal(SIGTERM, on_term);
	while (!ended && sent < MAX_CALLS) {
		c->invite_len = write_invite(c, ++sent, c->invite, sizeof(c->invite));
		put(c, c->sw, c->invite, c->invite_len, &c->gateway);
		next += STREAM_MS * 1000000;
		while (now_ns() < next)
			turn(c, asked, answered, sent, 1);
	}
	for (end = now_ns() + SILENT_MS * 1000000ll; now_ns() < end;)
		turn(c, asked, answered, sent, 10);
	for (int i = 1; i <= sent; i++)
		lost += !asked[i] + !answered[i];
	if (lost)
		fail(c, "%d of %d INVITEs and their answers were lost", lost, sent);
	printf("vm: ok %s: %d INVITEs and answers, none lost\n", c->name, sent);
}

static struct times read_times(const struct call *c, const char *list)
{
	struct times t = {0};
	char *end;

	do {
		if (t.n == MAX_ARRIVALS)
			fail(c, "more than %d times", MAX_ARRIVALS);
		t.ms[t.n++] = (int)strtol(list, &end, 10);
		list = end + 1;
	} while (*end == ',');
	return t;
}

int main(int argc, char **argv)
{
	static struct call c = {.name = "peer"};
	const char *netns = "vm-sw", *mode;
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0); /* several may write to one console */
	c.wanted = read_times(&c, SCHEDULE);
	while ((option = getopt(argc, argv, "s:o:w:r")) != -1) {
		if (option == 's')
			netns = optarg;
		else if (option == 'o')
			c.own = read_times(&c, optarg);
		else if (option == 'w')
			c.wanted = read_times(&c, optarg);
		else if (option == 'r')
			c.replied = true;
		else
			fail(&c, "unknown option");
	}
	if (argc - optind != 5)
		fail(&c, "wants NAME silent|answered|stream SOFTSWITCH GATEWAY CALL-ID");
	c.name = argv[optind];
	mode = argv[optind + 1];
	c.sw_text = argv[optind + 2];
	c.gw_text = argv[optind + 3];
	c.call_id = argv[optind + 4];
	c.softswitch = udp_address(&c, c.sw_text, 0);
	c.gateway = udp_address(&c, c.gw_text, SIP_PORT);
	c.gw = socket_in(&c, "vm-gw", &c.gateway);
	c.sw = socket_in(&c, netns, &c.softswitch);
	c.replied &= !strcmp(mode, "silent");
	if (!strcmp(mode, "stream"))
		stream(&c);
	else
		one_call(&c, !strcmp(mode, "answered"));
	return 0;
}
