// SPDX-License-Identifier: GPL-2.0-or-later
#include "xsk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#define RING_SIZE 2048
/* What the kernel takes in one wake-up in copy mode (TX_BATCH_SIZE in net/xdp/xsk.c). */
#define WAKE_BATCH 32

/*
 * Frames the driver receives into in zero-copy mode, where it takes all of the queue's from the fill ring: it gives
 * them back to itself, so they are handed over once. Never slots: what comes in must not write over a call.
 */
#define FILL_FRAMES RING_SIZE
#define FILL_BYTES  ((size_t)FILL_FRAMES * SLOT_SIZE)

struct xsk {
	void *area; /* zero-copy mode: the slots and behind them the frames to receive into; NULL: the slots alone */
	size_t area_bytes;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	/* libxdp takes them to be zero at creation */
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion;
	uint32_t unflushed;
	uint64_t wakeups;
	int error; /* of the last wake-up, xsk_flush() tells it */
};

/* One range of addresses: the map's memory once more, then memory of our own. */
static int map_area(struct xsk *x, const struct xsk_memory *memory)
{
	void *at = mmap(NULL, memory->bytes + FILL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	x->area = at;
	x->area_bytes = memory->bytes + FILL_BYTES;
	at = mmap(at, memory->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory->map_fd, 0);
	return at == MAP_FAILED ? -errno : 0;
}

static void fill(struct xsk *x, size_t from)
{
	uint32_t at, n = xsk_ring_prod__reserve(&x->fill, FILL_FRAMES, &at);

	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, at + i) = from + (uint64_t)i * SLOT_SIZE;
	xsk_ring_prod__submit(&x->fill, n);
}

static int open_umem(struct xsk *x, void *area, size_t bytes)
{
	const struct xsk_umem_config config = {
		.fill_size = RING_SIZE,
		.comp_size = RING_SIZE,
		.frame_size = SLOT_SIZE,
	};

	return xsk_umem__create(&x->umem, area, bytes, &x->fill, &x->completion, &config);
}

static int open_socket(struct xsk *x, const char *ifname, bool zerocopy)
{
	const struct xsk_socket_config config = {
		.tx_size = RING_SIZE,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (zerocopy ? XDP_ZEROCOPY : XDP_COPY) | XDP_USE_NEED_WAKEUP,
	};

	return xsk_socket__create(&x->socket, ifname, 0, x->umem, NULL, &x->tx, &config);
}

int xsk_open(struct xsk **out, const char *ifname, const struct xsk_memory *memory, bool zerocopy)
{
	struct xsk *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = zerocopy ? map_area(x, memory) : 0;
	if (!err)
		err = zerocopy ? open_umem(x, x->area, x->area_bytes) : open_umem(x, memory->slots, memory->bytes);
	if (!err && zerocopy)
		fill(x, memory->bytes);
	if (!err)
		err = open_socket(x, ifname, zerocopy);
	if (err) {
		xsk_close(x);
		return err;
	}
	*out = x;
	return 0;
}

void xsk_close(struct xsk *x)
{
	if (!x)
		return;
	if (x->socket)
		xsk_socket__delete(x->socket);
	if (x->umem)
		xsk_umem__delete(x->umem);
	if (x->area)
		munmap(x->area, x->area_bytes);
	free(x);
}

/* Descriptors the kernel has not looked at yet. In copy mode it looks only while a wake-up runs. */
static uint32_t in_ring(const struct xsk *x)
{
	return *x->tx.producer - __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
}

static void wake(struct xsk *x)
{
	ssize_t sent = sendto(xsk_socket__fd(x->socket), NULL, 0, MSG_DONTWAIT, NULL, 0);

	x->wakeups++;
	x->error = sent < 0 ? -errno : 0;
	if (x->error == -EBUSY || x->error == -ENOBUFS)
		x->error = -EAGAIN;
}

int xsk_send(struct xsk *x, uint32_t slot, uint16_t offset, uint16_t length)
{
	uint32_t at;

	/* what waits in the ring may outlive the reason to send it: no more than one wake-up takes */
	if (x->unflushed >= WAKE_BATCH) {
		wake(x);
		x->unflushed = in_ring(x);
		if (x->unflushed >= WAKE_BATCH)
			return -EAGAIN;
	}
	if (!xsk_ring_prod__reserve(&x->tx, 1, &at))
		return -EAGAIN;
	*xsk_ring_prod__tx_desc(&x->tx, at) = (struct xdp_desc){
		.addr = (uint64_t)slot * SLOT_SIZE + offset,
		.len = length,
	};
	xsk_ring_prod__submit(&x->tx, 1);
	x->unflushed++;
	return 0;
}

int xsk_flush(struct xsk *x)
{
	uint32_t before;

	/* as long as it gets on */
	for (before = UINT32_MAX; x->unflushed && x->unflushed < before;) {
		before = x->unflushed;
		wake(x);
		x->unflushed = in_ring(x);
	}
	if (x->error && x->error != -EAGAIN)
		return x->error;
	return x->unflushed ? -EAGAIN : 0;
}

unsigned xsk_reap(struct xsk *x, uint32_t *slot, unsigned n)
{
	uint32_t at, got = xsk_ring_cons__peek(&x->completion, n, &at);

	for (uint32_t i = 0; i < got; i++)
		slot[i] = *xsk_ring_cons__comp_addr(&x->completion, at + i) / SLOT_SIZE;
	if (got)
		xsk_ring_cons__release(&x->completion, got);
	return got;
}

uint64_t xsk_wakeups(struct xsk *x)
{
	uint64_t n = x->wakeups;

	x->wakeups = 0;
	return n;
}
