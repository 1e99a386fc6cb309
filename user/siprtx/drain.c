// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx drain: nothing new is taken, what is held comes to its end. */
#include "drain.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "health.h"

#define POLL_NS		   50000000
#define POLLS_PER_PROGRESS 20

struct drained {
	uint32_t former; /* capture before */
	uint64_t began_ns, waited_ns;
	struct held held; /* the reading with the most in use */
	struct held left; /* the last one */
	enum drain end;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* From here on Ctrl-C ends the wait and not the program, so that capture can be put back. */
static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static uint32_t calling(const struct held *h)
{
	return h->in_state[ST_CALLING];
}

static uint32_t proceeding(const struct held *h)
{
	return h->in_state[ST_PROCEEDING];
}

/* On the way to the free list, or held for an answer of siprtx (on_exhausted). */
static uint32_t ended(const struct held *h)
{
	return h->slots - calling(h) - proceeding(h);
}

static void progress(const struct drained *d)
{
	fprintf(stderr, "\r\033[Kdraining: %u of %u left (%u calling, %u proceeding, %u ended), %s ", d->left.slots,
		d->held.slots, calling(&d->left), proceeding(&d->left), ended(&d->left), text_age(d->waited_ns).s);
}

static enum drain look(struct cli *cli, struct drained *d, bool *settled)
{
	const struct pins *p = &cli->pins;
	struct drain_facts f = {
		.capture = *pins_u32(p->tunables, TUN_capture),
		.settled = *settled,
		.unloaded = cli_pins_gone(cli),
		.interrupted = interrupted,
		.alive = age_ns(now_ns(), p->meta->alive_ns) < ALIVE_NS,
		.limit_ns = cli->limit_ns,
	};

	*settled = !p->in_force->tunables[TUN_capture];
	held_count(p, &d->left);
	if (d->left.slots > d->held.slots)
		d->held = d->left;
	d->waited_ns = now_ns() - d->began_ns;
	f.held = d->left.slots;
	f.waited_ns = d->waited_ns;
	return drain_judge(&f);
}

static void wait_drained(struct cli *cli, struct drained *d)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	bool show = !cli->json && isatty(STDERR_FILENO), settled = false;
	unsigned i;

	d->began_ns = now_ns();
	for (i = 0; (d->end = look(cli, d, &settled)) == DRAIN_WAITS; i++) {
		if (show && i % POLLS_PER_PROGRESS == 0)
			progress(d);
		nanosleep(&pause, NULL);
	}
	if (show)
		fputs("\r\033[K", stderr);
}

static const char *why_not(enum drain end)
{
	switch (end) {
	case DRAIN_UNLOADED:
		return "the maps were unloaded";
	case DRAIN_CAPTURE_ON:
		return "capture was switched on again";
	case DRAIN_INTERRUPTED:
		return "interrupted";
	case DRAIN_NO_CONTROLLER:
		return "the controller is not running any more; start siprtxd";
	case DRAIN_TIME_OVER:
		return "the time is over; give it more (-t)";
	default:
		return "";
	}
}

static json_t *held_json(const struct held *h)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "slots", (json_int_t)h->slots, "calling", (json_int_t)calling(h),
			 "proceeding", (json_int_t)proceeding(h), "ended", (json_int_t)ended(h));
}

/* CLI_FAILED with a sentence where not all is drained; the object besides. */
static int report(const struct cli *cli, const struct drained *d, uint32_t capture)
{
	bool done = d->end == DRAIN_DONE;

	if (cli->json &&
	    cli_print_json(cli, json_pack("{s:i, s:b, s:o, s:o, s:o, s:I, s:I}", "schema_version", CLI_SCHEMA_VERSION,
					  "drained", done, "reason", done ? json_null() : json_string(why_not(d->end)),
					  "held", held_json(&d->held), "left", held_json(&d->left), "waited_ms",
					  (json_int_t)(d->waited_ns / 1000000), "capture", (json_int_t)capture)))
		return CLI_FAILED;
	if (!done)
		return cli_fail(CLI_FAILED,
				"not drained after %s: %s. Slots in use: %u left of %u (%u calling, %u proceeding, %u "
				"ended); capture is %u",
				text_age(d->waited_ns).s, why_not(d->end), d->left.slots, d->held.slots,
				calling(&d->left), proceeding(&d->left), ended(&d->left), capture);
	if (!cli->json)
		printf("drained after %s; slots in use: none left of %u; capture stays 0 until siprtx unload, or "
		       "siprtx "
		       "set capture 1\n",
		       text_age(d->waited_ns).s, d->held.slots);
	return CLI_OK;
}

int cmd_drain(struct cli *cli, char **args)
{
	const struct siprtx_meta *meta = cli->pins.meta;
	struct drained d = {.former = *pins_u32(cli->pins.tunables, TUN_capture)};
	uint32_t capture = 0;

	(void)args;
	held_count(&cli->pins, &d.held);
	if (!controller_alive(meta, now_ns()) || controller_gone(meta))
		return cli_fail(
			CLI_FAILED,
			"the controller is not running, so that nothing ends (slots in use: %u); start siprtxd, "
			"or run siprtx unload, which loses what is held",
			d.held.slots);
	catch_signals();
	if (tunable_write(cli, TUN_capture, 0))
		return CLI_FAILED;
	wait_drained(cli, &d);
	if (d.end == DRAIN_CAPTURE_ON)
		capture = *pins_u32(cli->pins.tunables, TUN_capture);
	else if (d.end != DRAIN_DONE && d.end != DRAIN_UNLOADED && !tunable_write(cli, TUN_capture, d.former))
		capture = d.former;
	return report(cli, &d, capture);
}
