// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "follow.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NS		50000000
#define POLLS_PER_CHECK 20

/* Of copied maps: what print_new() reads, the ring of events only where there are new ones. */
static int renew(struct cli *cli)
{
	struct pins *p = &cli->pins;
	uint64_t before = p->meta->next_event;
	int err = pins_renew(p, PIN_meta);

	if (!err && p->meta->next_event != before)
		err = pins_renew(p, PIN_events);
	return err;
}

int follow(struct cli *cli, int (*print_new)(const struct cli *cli, void *at), void *at)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	unsigned i;
	int err;

	for (i = 1;; i++) {
		err = print_new(cli, at);
		if (fflush(stdout))
			return cli_fail(CLI_FAILED, "the output cannot be written: %s", strerror(errno));
		if (err)
			return err;
		if (i % POLLS_PER_CHECK == 0 && cli_pins_gone(cli))
			return cli_fail(CLI_FAILED, "the maps under %s were unloaded; begin again once they are loaded",
					cli->config.pin_path);
		nanosleep(&pause, NULL);
		err = renew(cli);
		if (err)
			return cli_fail(CLI_FAILED, "the maps under %s cannot be read again: %s", cli->config.pin_path,
					strerror(-err));
	}
}

int stream_line(const struct cli *cli, enum colour c, const char *format, ...)
{
	bool paint = cli->colour && c != PLAIN;
	va_list args;
	char *line;
	int len;

	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		return cli_no_memory();
	make_printable(line);
	printf("%s%s%s\n", colour_code(c, paint), line, colour_code(PLAIN, paint));
	free(line);
	return CLI_OK;
}

int stream_missed(const struct cli *cli, uint64_t n)
{
	if (cli->json)
		printf("{\"schema_version\": %d, \"event\": \"missed\", \"count\": %llu}\n", CLI_SCHEMA_VERSION,
		       (unsigned long long)n);
	else
		printf("-- %llu missed, they came faster than they could be printed --\n", (unsigned long long)n);
	return CLI_OK;
}
