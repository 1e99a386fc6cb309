// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The yardstick of reinject_pps: an AF_XDP copy-mode TX loop and nothing else, over as many distinct cold frames as
 * siprtx has slots. The template is a whole IPv4 UDP frame; eight zeros after "raw" in it become the frame's number.
 *
 *   raw_afxdp INTERFACE TEMPLATE-FILE FRAMES
 *
 * Prints "ready" when the frames are laid out, reads one line, sends every frame once and ends when all are completed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#define FRAME_SIZE 2048
#define RING	   4096
#define BATCH	   64
#define IP	   14
#define UDP	   34

static uint32_t sum16(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

static void set_udp_checksum(uint8_t *frame, size_t length)
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

static int lay_out(uint8_t *umem, unsigned frames, const uint8_t *template, size_t length)
{
	const uint8_t *mark = memmem(template, length, "raw00000000", 11);

	if (!mark)
		return -EINVAL;
	for (unsigned i = 0; i < frames; i++) {
		uint8_t *frame = umem + (size_t)i * FRAME_SIZE;
		char number[9];

		memcpy(frame, template, length);
		snprintf(number, sizeof(number), "%08x", i);
		memcpy(frame + (mark - template) + 3, number, 8);
		set_udp_checksum(frame, length);
	}
	return 0;
}

static int send_all(struct xsk_socket *xsk, struct xsk_ring_prod *tx, struct xsk_ring_cons *cq, unsigned frames,
		    size_t length)
{
	unsigned sent = 0, done = 0;
	uint32_t at;

	while (done < frames) {
		unsigned n = frames - sent < BATCH ? frames - sent : BATCH;

		if (n && xsk_ring_prod__reserve(tx, n, &at) == n) {
			for (unsigned i = 0; i < n; i++, sent++)
				*xsk_ring_prod__tx_desc(tx, at + i) =
					(struct xdp_desc){.addr = (uint64_t)sent * FRAME_SIZE, .len = length};
			xsk_ring_prod__submit(tx, n);
		}
		if (sendto(xsk_socket__fd(xsk), NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN &&
		    errno != EBUSY && errno != ENOBUFS)
			return -errno;
		n = xsk_ring_cons__peek(cq, RING, &at);
		xsk_ring_cons__release(cq, n);
		done += n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct xsk_umem_config umem_config = {.fill_size = RING, .comp_size = RING, .frame_size = FRAME_SIZE};
	const struct xsk_socket_config socket_config = {
		.tx_size = RING, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD, .bind_flags = XDP_COPY};
	static uint8_t template[FRAME_SIZE];
	struct xsk_ring_prod fill = {}, tx = {};
	struct xsk_ring_cons completion = {};
	struct xsk_socket *xsk = NULL;
	struct xsk_umem *umem = NULL;
	int error;

	if (argc != 4) {
		fprintf(stderr, "usage: raw_afxdp INTERFACE TEMPLATE-FILE FRAMES\n");
		return 2;
	}
	unsigned frames = strtoul(argv[3], NULL, 10);
	FILE *f = fopen(argv[2], "r");
	size_t length = f ? fread(template, 1, sizeof(template), f) : 0;
	void *memory = mmap(NULL, (size_t)frames * FRAME_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED || (error = lay_out(memory, frames, template, length)) ||
	    (error = xsk_umem__create(&umem, memory, (uint64_t)frames * FRAME_SIZE, &fill, &completion,
				      &umem_config)) ||
	    (error = xsk_socket__create(&xsk, argv[1], 0, umem, NULL, &tx, &socket_config))) {
		fprintf(stderr, "raw_afxdp: %s: %s\n", argv[1],
			memory == MAP_FAILED ? strerror(errno) : strerror(-error));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	getchar();
	error = send_all(xsk, &tx, &completion, frames, length);
	if (error)
		fprintf(stderr, "raw_afxdp: send: %s\n", strerror(-error));
	xsk_socket__delete(xsk);
	xsk_umem__delete(umem);
	return !!error;
}
