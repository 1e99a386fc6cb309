/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of the operator's CLI share: options, the pinned maps, output. */
#ifndef SIPRTX_CLI_H
#define SIPRTX_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "clock.h"
#include "config.h"
#include "pins.h"
#include "sample.h"
#include "table.h"
#include "view.h"

#define CLI_SCHEMA_VERSION 1

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_DEGRADED = 3 };

struct cli {
	const char *config_path;
	char **overrides; /* into argv */
	unsigned n_overrides;
	bool json;
	bool colour;	/* stdout is a terminal and nobody objects */
	bool follow;	/* -f */
	uint32_t count; /* -n */
	bool count_given;
	uint64_t limit_ns; /* -t, 0: none */
	uint64_t watch_ns; /* -w; 0: once */
	struct config config;
	struct pins pins; /* valid after cli_open() */
	bool open;
	uint64_t pins_ino; /* of the pin opened, tells maps made anew */
	/* under -w: the reading of the turn before */
	struct sample before;
	bool have_before;
};

/* A command's flags: what is made ready for it, which options it takes. */
enum command_flag {
	CMD_CONFIG = 1 << 0, /* cli->config is loaded */
	CMD_PINS = 1 << 1,   /* cli->pins is open, read-only */
	CMD_WRITE = 1 << 2,  /* cli->pins is open for writing */
	CMD_WATCH = 1 << 3,  /* takes -w */
	CMD_FOLLOW = 1 << 4, /* takes -f */
	CMD_COUNT = 1 << 5,  /* takes -n */
	CMD_ANY_ARGS = 1 << 6,
	CMD_LIMIT = 1 << 7, /* takes -t */
};

struct command {
	const char *name; /* one word or two */
	const char *args; /* as the help shows them */
	unsigned n_args;
	unsigned flags;				  /* enum command_flag */
	const char *summary;			  /* one line */
	const char *detail;			  /* more lines, "": none */
	int (*run)(struct cli *cli, char **args); /* enum cli_exit */
};

/*
 * The command that argv (n words) begins with; *words is how many words its name has. NULL, with one sentence on
 * stderr, where there is none.
 */
const struct command *command_find(char **argv, unsigned n, unsigned *words);
void command_help(const struct command *c, FILE *f);
void commands_help(FILE *f);

int cmd_help(struct cli *cli, char **args);
int cmd_status(struct cli *cli, char **args);
int cmd_transactions(struct cli *cli, char **args);
int cmd_gateways(struct cli *cli, char **args);
int cmd_gateway(struct cli *cli, char **args);
int cmd_counters(struct cli *cli, char **args);
int cmd_tunables(struct cli *cli, char **args);
int cmd_profile_list(struct cli *cli, char **args);
int cmd_profile_show(struct cli *cli, char **args);
int cmd_profile_set(struct cli *cli, char **args);
int cmd_set(struct cli *cli, char **args);
int cmd_drain(struct cli *cli, char **args);
int cmd_exhausted(struct cli *cli, char **args);
int cmd_events(struct cli *cli, char **args);
int cmd_check(struct cli *cli, char **args);
int cmd_load(struct cli *cli, char **args);
int cmd_unload(struct cli *cli, char **args);

/* "siprtx: SENTENCE." on stderr, the full stop only where it lacks; returns `code`, so that a command can end with it.
 */
int cli_fail(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens the pins, anew where others took their place. 0, or -errno with a sentence in `why`. */
int cli_open(struct cli *cli, bool writable, char *why, size_t why_size);
void cli_close(struct cli *cli);
/* True once the maps in use are no longer those under the pin path: nothing new will come of them. */
bool cli_pins_gone(const struct cli *cli);

/* Prints the object and frees it: indented when it is all there is, a line under -w. CLI_OK or CLI_FAILED. */
int cli_print_json(const struct cli *cli, json_t *root);
/* The same, always a line: of a stream. */
int cli_print_json_line(json_t *root);
/* Prints the table and frees it. CLI_OK or CLI_FAILED. */
int cli_print_table(const struct cli *cli, struct table *t, unsigned indent);
int cli_no_memory(void);
struct text did_you_mean(const char *name); /* the end of a sentence */

json_t *problems_json(const struct problems *p);

/* Writes a tunable. CLI_OK, or CLI_FAILED, told. */
int tunable_write(struct cli *cli, unsigned key, uint32_t value);
/* True: there is no process of the controller's number. */
bool controller_gone(const struct siprtx_meta *meta);

struct text text_clock(uint64_t unix_ms);			  /* "12:18:34.123", local time */
struct text text_day_clock(uint64_t unix_ms);			  /* "2026-11-22 12:18:34", local time */
struct text text_endpoint(const uint8_t addr[16], uint16_t port); /* as format_endpoint() */

/* The name of a profile, "#9" where it has none. */
struct text profile_label(const struct pins *pins, uint32_t profile);
/* Its number, by name or as digits; -1: there is none, told with the one that may have been meant. */
int profile_find(const struct pins *pins, const char *name);

#endif
