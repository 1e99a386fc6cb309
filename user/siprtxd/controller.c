// SPDX-License-Identifier: GPL-2.0-or-later
#include "controller_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "attach.h"
#include "check.h"
#include "claim.h"
#include "conntrack_watch.h"
#include "egress.h"
#include "load.h"
#include "log.h"
#include "netlink.h"
#include "privilege.h"
#include "prompt.h"
#include "schedule.h"
#include "ways.h"
#include "xdp_features.h"

#define MS 1000000ull

/* New transactions come without a wake-up: looked for this often. No interval is shorter than twice that. */
#define IDLE_NS (INTERVAL_MIN_MS * MS / 2)
/* An operator's new value is in force after this; a port is tried, old keys go. */
#define SMALL_CHORES_NS (10 * MS)
#define CHORES_NS	(250 * MS)
#define RELOAD_NS	(1000 * MS)
/* Notes taken in one round; a storm of them must not keep copies from being sent. */
#define NOTES_MAX 4096

static void on_frame_done(void *ctx, uint32_t slot)
{
	struct controller *c = ctx;

	transactions_sent(c->transactions, slot);
	replies_sent(c->replies, slot);
	probes_sent(c->probes, slot);
}

/* A note of a slot's former transaction says another generation, whoever it is given to. */
static bool is_of_probe(const struct controller *c, const struct siprtx_note *n)
{
	return n->slot < c->pins.entries[PIN_slots] && c->pins.slots[n->slot].kind == KIND_PROBE;
}

static int on_note(void *ctx, void *data, size_t size)
{
	const struct siprtx_note *n = data;
	struct controller *c = ctx;

	if (size < sizeof(*n))
		return 0;
	if (n->kind == NOTE_LATE) {
		ledger_late(&c->ledger, n);
	} else if (n->kind >= NOTE_REPLY_ACKED && n->kind <= NOTE_REPLY_LATE_FINAL) {
		ledger_reply_note(&c->ledger, n);
		replies_note(c->replies, n, now_ns());
	} else if (is_of_probe(c, n)) {
		probes_note(c->probes, n, now_ns());
	} else {
		transactions_note(c->transactions, n);
	}
	return ++c->notes_taken < NOTES_MAX ? 0 : -EAGAIN;
}

static void on_link(void *ctx, const struct netlink_link *l)
{
	struct controller *c = ctx;

	c->reload |= sender_learn_link(&c->sender, l);
	c->vlans_changed |= l->vlan || c->config->forward != FORWARD_KERNEL;
}

static void on_neighbour(void *ctx, const struct netlink_neighbour *n)
{
	struct controller *c = ctx;

	sender_learn_neighbour(&c->sender, n);
}

/* Somebody's filter, or siprtx's own: load_again() looks. */
static void on_tc_gone(void *ctx, uint32_t ifindex)
{
	struct controller *c = ctx;

	c->reload |= config_takes_egress(c->config) && sender_is_outside(&c->sender, ifindex);
}

static void on_netlink(struct controller *c)
{
	const struct netlink_handlers handlers = {on_link, on_neighbour, on_tc_gone, c};
	int err = netlink_read(c->netlink, &handlers);

	if (err == -ENOBUFS) {
		c->vlans_changed = true;
		c->reload = true; /* what was taken off is in no dump */
		err = netlink_dump(&handlers);
	}
	if (err)
		log_warning("netlink does not answer: %s. Changes of links and neighbours may be missed; start siprtxd "
			    "again if it lasts.",
			    strerror(-err));
}

static void on_signal(struct controller *c)
{
	struct signalfd_siginfo info;

	while (read(c->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			recorder_reopen(c->ledger.recorder);
		else
			c->stop = true;
	}
}

static void take_values(struct controller *c)
{
	unsigned bad = in_force_refresh(c->pins.in_force, &c->seen, c->pins.profiles, c->pins.tunables);
	struct problems problems = {};

	if (!bad)
		return;
	c->pins.stats[STAT_bad_values] += bad;
	check_values(&c->pins, &problems);
	for (unsigned i = 0; i < problems.n; i++)
		log_warning("%s: %s. %s", problems.list[i].where, problems.list[i].what, problems.list[i].remedy);
	problems_free(&problems);
}

/* An interface of ours came back: its programs went with the former one. */
static void load_again(struct controller *c, uint64_t now)
{
	const struct netlink_handlers handlers = {.link = on_link, .neighbour = on_neighbour, .ctx = c};
	char why[1024] = "";
	int err;

	if (now < c->reload_ns)
		return;
	c->reload_ns = now + RELOAD_NS;
	err = claim_again(c->config, &c->pins, c->lock, c->may_load, why, sizeof(why));
	if (err < 0 && !c->reload_failed)
		log_error("%s%s", why, c->may_load ? " It is tried again every second." : "");
	else if (err > 0 || (!err && c->reload_failed))
		log_info("programs attached again");
	c->reload_failed = err < 0;
	if (err < 0)
		return;
	c->reload = false;
	sender_rename(&c->sender);
	netlink_dump(&handlers);
}

/* The slot in each CPU's hand is one more than is promised. */
static uint32_t free_slots(const struct controller *c)
{
	uint32_t held = controller_held(c) + probes_held(c->probes), all = c->pins.meta->transactions;

	return held < all ? all - held : 0;
}

/* The slots a killed controller lost, some time after they were found so. */
static void take_lost(struct controller *c, uint64_t now)
{
	int n = reclaim(&c->pins, &c->free, now, NULL);

	c->reclaim_ns = UINT64_MAX;
	if (n < 0)
		log_warning("cannot look for lost slots: %s. The next start does it.", strerror(-n));
	else if (n > 0)
		log_info("%d slots that a former controller lost are free again", n);
}

static void do_chores(struct controller *c, uint64_t now)
{
	__u64 *stats = c->pins.stats;
	int err;

	if (now >= c->reclaim_ns)
		take_lost(c, now);
	if (c->reload)
		load_again(c, now);
	/* this waits for whoever is changing a link: not at each change of any */
	if (c->vlans_changed || xdp_features_changed(c->features)) {
		c->vlans_changed = false;
		err = egress_refresh(c->pins.fd[PIN_egress], c->pins.meta)
			      ?: ways_refresh(c->pins.fd[PIN_ways], c->pins.meta, c->config->forward);
		if (err)
			log_warning("the maps egress and ways cannot be renewed: %s. VLAN devices made since are not "
				    "captured for; start siprtxd again.",
				    strerror(-err));
	}
	gateways_flush(&c->ledger.gateways);
	stats[STAT_remembered] = remember_count(&c->ledger.remembered);
	stats[STAT_slots_free] = free_slots(c);
	alarms_run(&c->alarms, &c->pins, stats[STAT_slots_free], now);
	transactions_refresh(c->transactions, conntrack_watch_run(&c->conntrack, &c->pins, now));
	c->stop |= claim_is_over(c->config, c->lock);
}

static int round_of(struct controller *c, uint64_t now)
{
	int err;

	if (now >= c->small_chores_ns) {
		c->small_chores_ns = now + SMALL_CHORES_NS;
		take_values(c);
		sender_learn_routes(&c->sender, now);
		sender_bind(&c->sender, now);
		remember_run(&c->ledger.remembered, now, c->pins.in_force->tunables[TUN_remember]);
		ledger_look(&c->ledger, now);
	}
	/* what passed before a port was bound is counted before anything is sent there */
	c->notes_taken = 0;
	ring_buffer__consume(c->notes);
	err = transactions_run(c->transactions);
	/* before the replies go out: routing is to know why they came */
	ledger_settle(&c->ledger);
	err = err ?: replies_run(c->replies, now_ns());
	/* no gateway is judged while notes of its answers wait */
	if (!err && c->notes_taken < NOTES_MAX)
		err = ledger_run(&c->ledger, now_ns());
	if (!err)
		err = probes_run(c->probes, now_ns());
	ledger_settle(&c->ledger); /* what became of gateways */
	sender_flush(&c->sender);
	if (now >= c->chores_ns) {
		c->chores_ns = now + CHORES_NS;
		do_chores(c, now);
	}
	c->pins.stats[STAT_rounds]++;
	controller_beat(c, now_ns());
	if (err)
		log_error("out of memory for deadlines. Give siprtxd more; a new start takes up what is pending.");
	else
		service_round(&c->service, &c->sender, transactions_held(c->transactions), now);
	return err;
}

/* Until then, whatever else comes in. */
static void sleep_until(struct controller *c, uint64_t until)
{
	struct epoll_event e[2];
	uint64_t now;

	while (!c->stop && (now = now_ns()) < until) {
		struct timespec left = {.tv_sec = (until - now) / 1000000000, .tv_nsec = (until - now) % 1000000000};
		int n = epoll_pwait2(c->epoll, e, 2, &left, NULL);

		for (int i = 0; i < n; i++) {
			if (e[i].data.fd == c->signals)
				on_signal(c);
			else
				on_netlink(c);
		}
	}
}

static int loop(struct controller *c)
{
	uint64_t turn = 0; /* when the next round is at the soonest: they keep their distance, whatever woke late */
	int err = 0;

	while (!c->stop && !err) {
		uint64_t now = now_ns(), next, tick;

		err = round_of(c, now);
		tick = c->pins.in_force->tunables[TUN_tick] * 1000ull;
		turn = (now < turn + tick ? turn : now) + tick;
		next = transactions_next(c->transactions);
		if (next > replies_next(c->replies))
			next = replies_next(c->replies);
		if (next > probes_next(c->probes))
			next = probes_next(c->probes);
		if (next > now + IDLE_NS)
			next = now + IDLE_NS;
		sleep_until(c, next < turn ? turn : next);
	}
	return err;
}

static int add_fd(struct controller *c, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int open_fds(struct controller *c)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGXFSZ, SIG_IGN); /* a journal over the file size limit is an error of its write, no end */
	c->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (c->signals < 0)
		return -errno;
	c->netlink = netlink_listen();
	if (c->netlink < 0)
		return c->netlink;
	if (c->config->forward != FORWARD_KERNEL)
		c->features = xdp_features_listen();
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0)
		return -errno;
	err = add_fd(c, c->signals);
	return err ?: add_fd(c, c->netlink);
}

/* With capture at egress replies go up into this host's own stack. */
static void open_lift(struct controller *c)
{
	int err = lift_open(&c->lift, c->config->pin_path, c->pins.stats);

	if (err && config_takes_egress(c->config) && config_replies(c->config))
		log_warning("%s/" PROGRAM_LIFT " cannot be opened: %s. Exhausted calls are recorded, and not answered; "
			    "load again (siprtx load), for the user that siprtxd runs as.",
			    c->config->pin_path, strerror(-err));
	c->lift.complained = err;
}

/* The folder, the maps and what of them is mirrored here. */
static int open_all(struct controller *c)
{
	const struct netlink_handlers handlers = {.link = on_link, .neighbour = on_neighbour, .ctx = c};
	int err = claim_pins(c->config, &c->pins, &c->lock);
	__u32 zero = 0;

	if (err)
		return err;
	if (bpf_map_lookup_elem(c->pins.fd[PIN_hash_key], &zero, &c->hash_key)) {
		err = -errno;
		log_error("cannot read the map hash_key: %s", strerror(-err));
		return err;
	}
	err = open_fds(c);
	if (err) {
		log_error("cannot open what siprtxd waits on: %s", strerror(-err));
		return err;
	}
	err = privilege_drop(c->config, &c->may_load);
	if (err)
		return err;
	open_lift(c);
	c->seen = *c->pins.in_force;
	take_values(c);
	err = sender_open(&c->sender, &c->pins,
			  &(struct sender_options){.zerocopy = c->config->zerocopy,
						   .live_frames = c->config->live_frames,
						   .inside = config_replies(c->config)},
			  now_ns());
	c->sender.done = on_frame_done;
	c->sender.ctx = c;
	if (!err)
		err = netlink_dump(&handlers);
	if (err) {
		log_error("cannot learn the interfaces: %s", strerror(-err));
		return err;
	}
	c->calls = calls_new(c->pins.slots, c->pins.entries[PIN_slots]);
	if (!c->calls) {
		log_error("out of memory for the calls. Give siprtxd more, or make max_transactions smaller.");
		return -ENOMEM;
	}
	return ledger_open(&c->ledger, &c->pins, c->calls, c->config, now_ns());
}

/* Probes first: a gateway that is not up and of which none is left goes up. 0 or -ENOMEM. */
static int adopt_all(struct controller *c)
{
	int err = probes_adopt(c->probes, controller_probes_on, now_ns());

	if (err)
		return err;
	ledger_adopt_gateways(&c->ledger, now_ns());
	return transactions_adopt(c->transactions) ?: ledger_adopt_calls(&c->ledger, now_ns());
}

/* Takes up what is in the maps. */
static int adopt(struct controller *c)
{
	const struct transaction_env env = {
		.slots = c->pins.slots,
		.n_slots = c->pins.entries[PIN_slots],
		.in_force = c->pins.in_force,
		.calls = c->calls,
		.free = c->free,
		.stats = c->pins.stats,
		.lateness = c->pins.lateness,
		.ops = &controller_transaction_ops,
		.ctx = c,
	};
	uint64_t before = c->pins.stats[STAT_adopted];
	/* first of all: what is taken from the free list from here on is not lost */
	unsigned marked = 0;
	int lost = reclaim(&c->pins, &c->free, now_ns(), &marked);
	const struct reply_env reply_env = {
		.slots = env.slots,
		.n_slots = env.n_slots,
		.in_force = env.in_force,
		.free = env.free,
		.stats = env.stats,
		.since_ns = now_ns(),
		.ops = &controller_reply_ops,
		.ctx = c,
	};
	const struct probe_env probe_env = {
		.slots = env.slots,
		.n_slots = env.n_slots,
		.in_force = c->pins.in_force,
		.hash_key = &c->hash_key,
		.free = env.free,
		.stats = env.stats,
		.ops = &controller_probe_ops,
		.ctx = c,
	};

	c->reclaim_ns = marked ? now_ns() + RECLAIM_NS : UINT64_MAX;
	c->pins.stats[STAT_in_flight] = 0;
	c->transactions = transactions_new(&env);
	c->replies = replies_new(&reply_env);
	c->probes = probes_new(&probe_env);
	c->notes = ring_buffer__new(c->pins.fd[PIN_notes], on_note, c, NULL);
	c->ledger.settled = controller_settled;
	c->ledger.ctx = c;
	c->ledger.probes = (struct ledger_probes){controller_probe_begin, controller_probe_end, c};
	if (!c->transactions || !c->replies || !c->probes || !c->notes || adopt_all(c)) {
		log_error("cannot take up the transactions under %s: %s", c->config->pin_path, strerror(errno));
		return -ENOMEM;
	}
	if (c->pins.stats[STAT_adopted] > before)
		log_info("%llu transactions of a former controller taken up",
			 (unsigned long long)(c->pins.stats[STAT_adopted] - before));
	return lost < 0 ? lost : 0;
}

static int start(struct controller *c)
{
	struct siprtx_meta *m;
	int err = open_all(c);

	if (err)
		return err;
	m = c->pins.meta;
	c->free = (struct free_list){c->pins.free_slots, c->pins.free_head};
	m->pid = getpid();
	m->started_ns = now_ns();
	alarms_open(&c->alarms, &c->pins);
	c->conntrack.bypassed = c->config->forward != FORWARD_KERNEL;
	c->conntrack.behind = config_takes_egress(c->config);
	err = adopt(c);
	return err ?: sender_bind(&c->sender, now_ns());
}

static void stop(struct controller *c)
{
	struct siprtx_meta *m = c->pins.meta;
	uint64_t pending;

	if (m && m->pid == (__u32)getpid()) {
		memset(m->heartbeat, 0, sizeof(m->heartbeat));
		pending = c->pins.stats[STAT_pending] + c->pins.stats[STAT_proceeding];
		log_info("siprtxd: ended: %llu transactions pending, left in the pinned maps; a siprtxd started soon "
			 "takes them up",
			 (unsigned long long)pending);
		m->pid = 0;
	}
	sender_close(&c->sender);
	lift_close(&c->lift);
	ring_buffer__free(c->notes);
	transactions_free(c->transactions);
	replies_free(c->replies);
	probes_free(c->probes);
	ledger_close(&c->ledger);
	if (m && m->next_seq - 1 > m->journaled_seq)
		log_warning("%llu records are in the map exhausted and not in the journal; a siprtxd that can write it "
			    "makes up for it, `siprtx unload` loses them",
			    (unsigned long long)(m->next_seq - 1 - m->journaled_seq));
	calls_free(c->calls);
	if (c->epoll >= 0)
		close(c->epoll);
	if (c->netlink >= 0)
		close(c->netlink);
	if (c->features >= 0)
		close(c->features);
	if (c->signals >= 0)
		close(c->signals);
	pins_close(&c->pins);
	if (c->lock >= 0)
		close(c->lock);
}

static int libbpf_log(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return log_verbose ? vfprintf(stderr, format, args) : 0;
}

int controller_run(const struct config *config)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct controller c = {.config = config,
			       .lock = -1,
			       .epoll = -1,
			       .signals = -1,
			       .netlink = -1,
			       .features = -1,
			       .lift = {.fd = -1}};
	int err;

	memset(c.pins.fd, -1, sizeof(c.pins.fd));
	libbpf_set_print(libbpf_log);
	/* where it is refused and too small, xsk_open() says so */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	service_open(&c.service);
	err = start(&c);
	if (!err) {
		privilege_filter(c.may_load);
		be_prompt();
		err = loop(&c);
	}
	service_stopping();
	stop(&c);
	return err;
}
