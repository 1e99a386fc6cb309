// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON-RPC 2.0 requests in datagrams, as Kamailio's jsonrpcs and OpenSIPS's mi_datagram read them. One request is out
 * at a time, and the cursor goes on when it is answered, so that order is kept and a request that siprtx-notify did not
 * live to see answered is made again.
 *
 * Nobody there (no socket, refused, no route): the same request is tried again each second, the cursor waits; only
 * `queue` makes the oldest be given up. So the softswitch gets the states in which its gateways are when it is back.
 *
 * No answer: the datagram may be lost, or the answer. A gateway's state may be told twice, so its request is sent up to
 * REPEATS times again; any other is not, an event must not be raised twice. Then it has failed, and the next one's
 * turn has come: behind a firewall that eats the answers alone, a later state must not wait for an earlier one. What
 * became of a gateway is still owed, and is told again when the softswitch answers anything, and each OWED_NS, until
 * it is answered or a newer state of that gateway takes its place.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "rate.h"
#include "record.h"
#include "sink.h"
#include "template.h"

#define REPEATS	    3
#define BACK_OFF_NS 1000000000ull
#define OWED_NS	    10000000000ull
#define MAX_OWED    64
#define MAX_READ    64 /* datagrams in a round */

enum state {
	FREE,
	ASKED,	  /* until `due` */
	BACK_OFF, /* nobody is there: nothing is sent before `due` */
	SETTLED,  /* `result` is for the loop to take */
};

struct jsonrpc {
	int fd;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} to;
	socklen_t to_len;
	enum state state;
	struct siprtx_record record; /* of the request that is out */
	bool again;		     /* it is owed: the loop has gone on */
	char *request;
	unsigned sends;
	uint64_t due;
	int result;
	bool away;			 /* told that nobody is there */
	char stranger[INET6_ADDRSTRLEN]; /* an answer came from there instead */
	uint64_t full_ns;		 /* rate_take() */
	struct siprtx_record owed[MAX_OWED];
	unsigned n_owed;
	uint64_t owed_due;
	char answer[65536];
};

static bool same_gateway(const struct siprtx_record *a, const struct siprtx_record *b)
{
	return a->dport == b->dport && !memcmp(a->daddr, b->daddr, sizeof(a->daddr));
}

static void drop_owed(struct jsonrpc *j, unsigned i)
{
	memmove(j->owed + i, j->owed + i + 1, (--j->n_owed - i) * sizeof(*j->owed));
}

/* `r` is told or will be: what was before it of that gateway is not owed any more. */
static void supersede(struct jsonrpc *j, const struct siprtx_record *r)
{
	for (unsigned i = j->n_owed; record_is_of_gateway(r) && i-- > 0;) {
		if (same_gateway(j->owed + i, r) && j->owed[i].seq <= r->seq)
			drop_owed(j, i);
	}
}

static void owe(struct jsonrpc *j, uint64_t now)
{
	supersede(j, &j->record);
	if (j->n_owed == MAX_OWED)
		drop_owed(j, 0);
	j->owed[j->n_owed++] = j->record;
	j->owed_due = now + OWED_NS;
}

static void settle(struct jsonrpc *j, int result)
{
	j->result = result;
	j->state = j->again ? FREE : SETTLED;
}

/* "HOST:PORT", HOST an address, of IPv6 in brackets. */
static int read_udp(struct jsonrpc *j, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN] = "";
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
	size_t n = colon ? colon - text : 0;

	if (n > 2 && *text == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (!n || n >= sizeof(host) || !port || port > UINT16_MAX)
		return -EINVAL;
	memcpy(host, text, n);
	if (inet_pton(AF_INET, host, &j->to.in.sin_addr) == 1) {
		j->to.in.sin_family = AF_INET;
		j->to.in.sin_port = htons(port);
		j->to_len = sizeof(j->to.in);
	} else if (inet_pton(AF_INET6, host, &j->to.in6.sin6_addr) == 1) {
		j->to.in6.sin6_family = AF_INET6;
		j->to.in6.sin6_port = htons(port);
		j->to_len = sizeof(j->to.in6);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int read_to(struct jsonrpc *j, const char *text)
{
	if (!strncmp(text, "udp:", 4))
		return read_udp(j, text + 4);
	if (strncmp(text, "unix:", 5) || text[5] != '/' || strlen(text + 5) >= sizeof(j->to.un.sun_path))
		return -EINVAL;
	j->to.un.sun_family = AF_UNIX;
	strcpy(j->to.un.sun_path, text + 5);
	j->to_len = sizeof(j->to.un);
	return 0;
}

/*
 * Not connected: Kamailio and OpenSIPS answer from another port than they are asked at, and a Unix socket made anew
 * would be another one. An own Unix address is taken in the abstract name space: nothing is left over, and the
 * softswitch's user needs no right to a folder to answer there.
 */
static int make_socket(struct jsonrpc *j)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	int on = 1, error;

	j->fd = socket(j->to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		return -errno;
	if (j->to.sa.sa_family == AF_UNIX)
		error = bind(j->fd, (const struct sockaddr *)&any, sizeof(any.sun_family));
	else if (j->to.sa.sa_family == AF_INET)
		error = setsockopt(j->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	else
		error = setsockopt(j->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	return error ? -errno : 0;
}

static void jsonrpc_close(struct sink *s)
{
	struct jsonrpc *j = s->own;

	if (!j)
		return;
	if (j->fd >= 0) {
		sink_unwatch(s, j->fd);
		close(j->fd);
	}
	free(j->request);
	free(j);
	s->own = NULL;
}

static int jsonrpc_open(struct sink *s)
{
	struct jsonrpc *j = calloc(1, sizeof(*j));
	int error;

	if (!j) {
		sink_failed(s, "no memory");
		return -ENOMEM;
	}
	j->fd = -1;
	s->own = j;
	error = read_to(j, s->config->to);
	if (error) {
		sink_failed(s, "to = %.30s is no udp:ADDRESS:PORT and no unix:/PATH; write one", s->config->to);
	} else {
		error = make_socket(j);
		if (!error)
			error = sink_watch(s, j->fd, EPOLLIN);
		if (error)
			sink_failed(s, "no socket: %s", strerror(-error));
	}
	if (error)
		jsonrpc_close(s);
	return error;
}

/* Nobody is there. One outage is told once. */
static int back_off(struct sink *s, int error, uint64_t now)
{
	struct jsonrpc *j = s->own;

	if (!j->away)
		sink_failed(s, "nobody takes it: %s; tried each second, %.200s", strerror(error), s->config->to);
	j->away = true;
	j->state = BACK_OFF;
	j->due = now + BACK_OFF_NS;
	return -EAGAIN;
}

/* The errors that ICMP brought: the last one, 0: none. */
static int read_errors(struct jsonrpc *j)
{
	int error = 0, cleared;
	socklen_t size = sizeof(cleared);

	for (unsigned i = 0; j->to.sa.sa_family != AF_UNIX && i < MAX_READ; i++) {
		char control[512];
		struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};

		if (recvmsg(j->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err e;

			if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
				memcpy(&e, CMSG_DATA(c), sizeof(e));
				error = e.ee_errno;
			}
		}
	}
	/* the same once more, which the next call would fail with */
	getsockopt(j->fd, SOL_SOCKET, SO_ERROR, &cleared, &size);
	return error;
}

static int send_request(struct sink *s, uint64_t now)
{
	struct jsonrpc *j = s->own;
	size_t n = strlen(j->request);

	read_errors(j);
	if (sendto(j->fd, j->request, n, MSG_NOSIGNAL, &j->to.sa, j->to_len) < 0) {
		if (errno != EMSGSIZE)
			return back_off(s, errno, now);
		sink_failed(s, "%zu bytes are too long for a datagram; make the template shorter", n);
		settle(j, -EMSGSIZE);
		return -EMSGSIZE;
	}
	j->sends++;
	j->state = ASKED;
	j->due = now + s->config->timeout_ms * 1000000ull;
	return -EAGAIN;
}

/* Without an id it is a notification (JSON-RPC 2.0, 4.1): nobody answers it. */
static bool is_notification(const char *request)
{
	json_t *object = json_loads(request, 0, NULL);
	bool without = object && !json_object_get(object, "id");

	json_decref(object);
	return without;
}

static int ask(struct sink *s, const struct siprtx_record *r, bool again, uint64_t now)
{
	const char *template = r->event < CONFIG_RECORD_EVENTS ? s->config->template_of[r->event] : NULL;
	struct jsonrpc *j = s->own;
	char *request;
	int error;

	if (!template)
		return 0;
	error = template_fill(template, r, TEMPLATE_JSON, &request);
	if (error) {
		sink_failed(s, "its template cannot be filled: %s", strerror(-error));
		return error;
	}
	free(j->request);
	j->request = request;
	j->record = *r;
	j->again = again;
	j->sends = 0;
	j->stranger[0] = 0;
	if (!again)
		supersede(j, r);
	error = send_request(s, now);
	if (j->state == ASKED && is_notification(request)) {
		j->state = FREE;
		j->away = false;
		sink_delivered(s, now);
		return 0;
	}
	if (j->state == SETTLED)
		j->state = FREE;
	return error;
}

static bool is_busy(const struct jsonrpc *j, uint64_t now)
{
	return j->state == ASKED || (j->state == BACK_OFF && now < j->due);
}

/* True: one that was owed is out now. */
static bool ask_owed(struct sink *s, uint64_t now)
{
	struct jsonrpc *j = s->own;
	struct siprtx_record r;

	if (!j->n_owed || now < j->owed_due)
		return false;
	r = j->owed[0];
	j->owed_due = now + OWED_NS;
	if (ask(s, &r, true, now) == -EAGAIN)
		return true;
	drop_owed(j, 0); /* it cannot be told at all */
	return false;
}

static int jsonrpc_take(struct sink *s, const struct siprtx_record *r, uint64_t now)
{
	struct jsonrpc *j = s->own;

	if (j->state == SETTLED) {
		j->state = FREE;
		if (j->record.seq == r->seq && same_gateway(&j->record, r))
			return j->result;
	}
	if (is_busy(j, now) || ask_owed(s, now) || !rate_take(&j->full_ns, s->config->rate, now))
		return -EAGAIN;
	return ask(s, r, false, now);
}

static void not_answered(struct sink *s, uint64_t now)
{
	struct jsonrpc *j = s->own;

	if (j->again) {
		/* has failed already; behind the other ones that are owed, they may fare better */
		if (j->n_owed && j->owed[0].seq == j->record.seq) {
			drop_owed(j, 0);
			owe(j, now);
		}
		j->state = FREE;
		return;
	}
	if (record_is_of_gateway(&j->record) && j->sends <= REPEATS) {
		send_request(s, now);
		return;
	}
	s->status->timeouts++;
	if (*j->stranger)
		sink_failed(s, "no answer, but one from %s; %.200s was asked", j->stranger, s->config->to);
	else
		sink_failed(s, "no answer in %u ms (sends: %u), %.200s", s->config->timeout_ms, j->sends,
			    s->config->to);
	if (record_is_of_gateway(&j->record))
		owe(j, now);
	settle(j, -ETIMEDOUT);
}

static void jsonrpc_run(struct sink *s, uint64_t now)
{
	struct jsonrpc *j = s->own;

	if (j->state == ASKED && now >= j->due)
		not_answered(s, now);
	else if (!is_busy(j, now) && j->state != SETTLED)
		ask_owed(s, now);
}

/* A peer's words in one line of ours. */
static void clean(const char *text, char *out, size_t size)
{
	snprintf(out, size, "%s", text ? text : "no message");
	for (; *out; out++) {
		if ((unsigned char)*out < ' ' || *out == 0x7f)
			*out = '?';
	}
}

static bool id_is(const json_t *id, uint64_t seq)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
	return (json_is_integer(id) && (uint64_t)json_integer_value(id) == seq) ||
	       (json_is_string(id) && !strcmp(json_string_value(id), text));
}

static void take_answer(struct sink *s, const json_t *answer, uint64_t now)
{
	const json_t *error = json_object_get(answer, "error"), *id = json_object_get(answer, "id");
	struct jsonrpc *j = s->own;
	char message[64];

	/* a request that could not be read is answered with a null id (JSON-RPC 2.0, 5) */
	if (j->state == ASKED && (id_is(id, j->record.seq) || (json_is_null(id) && json_is_object(error)))) {
		supersede(j, &j->record);
		if (error && !json_is_null(error)) {
			clean(json_string_value(json_object_get(error, "message")), message, sizeof(message));
			sink_failed(s, "refused: %s (%lld)", message,
				    (long long)json_integer_value(json_object_get(error, "code")));
			settle(j, -EREMOTEIO);
		} else {
			sink_delivered(s, now);
			settle(j, 0);
		}
		j->away = false;
		j->owed_due = now;
		return;
	}
	/* late, but it came */
	for (unsigned i = 0; i < j->n_owed; i++) {
		if (id_is(id, j->owed[i].seq)) {
			drop_owed(j, i);
			j->owed_due = now;
			sink_delivered(s, now);
			return;
		}
	}
}

/* Did it come from where the question went? Of a Unix socket nobody can tell: those that answer have no address. */
static bool is_from_there(struct jsonrpc *j, const struct sockaddr_storage *from)
{
	if (j->to.sa.sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		inet_ntop(AF_INET, &in->sin_addr, j->stranger, sizeof(j->stranger));
		return in->sin_addr.s_addr == j->to.in.sin_addr.s_addr;
	}
	if (j->to.sa.sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

		inet_ntop(AF_INET6, &in6->sin6_addr, j->stranger, sizeof(j->stranger));
		return !memcmp(&in6->sin6_addr, &j->to.in6.sin6_addr, sizeof(in6->sin6_addr));
	}
	return true;
}

static void jsonrpc_ready(struct sink *s, int fd, uint32_t events, uint64_t now)
{
	struct jsonrpc *j = s->own;
	struct sockaddr_storage from;
	socklen_t from_len;
	json_t *answer;
	ssize_t n;
	int error;

	for (unsigned i = 0; i < MAX_READ; i++) {
		from_len = sizeof(from);
		n = recvfrom(fd, j->answer, sizeof(j->answer), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			break;
		if (!is_from_there(j, &from))
			continue;
		j->stranger[0] = 0;
		answer = json_loadb(j->answer, n, 0, NULL);
		if (json_is_object(answer))
			take_answer(s, answer, now);
		json_decref(answer);
	}
	if (!(events & EPOLLERR))
		return;
	error = read_errors(j);
	if (error && j->state == ASKED)
		back_off(s, error, now);
}

const struct sink_kind sink_jsonrpc = {
	.name = "jsonrpc",
	.open = jsonrpc_open,
	.close = jsonrpc_close,
	.take = jsonrpc_take,
	.run = jsonrpc_run,
	.ready = jsonrpc_ready,
};
