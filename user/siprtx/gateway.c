// SPDX-License-Identifier: GPL-2.0-or-later
/* siprtx gateway: the operator's word on a gateway. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "config_parse.h"
#include "health.h"

/* siprtxd acts on it in a quarter of a second; what is waited at most. */
#define ACTED_ON_NS 1500000000ull
#define LOOK_NS	    20000000

/* One way to change a gateway, and how it went. */
struct change {
	const struct cli *cli;
	struct siprtx_gateway_key key;
	struct siprtx_gateway value; /* as it is now */
	uint32_t admin, former;
};

/* CLI_OK, or the fault told. */
static int admin_asked(const char *word, uint32_t *admin)
{
	const char *names[] = {admin_name(ADMIN_AUTO), admin_name(ADMIN_UP), admin_name(ADMIN_DOWN)};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(word, names[i]))
			continue;
		*admin = i;
		return CLI_OK;
	}
	return cli_fail(CLI_USAGE, "a gateway cannot be held \"%s\"; give up or down, or auto to have it judged", word);
}

/* An address with or without a port. False: it is none. */
static bool is_address(const char *word, struct config_gateway *out)
{
	char text[128], remedy[128];

	return snprintf(text, sizeof(text), "%s", word) < (int)sizeof(text) && !strchr(word, '/') &&
	       !parse_gateway_address(text, out, remedy, sizeof(remedy));
}

/* Those that the word names go to the front of the list. How many. */
static unsigned pick(const char *word, struct gateway *list, unsigned n)
{
	struct config_gateway address = {0};
	bool by_address = is_address(word, &address);
	unsigned chosen = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct gateway *g = &list[i];
		bool named = *g->value.name && !strncmp(g->value.name, word, NAME_LEN);
		bool there = by_address && !memcmp(g->key.addr, address.addr, sizeof(address.addr)) &&
			     (!address.port || address.port == g->key.port);

		if (named || there)
			list[chosen++] = *g;
	}
	return chosen;
}

static int nothing_chosen(const struct cli *cli, const char *word, const struct gateway *list, unsigned n)
{
	const struct config *c = &cli->config;
	const char **names = calloc(n + 1, sizeof(*names));
	int near = -1, err;
	unsigned i;

	for (i = 0; i < c->n_gateways; i++)
		if (!strcmp(c->gateway[i].name, word))
			break;
	for (unsigned k = 0; names && k < n; k++)
		names[k] = *list[k].value.name ? list[k].value.name : NULL;
	if (names)
		near = nearest_name(word, names, n);
	if (i < c->n_gateways)
		err = cli_fail(CLI_FAILED,
			       "no address of gateway \"%s\" was called yet, so none can be held; take its calls away "
			       "on the softswitch",
			       word);
	else
		err = cli_fail(CLI_USAGE, "there is no gateway \"%s\"; %s", word,
			       near < 0 ? "siprtx show gateways names those called" : did_you_mean(names[near]).s);
	free(names);
	return err;
}

static bool write_admin(struct change *c)
{
	int fd = c->cli->pins.fd[PIN_gateways];

	if (bpf_map_lookup_elem(fd, &c->key, &c->value))
		return false;
	if (c->value.admin == c->admin)
		return true;
	c->value.admin = c->admin;
	return !bpf_map_update_elem(fd, &c->key, &c->value, BPF_EXIST);
}

/* Has siprtxd acted on it? */
static bool is_acted_on(const struct change *c)
{
	switch (c->admin) {
	case ADMIN_UP:
		return c->value.state == GATEWAY_UP;
	case ADMIN_DOWN:
		return c->value.state == GATEWAY_DOWN;
	default:
		return c->former == ADMIN_AUTO || c->value.state == GATEWAY_UP || c->value.state_why != WHY_OPERATOR;
	}
}

/* Writes it again where siprtxd wrote its counts in the same moment. True: it acts on it. */
static bool change_it(struct change *c)
{
	uint64_t until = now_ns() + ACTED_ON_NS;

	while (write_admin(c)) {
		if (is_acted_on(c))
			return true;
		if (!controller_alive(c->cli->pins.meta, now_ns()) || now_ns() > until)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
	}
	return false;
}

static void print_hex(FILE *f, const void *data, size_t n)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < n; i++)
		fprintf(f, " %02x", byte[i]);
}

/* The line that writes this value; owned by the caller. NULL: no memory. */
static char *bpftool_text(const struct change *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "bpftool map update pinned %s/%s key hex", c->cli->config.pin_path, pin_name(PIN_gateways));
	print_hex(f, &c->key, sizeof(c->key));
	fputs(" value hex", f);
	print_hex(f, &c->value, sizeof(c->value));
	return fclose(f) ? NULL : text;
}

static json_t *change_json(const struct change *c, const char *line)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "gateway", text_endpoint(c->key.addr, c->key.port).s,
			 "former", admin_name(c->former), "admin", admin_name(c->admin), "state",
			 gateway_state_name(c->value.state), "bypass", bypass_name(c->value.bypass), "bpftool", line);
}

static int print_change(const struct change *c, json_t *list, bool acted_on)
{
	char *line = bpftool_text(c);

	if (!line)
		return cli_no_memory();
	if (list)
		json_array_append_new(list, change_json(c, line));
	else
		printf("%s%s%.*s: %s -> %s, %s%s\n%s\n", text_endpoint(c->key.addr, c->key.port).s,
		       *c->value.name ? " " : "", NAME_LEN, c->value.name, admin_name(c->former), admin_name(c->admin),
		       acted_on ? "it is " : "written; siprtxd acts on it when it runs: it was ",
		       gateway_state_name(c->value.state), line);
	free(line);
	return CLI_OK;
}

int cmd_gateway(struct cli *cli, char **args)
{
	json_t *done = cli->json ? json_array() : NULL;
	struct gateway *list;
	unsigned n, chosen;
	uint32_t admin = ADMIN_AUTO;
	int err;

	if (admin_asked(args[1], &admin))
		return CLI_USAGE;
	err = gateways_read(&cli->pins, &list, &n);
	if (err)
		return cli_fail(CLI_FAILED, "the gateways cannot be read: %s", strerror(-err));
	chosen = pick(args[0], list, n);
	err = chosen ? CLI_OK : nothing_chosen(cli, args[0], list, n);
	for (unsigned i = 0; i < chosen && !err; i++) {
		struct change c = {.cli = cli, .key = list[i].key, .admin = admin, .former = list[i].value.admin};
		bool acted_on = change_it(&c);

		if (c.value.admin != admin)
			err = cli_fail(CLI_FAILED, "the map gateways under %s cannot be written: %s",
				       cli->config.pin_path, strerror(errno));
		else
			err = print_change(&c, done, acted_on);
	}
	free(list);
	if (!done)
		return err;
	if (!err)
		return cli_print_json(cli,
				      json_pack("{s:i, s:o}", "schema_version", CLI_SCHEMA_VERSION, "gateways", done));
	json_decref(done);
	return err;
}
