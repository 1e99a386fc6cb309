/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames that the bare senders send: a template, a whole IPv4 UDP frame, of which each copy has its own number. */
#ifndef RAW_FRAMES_H
#define RAW_FRAMES_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SIZE 2048
#define IP	   14
#define UDP	   34
#define PAYLOAD	   42

struct raw_template {
	uint8_t bytes[FRAME_SIZE];
	size_t length;
};

static inline uint32_t sum16(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

static inline void set_udp_checksum(uint8_t *frame, size_t length)
{
	size_t n = length - UDP;
	uint32_t sum;

	frame[UDP + 6] = frame[UDP + 7] = 0;
	sum = sum16(frame + IP + 12, 8) + IPPROTO_UDP + n + sum16(frame + UDP, n);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = sum == 0xffff ? sum : ~sum & 0xffff;
	frame[UDP + 6] = sum >> 8;
	frame[UDP + 7] = sum;
}

static inline int read_template(const char *path, struct raw_template *t)
{
	FILE *f = fopen(path, "r");

	t->length = f ? fread(t->bytes, 1, sizeof(t->bytes), f) : 0;
	if (f)
		fclose(f);
	return t->length > PAYLOAD ? 0 : -ENOENT;
}

/* `frames` copies, FRAME_SIZE apart; eight digits after each "raw" become the number of the frame. */
static inline void lay_out(uint8_t *memory, unsigned frames, const struct raw_template *t)
{
	for (unsigned i = 0; i < frames; i++) {
		uint8_t *frame = memory + (size_t)i * FRAME_SIZE, *end = frame + t->length, *at = frame;
		char number[9];

		memcpy(frame, t->bytes, t->length);
		snprintf(number, sizeof(number), "%08x", i);
		while ((at = memmem(at, end - at, "raw00000000", 11))) {
			memcpy(at + 3, number, 8);
			at += 11;
		}
		set_udp_checksum(frame, t->length);
	}
}

/* Says that the frames are laid out, and waits for a line. */
static inline void get_ready(void)
{
	puts("ready");
	fflush(stdout);
	getchar();
}

#endif
