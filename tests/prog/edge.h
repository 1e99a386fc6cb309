/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs as the product loads them, in a network namespace of the test's own, run by BPF_PROG_TEST_RUN:
 * packet in; verdict, bytes and maps out.
 */
#ifndef TEST_EDGE_H
#define TEST_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "pins.h"

#define SOFTSWITCH  "10.77.1.2"
#define GATEWAY	    "10.77.2.2"
#define SOFTSWITCH6 "fd77:1::2"
#define GATEWAY6    "fd77:2::2"

struct edge {
	struct config config;
	struct pins pins;
	int inside, outside, egress; /* program fds; -1: not loaded, inside with capture = egress, else egress */
	unsigned in_ifindex, out_ifindex;
	char pin_path[64];
};

/*
 * Makes the namespace (in0 and out0, veth, with routes and permanent neighbours), loads and opens the maps, and says
 * what a live controller would: alive, heartbeat fresh. `overrides` as -o takes them, NULL-terminated, or NULL.
 * Fails the test on any error.
 */
void edge_up(struct edge *e, char *const *overrides);
void edge_down(struct edge *e);
/* A shell command in the namespace; fails the test when it fails. */
void edge_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now_ns(void);

struct frame {
	uint8_t data[4096];
	unsigned len;
};

struct shape { /* how to build a frame round a message; zero is IPv4, no tags, no options */
	bool v6;
	unsigned tags;	     /* 0..3 VLAN tags, 100 + i */
	unsigned ip_options; /* bytes of IPv4 options, a multiple of 4 */
	const uint8_t *ext;  /* IPv6 extension headers as they stand, the last one naming UDP */
	unsigned ext_len;
	uint8_t ext_first;     /* next header of the IPv6 header when ext is there */
	uint8_t ttl;	       /* 0: 64 */
	uint16_t frag;	       /* IPv4 fragment field */
	uint16_t sport, dport; /* 0: 5060 */
	const char *src, *dst; /* NULL: softswitch to gateway of the family */
	int udp_len_off;       /* added to the UDP length */
	int ip_len_off;	       /* added to the IP length */
	unsigned padding;      /* zero bytes after the packet */
	bool half_sum;	       /* UDP checksum as CHECKSUM_PARTIAL leaves it */
	uint8_t proto;	       /* 0: UDP */
};

void frame_build(struct frame *f, const struct shape *s, const void *message, size_t len);
/* Runs a program on it. Returns the verdict; *out (may be NULL) the frame after. */
int run(int prog_fd, const struct frame *in, struct frame *out);
/* The same for one of XDP, as a frame that comes by this interface, which has a program of its own. */
int run_from(int prog_fd, unsigned ifindex, const struct frame *in, struct frame *out);
struct __sk_buff;
/* The same for one of TC, with what its skb says beside the frame: BPF_PROG_TEST_RUN takes some fields alone. */
int run_skb(int prog_fd, const struct frame *in, struct frame *out, struct __sk_buff *skb);
/* Sum over CPUs of a counter. */
uint64_t counter(const struct edge *e, unsigned index);
void counters_clear(const struct edge *e);

/* The internet checksum, plainly: RFC 1071. */
uint16_t plain_sum(const void *data, size_t len, uint32_t start);

/* An INVITE; body and extra may be NULL. Returns its length. */
int make_invite(char *out, size_t size, const char *branch, unsigned cseq, const char *extra);
int make_response(char *out, size_t size, const char *branch, unsigned cseq, int code, const char *method,
		  const char *extra);

/* The slot that holds the transaction last captured, by its note; NULL: none. Takes all notes from the ring. */
struct siprtx_slot *last_captured(struct edge *e);

#endif
