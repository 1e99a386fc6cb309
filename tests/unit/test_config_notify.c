// SPDX-License-Identifier: GPL-2.0-or-later
/* Sections [notify NAME]: what is taken, what is refused and how that is said, and JSON as a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define SIDES	"[siprtx]\ninside = eth0\noutside = eth1\n" /* lines 1 to 3 */
#define NOTIFY	SIDES "[notify n]\n"			    /* line 4 */
#define EXEC	NOTIFY "kind = exec\nrun = /bin/true\n"	    /* lines 5 and 6 */
#define CALL	"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[],\"id\":${seq}}"
#define JSONRPC NOTIFY "kind = jsonrpc\nto = udp:192.0.2.1:8090\n" /* lines 5 and 6 */

static char path[] = "/tmp/siprtx-test-XXXXXX";

static int load(const char *text, char *override, struct config *c, struct problems *problems)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	*problems = (struct problems){0};
	return config_load(path, &override, override ? 1 : 0, c, problems);
}

static void load_good(const char *text, struct config *c)
{
	struct problems problems;
	int err = load(text, NULL, c, &problems);

	problems_print(&problems, stderr, "test_config_notify");
	assert_int_equal(err, 0);
	assert_int_equal(problems.n, 0);
	problems_free(&problems);
}

#define X10   "xxxxxxxxxx"
#define X100  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

static const struct fault {
	const char *text;
	unsigned line;
	const char *what, *remedy;
} faults[] = {
	{SIDES "[notify]\nkind = exec\n", 4, "notify name \"\" is empty", "[notify NAME]"},
	{NOTIFY, 4, "notify n has no kind", "jsonrpc, exec, stream or cdr"},
	{NOTIFY "kind = mail\n", 5, "kind cannot be \"mail\"", "Use jsonrpc or exec or stream or cdr"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\n", 4, "notify n has no to", "udp:HOST:PORT"},
	{NOTIFY "kind = stream\n", 4, "notify n has no to", "unix:/run/siprtx/"},
	{NOTIFY "kind = cdr\n", 4, "notify n has no to", "/FOLDER"},
	{NOTIFY "kind = exec\n", 4, "notify n has no run", "run = /PATH"},
	{NOTIFY "kind = exec\nrun = true\n", 6, "\"true\": it is not an absolute path", "from / on"},
	{EXEC "to = unix:/x\n", 7, "to has no meaning with kind = exec", "Remove"},
	{EXEC "on = exhausted,call\n", 7, "on cannot be \"call\"", "exhausted or late_response or gateway_up"},
	{EXEC "on = exhausted,\n", 7, "\"\": it is empty", "comma"},
	{EXEC "queue = 0\n", 7, "\"0\": it is out of range", "1 to 100000000"},
	{EXEC "rate = -1\n", 7, "\"-1\": it is negative", "0 to 1000000"},
	{EXEC "timeout = 0\n", 7, "\"0\": it is out of range", "0.01 to 3600"},
	{EXEC "timeout = 5s\n", 7, "\"5s\": it is not a number", "0.01 to 3600"},
	{EXEC "at_once = 65\n", 7, "\"65\": it is out of range", "1 to 64"},
	{EXEC "exhausted = " CALL "\n", 7, "exhausted has no meaning with kind = exec", "Remove"},
	{JSONRPC, 4, "notify n has no template", "gateway_down = {...}"},
	{JSONRPC "gateway_up = " CALL "\non = gateway_up,gateway_down\n", 8, "no template of that name", "out of on"},
	{JSONRPC "gateway_up = {\"jsonrpc\"\n", 7, "template gateway_up", "siprtx-notify(8)"},
	{JSONRPC "gateway_up = nonsense\n", 7, "template gateway_up", "siprtx-notify(8)"},
	{JSONRPC "gateway_up = " CALL "\nrun = /bin/true\n", 8, "run has no meaning with kind = jsonrpc", "Remove"},
	{JSONRPC "exhausted = " CALL "\ngateway_up = {" X1000 X1000 X1000 X1000 "}\n", 8, "longer than 4000 characters",
	 "Shorten"},
	/* a brace left open ends with the indented lines; the key after it is read */
	{JSONRPC "gateway_up = {\"jsonrpc\":\"2.0\",\n  \"method\":\"m\"\ntimeout = x\n", 7, "template gateway_up",
	 "siprtx-notify(8)"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = udp:192.0.2.1\n", 7, "has no port", "udp:192.0.2.1:8090"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = udp:localhost:1\n", 7, "is not an address", "udp:"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = udp:192.0.2.0/24\n", 7, "has no port", "udp:"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = unix:x\n", 7, "is not an absolute path", "unix:/run"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = unix:/" X100 X10 "\n", 7, "too long for a socket", "unix:"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = tcp:192.0.2.1:1\n", 7, "neither an address", "udp:"},
	{NOTIFY "kind = jsonrpc\nexhausted = " CALL "\nto = /tmp\n", 7, "is a folder", "to = udp:"},
	{NOTIFY "kind = stream\nto = udp:192.0.2.1:1\n", 6, "listens on a Unix socket", "unix:"},
	{NOTIFY "kind = stream\nto = unix:/x\nqueue = 5\n", 7, "read from the journal", "Remove"},
	{NOTIFY "kind = cdr\nto = unix:/x\n", 6, "is no folder", "/FOLDER"},
	{NOTIFY "kind = cdr\nto = /x\non = gateway_up\n", 7, "lines for exhausted alone", "Remove"},
	{NOTIFY "kind = cdr\nto = /x\n[notify m]\nkind = cdr\nto = /x\n", 9, "has the place of notify n", "its own"},
};

static void test_faults(void **state)
{
	struct problems problems;
	struct config c;
	char where[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *f = &faults[i];
		const struct problem *one;

		assert_int_equal(load(f->text, NULL, &c, &problems), -EINVAL);
		one = problems.list;
		snprintf(where, sizeof(where), "%s:%u", path, f->line);
		if (strcmp(one->where, where) || !strstr(one->what, f->what) || !strstr(one->remedy, f->remedy) ||
		    (problems.n != 1 && !strstr(f->text, "timeout = x"))) {
			problems_print(&problems, stderr, "test_config_notify");
			fail_msg("expected alone: %s: %s. %s", where, f->what, f->remedy);
		}
		problems_free(&problems);
		config_free(&c);
	}
}

static void test_after_an_open_brace(void **state)
{
	struct problems problems;
	struct config c;

	(void)state;
	assert_int_equal(load(JSONRPC "gateway_up = {\n  {\n  }\ntimeout = x\n", NULL, &c, &problems), -EINVAL);
	assert_int_equal(problems.n, 2);
	assert_non_null(strstr(problems.list[0].where, ":7"));
	assert_non_null(strstr(problems.list[1].where, ":10"));
	assert_non_null(strstr(problems.list[1].what, "timeout cannot be"));
	problems_free(&problems);
	config_free(&c);
}

static void test_defaults(void **state)
{
	const struct config_notify *n;
	struct config c;

	(void)state;
	load_good(EXEC "[notify s]\nkind = stream\nto = unix:/run/siprtx/s\n[notify c]\nto = /var/cdr\nkind = cdr\n"
		       "[notify j]\nexhausted = " CALL "\ngateway_up = " CALL "\nto = udp:[::1]:9\nkind = jsonrpc\n",
		  &c);
	assert_int_equal(c.n_notify, 4);
	n = c.notify;
	assert_string_equal(n->name, "n");
	assert_string_equal(n->run, "/bin/true");
	assert_int_equal(n->kind, NOTIFY_EXEC);
	assert_int_equal(n->events, 0x3e);
	assert_int_equal(n->queue, 10000);
	assert_int_equal(n->rate, 10);
	assert_int_equal(n->timeout_ms, 5000);
	assert_int_equal(n->at_once, 4);
	assert_int_equal(n[1].kind, NOTIFY_STREAM);
	assert_string_equal(n[1].to, "unix:/run/siprtx/s");
	assert_int_equal(n[1].events, 0x3e);
	assert_int_equal(n[2].kind, NOTIFY_CDR);
	assert_int_equal(n[2].events, 1 << RECORD_EXHAUSTED);
	assert_int_equal(n[3].kind, NOTIFY_JSONRPC);
	assert_int_equal(n[3].rate, 0);
	assert_int_equal(n[3].events, 1 << RECORD_EXHAUSTED | 1 << RECORD_GATEWAY_UP);
	assert_string_equal(n[3].template_of[RECORD_EXHAUSTED], CALL);
	assert_null(n[3].template_of[RECORD_GATEWAY_DOWN]);
	config_free(&c);
}

static void test_all_given(void **state)
{
	struct config c;

	(void)state;
	load_good(EXEC "on = gateway_up , gateway_down\nqueue = 7\nrate = 0\ntimeout = 0.25\nat_once = 1\n", &c);
	assert_int_equal(c.notify->events, 1 << RECORD_GATEWAY_UP | 1 << RECORD_GATEWAY_DOWN);
	assert_int_equal(c.notify->queue, 7);
	assert_int_equal(c.notify->rate, 0);
	assert_int_equal(c.notify->timeout_ms, 250);
	assert_int_equal(c.notify->at_once, 1);
	config_free(&c);
}

static void test_json_values(void **state)
{
	struct problems problems;
	struct config c;

	(void)state;
	load_good(JSONRPC "  gateway_down = {\"jsonrpc\": \"2.0\",\r\n"
			  "\t\"method\": \"a ; # } \\\" b\",\r\n"
			  "    \"params\": {\"x\": \"" X100 X100 "\"}\r\n"
			  "  }\r\n"
			  "timeout = 1 # a comment\n"
			  "exhausted={\"jsonrpc\":\"2.0\",\"method\":\"=:#;\"}\n",
		  &c);
	assert_string_equal(c.notify->template_of[RECORD_GATEWAY_DOWN],
			    "{\"jsonrpc\": \"2.0\", \"method\": \"a ; # } \\\" b\", \"params\": {\"x\": \"" X100 X100
			    "\"} }");
	assert_string_equal(c.notify->template_of[RECORD_EXHAUSTED], "{\"jsonrpc\":\"2.0\",\"method\":\"=:#;\"}");
	assert_int_equal(c.notify->timeout_ms, 1000);
	config_free(&c);
	/* lines are counted on */
	assert_int_equal(
		load(JSONRPC "exhausted = {\"jsonrpc\":\"2.0\",\n \"method\":\"m\"}\nqueue = x\n", NULL, &c, &problems),
		-EINVAL);
	assert_non_null(strstr(problems.list[0].where, ":9"));
	problems_free(&problems);
	config_free(&c);
}

static void test_overrides(void **state)
{
	struct problems problems;
	struct config c;

	(void)state;
	assert_int_equal(load(EXEC, "notify n.rate=3", &c, &problems), 0);
	assert_int_equal(c.notify->rate, 3);
	config_free(&c);
	assert_int_equal(load(JSONRPC "exhausted = " CALL "\n",
			      "notify n.exhausted={\"jsonrpc\":\"2.0\",\"method\":\"other\"}", &c, &problems),
			 0);
	assert_string_equal(c.notify->template_of[RECORD_EXHAUSTED], "{\"jsonrpc\":\"2.0\",\"method\":\"other\"}");
	config_free(&c);
}

static void test_too_many(void **state)
{
	struct problems problems;
	char *text = NULL;
	size_t size = 0;
	struct config c;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	fputs(SIDES, f);
	for (unsigned i = 0; i < CONFIG_MAX_NOTIFY + 1; i++)
		fprintf(f, "[notify n%u]\nkind = exec\nrun = /bin/true\n", i);
	fclose(f);
	assert_int_equal(load(text, NULL, &c, &problems), -EINVAL);
	assert_int_equal(problems.n, 1);
	assert_non_null(strstr(problems.list[0].what, "notify n32 is one too many, the most is 32"));
	problems_free(&problems);
	config_free(&c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),	    cmocka_unit_test(test_after_an_open_brace),
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_all_given),
		cmocka_unit_test(test_json_values), cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_too_many),
	};
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
