// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx: the operator's view of the pinned maps, and the few things he may change in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include <getopt.h>

#include "cli.h"
#include "version.h"

#define SECONDS_MIN_NS 100000000ull

static int option_seconds(char option, const char *s, uint64_t *ns)
{
	uint32_t ms;

	if (parse_seconds(s, &ms) || ms * 1000000ull < SECONDS_MIN_NS)
		return cli_fail(CLI_USAGE, "-%c is \"%s\"; give seconds, 0.1 or more", option, s);
	*ns = ms * 1000000ull;
	return CLI_OK;
}

/* Options may stand anywhere. CLI_OK, or what to exit with; *help and *version tell of -h and --version. */
static int options(struct cli *cli, int argc, char **argv, bool *help, bool *version)
{
	enum { NO_COLOR = 256, VERSION };
	static const struct option longs[] = {
		{"no-color", no_argument, NULL, NO_COLOR},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{},
	};
	int option, err = CLI_OK;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, ":c:o:jw:fn:t:h", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			cli->config_path = optarg;
			break;
		case 'o':
			cli->overrides[cli->n_overrides++] = optarg;
			break;
		case 'j':
			cli->json = true;
			break;
		case 'w':
			err = option_seconds('w', optarg, &cli->watch_ns);
			break;
		case 't':
			err = option_seconds('t', optarg, &cli->limit_ns);
			break;
		case 'f':
			cli->follow = true;
			break;
		case 'n':
			cli->count_given = true;
			if (parse_u32(optarg, &cli->count))
				err = cli_fail(CLI_USAGE, "-n is \"%s\"; give how many to print", optarg);
			break;
		case NO_COLOR:
			cli->colour = false;
			break;
		case 'h':
			*help = true;
			break;
		case VERSION:
			*version = true;
			break;
		case ':':
			err = cli_fail(CLI_USAGE, "%s wants a value; see siprtx help", argv[optind - 1]);
			break;
		default:
			if (optopt && optopt < NO_COLOR)
				err = cli_fail(CLI_USAGE, "there is no option -%c; see siprtx help", optopt);
			else
				err = cli_fail(CLI_USAGE,
					       "%s is no option of siprtx, or takes no value; see siprtx help",
					       argv[optind - 1]);
		}
	}
	return err;
}

static int wrong_use(const struct cli *cli, const struct command *c, unsigned n_args)
{
	if (!(c->flags & CMD_ANY_ARGS) && !c->n_args && n_args)
		return cli_fail(CLI_USAGE, "%s takes no arguments; type siprtx %s", c->name, c->name);
	if (!(c->flags & CMD_ANY_ARGS) && n_args != c->n_args)
		return cli_fail(CLI_USAGE, "%s wants %u argument%s, not %u; type siprtx %s %s", c->name, c->n_args,
				c->n_args == 1 ? "" : "s", n_args, c->name, c->args);
	if (cli->watch_ns && !(c->flags & CMD_WATCH))
		return cli_fail(CLI_USAGE, "%s cannot be repeated; leave -w out", c->name);
	if (cli->follow && !(c->flags & CMD_FOLLOW))
		return cli_fail(CLI_USAGE, "%s has nothing to follow; leave -f out, -w SEC repeats a view", c->name);
	if (cli->follow && cli->watch_ns)
		return cli_fail(CLI_USAGE, "-f and -w do not go together; leave -w out");
	if (cli->count_given && !(c->flags & CMD_COUNT))
		return cli_fail(CLI_USAGE, "%s prints all there is; leave -n out", c->name);
	if (cli->limit_ns && !(c->flags & CMD_LIMIT))
		return cli_fail(CLI_USAGE, "%s does not wait; leave -t out", c->name);
	return CLI_OK;
}

static int load_config(struct cli *cli)
{
	struct problems problems = {0};
	int err;

	err = config_load(cli->config_path, cli->overrides, cli->n_overrides, &cli->config, &problems);
	if (err)
		problems_print(&problems, stderr, "siprtx");
	problems_free(&problems);
	return err ? CLI_FAILED : CLI_OK;
}

static int run_once(struct cli *cli, const struct command *c, char **args)
{
	char why[PATH_MAX + 256];

	if (c->flags & (CMD_PINS | CMD_WRITE) && cli_open(cli, c->flags & CMD_WRITE, why, sizeof(why)))
		return cli_fail(CLI_FAILED, "%s", why);
	return c->run(cli, args);
}

/* Until interrupted, or until the view fails for more than a state it is made to show. */
static int watch(struct cli *cli, const struct command *c, char **args)
{
	bool terminal = isatty(STDOUT_FILENO) && !cli->json;
	struct timespec next;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		if (terminal)
			fputs("\033[H\033[2J", stdout);
		err = run_once(cli, c, args);
		if (!terminal && !cli->json)
			putchar('\n');
		if (fflush(stdout))
			return cli_fail(CLI_FAILED, "the output cannot be written: %s", strerror(errno));
		if (err != CLI_OK && err != CLI_DEGRADED && c->run != cmd_status)
			return err;
		next.tv_nsec += cli->watch_ns % 1000000000;
		next.tv_sec += cli->watch_ns / 1000000000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

static int run(struct cli *cli, int argc, char **argv)
{
	bool help = false, version = false;
	const struct command *command;
	unsigned words = 0, n;
	int err;

	err = options(cli, argc, argv, &help, &version);
	if (err)
		return err;
	n = argc - optind;
	argv += optind;
	if (version) {
		printf("siprtx %s, maps of version %d\n", SIPRTX_VERSION, SIPRTX_ABI);
		return CLI_OK;
	}
	if (help && !n) {
		commands_help(stdout);
		return CLI_OK;
	}
	command = command_find(argv, n, &words);
	if (!command)
		return CLI_USAGE;
	if (help) {
		command_help(command, stdout);
		return CLI_OK;
	}
	err = wrong_use(cli, command, n - words);
	if (!err && command->flags & CMD_CONFIG)
		err = load_config(cli);
	if (err)
		return err;
	return cli->watch_ns ? watch(cli, command, argv + words) : run_once(cli, command, argv + words);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

int main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct cli cli = {.config_path = CONFIG_DEFAULT};
	int err;

	/* https://no-color.org: set and not empty */
	cli.colour = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	cli.overrides = calloc(argc, sizeof(*cli.overrides));
	if (!cli.overrides)
		return cli_no_memory();
	libbpf_set_print(quiet);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a view under -w appears in one piece */
	err = run(&cli, argc, argv);
	cli_close(&cli);
	config_free(&cli.config);
	free(cli.overrides);
	if (fflush(stdout) && err == CLI_OK)
		err = cli_fail(CLI_FAILED, "the output cannot be written: %s", strerror(errno));
	return err;
}
