/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a caller and a gateway of the bench need of a SIP message. Both stand behind one Kamailio, whose messages have
 * no folded lines and no compact names: this is no parser for the wire.
 */
#ifndef SIP_TEXT_H
#define SIP_TEXT_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MESSAGE 4096	   /* longest message */
#define RECEIVE (64 << 20) /* bytes of socket buffer: a burst must not be lost in front of the clock */
#define WORD(w) (w), sizeof(w) - 1

struct text {
	const char *at;
	int size; /* as printf's %.*s takes it */
};

/* The value of the first header called `name` ("Via: " with colon and blank), without its CRLF; size 0: none. */
static inline struct text header(const char *message, const char *name)
{
	char mark[32] = "\r\n";
	const char *at = strstr(message, strncat(mark, name, sizeof(mark) - 3));

	if (!at)
		return (struct text){"", 0};
	at += strlen(mark);
	return (struct text){at, (int)strcspn(at, "\r")};
}

/* A bound UDP socket whose datagrams carry the kernel's time; -1: not to be had. */
static inline int bound_socket(const char *address, const char *port)
{
	int on = 1, room = RECEIVE, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(strtoul(port, NULL, 10))};

	if (fd < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return -1;
	return fd;
}

static volatile sig_atomic_t ending;

static void end(int number)
{
	(void)number;
	ending = 1;
}

/* SIGTERM and SIGINT interrupt a waiting call and set `ending`. */
static inline void end_by_signal(void)
{
	struct sigaction act = {.sa_handler = end};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
}

#endif
