// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "head.h"
#include "json_text.h"
#include "record.h"

int cli_fail(enum cli_exit code, const char *format, ...)
{
	char sentence[PATH_MAX + 512];
	va_list args;
	size_t n;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	n = strlen(sentence);
	fprintf(stderr, "siprtx: %s%s\n", sentence, n && strchr(".?", sentence[n - 1]) ? "" : ".");
	return code;
}

int cli_no_memory(void)
{
	return cli_fail(CLI_FAILED, "there is no memory left; free some");
}

bool cli_pins_gone(const struct cli *cli)
{
	return pins_ino(cli->config.pin_path) != cli->pins_ino;
}

int cli_open(struct cli *cli, bool writable, char *why, size_t why_size)
{
	const char *path = cli->config.pin_path;
	int err;

	if (cli->open && !cli_pins_gone(cli)) {
		err = pins_renew_all(&cli->pins);
		if (err)
			snprintf(why, why_size, "the maps under %s cannot be read again: %s", path, strerror(-err));
		return err;
	}
	cli_close(cli);
	cli->pins_ino = pins_ino(path);
	err = pins_open(&cli->pins, path, PINS_SLOTS | (writable ? PINS_WRITE : PINS_READ));
	switch (err) {
	case 0:
		cli->open = true;
		break;
	case -ENOENT:
		snprintf(why, why_size, "nothing is loaded under %s; start siprtxd", path);
		break;
	case -EPERM:
	case -EACCES:
		snprintf(why, why_size, "no right to %s the maps under %s; run it as root%s",
			 writable ? "change" : "read", path,
			 writable ? "" : " or as a member of the group that owns them");
		break;
	case -EPROTO:
		head_explain(path, why, why_size);
		break;
	default:
		snprintf(why, why_size, "the maps under %s cannot be opened: %s", path, strerror(-err));
	}
	return err;
}

bool controller_gone(const struct siprtx_meta *meta)
{
	return meta->pid && kill(meta->pid, 0) && errno == ESRCH;
}

void cli_close(struct cli *cli)
{
	if (cli->open)
		pins_close(&cli->pins);
	cli->open = false;
}

static int print_json(json_t *root, size_t flags)
{
	int err;

	if (!root)
		return cli_no_memory();
	err = json_dumpf(root, stdout, flags);
	json_decref(root);
	if (err)
		return cli_fail(CLI_FAILED, "the output cannot be written: %s", strerror(errno));
	putchar('\n');
	return CLI_OK;
}

int cli_print_json(const struct cli *cli, json_t *root)
{
	return print_json(root, cli->watch_ns ? JSON_COMPACT : JSON_INDENT(2));
}

int cli_print_json_line(json_t *root)
{
	return print_json(root, JSON_COMPACT);
}

int cli_print_table(const struct cli *cli, struct table *t, unsigned indent)
{
	int err = t ? table_print(t, stdout, indent, cli->colour) : -ENOMEM;

	table_free(t);
	return err ? cli_no_memory() : CLI_OK;
}

json_t *problems_json(const struct problems *p)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < p->n; i++) {
		const struct problem *one = &p->list[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "level",
						      one->level == PROBLEM_ERROR ? "error" : "warning", "where",
						      json_text(one->where, sizeof(one->where)), "cause",
						      json_text(one->what, sizeof(one->what)), "remedy",
						      json_text(one->remedy, sizeof(one->remedy))));
	}
	return list;
}

static struct text local_text(uint64_t unix_ms, const char *format)
{
	time_t s = unix_ms / 1000;
	struct text t;
	struct tm tm;

	strftime(t.s, sizeof(t.s), format, localtime_r(&s, &tm));
	return t;
}

struct text text_clock(uint64_t unix_ms)
{
	struct text t = local_text(unix_ms, "%H:%M:%S");
	size_t n = strlen(t.s);

	snprintf(t.s + n, sizeof(t.s) - n, ".%03u", (unsigned)(unix_ms % 1000));
	return t;
}

struct text text_day_clock(uint64_t unix_ms)
{
	return local_text(unix_ms, "%Y-%m-%d %H:%M:%S");
}

struct text text_endpoint(const uint8_t addr[16], uint16_t port)
{
	struct text t;

	format_endpoint(addr, port, t.s, sizeof(t.s));
	return t;
}

static bool profile_name(const struct pins *pins, uint32_t profile, struct siprtx_name *name)
{
	if (profile >= MAX_PROFILES || bpf_map_lookup_elem(pins->fd[PIN_profile_names], &profile, name))
		return false;
	name->name[NAME_LEN - 1] = '\0';
	return name->name[0];
}

struct text profile_label(const struct pins *pins, uint32_t profile)
{
	struct siprtx_name name;
	struct text t;

	if (profile_name(pins, profile, &name))
		snprintf(t.s, sizeof(t.s), "%s", name.name);
	else
		snprintf(t.s, sizeof(t.s), "#%u", profile);
	return t;
}

struct text did_you_mean(const char *name)
{
	struct text t;

	snprintf(t.s, sizeof(t.s), "did you mean \"%.40s\"?", name);
	return t;
}

int profile_find(const struct pins *pins, const char *name)
{
	struct siprtx_name known[MAX_PROFILES];
	const char *names[MAX_PROFILES] = {NULL};
	uint32_t i, number;
	int near;

	for (i = 0; i < MAX_PROFILES; i++) {
		if (!profile_name(pins, i, &known[i]))
			continue;
		names[i] = known[i].name;
		if (!strcmp(known[i].name, name))
			return i;
	}
	if (!parse_u32(name, &number) && number < MAX_PROFILES && names[number])
		return number;
	near = nearest_name(name, names, MAX_PROFILES);
	cli_fail(CLI_USAGE, "there is no profile \"%s\"; %s", name,
		 near < 0 ? "siprtx profile list names them" : did_you_mean(names[near]).s);
	return -1;
}
