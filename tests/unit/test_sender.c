// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ports: a TX ring that is full, a kernel side that does not move, a link that goes; and XDP live frames in place
 * of the ring. The socket and the kernel's program are fakes.
 */
#define _GNU_SOURCE /* tdestroy */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/siprtxd/neighbour.c"
#include "../../user/siprtxd/route.c"
#include "../../user/siprtxd/sender.c"

#define SLOTS 8
#define S     (1000 * MS)
#define LINK  5

static struct world {
	struct siprtx_slot slots[SLOTS];
	struct siprtx_meta meta;
	__u64 stats[MAX_STATS];
	struct pins pins;
	struct sender s;
	unsigned done;
	/* the socket */
	bool open;
	int open_error, flush_error;
	unsigned room, in_ring;	      /* descriptors it has room for, and holds */
	uint32_t back[SLOTS], n_back; /* completed */
	unsigned opened, closed;
	/* live frames: what the kernel makes of them */
	struct siprtx_live batch;
	int ready_error, xmit_error, send_error;
	unsigned not_made, sent_live, readied;
} w;

struct xsk {
	int unused;
};
static struct xsk the_one;

int xsk_open(struct xsk **out, const char *ifname, const struct xsk_memory *memory, bool zerocopy)
{
	(void)ifname, (void)memory, (void)zerocopy;
	if (w.open_error)
		return w.open_error;
	assert_false(w.open);
	w.open = true;
	w.opened++;
	*out = &the_one;
	return 0;
}

void xsk_close(struct xsk *x)
{
	if (!x)
		return;
	w.open = false;
	w.in_ring = w.n_back = 0;
	w.closed++;
}

int xsk_send(struct xsk *x, uint32_t slot, uint16_t offset, uint16_t length)
{
	(void)x, (void)slot, (void)offset, (void)length;
	assert_true(w.open);
	if (w.in_ring >= w.room)
		return -EAGAIN;
	w.in_ring++;
	return 0;
}

int xsk_flush(struct xsk *x)
{
	(void)x;
	return w.flush_error;
}

unsigned xsk_reap(struct xsk *x, uint32_t *slot, unsigned n)
{
	unsigned got = w.n_back < n ? w.n_back : n;

	(void)x;
	memcpy(slot, w.back, got * sizeof(*slot));
	w.n_back -= got;
	w.in_ring -= got;
	return got;
}

uint64_t xsk_wakeups(struct xsk *x)
{
	(void)x;
	return 0;
}

void live_open(struct live *l, const char *pin_path, struct siprtx_live *batch)
{
	*l = (struct live){.pin_path = pin_path, .batch = batch, .fd = -1};
}

void live_close(struct live *l)
{
	l->fd = -1;
}

int live_ready(struct live *l)
{
	(void)l;
	w.readied++;
	return w.ready_error;
}

bool live_add(struct live *l, uint32_t slot, uint32_t ifindex, uint16_t offset, uint16_t length)
{
	assert_int_equal(ifindex, LINK);
	if (l->n == 4) /* a small batch */
		return false;
	l->batch->frame[l->n++] = (struct siprtx_live_frame){slot, ifindex, offset, length};
	return true;
}

int live_send(struct live *l, uint32_t slot[LIVE_BATCH], unsigned *n)
{
	*n = l->n;
	for (unsigned i = 0; i < *n; i++)
		slot[i] = l->batch->frame[i].slot;
	l->n = 0;
	l->calls++;
	if (w.send_error)
		return w.send_error;
	w.sent_live += *n - w.not_made;
	return *n - w.not_made;
}

int xdp_xmit_ready(uint32_t ifindex)
{
	assert_int_equal(ifindex, LINK);
	return w.xmit_error;
}

void resolve_open(struct resolve *r)
{
	(void)r;
}

void resolve_close(struct resolve *r)
{
	(void)r;
}

void resolve_ask(struct resolve *r, uint32_t ifindex, const uint8_t addr[16], uint64_t now_ns)
{
	(void)r, (void)ifindex, (void)addr, (void)now_ns;
}

static void is_done(void *ctx, uint32_t slot)
{
	(void)ctx, (void)slot;
	w.done++;
}

static void link_is(bool up)
{
	const struct netlink_link l = {.ifindex = LINK, .name = "out0", .mac = {2, 1}, .wanted_up = up, .up = up};

	sender_learn_link(&w.s, &l);
}

static int setup_with(const struct sender_options *options)
{
	w = (struct world){.room = 4};
	w.meta.interfaces = 1;
	w.meta.interface[0] = (struct siprtx_interface){.name = "out0", .ifindex = LINK, .side = SIDE_OUTSIDE};
	w.pins = (struct pins){.entries[PIN_slots] = SLOTS,
			       .slots = w.slots,
			       .meta = &w.meta,
			       .stats = w.stats,
			       .live_batch = &w.batch};
	for (unsigned i = 0; i < SLOTS; i++) {
		w.slots[i].frame_off = SLOT_L3 - ETH_HLEN;
		w.slots[i].wire = WIRE_SUMMED;
		w.slots[i].egress = LINK;
	}
	assert_int_equal(sender_open(&w.s, &w.pins, options, 0), 0);
	w.s.done = is_done;
	link_is(true);
	assert_int_equal(sender_bind(&w.s, 100 * S), 0);
	assert_true(sender_is_well(&w.s, 0));
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(&(struct sender_options){0});
}

static int setup_live(void **state)
{
	(void)state;
	return setup_with(&(struct sender_options){.live_frames = true});
}

static int teardown(void **state)
{
	(void)state;
	sender_close(&w.s);
	return 0;
}

/* The kernel is done with this one. */
static void complete(uint32_t slot)
{
	w.back[w.n_back++] = slot;
}

static void ring_full(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(sender_send(&w.s, i, 100 * S), 0);
	assert_int_equal(w.stats[STAT_in_flight], 4);
	assert_int_equal(sender_send(&w.s, 4, 100 * S), -EAGAIN);
	/* no room in this round any more, though one comes back: those due first go first */
	complete(0);
	assert_int_equal(sender_send(&w.s, 5, 100 * S), -EAGAIN);
	sender_flush(&w.s);
	assert_int_equal(sender_send(&w.s, 5, 100 * S + MS), 0);
	/* one whose frame the kernel still has waits, whatever room there is */
	w.room = SLOTS;
	assert_int_equal(sender_send(&w.s, 1, 100 * S + MS), -EAGAIN);
	assert_int_equal(w.stats[STAT_in_flight], 4);
}

/* Each 10 ms from one time to another, as the loop does it. */
static void rounds(uint64_t from, uint64_t to)
{
	for (uint64_t now = from; now < to; now += 10 * MS) {
		assert_int_equal(sender_bind(&w.s, now), 0);
		sender_flush(&w.s);
	}
}

static void kernel_does_not_move(void **state)
{
	(void)state;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	assert_int_equal(sender_send(&w.s, 1, 100 * S), 0);
	w.flush_error = -EAGAIN;
	rounds(100 * S, 101 * S);
	assert_false(sender_is_well(&w.s, 0));
	assert_int_equal(w.closed, 0);
	/* what is in its ring must not go out later; its queue is bound until the kernel lets go */
	w.open_error = -EBUSY;
	rounds(101 * S, 102 * S);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.stats[STAT_in_flight], 0);
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_false(sender_is_well(&w.s, 0));
	assert_int_equal(sender_send(&w.s, 0, 102 * S), -EAGAIN);
	w.open_error = w.flush_error = 0;
	rounds(102 * S, 102 * S + 100 * MS);
	assert_int_equal(w.opened, 2);
	assert_true(sender_is_well(&w.s, 0));
	assert_int_equal(sender_send(&w.s, 0, 103 * S), 0);
}

/* Slow is not stuck. */
static void kernel_is_slow(void **state)
{
	(void)state;
	w.flush_error = -EAGAIN;
	for (uint64_t now = 100 * S; now < 105 * S; now += 500 * MS) {
		assert_int_equal(sender_send(&w.s, 0, now), 0);
		rounds(now, now + 490 * MS);
		assert_false(sender_is_well(&w.s, 0));
		complete(0);
		rounds(now + 490 * MS, now + 500 * MS);
	}
	assert_int_equal(w.closed, 0);
	w.flush_error = 0;
	rounds(105 * S, 105 * S + 10 * MS);
	assert_true(sender_is_well(&w.s, 0));
}

static void socket_of_no_use(void **state)
{
	(void)state;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	w.meta.heartbeat[0] = 100 * S;
	w.flush_error = -ENETDOWN;
	sender_flush(&w.s);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_int_equal(w.stats[STAT_tx_errors], 1);
}

static void link_down_and_up(void **state)
{
	(void)state;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	w.meta.heartbeat[0] = 100 * S;
	link_is(false);
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_int_equal(w.done, 1);
	assert_int_equal(sender_send(&w.s, 1, 100 * S), -ENETDOWN);
	rounds(100 * S, 103 * S);
	assert_int_equal(w.opened, 1);
	link_is(true);
	assert_false(sender_is_well(&w.s, 0));
	rounds(103 * S, 103 * S + 10 * MS);
	assert_int_equal(w.opened, 2);
	assert_int_equal(sender_send(&w.s, 1, 104 * S), 0);
}

/* No socket is opened; a full batch goes at once, the rest with the flush, and nothing is in flight after it. */
static void live_frames(void **state)
{
	(void)state;
	assert_int_equal(w.opened, 0);
	assert_int_equal(w.stats[STAT_live_frames], 1);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(sender_send(&w.s, i, 100 * S), 0);
	assert_int_equal(w.sent_live, 4);
	assert_int_equal(w.done, 4);
	assert_true(sender_in_flight(&w.s, 4));
	/* a frame that was not sent yet is not changed */
	assert_int_equal(sender_send(&w.s, 4, 100 * S), -EAGAIN);
	sender_flush(&w.s);
	assert_int_equal(w.sent_live, 5);
	assert_int_equal(w.done, 5);
	assert_int_equal(w.stats[STAT_in_flight], 0);
	assert_int_equal(w.stats[STAT_wakeups], 2);
	assert_int_equal(w.stats[STAT_live_lost], 0);
	assert_true(sender_is_well(&w.s, 0));
}

static void live_frame_not_made(void **state)
{
	(void)state;
	w.not_made = 1;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	sender_flush(&w.s);
	assert_int_equal(w.stats[STAT_live_lost], 1);
	assert_false(sender_is_well(&w.s, 0));
	w.not_made = 0;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	sender_flush(&w.s);
	assert_true(sender_is_well(&w.s, 0));
}

/* Refused when it is to send: the port is closed, its heartbeat ends, it is tried again. */
static void live_frames_refused(void **state)
{
	(void)state;
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	assert_int_equal(w.meta.heartbeat[0], 100 * S);
	w.send_error = -ENOMEM;
	sender_flush(&w.s);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.stats[STAT_in_flight], 0);
	assert_int_equal(w.stats[STAT_live_lost], 1);
	assert_int_equal(w.stats[STAT_tx_errors], 1);
	assert_int_equal(w.stats[STAT_live_frames], 0);
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_int_equal(sender_send(&w.s, 0, 100 * S), -EAGAIN);
	w.send_error = 0;
	rounds(100 * S, 101 * S + 10 * MS);
	assert_true(sender_is_well(&w.s, 0));
	assert_int_equal(w.stats[STAT_live_frames], 1);
}

/* Once a second it is asked whether frames still get through: the peer of a veth may lose its GRO at any time. */
static void live_frames_end(void **state)
{
	(void)state;
	rounds(100 * S, 103 * S);
	assert_in_range(w.readied, 3, 4);
	w.xmit_error = -EOPNOTSUPP;
	rounds(103 * S, 104 * S + 10 * MS);
	assert_false(sender_is_well(&w.s, 0));
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_int_equal(sender_send(&w.s, 0, 104 * S), -EAGAIN);
	w.xmit_error = 0;
	w.ready_error = -ENOENT;
	rounds(104 * S, 106 * S);
	assert_false(sender_is_well(&w.s, 0));
	w.ready_error = 0;
	rounds(106 * S, 107 * S + 10 * MS);
	assert_true(sender_is_well(&w.s, 0));
}

static void live_frames_link_down(void **state)
{
	(void)state;
	link_is(false);
	assert_int_equal(w.meta.heartbeat[0], 0);
	assert_int_equal(w.stats[STAT_live_frames], 0);
	assert_int_equal(sender_send(&w.s, 0, 100 * S), -ENETDOWN);
	rounds(100 * S, 103 * S);
	assert_int_equal(w.stats[STAT_live_frames], 0);
	link_is(true);
	rounds(103 * S, 103 * S + 10 * MS);
	assert_int_equal(sender_send(&w.s, 0, 104 * S), 0);
}

#define MAC_A                                                                                                          \
	{                                                                                                              \
		2, 0, 0, 0, 0, 0xa                                                                                     \
	}
#define MAC_B                                                                                                          \
	{                                                                                                              \
		2, 0, 0, 0, 0, 0xb                                                                                     \
	}

static void neighbour_is(const struct netlink_neighbour *n)
{
	sender_learn_neighbour(&w.s, n);
}

/* What was looked up for one frame serves the next ones, and no longer than it is true. */
static void next_hop_kept(void **state)
{
	struct netlink_neighbour hop = {
		.ifindex = LINK, .addr = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .mac = MAC_A, .known = true};
	static const uint8_t a[] = MAC_A, b[] = MAC_B;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		memcpy(w.slots[i].nexthop, hop.addr, sizeof(hop.addr));
		w.slots[i].wire |= WIRE_NO_MAC;
	}
	neighbour_is(&hop);
	assert_int_equal(sender_send(&w.s, 0, 100 * S), 0);
	assert_int_equal(sender_send(&w.s, 1, 100 * S), 0);
	assert_memory_equal(frame_dst_mac(&w.slots[1]), a, sizeof(a));
	memcpy(hop.mac, b, sizeof(b));
	neighbour_is(&hop);
	assert_int_equal(sender_send(&w.s, 2, 100 * S), 0);
	assert_memory_equal(frame_dst_mac(&w.slots[2]), b, sizeof(b));
	hop.known = false;
	neighbour_is(&hop);
	assert_int_equal(sender_send(&w.s, 3, 100 * S), -EHOSTUNREACH);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define LIVE(f) cmocka_unit_test_setup_teardown(f, setup_live, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ring_full),	CASE(kernel_does_not_move),  CASE(kernel_is_slow),
		CASE(socket_of_no_use), CASE(link_down_and_up),	     CASE(next_hop_kept),
		LIVE(live_frames),	LIVE(live_frame_not_made),   LIVE(live_frames_refused),
		LIVE(live_frames_end),	LIVE(live_frames_link_down),
	};

	return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
