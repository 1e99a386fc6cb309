/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces that are sent from: their sockets, or that XDP frames leave by them (live.h), whether they can send,
 * the frames made fit for them.
 */
#ifndef SIPRTXD_SENDER_H
#define SIPRTXD_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "live.h"
#include "neighbour.h"
#include "pins.h"
#include "resolve.h"
#include "route.h"
#include "xsk.h"

/*
 * An outside interface has its number in siprtx_meta.heartbeat; from FIRST_INSIDE on there are the inside ones, where
 * siprtx is to answer the softswitch.
 */
#define FIRST_INSIDE MAX_OUTSIDE
#define MAX_PORTS    (FIRST_INSIDE + MAX_INTERFACES)

struct port {
	char name[IFNAMSIZ];
	uint32_t ifindex; /* 0: there is none of that name */
	bool up, was_up;
	bool full;   /* the ring, until the next flush */
	bool copies; /* zero-copy mode was wanted, and the driver has none */
	bool behind; /* the kernel did not take all that was due */
	bool moved;  /* it gave descriptors back, since last looked at */
	bool complained;
	struct xsk *xsk;      /* NULL: not bound */
	bool live;	      /* sends by live frames; never with a socket */
	uint64_t check_ns;    /* when to see again that it can */
	uint32_t handed;      /* descriptors, counted from the start */
	uint64_t retry_ns;    /* when to bind again */
	uint64_t patience_ns; /* until when EBUSY is nothing to speak of */
	uint64_t moved_ns;    /* when it was last seen to take what was due, or some of it */
};

/* Can it be sent from now? */
static inline bool port_is_bound(const struct port *p)
{
	return p->xsk || p->live;
}

struct sender_options {
	bool zerocopy;	  /* config.zerocopy */
	bool live_frames; /* config.live_frames */
	bool inside;	  /* the inside interfaces are sent from too */
};

/* What a frame for this next hop on this link must be like: most go to one router, and so all but the first of them
 * need no look into the tree of the neighbours. */
struct fit {
	uint32_t epoch; /* of the neighbours, 0: nothing is kept */
	uint32_t link;
	uint8_t nexthop[16];
	uint32_t mtu;
	const uint8_t *dst, *src; /* MACs; NULL: not known */
};

struct sender {
	const struct pins *pins;
	struct sender_options options;
	struct live live; /* all that is sent so, of any port */
	struct port port[MAX_PORTS];
	unsigned n_ports; /* the outside ones */
	struct neighbours neighbours;
	struct routes routes;
	uint8_t *in_flight;  /* by slot: descriptors with the kernel */
	uint32_t *mac_epoch; /* by slot: of the neighbours when its MAC was last looked up */
	struct fit fit;
	struct resolve resolve;
	uint16_t id; /* IPv4 identification */
	/* the kernel is done with a frame of this slot */
	void (*done)(void *ctx, uint32_t slot);
	void *ctx;
};

/*
 * Names the interfaces as `pins->meta` has them. `pins` must stay. 0 or -ENOMEM; sender_close() in either case.
 */
int sender_open(struct sender *s, const struct pins *pins, const struct sender_options *options, uint64_t now_ns);
void sender_close(struct sender *s);
/* The same interfaces, attached anew: their numbers may be others. */
void sender_rename(struct sender *s);
/* Netlink's news. True when an interface of ours came (back): the programs must be attached again. */
bool sender_learn_link(struct sender *s, const struct netlink_link *l);
void sender_learn_neighbour(struct sender *s, const struct netlink_neighbour *n);
/* Looks whether the routes have changed. */
void sender_learn_routes(struct sender *s, uint64_t now_ns);
/*
 * Binds the ports that are up and unbound and whose time has come, those too whose kernel side does not move. 0, or the
 * last error that time will not heal, with a sentence logged once.
 */
int sender_bind(struct sender *s, uint64_t now_ns);
/* transaction_ops.prepare, .send and .in_flight */
void sender_prepare(struct sender *s, uint32_t slot);
int sender_send(struct sender *s, uint32_t slot, uint64_t now_ns);
static inline bool sender_in_flight(const struct sender *s, uint32_t slot)
{
	return s->in_flight[slot];
}
/* The port of an inside interface and its MAC; -1: not one that is sent from now. */
int sender_inside(const struct sender *s, uint32_t ifindex, const uint8_t **mac);
/* The frame in this slot is another one, made by hand: its MACs are to be looked up. */
void sender_made(struct sender *s, uint32_t slot);
/* Wakes the kernel up for what was sent, takes back what it is done with. */
void sender_flush(struct sender *s);
/* The number of the outside interface that siprtx_slot.outside names; 0: it is down or gone. */
uint32_t sender_outside(const struct sender *s, unsigned port);
/* Is this the number of an outside interface? */
bool sender_is_outside(const struct sender *s, uint32_t ifindex);
/* May this interface's heartbeat go on? */
bool sender_is_well(const struct sender *s, unsigned port);

#endif
