// SPDX-License-Identifier: GPL-2.0-or-later
#include "xsk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#define RING_SIZE 2048
/* What the kernel takes in one wake-up in copy mode (TX_BATCH_SIZE in net/xdp/xsk.c). */
#define WAKE_BATCH 32
/* Copies in flight hang on the socket's send buffer, a skb of about 2.3 KiB each: room for a ring full of them. */
#define SEND_BUFFER (RING_SIZE * 2560)

struct xsk {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	/* libxdp takes them to be zero at creation */
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion;
	uint32_t unflushed;
	uint64_t wakeups;
	int error; /* of the last wake-up, xsk_flush() tells it */
};

static int open_umem(struct xsk *x, struct siprtx_slot *slots, size_t bytes)
{
	const struct xsk_umem_config config = {
		.fill_size = RING_SIZE,
		.comp_size = RING_SIZE,
		.frame_size = SLOT_SIZE,
	};

	return xsk_umem__create(&x->umem, slots, bytes, &x->fill, &x->completion, &config);
}

static int open_socket(struct xsk *x, const char *ifname)
{
	const struct xsk_socket_config config = {
		.tx_size = RING_SIZE,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	int err = xsk_socket__create(&x->socket, ifname, 0, x->umem, NULL, &x->tx, &config), bytes = SEND_BUFFER;

	/* as far as rights allow: less room means EAGAIN sooner, no more */
	if (!err && setsockopt(xsk_socket__fd(x->socket), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(xsk_socket__fd(x->socket), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return err;
}

int xsk_open(struct xsk **out, const char *ifname, struct siprtx_slot *slots, size_t bytes)
{
	struct xsk *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = open_umem(x, slots, bytes);
	if (!err)
		err = open_socket(x, ifname);
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
