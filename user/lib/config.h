/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration file (INI, libinih), checked whole before anything acts on it. */
#ifndef SIPRTX_CONFIG_H
#define SIPRTX_CONFIG_H

#include <linux/limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "problem.h"

#define CONFIG_DEFAULT	    "/etc/siprtx/siprtx.conf"
#define CONFIG_MAX_PORTS    16
#define CONFIG_MAX_GATEWAYS 1024
#define CONFIG_MAX_NOTIFY   MAX_SINKS
#define CONFIG_WHERE	    12

enum config_mode { MODE_INLINE, MODE_HOST };
enum config_capture { CAPTURE_AUTO, CAPTURE_XDP, CAPTURE_EGRESS };

struct config_profile {
	char name[NAME_LEN];		/* empty: no such profile */
	uint32_t field[PROFILE_FIELDS]; /* enum siprtx_profile_field, ms or count */
};

struct config_gateway {
	char name[NAME_LEN];
	uint8_t addr[16];      /* network order, IPv4-mapped */
	uint32_t prefixlen;    /* 0..128, as gw_profile has it */
	uint16_t port;	       /* 0: any */
	uint32_t profile;      /* number */
	uint32_t on_exhausted; /* enum siprtx_on_exhausted */
	uint32_t on_down;      /* enum siprtx_on_down */
	char group[NAME_LEN];  /* empty: none */
};

enum config_notify_kind { NOTIFY_JSONRPC, NOTIFY_EXEC, NOTIFY_STREAM, NOTIFY_CDR };

#define CONFIG_RECORD_EVENTS (RECORD_GATEWAY_DOWN + 1)

struct config_notify { /* [notify NAME]: one that siprtx-notify tells */
	char name[NAME_LEN];
	enum config_notify_kind kind;
	char to[PATH_MAX];			 /* "udp:192.0.2.1:8090", "unix:/PATH"; of a cdr: a folder */
	char run[PATH_MAX];			 /* exec: the program, no shell */
	char *template_of[CONFIG_RECORD_EVENTS]; /* jsonrpc: by enum siprtx_record_event; owned, NULL: none */
	uint32_t events;			 /* bit 1 << enum siprtx_record_event: those it is told of */
	uint32_t queue;				 /* records it may lag behind */
	uint32_t rate;				 /* deliveries a second, 0: no limit */
	uint32_t timeout_ms;			 /* for an answer, or for the program to end */
	uint32_t at_once;			 /* exec: programs that run beside each other */
};

struct config {
	enum config_mode mode;
	char inside[MAX_OUTSIDE][IFNAMSIZ];
	unsigned n_inside;
	char outside[MAX_OUTSIDE][IFNAMSIZ];
	unsigned n_outside;
	uint16_t sip_ports[CONFIG_MAX_PORTS];
	unsigned n_sip_ports;
	uint32_t max_transactions;
	enum siprtx_forward forward;
	enum config_capture capture;
	bool zerocopy;
	bool live_frames; /* sender = live-frames */
	char pin_path[PATH_MAX];
	char journal[PATH_MAX];
	char user[32];				     /* whom siprtxd becomes, "": it stays who it is */
	struct config_profile profile[MAX_PROFILES]; /* 0..6 built in, own ones after them in file order */
	unsigned n_profiles;
	struct { /* where keys of [siprtx] were set, for what turns out about them later */
		char key[20], at[72];
	} where[CONFIG_WHERE];
	struct config_gateway *gateway; /* owned, config_free() */
	unsigned n_gateways;
	struct config_notify *notify; /* owned, config_free() */
	unsigned n_notify;
};

/*
 * Reads `path` (NULL: defaults alone; a missing file is a problem) and then the overrides, each
 * "section.key=value" as given with -o (for a profile or gateway: "profile NAME.key=value").
 * Everything found wrong is added to `problems` with its line, value and remedy; all of it, not just the first.
 * The file is judged by itself: whether interfaces exist or rights suffice is check.h's business.
 * Returns 0, or -EINVAL when there was an error among the problems; `out` then holds defaults and what was right, and
 * is to be freed as ever.
 */
int config_load(const char *path, char *const *overrides, unsigned n_overrides, struct config *out,
		struct problems *problems);
void config_free(struct config *c);
/* Are messages taken at TC egress of the outside interfaces (decision 7), and not at XDP of the inside ones? */
bool config_takes_egress(const struct config *c);
/* Is there a gateway whose exhausted INVITEs siprtx answers itself, or those to it while it is down? */
bool config_replies(const struct config *c);
/* Is the profile of this number some gateway's? The standard one serves those that are not named, so it always is. */
bool config_uses(const struct config *c, unsigned profile);
/* "siprtx.conf:4: inside", or the key alone where it was not set. Lasts as long as `c` and `key`. */
const char *config_where(const struct config *c, const char *key);

#endif
