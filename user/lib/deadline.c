// SPDX-License-Identifier: GPL-2.0-or-later
#include "deadline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_MIN   1024 /* entries of a queue's first ring */
#define QUEUES_MIN 16
#define CACHE_BITS 6

_Static_assert(sizeof(struct deadline) == 16, "four entries a cache line");

struct queue {
	uint64_t wait_ns;
	struct deadline *ring; /* `room` entries, a power of two or 0 */
	uint64_t head, tail;   /* counted from the start; masked to find the entry */
	uint64_t room;
};

struct head {
	uint64_t due_ns;
	uint32_t queue;
};

struct deadlines {
	struct queue *queue; /* every wait ever asked for, but that an empty queue is given to the next new wait */
	struct head *heap;   /* the queues that hold something, the earliest head first */
	uint32_t queues, waiting, room;
	uint32_t cache[1 << CACHE_BITS]; /* wait_ns, hashed -> its queue the last time */
	uint64_t count;
};

struct deadlines *deadlines_new(void)
{
	return calloc(1, sizeof(struct deadlines));
}

void deadlines_free(struct deadlines *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->queues; i++)
		free(d->queue[i].ring);
	free(d->queue);
	free(d->heap);
	free(d);
}

static void sift_up(struct deadlines *d, uint32_t at)
{
	struct head moved = d->heap[at];

	for (; at && d->heap[(at - 1) / 2].due_ns > moved.due_ns; at = (at - 1) / 2)
		d->heap[at] = d->heap[(at - 1) / 2];
	d->heap[at] = moved;
}

static void sift_down(struct deadlines *d)
{
	struct head moved = d->heap[0];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < d->waiting) {
		if (child + 1 < d->waiting && d->heap[child + 1].due_ns < d->heap[child].due_ns)
			child++;
		if (d->heap[child].due_ns >= moved.due_ns)
			break;
		d->heap[at] = d->heap[child];
		at = child;
	}
	d->heap[at] = moved;
}

static struct deadline *entry_at(const struct queue *q, uint64_t position)
{
	return &q->ring[position & (q->room - 1)];
}

/* Doubles the ring. realloc moves pages instead of bytes where it is large; only what had wrapped around is copied. */
static int grow_ring(struct queue *q)
{
	uint64_t room = q->room ? 2 * q->room : RING_MIN;
	struct deadline *ring = realloc(q->ring, room * sizeof(*ring));
	uint64_t first = q->room ? q->head & (q->room - 1) : 0;

	if (!ring)
		return -ENOMEM;
	memcpy(ring + q->room, ring, first * sizeof(*ring));
	q->ring = ring;
	q->room = room;
	q->tail -= q->head - first;
	q->head = first;
	return 0;
}

static int grow_queues(struct deadlines *d)
{
	uint32_t room = d->room ? 2 * d->room : QUEUES_MIN;
	struct queue *queue = realloc(d->queue, room * sizeof(*queue));
	struct head *heap;

	if (!queue)
		return -ENOMEM;
	d->queue = queue;
	heap = realloc(d->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	d->heap = heap;
	d->room = room;
	return 0;
}

/* The queue of this wait, an empty one of another wait, or a new one. NULL: no memory. */
static struct queue *find_queue(struct deadlines *d, uint64_t wait_ns)
{
	uint32_t *cached = &d->cache[wait_ns * 0x9e3779b97f4a7c15ull >> (64 - CACHE_BITS)];
	uint32_t at = *cached, empty = UINT32_MAX;

	if (at < d->queues && d->queue[at].wait_ns == wait_ns)
		return &d->queue[at];
	for (at = 0; at < d->queues && d->queue[at].wait_ns != wait_ns; at++)
		if (d->queue[at].head == d->queue[at].tail)
			empty = at;
	if (at == d->queues && empty != UINT32_MAX)
		at = empty;
	if (at == d->queues) {
		if (d->queues == d->room && grow_queues(d))
			return NULL;
		d->queue[d->queues++] = (struct queue){0};
	}
	d->queue[at].wait_ns = wait_ns;
	*cached = at;
	return &d->queue[at];
}

int deadlines_add(struct deadlines *d, uint64_t wait_ns, struct deadline entry)
{
	struct queue *q = find_queue(d, wait_ns);

	if (!q || (q->tail - q->head == q->room && grow_ring(q)))
		return -ENOMEM;
	*entry_at(q, q->tail++) = entry;
	d->count++;
	if (q->tail - q->head == 1) {
		d->heap[d->waiting] = (struct head){entry.due_ns, q - d->queue};
		sift_up(d, d->waiting++);
	}
	return 0;
}

/* What a burst needed is given back once it is over. */
static void shrink_ring(struct queue *q)
{
	if (q->room <= RING_MIN)
		return;
	free(q->ring);
	*q = (struct queue){.wait_ns = q->wait_ns};
}

bool deadlines_pop(struct deadlines *d, uint64_t now_ns, struct deadline *out)
{
	struct queue *q;

	if (!d->waiting || d->heap[0].due_ns > now_ns)
		return false;
	q = &d->queue[d->heap[0].queue];
	*out = *entry_at(q, q->head++);
	d->count--;
	if (q->head != q->tail) {
		d->heap[0].due_ns = entry_at(q, q->head)->due_ns;
	} else {
		d->heap[0] = d->heap[--d->waiting];
		shrink_ring(q);
	}
	sift_down(d);
	return true;
}

uint64_t deadlines_next(const struct deadlines *d)
{
	return d->waiting ? d->heap[0].due_ns : UINT64_MAX;
}

/* How many at the head of a queue are due. */
static uint64_t due_in(const struct queue *q, uint64_t now_ns)
{
	uint64_t from = q->head, to = q->tail;

	while (from < to) {
		uint64_t middle = from + (to - from) / 2;

		if (entry_at(q, middle)->due_ns <= now_ns)
			from = middle + 1;
		else
			to = middle;
	}
	return from - q->head;
}

uint64_t deadlines_due(const struct deadlines *d, uint64_t now_ns)
{
	uint64_t n = 0;

	if (deadlines_next(d) > now_ns)
		return 0;
	for (uint32_t i = 0; i < d->waiting; i++)
		n += d->heap[i].due_ns <= now_ns ? due_in(&d->queue[d->heap[i].queue], now_ns) : 0;
	return n;
}

uint64_t deadlines_count(const struct deadlines *d)
{
	return d->count;
}

int64_t deadlines_ahead(const struct deadlines *d, unsigned n)
{
	const struct queue *q;

	if (!d->waiting)
		return -1;
	q = &d->queue[d->heap[0].queue];
	return q->head + n < q->tail ? (int64_t)entry_at(q, q->head + n)->slot : -1;
}
