// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of commands: what can be typed and what the help says are one thing. */
#include <string.h>

#include "cli.h"

#define VIEW (CMD_CONFIG | CMD_PINS | CMD_WATCH)

static const struct command commands[] = {
	{"status", "", 0, CMD_CONFIG | CMD_WATCH, "is the offload active, and what does it hold (no command: this)",
	 "Exit status: 0 active; 3 loaded, but inactive or degraded; 1 nothing loaded, or it cannot be read.",
	 cmd_status},
	{"show transactions", "", 0, VIEW, "the transactions held now", "", cmd_transactions},
	{"show gateways", "", 0, VIEW, "the gateways called: what they are taken for, and how they answered", "",
	 cmd_gateways},
	{"show exhausted", "", 0, VIEW | CMD_COUNT, "the same as `exhausted`", "", cmd_exhausted},
	{"show tunables", "", 0, VIEW, "what `set` changes: value, value in force, range", "", cmd_tunables},
	{"show counters", "", 0, VIEW, "why packets were treated as they were, and what the controller did",
	 "With -w also the rate over the period measured. Counters at 0 are shown with -j only.", cmd_counters},
	{"profile list", "", 0, VIEW, "the profiles, a line each", "", cmd_profile_list},
	{"profile show", "NAME", 1, VIEW, "one profile: fields, and when its copies go out", "", cmd_profile_show},
	{"profile set", "NAME FIELD VALUE", 3, CMD_CONFIG | CMD_WRITE,
	 "change a profile, at once and until the maps are unloaded",
	 "FIELD is resend_interval with the whole list (0.5,1,2), one interval (interval_1 to interval_10), send_retry "
	 "or\n"
	 "down_retry (counts), timeout_invite, timeout_trying, timeout_progress, timeout_progress_sdp, timeout_ringing "
	 "or "
	 "final_wait,\n"
	 "in seconds. All of it is written or nothing. Prints the bpftool lines that do the same.",
	 cmd_profile_set},
	{"set", "KEY VALUE", 2, CMD_CONFIG | CMD_WRITE, "change a tunable, at once and until the maps are unloaded",
	 "`siprtx show tunables` names them with unit and range. methods takes names too: BYE,OPTIONS, all or none. "
	 "Prints\n"
	 "the bpftool line that does the same.",
	 cmd_set},
	{"gateway", "NAME|ADDRESS[:PORT] up|down|auto", 2, CMD_CONFIG | CMD_WRITE,
	 "hold a gateway up or down, or have it judged again (auto)",
	 "At once, until it is changed again or the maps are unloaded. A name, or an address without a port, means "
	 "all\n"
	 "gateways of that name or address that were called. down: its new calls meet with what on_down says; the "
	 "last\n"
	 "gateway of a group stays open. Prints the bpftool line that does the same: it has the gateway's counts of\n"
	 "that moment in it, siprtxd writes its own again.",
	 cmd_gateway},
	{"drain", "[-t SEC]", 0, CMD_CONFIG | CMD_WRITE | CMD_LIMIT,
	 "stop taking new requests and wait until nothing is held, before an unload",
	 "-t SEC  wait no longer; without it as long as it takes\n"
	 "Writes the tunable capture = 0. It stays so once all is drained. Where it is not (the time is over,\n"
	 "interrupted, no controller that would end what is held), the value before is put back.\n"
	 "Exit status: 0 drained, 1 not, 2 wrong use.",
	 cmd_drain},
	{"exhausted", "[-f] [-n N]", 0, VIEW | CMD_FOLLOW | CMD_COUNT,
	 "the newest records of exhausted transactions, and of gateways whose state changed",
	 "-n N  so many, 20 unless given\n"
	 "-f    print new records as they come, after the last N where -n is given; with -j the lines of the journal",
	 cmd_exhausted},
	{"events", "[-f] [-n N]", 0, CMD_CONFIG | CMD_PINS | CMD_FOLLOW | CMD_COUNT,
	 "what was sent and received, as a ladder",
	 "-n N  the last N, 20 unless given\n"
	 "-f    print events as they come, after the last N where -n is given; says how many it missed",
	 cmd_events},
	{"check", "", 0, 0, "can this host run this configuration; are the values loaded in range", "", cmd_check},
	{"load", "[-t SEC]", 0, CMD_CONFIG | CMD_LIMIT, "load, pin and attach the data path, or renew it in place",
	 "Where maps of another version are loaded, new ones are made beside them, what the former ones hold is "
	 "waited\n"
	 "for, and then the programs are switched, with no packet lost.\n"
	 "-t SEC  wait no longer than this (300); what is in force stays so then",
	 cmd_load},
	{"unload", "", 0, CMD_CONFIG, "detach the data path and remove the maps, transactions held included", "",
	 cmd_unload},
	{"help", "[COMMAND]", 0, CMD_ANY_ARGS, "this list, or more about one command", "", cmd_help},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* How many of the n words make up the command's name; 0: it is another. */
static unsigned words_of(const struct command *c, char **argv, unsigned n)
{
	size_t first = strcspn(c->name, " ");

	if (!n || strlen(argv[0]) != first || strncmp(argv[0], c->name, first))
		return 0;
	if (!c->name[first])
		return 1;
	return n > 1 && !strcmp(argv[1], c->name + first + 1) ? 2 : 0;
}

/* The names that may stand where the unknown word stands: first words, or second words after `first`. */
static unsigned candidates(const char *first, const char *names[N_COMMANDS], char buf[N_COMMANDS][32])
{
	size_t len = first ? strlen(first) : 0;
	unsigned i, n = 0;

	for (i = 0; i < N_COMMANDS; i++) {
		const char *name = commands[i].name;

		if (first && (strncmp(name, first, len) || name[len] != ' '))
			continue;
		if (first)
			snprintf(buf[n], sizeof(buf[n]), "%s", name + len + 1);
		else
			snprintf(buf[n], sizeof(buf[n]), "%.*s", (int)strcspn(name, " "), name);
		names[n] = buf[n];
		n++;
	}
	return n;
}

static void unknown(char **argv, unsigned n)
{
	const char *names[N_COMMANDS];
	char buf[N_COMMANDS][32], list[256] = "";
	unsigned count, i;
	int near;

	count = candidates(argv[0], names, buf);
	if (!count) {
		near = nearest_name(argv[0], names, candidates(NULL, names, buf));
		if (near >= 0)
			cli_fail(CLI_USAGE, "there is no command \"%s\"; did you mean \"%s\"? See siprtx help", argv[0],
				 names[near]);
		else
			cli_fail(CLI_USAGE, "there is no command \"%s\"; see siprtx help", argv[0]);
		return;
	}
	near = n > 1 ? nearest_name(argv[1], names, count) : -1;
	if (near >= 0) {
		cli_fail(CLI_USAGE, "%s knows no \"%s\"; did you mean \"%s\"? See siprtx help %s", argv[0], argv[1],
			 names[near], argv[0]);
		return;
	}
	for (i = 0; i < count; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 i ? i + 1 < count ? ", " : " or " : "", names[i]);
	cli_fail(CLI_USAGE, "%s wants another word; add %s", argv[0], list);
}

const struct command *command_find(char **argv, unsigned n, unsigned *words)
{
	unsigned i;

	*words = 0;
	if (!n)
		return &commands[0];
	for (i = 0; i < N_COMMANDS; i++) {
		*words = words_of(&commands[i], argv, n);
		if (*words)
			return &commands[i];
	}
	unknown(argv, n);
	return NULL;
}

void command_help(const struct command *c, FILE *f)
{
	fprintf(f, "siprtx %s%s%s\n    %s\n", c->name, *c->args ? " " : "", c->args, c->summary);
	if (*c->detail)
		fprintf(f, "\n%s\n", c->detail);
}

void commands_help(FILE *f)
{
	struct table *t = table_new(":");
	unsigned i;

	fputs("siprtx [OPTIONS] [COMMAND]: the SIP retransmission offload, seen and tuned\n\nCommands:\n", f);
	for (i = 0; t && i < N_COMMANDS; i++) {
		table_cell(t, PLAIN, "%s%s%s", commands[i].name, *commands[i].args ? " " : "", commands[i].args);
		table_cell(t, PLAIN, "%s", commands[i].summary);
	}
	if (t)
		table_print(t, f, 2, false);
	table_free(t);
	fputs("\nOptions, anywhere:\n"
	      "  -c FILE               the configuration, " CONFIG_DEFAULT " unless given\n"
	      "  -o SECTION.KEY=VALUE  in place of what the file says; may be repeated\n"
	      "  -j                    JSON: a view is one object, a stream JSON Lines; raw units are in the names\n"
	      "  -w SEC                repeat the view each SEC seconds (0.1 or more), with rates\n"
	      "  --no-color            no colours; also with NO_COLOR set, or where the output is no terminal\n"
	      "  -h, --help            this; after a command, more about it\n"
	      "  --version             the version\n"
	      "\nExit status: 0 ok, 1 failed, 2 wrong use, 3 degraded\n",
	      f);
}

int cmd_help(struct cli *cli, char **args)
{
	size_t len = args[0] ? strlen(args[0]) : 0;
	const struct command *c;
	unsigned i, n, words;
	bool found = false;

	(void)cli;
	for (n = 0; args[n]; n++)
		;
	if (!n) {
		commands_help(stdout);
		return CLI_OK;
	}
	/* `help show` tells of all its views */
	for (i = 0; i < N_COMMANDS && n == 1; i++) {
		if (strncmp(commands[i].name, args[0], len) || commands[i].name[len] != ' ')
			continue;
		if (found)
			putchar('\n');
		command_help(&commands[i], stdout);
		found = true;
	}
	if (found)
		return CLI_OK;
	c = command_find(args, n, &words);
	if (!c)
		return CLI_USAGE;
	command_help(c, stdout);
	return CLI_OK;
}
