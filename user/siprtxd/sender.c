// SPDX-License-Identifier: GPL-2.0-or-later
#include "sender.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "frame.h"
#include "log.h"
#include "slot.h"
#include "xdp_xmit.h"

#define MS 1000000ull

/* A queue just closed, by this process or by one killed, stays bound for up to half a second. */
#define BUSY_RETRY_NS	 (50 * MS)
#define BUSY_PATIENCE_NS (3000 * MS)
#define RETRY_NS	 (1000 * MS)
#define REAP_BATCH	 64

static const uint8_t no_next_hop[16];

int sender_open(struct sender *s, const struct pins *pins, const struct sender_options *options, uint64_t now_ns)
{
	uint32_t n = pins->entries[PIN_slots];

	*s = (struct sender){.pins = pins, .options = *options, .neighbours = {.epoch = 1}};
	live_open(&s->live, pins->path, pins->live_batch);
	pins->stats[STAT_live_frames] = 0; /* of one that was killed */
	s->in_flight = calloc(n, sizeof(*s->in_flight));
	s->mac_epoch = calloc(n, sizeof(*s->mac_epoch));
	/* not where every controller begins (RFC 6864 4.3) */
	if (getrandom(&s->id, sizeof(s->id), GRND_NONBLOCK) < 0)
		s->id = (uintptr_t)s->in_flight >> 4;
	resolve_open(&s->resolve);
	routes_open(&s->routes, now_ns);
	sender_rename(s);
	return s->in_flight && s->mac_epoch ? 0 : -ENOMEM;
}

void sender_close(struct sender *s)
{
	for (unsigned i = 0; i < MAX_PORTS; i++)
		xsk_close(s->port[i].xsk);
	neighbours_free(&s->neighbours);
	if (s->pins) {
		resolve_close(&s->resolve);
		routes_close(&s->routes);
		live_close(&s->live);
	}
	free(s->in_flight);
	free(s->mac_epoch);
	*s = (struct sender){};
}

void sender_rename(struct sender *s)
{
	const struct siprtx_meta *m = s->pins->meta;

	for (unsigned i = 0; i < m->interfaces && i < MAX_INTERFACES; i++) {
		const struct siprtx_interface *itf = &m->interface[i];

		if (itf->side == SIDE_INSIDE && s->options.inside)
			memcpy(s->port[FIRST_INSIDE + i].name, itf->name, sizeof(itf->name));
		if (itf->side != SIDE_OUTSIDE || itf->outside >= MAX_OUTSIDE)
			continue;
		memcpy(s->port[itf->outside].name, itf->name, sizeof(itf->name));
		if (s->n_ports <= itf->outside)
			s->n_ports = itf->outside + 1;
	}
}

/* The kernel is done with a descriptor or a frame of this slot. */
static void give_back(struct sender *s, uint32_t slot)
{
	if (slot >= s->pins->entries[PIN_slots] || !s->in_flight[slot])
		return;
	s->in_flight[slot]--;
	s->pins->stats[STAT_in_flight]--;
	s->done(s->ctx, slot);
}

static void tell_live(struct sender *s, unsigned n, bool live)
{
	__u64 *ports = &s->pins->stats[STAT_live_frames];

	s->port[n].live = live;
	if (n < FIRST_INSIDE)
		*ports = live ? *ports | 1ull << n : *ports & ~(1ull << n);
}

/* Nothing comes back from a closed socket: its slots are done. */
static void close_port(struct sender *s, unsigned n)
{
	struct port *p = &s->port[n];

	if (n < FIRST_INSIDE)
		__atomic_store_n(&s->pins->meta->heartbeat[n], 0, __ATOMIC_RELEASE);
	if (!port_is_bound(p))
		return;
	xsk_close(p->xsk);
	p->xsk = NULL;
	tell_live(s, n, false);
	p->behind = false;
	for (uint32_t slot = 0; slot < s->pins->entries[PIN_slots]; slot++) {
		if (!s->in_flight[slot] || s->pins->slots[slot].outside != n)
			continue;
		s->pins->stats[STAT_in_flight] -= s->in_flight[slot];
		s->in_flight[slot] = 0;
		s->done(s->ctx, slot);
	}
}

static void port_changed(struct sender *s, unsigned n, const struct netlink_link *l)
{
	struct port *p = &s->port[n];

	if (!l->up && (p->up || !p->ifindex))
		log_warning("%s %s: %s until it is back", l->name, l->gone ? "is gone" : "is down",
			    n < FIRST_INSIDE ? "its calls are not retransmitted" : "nothing is answered there");
	if (!l->up || l->ifindex != p->ifindex)
		close_port(s, n);
	if (!p->up && l->up) {
		if (p->was_up)
			log_info("%s is back", l->name);
		p->was_up = true;
		p->retry_ns = p->patience_ns = 0;
		p->complained = false;
	}
	p->ifindex = l->gone ? 0 : l->ifindex;
	p->up = l->up;
}

bool sender_learn_link(struct sender *s, const struct netlink_link *l)
{
	struct siprtx_meta *m = s->pins->meta;
	bool came = false;

	neighbours_learn_link(&s->neighbours, l);
	for (unsigned i = 0; i < m->interfaces && i < MAX_INTERFACES; i++) {
		struct siprtx_interface *itf = &m->interface[i];

		if (strcmp(itf->name, l->name)) {
			/* renamed away */
			if (itf->ifindex == l->ifindex)
				itf->up = 0;
			continue;
		}
		came |= !l->gone && itf->ifindex != l->ifindex;
		itf->up = l->up;
	}
	for (unsigned i = 0; i < MAX_PORTS; i++)
		if (!strcmp(s->port[i].name, l->name))
			port_changed(s, i, l);
	return came;
}

void sender_learn_neighbour(struct sender *s, const struct netlink_neighbour *n)
{
	neighbours_learn(&s->neighbours, n);
}

void sender_learn_routes(struct sender *s, uint64_t now_ns)
{
	if (routes_changed(&s->routes, now_ns))
		s->neighbours.epoch++;
}

static void complain(struct sender *s, struct port *p, int err)
{
	unsigned mib, ports = 0;

	if (p->complained)
		return;
	p->complained = true;
	for (unsigned i = 0; i < MAX_PORTS; i++)
		ports += s->port[i].name[0] != '\0';
	mib = (s->pins->length[PIN_slots] * ports >> 20) + 1;
	if (err == -ENOBUFS)
		log_error("the slots cannot be registered for sending on %s: RLIMIT_MEMLOCK is too small. Raise it to "
			  "%u MiB (LimitMEMLOCK=), or lower max_transactions.",
			  p->name, mib);
	else if (err == -EBUSY)
		log_error("queue 0 of %s is bound by another AF_XDP socket. End the program that holds it; it is tried "
			  "again every second.",
			  p->name);
	else if (err == -EPERM || err == -EACCES)
		log_error("no AF_XDP socket on %s: %s. Run as root or with CAP_NET_RAW.", p->name, strerror(-err));
	else
		log_error("no AF_XDP socket on %s: %s; it is tried again every second", p->name, strerror(-err));
}

static void complain_live(const struct sender *s, struct port *p, int err)
{
	const char *why = "look at what BPF_PROG_RUN is refused for, or set sender = afxdp";

	if (p->complained)
		return;
	p->complained = true;
	if (err == -EOPNOTSUPP)
		why = "its driver takes none, or, of a veth, its peer has neither GRO on nor an XDP program. Give it "
		      "one "
		      "of them (ethtool -K PEER gro on), or set sender = afxdp";
	else if (err == -ENOENT)
		why = "the program is not pinned. Run siprtx load";
	else if (err == -EPERM || err == -EACCES)
		why = "the program may not be opened. Run siprtx load, for the user that siprtxd runs as";
	else if (err == -EINVAL)
		why = "this kernel has no live frames: they came with Linux 5.18. Set sender = afxdp";
	log_error(
		"no XDP frames (sender = live-frames) on %s: %s under %s: %s. The softswitch's own copies pass; it is "
		"tried again every second.",
		p->name, strerror(-err), s->pins->path, why);
}

/* Can XDP frames be sent there, and is the program still the one that is attached? Else nothing is sent there. */
static int bind_live(struct sender *s, unsigned n, uint64_t now_ns)
{
	struct port *p = &s->port[n];
	bool before = p->live;
	int err = live_ready(&s->live) ?: xdp_xmit_ready(p->ifindex);

	p->check_ns = p->retry_ns = now_ns + RETRY_NS;
	if (err) {
		close_port(s, n);
		complain_live(s, p, err);
		return 0;
	}
	if (before)
		return 0;
	log_info("%s: XDP frames are sent there%s", p->name, p->complained ? " now" : "");
	p->complained = false;
	tell_live(s, n, true);
	if (n < FIRST_INSIDE)
		__atomic_store_n(&s->pins->meta->heartbeat[n], now_ns, __ATOMIC_RELEASE);
	return 0;
}

/* From when a port is bound the softswitch's copies are absorbed: what is due goes out in the same round. */
static int bind_port(struct sender *s, unsigned n, uint64_t now_ns)
{
	struct port *p = &s->port[n];
	const struct xsk_memory memory = {s->pins->slots, s->pins->length[PIN_slots], s->pins->fd[PIN_slots]};
	bool zerocopy = s->options.zerocopy && !p->copies;
	int err;

	if (s->options.live_frames)
		return bind_live(s, n, now_ns);
	err = xsk_open(&p->xsk, p->name, &memory, zerocopy);
	if (err == -EOPNOTSUPP && zerocopy) {
		log_warning("the driver of %s has no zero-copy mode: copy mode is used", p->name);
		p->copies = true;
		err = xsk_open(&p->xsk, p->name, &memory, false);
	}
	if (!err) {
		if (p->complained)
			log_info("%s is bound now", p->name);
		p->complained = false;
		if (n < FIRST_INSIDE)
			__atomic_store_n(&s->pins->meta->heartbeat[n], now_ns, __ATOMIC_RELEASE);
		return 0;
	}
	if (!p->patience_ns)
		p->patience_ns = now_ns + BUSY_PATIENCE_NS;
	if (err == -EBUSY && now_ns < p->patience_ns) {
		p->retry_ns = now_ns + BUSY_RETRY_NS;
		return 0;
	}
	p->retry_ns = now_ns + RETRY_NS;
	complain(s, p, err);
	return err == -EBUSY || err == -ENODEV || err == -ENETDOWN ? 0 : err;
}

/*
 * The kernel has taken nothing for as long as absorption lasts: the softswitch sends by now, and what is left in the
 * ring must not go out whenever the kernel moves on.
 */
static void close_stuck(struct sender *s, unsigned n, uint64_t now_ns)
{
	struct port *p = &s->port[n];

	if (!p->xsk || !p->behind || p->moved)
		p->moved_ns = now_ns;
	p->moved = false;
	if (now_ns < p->moved_ns + HEARTBEAT_NS)
		return;
	if (!p->complained)
		log_warning("%s: the kernel has sent nothing for a second. What waits for it is thrown away, and the "
			    "socket "
			    "made anew as soon as the kernel lets go of it; see what holds up the link's queue.",
			    p->name);
	p->complained = true; /* so bind_port() says when */
	close_port(s, n);
	p->retry_ns = p->patience_ns = 0;
}

int sender_bind(struct sender *s, uint64_t now_ns)
{
	int err = 0;

	for (unsigned i = 0; i < MAX_PORTS; i++) {
		struct port *p = &s->port[i];

		close_stuck(s, i, now_ns);
		if (p->up && now_ns >= (p->live ? p->check_ns : p->retry_ns) && !p->xsk)
			err = bind_port(s, i, now_ns) ?: err;
	}
	return err;
}

/*
 * Its route has changed since its capture: another next hop on the same link is followed. Elsewhere the softswitch's
 * own copies find their way by themselves. 0 or -ENETUNREACH.
 */
static int follow_route(struct sender *s, struct siprtx_slot *frame, uint32_t link)
{
	struct route now;
	int err = routes_find(&s->routes, frame, &now);

	if (err == -EAGAIN)
		return 0;
	if (err || now.oif != link)
		return -ENETUNREACH;
	if (memcmp(now.nexthop, frame->nexthop, sizeof(now.nexthop))) {
		memcpy(frame->nexthop, now.nexthop, sizeof(frame->nexthop));
		frame->wire |= WIRE_NO_MAC;
	}
	return 0;
}

static const struct fit *fit_of(struct sender *s, uint32_t link, const uint8_t nexthop[16])
{
	struct fit *f = &s->fit;

	if (f->epoch == s->neighbours.epoch && f->link == link && !memcmp(f->nexthop, nexthop, sizeof(f->nexthop)))
		return f;
	*f = (struct fit){.epoch = s->neighbours.epoch,
			  .link = link,
			  .mtu = neighbours_link_mtu(&s->neighbours, link),
			  .dst = neighbours_mac(&s->neighbours, link, nexthop),
			  .src = neighbours_link_mac(&s->neighbours, link)};
	memcpy(f->nexthop, nexthop, sizeof(f->nexthop));
	return f;
}

/*
 * The frame gets the next hop's present MAC. 0; -ENETUNREACH: it leads elsewhere now; -EHOSTUNREACH: none is known, and
 * it has none; -EMSGSIZE: the link takes no packet of its size, and nothing below would refuse it.
 */
static int make_fit(struct sender *s, uint32_t slot, uint64_t now_ns)
{
	struct siprtx_slot *frame = &s->pins->slots[slot];
	const struct fit *fit;
	uint32_t link = frame->egress;
	int err;

	if (s->mac_epoch[slot] == s->neighbours.epoch && !(frame->wire & WIRE_NO_MAC))
		return 0;
	/* without a tag it is the outside interface itself, which may have been made anew since */
	if (frame->frame_off == SLOT_L3 - ETH_HLEN)
		link = s->port[frame->outside % MAX_PORTS].ifindex;
	fit = fit_of(s, link, frame->nexthop);
	if ((uint32_t)(frame->frame_off + frame->frame_len - SLOT_L3) > fit->mtu)
		return -EMSGSIZE;
	if (!memcmp(frame->nexthop, no_next_hop, sizeof(no_next_hop)))
		return 0;
	/* not what siprtx made itself: that is in a slot that is on no list, and its word says free */
	if (frame->first_ns < s->routes.changed_ns + ROUTE_KEPT_NS && word_state(slot_word(frame)) != ST_FREE) {
		err = follow_route(s, frame, link);
		if (err)
			return err;
		fit = fit_of(s, link, frame->nexthop);
	}
	if (fit->dst && fit->src) {
		frame_set_macs(frame, fit->dst, fit->src);
		s->mac_epoch[slot] = s->neighbours.epoch;
		return 0;
	}
	if (!(frame->wire & WIRE_NO_MAC))
		return 0;
	resolve_ask(&s->resolve, link, frame->nexthop, now_ns);
	return -EHOSTUNREACH;
}

static void reap(struct sender *s, struct port *p)
{
	uint32_t slot[REAP_BATCH];
	unsigned n;

	do {
		n = xsk_reap(p->xsk, slot, REAP_BATCH);
		for (unsigned i = 0; i < n; i++) {
			p->moved = true;
			give_back(s, slot[i]);
		}
	} while (n == REAP_BATCH);
}

/*
 * A frame that was taken at TC egress has final MACs and not always a next hop: a host that does not forward is told of
 * none. Who has its MAC is the next hop. In a VLAN and from behind a bridge it stays unknown, and the MACs as they are.
 */
static void find_next_hop(struct sender *s, struct siprtx_slot *frame)
{
	uint32_t link = s->port[frame->outside % MAX_PORTS].ifindex;
	const uint8_t *dst = frame_dst_mac(frame), *own = neighbours_link_mac(&s->neighbours, link), *addr;

	if (frame->frame_off != SLOT_L3 - ETH_HLEN || !own || memcmp(dst + ETH_ALEN, own, ETH_ALEN))
		return;
	addr = neighbours_next_hop(&s->neighbours, link, dst, frame->daddr);
	if (addr)
		memcpy(frame->nexthop, addr, sizeof(frame->nexthop));
}

void sender_prepare(struct sender *s, uint32_t slot)
{
	struct siprtx_slot *frame = &s->pins->slots[slot];

	if (frame->wire & WIRE_SUMMED)
		return;
	if (!memcmp(frame->nexthop, no_next_hop, sizeof(no_next_hop)))
		find_next_hop(s, frame);
	frame_sum(frame);
}

static int into_ring(struct sender *s, struct port *p, uint32_t slot)
{
	const struct siprtx_slot *frame = &s->pins->slots[slot];
	int err = p->full ? -EAGAIN : xsk_send(p->xsk, slot, frame->frame_off, frame->frame_len);

	if (err == -EAGAIN && !p->full) {
		reap(s, p);
		err = xsk_send(p->xsk, slot, frame->frame_off, frame->frame_len);
		p->full = err == -EAGAIN;
	}
	/* while what is kept of those slots is still in the cache */
	if (!err && !(++p->handed % REAP_BATCH))
		reap(s, p);
	return err;
}

/*
 * Sends what was collected. It is copied, so that all slots are done, also where it was not sent. Where the kernel does
 * not run the program any more the softswitch's own copies pass until it does.
 */
static int send_batch(struct sender *s)
{
	uint32_t slot[LIVE_BATCH];
	unsigned n;
	int made = live_send(&s->live, slot, &n);

	for (unsigned i = 0; i < n; i++)
		give_back(s, slot[i]);
	s->pins->stats[STAT_live_lost] += n - (made > 0 ? made : 0);
	s->pins->stats[STAT_tx_errors] += made < 0;
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		if (!s->port[i].live)
			continue;
		s->port[i].behind = made < (int)n;
		if (made < 0)
			close_port(s, i);
	}
	return made < 0 ? made : 0;
}

static int into_batch(struct sender *s, const struct port *p, uint32_t slot)
{
	const struct siprtx_slot *frame = &s->pins->slots[slot];

	while (!live_add(&s->live, slot, p->ifindex, frame->frame_off, frame->frame_len)) {
		int err = send_batch(s);

		if (err)
			return err;
	}
	return 0;
}

int sender_send(struct sender *s, uint32_t slot, uint64_t now_ns)
{
	struct siprtx_slot *frame = &s->pins->slots[slot];
	struct port *p = &s->port[frame->outside % MAX_PORTS];
	int err;

	if (!p->up)
		return -ENETDOWN;
	/* not a byte of a frame may change under its descriptor */
	if (!port_is_bound(p) || s->in_flight[slot])
		return -EAGAIN;
	err = make_fit(s, slot, now_ns);
	if (err)
		return err;
	sender_prepare(s, slot); /* one a killed controller left unprepared */
	frame_renew_id(frame, s->id++);
	err = p->live ? into_batch(s, p, slot) : into_ring(s, p, slot);
	if (!err) {
		s->in_flight[slot]++;
		s->pins->stats[STAT_in_flight]++;
	}
	return err;
}

int sender_inside(const struct sender *s, uint32_t ifindex, const uint8_t **mac)
{
	for (unsigned i = FIRST_INSIDE; ifindex && i < MAX_PORTS; i++) {
		if (s->port[i].ifindex != ifindex)
			continue;
		*mac = neighbours_link_mac(&s->neighbours, ifindex);
		return *mac ? (int)i : -1;
	}
	return -1;
}

void sender_made(struct sender *s, uint32_t slot)
{
	s->mac_epoch[slot] = 0;
}

void sender_flush(struct sender *s)
{
	if (s->live.n)
		send_batch(s);
	s->pins->stats[STAT_wakeups] += s->live.calls;
	s->live.calls = 0;
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		struct port *p = &s->port[i];
		int err;

		if (!p->xsk)
			continue;
		err = xsk_flush(p->xsk);
		s->pins->stats[STAT_wakeups] += xsk_wakeups(p->xsk);
		p->behind = err;
		p->full = false;
		reap(s, p);
		if (!err || err == -EAGAIN)
			continue;
		/* what is left in the ring must not go out whenever the link is back */
		s->pins->stats[STAT_tx_errors]++;
		log_debug("%s: %s", p->name, strerror(-err));
		close_port(s, i);
	}
}

uint32_t sender_outside(const struct sender *s, unsigned port)
{
	return port < MAX_OUTSIDE && s->port[port].up ? s->port[port].ifindex : 0;
}

bool sender_is_outside(const struct sender *s, uint32_t ifindex)
{
	for (unsigned i = 0; i < s->n_ports; i++)
		if (s->port[i].ifindex == ifindex)
			return true;
	return false;
}

bool sender_is_well(const struct sender *s, unsigned port)
{
	return s->port[port].up && port_is_bound(&s->port[port]) && !s->port[port].behind;
}
