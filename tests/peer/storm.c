// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A storm of SIP-like datagrams through an edge, both ways at once, each judged byte for byte where it arrives.
 *
 *   storm NETNS-A ADDRESS-A NETNS-B ADDRESS-B SEED COUNT SECONDS
 *
 * A is the softswitch and sends requests, B the gateway and sends responses; COUNT datagrams in all, but no more than
 * SECONDS of them. What arrives is known by a 64-bit hash of all its bytes: one that was never sent was changed on the
 * way (or made up), one that never came was lost or absorbed, and an INVITE may come more often, for siprtx sends it
 * again. Prints one JSON line.
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "storm_message.h"

#define PORT	 5060
#define RECEIVE	 (64 << 20)
#define BATCH	 16
#define WINDOW	 96	    /* sent and not there yet: a veth's ring holds 256, and siprtx's copies want room too */
#define STALL_NS 1000000000 /* the window does not move: what is out is given up, to be judged at the end */
#define QUIET_NS 800000000  /* nothing more arrives, siprtx's copies after their 0.5 s neither */

struct seen {
	uint64_t hash;
	uint32_t sent, got;
};

/* One way of the two: a table of all that was sent, written by the sender, looked up by the receiver. */
struct way {
	int from, to; /* sockets */
	struct sockaddr_in peer;
	bool responses;
	uint64_t seed, count, end_ns, slots;
	struct seen *table;
	_Atomic uint64_t sent, arrived;
	_Atomic bool sender_done;
	uint64_t stalls, refused, invites; /* sender's */
	uint64_t copies, aliens, doubled;  /* receiver's */
	size_t alien_length;
	char alien[MESSAGE_ROOM];
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static uint64_t hash_of(const unsigned char *p, size_t n)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ n, word;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		h = mix(h ^ word);
	}
	word = 0;
	memcpy(&word, p, n);
	return mix(h ^ word) | 1; /* 0 is an empty place */
}

/* The place of this hash: its own, or the empty one where it would go. */
static struct seen *place(struct way *w, uint64_t hash)
{
	uint64_t i = hash >> 1;
	uint64_t there;

	for (;; i++) {
		there = __atomic_load_n(&w->table[i & (w->slots - 1)].hash, __ATOMIC_ACQUIRE);
		if (!there || there == hash)
			return &w->table[i & (w->slots - 1)];
	}
}

static bool is_invite(const void *data, size_t length)
{
	/* with what may stand before it; a mutation may have made another word of it: then there is no copy either */
	return memmem(data, length < 64 ? length : 64, "INVITE ", 7);
}

static void wait_for_room(struct way *w, uint64_t *given_up)
{
	uint64_t before = w->arrived, since = now_ns();

	while ((int64_t)(w->sent - w->arrived - *given_up) > WINDOW) {
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
		if (w->arrived != before) {
			before = w->arrived;
			since = now_ns();
		} else if (now_ns() - since > STALL_NS) {
			w->stalls++;
			*given_up = w->sent - w->arrived;
		}
	}
}

static void *send_all(void *at)
{
	static _Thread_local char data[BATCH][MESSAGE_ROOM];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	struct way *w = at;
	uint64_t given_up = 0;

	for (uint64_t n = 0; n < w->count && now_ns() < w->end_ns; n += BATCH) {
		int batch = w->count - n < BATCH ? w->count - n : BATCH;

		for (int i = 0; i < batch; i++) {
			size_t length = storm_message(w->seed, n + i, w->responses, data[i]);
			uint64_t hash = hash_of((void *)data[i], length);
			struct seen *s = place(w, hash);

			__atomic_add_fetch(&s->sent, 1, __ATOMIC_RELAXED);
			__atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
			w->invites += is_invite(data[i], length);
			iov[i] = (struct iovec){data[i], length};
			m[i].msg_hdr = (struct msghdr){.msg_name = &w->peer,
						       .msg_namelen = sizeof(w->peer),
						       .msg_iov = &iov[i],
						       .msg_iovlen = 1};
		}
		wait_for_room(w, &given_up);
		for (int done = 0; done < batch && now_ns() < w->end_ns;) {
			int k = sendmmsg(w->from, m + done, batch - done, 0);

			if (k > 0) {
				done += k;
				w->sent += k;
			} else {
				w->refused++; /* no room at the moment: again */
				nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
			}
		}
	}
	w->sender_done = true;
	return NULL;
}

static void judge(struct way *w, const char *data, size_t length)
{
	uint64_t hash = hash_of((const void *)data, length);
	struct seen *s = place(w, hash);

	if (s->hash != hash) {
		if (!w->aliens++) {
			memcpy(w->alien, data, length);
			w->alien_length = length;
		}
		return;
	}
	if (++s->got <= __atomic_load_n(&s->sent, __ATOMIC_RELAXED))
		w->arrived++;
	else if (is_invite(data, length))
		w->copies++;
	else
		w->doubled++;
}

static void *receive_all(void *at)
{
	static _Thread_local char data[BATCH][MESSAGE_ROOM];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	struct way *w = at;
	uint64_t last = now_ns();

	while (!w->sender_done || now_ns() - last < QUIET_NS) {
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){data[i], MESSAGE_ROOM};
			m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
		}

		int n = recvmmsg(w->to, m, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++)
			judge(w, data[i], m[i].msg_len);
		if (n > 0)
			last = now_ns();
	}
	return NULL;
}

static int socket_in(const char *netns, const char *address, struct sockaddr_in *a)
{
	struct timeval look = {.tv_usec = 20000};
	int room = RECEIVE, netns_fd, fd;
	char path[256];

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET))
		return -1;
	close(netns_fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, address, &a->sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)) || bind(fd, (void *)a, sizeof(*a)))
		return -1;
	return fd;
}

static int open_way(struct way *w, uint64_t seed, uint64_t count, double seconds)
{
	w->seed = seed;
	w->count = count;
	w->end_ns = now_ns() + (uint64_t)(seconds * 1e9);
	for (w->slots = 64; w->slots < 2 * count; w->slots *= 2)
		;
	w->table = mmap(NULL, w->slots * sizeof(*w->table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return w->table == MAP_FAILED ? -1 : 0;
}

static void print_way(const struct way *w, const char *name)
{
	uint64_t lost = 0;

	for (uint64_t i = 0; i < w->slots; i++)
		if (w->table[i].got < w->table[i].sent)
			lost += w->table[i].sent - w->table[i].got;
	printf("\"%s\": {\"sent\": %" PRIu64 ", \"invites\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"changed\": %" PRIu64
	       ", \"doubled\": %" PRIu64 ", \"copies\": %" PRIu64 ", \"stalls\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"first_changed\": \"",
	       name, w->sent, w->invites, lost, w->aliens, w->doubled, w->copies, w->stalls, w->refused);
	for (size_t i = 0; i < w->alien_length; i++)
		printf("%02x", (unsigned char)w->alien[i]);
	printf("\"}");
}

int main(int argc, char **argv)
{
	static struct way down, up = {.responses = true};
	pthread_t threads[4];
	struct sockaddr_in a, b;
	uint64_t start;

	if (argc != 8) {
		fprintf(stderr, "usage: storm NETNS-A ADDRESS-A NETNS-B ADDRESS-B SEED COUNT SECONDS\n");
		return 2;
	}
	int at_a = socket_in(argv[1], argv[2], &a), at_b = at_a < 0 ? -1 : socket_in(argv[3], argv[4], &b);
	uint64_t seed = strtoull(argv[5], NULL, 0), count = strtoull(argv[6], NULL, 0);

	if (at_a < 0 || at_b < 0 || open_way(&down, seed, count / 2, atof(argv[7])) ||
	    open_way(&up, seed, count - count / 2, atof(argv[7]))) {
		fprintf(stderr, "storm: %s\n", strerror(errno));
		return 1;
	}
	down.from = up.to = at_a;
	down.to = up.from = at_b;
	down.peer = b;
	up.peer = a;
	start = now_ns();
	pthread_create(&threads[0], NULL, receive_all, &down);
	pthread_create(&threads[1], NULL, receive_all, &up);
	pthread_create(&threads[2], NULL, send_all, &down);
	pthread_create(&threads[3], NULL, send_all, &up);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("{\"seconds\": %.3f, ", (now_ns() - start) / 1e9);
	print_way(&down, "requests");
	printf(", ");
	print_way(&up, "responses");
	printf("}\n");
	return 0;
}
