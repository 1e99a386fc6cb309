// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The yardstick of re-injection: an AF_XDP copy-mode TX loop and nothing else.
 *
 *   raw_afxdp INTERFACE TEMPLATE-FILE FRAMES SENDS
 *
 * Prints "ready" when the frames are laid out, reads one line, sends SENDS frames in turn and ends when all are
 * completed.
 */
#define _GNU_SOURCE
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "raw_frames.h"

#define RING  4096
#define BATCH 64

static int send_all(struct xsk_socket *xsk, struct xsk_ring_prod *tx, struct xsk_ring_cons *cq, unsigned frames,
		    unsigned sends, size_t length)
{
	unsigned sent = 0, done = 0;
	uint32_t at;

	while (done < sends) {
		unsigned n = sends - sent < BATCH ? sends - sent : BATCH;

		if (n && xsk_ring_prod__reserve(tx, n, &at) == n) {
			for (unsigned i = 0; i < n; i++, sent++)
				*xsk_ring_prod__tx_desc(tx, at + i) = (struct xdp_desc){
					.addr = (uint64_t)(sent % frames) * FRAME_SIZE, .len = length};
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
	static struct raw_template template;
	struct xsk_ring_prod fill = {}, tx = {};
	struct xsk_ring_cons completion = {};
	struct xsk_socket *xsk = NULL;
	struct xsk_umem *umem = NULL;
	int error;

	if (argc != 5) {
		fprintf(stderr, "usage: raw_afxdp INTERFACE TEMPLATE-FILE FRAMES SENDS\n");
		return 2;
	}
	unsigned frames = strtoul(argv[3], NULL, 10), sends = strtoul(argv[4], NULL, 10);
	void *memory = mmap(NULL, (size_t)frames * FRAME_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	error = memory == MAP_FAILED ? -errno : read_template(argv[2], &template);
	if (!error)
		lay_out(memory, frames, &template);
	if (error ||
	    (error = xsk_umem__create(&umem, memory, (uint64_t)frames * FRAME_SIZE, &fill, &completion,
				      &umem_config)) ||
	    (error = xsk_socket__create(&xsk, argv[1], 0, umem, NULL, &tx, &socket_config))) {
		fprintf(stderr, "raw_afxdp: %s: %s\n", argv[1], strerror(-error));
		return 1;
	}
	get_ready();
	error = send_all(xsk, &tx, &completion, frames, sends, template.length);
	if (error)
		fprintf(stderr, "raw_afxdp: send: %s\n", strerror(-error));
	xsk_socket__delete(xsk);
	xsk_umem__delete(umem);
	return !!error;
}
