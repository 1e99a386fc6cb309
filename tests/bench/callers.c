// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Callers behind one proxy: calls begun evenly, each ended with ACK and BYE as soon as it is answered, and how long
 * each waited for its first 180 or 200.
 *
 *   callers ADDRESS PORT PROXY RATE CALLS PATIENCE LOG
 *
 * Makes CALLS calls, RATE a second, and ends when the last is over, PATIENCE seconds after its INVITE at the latest.
 * Nothing is sent again: what is lost is missed. Prints "ready" once bound, reads one line, calls; then writes LOG, a
 * struct call for each in their order, and prints "done".
 */
#include "sip_text.h"
#include <errno.h>
#include <sys/prctl.h>

#define LOOK_NS 500000 /* longest sleep between two looks at the socket; times of arrival are the kernel's */

struct call {
	uint64_t sent_ns, heard_ns;   /* wall clock; heard: first 180 or 200, 0: none */
	uint8_t rang, answered, over; /* how often 180, 200 to the INVITE, 200 to the BYE came */
	char tried;		      /* first character of the gateway's tag after "g": which try of the proxy */
	uint32_t refused;	      /* status of another final response, 0: none */
};
_Static_assert(sizeof(struct call) == 24, "as gain.py reads it");

static const char *address, *port, *proxy;
static struct sockaddr_in to;
static struct call *calls;
static uint32_t n_calls, n_over;
static uint64_t mark; /* in all Call-IDs and branches: other than those of another run */
static int fd;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void dispatch(const char *message, size_t size)
{
	while (sendto(fd, message, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == ENOBUFS && !ending)
		;
}

static void invite(uint32_t n)
{
	static const char sdp[] = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
				  "m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
				  "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
	char m[MESSAGE];
	size_t size =
		sprintf(m,
			"INVITE sip:%u@%s:5060 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%s;branch=z9hG4bK%llx.%x.1;rport\r\n"
			"Max-Forwards: 70\r\nFrom: \"Caller\" <sip:caller@%s>;tag=f%x\r\nTo: <sip:%u@%s>\r\n"
			"Call-ID: %llx.%08x\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@%s:%s>\r\n"
			"Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
			490000000 + n, proxy, address, port, (unsigned long long)mark, n, address, n, 490000000 + n,
			proxy, (unsigned long long)mark, n, address, port, sizeof(sdp) - 1, sdp);

	calls[n].sent_ns = now_ns();
	dispatch(m, size);
}

/* A request in the dialog that this 200 made (RFC 3261 12.2.1.1); one proxy recorded its route. */
static void request(uint32_t n, const char *ok, const char *method, int cseq)
{
	struct text contact = header(ok, "Contact: <"), route = header(ok, "Record-Route: "), peer = header(ok, "To: ");
	char m[MESSAGE];
	size_t size = sprintf(m,
			      "%s %.*s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%s;branch=z9hG4bK%llx.%x.%s;rport\r\n"
			      "Max-Forwards: 70\r\nRoute: %.*s\r\nFrom: \"Caller\" <sip:caller@%s>;tag=f%x\r\n"
			      "To: %.*s\r\nCall-ID: %llx.%08x\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
			      method, (int)strcspn(contact.at, ">"), contact.at, address, port,
			      (unsigned long long)mark, n, method, route.size, route.at, address, n, peer.size, peer.at,
			      (unsigned long long)mark, n, cseq, method);

	dispatch(m, size);
}

static void hear(const char *m, uint64_t when_ns)
{
	struct text id = header(m, "Call-ID: "), peer = header(m, "To: "), cseq = header(m, "CSeq: ");
	char *dot = NULL;
	uint64_t of = strtoull(id.at, &dot, 16);
	uint32_t n = of == mark && *dot == '.' ? strtoul(dot + 1, NULL, 16) : n_calls;
	uint32_t status = strncmp(m, WORD("SIP/2.0 ")) ? 0 : strtoul(m + 8, NULL, 10);
	struct call *call = &calls[n];

	if (n >= n_calls || status <= 100)
		return;
	if (cseq.at[0] == '2') {
		if (status == 200 && !call->over++)
			n_over++;
		return;
	}
	if (status >= 300) {
		call->refused = status;
		return;
	}
	const char *tag = memmem(peer.at, peer.size, WORD(";tag=g"));

	if (!call->heard_ns) {
		call->heard_ns = when_ns;
		call->tried = tag ? tag[6] : '?';
	}
	if (status < 200) {
		call->rang++;
		return;
	}
	request(n, m, "ACK", 1);
	if (!call->answered++)
		request(n, m, "BYE", 2);
}

static void receive(void)
{
	static char message[MESSAGE], control[128];
	struct iovec iov = {message, sizeof(message) - 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	struct timespec ts = {};
	ssize_t size;

	while (m.msg_controllen = sizeof(control), (size = recvmsg(fd, &m, MSG_DONTWAIT)) > 0) {
		message[size] = 0;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
				memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		hear(message, ts.tv_sec * 1000000000ull + ts.tv_nsec);
	}
}

static void call_all(unsigned rate, uint64_t patience_ns)
{
	uint64_t start = now_ns(), begun = 0, last = start;

	while (!ending && n_over < n_calls && now_ns() < last + patience_ns) {
		uint64_t now, due;

		for (; begun < n_calls && start + begun * 1000000000ull / rate <= now_ns(); begun++) {
			invite(begun);
			last = calls[begun].sent_ns;
		}
		receive();
		now = now_ns();
		due = begun < n_calls ? start + begun * 1000000000ull / rate : now + LOOK_NS;
		if (due > now)
			nanosleep(&(struct timespec){.tv_nsec = due - now < LOOK_NS ? due - now : LOOK_NS}, NULL);
	}
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: callers ADDRESS PORT PROXY RATE CALLS PATIENCE LOG\n");
		return 2;
	}
	address = argv[1];
	port = argv[2];
	proxy = argv[3];
	unsigned rate = strtoul(argv[4], NULL, 10);

	n_calls = strtoul(argv[5], NULL, 10);
	mark = now_ns();
	to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5060)};
	calls = calloc(n_calls + 1, sizeof(*calls));
	fd = bound_socket(address, port);
	if (!rate || !calls || fd < 0 || inet_pton(AF_INET, proxy, &to.sin_addr) != 1) {
		fprintf(stderr, "callers: %s port %s: %s\n", address, port, strerror(errno));
		return 1;
	}
	end_by_signal();
	prctl(PR_SET_TIMERSLACK, 1);
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	call_all(rate, strtoul(argv[6], NULL, 10) * 1000000000ull);
	FILE *log = fopen(argv[7], "w");

	if (!log || fwrite(calls, sizeof(*calls), n_calls, log) != n_calls || fclose(log)) {
		fprintf(stderr, "callers: %s: %s\n", argv[7], strerror(errno));
		return 1;
	}
	puts("done");
	return 0;
}
