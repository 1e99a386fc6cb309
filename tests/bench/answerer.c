// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gateway in service, fast: 100 and 180 to each INVITE at once, 200 after RING_NS, 200 to BYE, CANCEL and OPTIONS.
 *
 *   answerer ADDRESS PORT
 *
 * Its To tag begins with "g" and the last character of the top Via's branch, which is the number of Kamailio's try:
 * 0 where this gateway was asked first, 1 where another one was before. Prints "ready" once bound, and on SIGTERM one
 * JSON line: the requests that came, by method.
 */
#include "sip_text.h"
#include <errno.h>

#define MOST_VIAS 4
#define RING_NS                                                                                                        \
	100000000ull /* a 200 on the heels of its 180 overtakes it between Kamailio's processes, and that 180 is lost  \
		      */
#define RINGING 8192 /* at a time */
#define LOOK_NS 1000000

static const char *const methods[] = {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"};
#define METHODS (sizeof(methods) / sizeof(*methods))

struct request {
	struct sockaddr_in peer;
	const char *message, *address, *port;
};

/* Calls that ring, in the order in which they will be answered. */
static struct ringing {
	uint64_t due_ns;
	struct sockaddr_in peer;
	char message[MESSAGE];
} ringing[RINGING];
static uint32_t first, last;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Appends each header of this name as it stands, for a response has them all in their order (RFC 3261 8.2.6.2). */
static size_t copy_all(char *to, const char *message, const char *name)
{
	size_t n = 0;
	struct text value;

	for (int i = 0; i < MOST_VIAS && (value = header(message, name)).size; i++) {
		n += sprintf(to + n, "%s%.*s\r\n", name, value.size, value.at);
		message = value.at;
	}
	return n;
}

static void respond(int fd, const struct request *r, const char *status)
{
	struct text from = header(r->message, "From: "), to = header(r->message, "To: "),
		    id = header(r->message, "Call-ID: "), cseq = header(r->message, "CSeq: ");
	struct text via = header(r->message, "Via: ");
	const char *branch = memmem(via.at, via.size, WORD("branch="));
	char m[2 * MESSAGE], tag[64] = "";
	size_t n;

	if (!memmem(to.at, to.size, WORD(";tag=")) && branch)
		sprintf(tag, ";tag=g%c.%.8s", branch[strcspn(branch, ";, \r") - 1], id.at);
	n = sprintf(m, "SIP/2.0 %s\r\n", status);
	n += copy_all(m + n, r->message, "Via: ");
	n += copy_all(m + n, r->message, "Record-Route: ");
	n += sprintf(m + n,
		     "From: %.*s\r\nTo: %.*s%s\r\nCall-ID: %.*s\r\nCSeq: %.*s\r\nContact: <sip:gateway@%s:%s>\r\n"
		     "Content-Length: 0\r\n\r\n",
		     from.size, from.at, to.size, to.at, tag, id.size, id.at, cseq.size, cseq.at, r->address, r->port);
	sendto(fd, m, n, 0, (const struct sockaddr *)&r->peer, sizeof(r->peer));
}

static void answer_due(int fd, const char *address, const char *port)
{
	for (; first != last && ringing[first % RINGING].due_ns <= now_ns(); first++) {
		const struct ringing *call = &ringing[first % RINGING];

		respond(fd, &(struct request){call->peer, call->message, address, port}, "200 OK");
	}
}

static void ring(int fd, const struct request *r)
{
	struct ringing *call = &ringing[last % RINGING];

	respond(fd, r, "100 Trying");
	respond(fd, r, "180 Ringing");
	if (last - first == RINGING)
		return; /* never answered: the callers will say so */
	call->due_ns = now_ns() + RING_NS;
	call->peer = r->peer;
	strcpy(call->message, r->message);
	last++;
}

int main(int argc, char **argv)
{
	const struct timeval look = {.tv_usec = LOOK_NS / 1000};
	uint64_t seen[METHODS] = {};
	char message[MESSAGE];

	if (argc != 3) {
		fprintf(stderr, "usage: answerer ADDRESS PORT\n");
		return 2;
	}
	int fd = bound_socket(argv[1], argv[2]);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look))) {
		fprintf(stderr, "answerer: %s port %s: %s\n", argv[1], argv[2], strerror(errno));
		return 1;
	}
	end_by_signal();
	puts("ready");
	fflush(stdout);
	while (!ending) {
		struct request r = {.message = message, .address = argv[1], .port = argv[2]};
		socklen_t size = sizeof(r.peer);
		ssize_t n = recvfrom(fd, message, sizeof(message) - 1, 0, (struct sockaddr *)&r.peer, &size);
		size_t method = 0;

		answer_due(fd, argv[1], argv[2]);
		if (n <= 0)
			continue;
		message[n] = 0;
		while (method < METHODS && strncmp(message, methods[method], strlen(methods[method])))
			method++;
		if (method == METHODS)
			continue;
		seen[method]++;
		if (method == 0)
			ring(fd, &r);
		else if (method != 1)
			respond(fd, &r, "200 OK");
	}
	for (size_t i = 0; i < METHODS; i++)
		printf("%s\"%s\": %llu", i ? ", " : "{", methods[i], (unsigned long long)seen[i]);
	puts("}");
	return 0;
}
