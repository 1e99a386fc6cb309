// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs run for records: what they are given, and those that hang, fail, talk without end or leave children. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/notify/exec.c"
#include "sink_world.h"

#include <sys/stat.h>

#define REAL_MS 5000 /* real time a program may need */

static void write_program(const char *text, mode_t mode)
{
	FILE *f = fopen(world.config.run, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(world.config.run, mode), 0);
}

/* A shell script with its folder in $D. */
static void script(const char *body)
{
	char text[4096];

	snprintf(text, sizeof(text), "#!/bin/sh\nD=%s\n%s\n", world.folder, body);
	write_program(text, 0755);
}

static int set_up(void **state)
{
	(void)state;
	world_new(&sink_exec);
	snprintf(world.config.run, sizeof(world.config.run), "%s/hook", world.folder);
	script("exit 0");
	return sink_exec.open(&world.sink);
}

static int tear_down(void **state)
{
	(void)state;
	world_free();
	return 0;
}

static unsigned running(void)
{
	struct exec *e = world.sink.own;
	unsigned n = 0;

	for (unsigned i = 0; i < e->n; i++)
		n += e->program[i].pid != 0;
	return n;
}

/* Until no program runs. */
static void wait_all(void)
{
	uint64_t end = now_ns() + REAL_MS * 1000000ull;

	while (running() && now_ns() < end)
		turn(10);
	assert_int_equal(running(), 0);
}

static char *content(const char *name)
{
	static char text[8192];
	char path[128];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", world.folder, name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static void wait_content(const char *name)
{
	for (int i = 0; i < REAL_MS / 10 && !(content(name) && *content(name)); i++)
		turn(10);
	assert_non_null(content(name));
}

/* Ended; nobody may wait for what has lost its parent where the first process is no init. */
static void expect_ended(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < REAL_MS / 10 && state != 'Z'; i++) {
		f = fopen(path, "re");
		if (!f)
			return;
		if (fscanf(f, "%*d %*s %c", &state) != 1) // NOLINT(cert-err34-c)
			state = 0;
		fclose(f);
		usleep(10000);
	}
	assert_int_equal(state, 'Z');
}

static void expect(uint64_t sent, uint64_t failed, uint64_t timeouts)
{
	assert_int_equal(world.status.sent, sent);
	assert_int_equal(world.status.failed, failed);
	assert_int_equal(world.status.timeouts, timeouts);
}

static void expect_error(const char *text)
{
	if (!strstr(world.status.error, text))
		fail_msg("\"%s\" lacks \"%s\"", world.status.error, text);
}

static void run_one(const struct siprtx_record *r)
{
	assert_int_equal(offer(r), 0);
	wait_all();
}

static void expect_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (!strncmp(p, line, n) && (p[n] == '\n' || !p[n]))
			return;
	}
	fail_msg("\"%s\" is no line of:\n%s", line, text);
}

static void environment(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_GATEWAY_DOWN, 10);
	json_t *json;
	char *line;

	(void)state;
	strcpy(r.call_id, "$(touch $D/no)`id`\";\n\x1b[2J\x7f\xe9' x");
	script("env > $D/env; pwd > $D/pwd; ls /proc/$$/fd > $D/fd; cat > $D/in; ps -o pgid= $$ > $D/pgid; echo $$ >> "
	       "$D/pgid");
	assert_int_equal(dup2(0, 50), 50); /* not close-on-exec */
	assert_int_equal(setenv("SIPRTX_SECRET", "1", 1), 0);
	run_one(&r);
	expect(1, 0, 0);
	line = content("env");
	expect_line(line, PATH_ENV);
	expect_line(line, "SIPRTX_NOTIFY=test");
	expect_line(line, "SIPRTX_EVENT=gateway_down");
	expect_line(line, "SIPRTX_SEQ=7");
	expect_line(line, "SIPRTX_GATEWAY=192.0.2.10:5060");
	expect_line(line, "SIPRTX_GATEWAY_ADDRESS=192.0.2.10");
	expect_line(line, "SIPRTX_GATEWAY_PORT=5060");
	expect_line(line, "SIPRTX_GATEWAY_NAME=carrier");
	expect_line(line, "SIPRTX_IN_DIALOG=false");
	expect_line(line, "SIPRTX_ICMP=");
	/* one line, whatever was in it, and nothing of it was done */
	expect_line(line, "SIPRTX_CALL_ID=$(touch $D/no)`id`\";  [2J \xc3\xa9' x");
	assert_null(strstr(line, "SECRET"));
	assert_null(content("no"));
	line = strstr(content("env"), "SIPRTX_JSON=");
	assert_non_null(line);
	json = json_loads(line + strlen("SIPRTX_JSON="), JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "event")), "gateway_down");
	json_decref(json);
	assert_string_equal(content("pwd"), "/\n");
	assert_string_equal(content("in"), "");
	assert_non_null(strstr(content("fd"), "0\n1\n"));
	assert_null(strstr(content("fd"), "50\n"));
	close(50);
	/* its own group */
	line = content("pgid");
	assert_int_equal(strtol(line, NULL, 10), strtol(strchr(line, '\n'), NULL, 10));
	unsetenv("SIPRTX_SECRET");
}

static void fails(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	script("exit 3");
	run_one(&r);
	expect(0, 1, 0);
	expect_error("ended with status 3");
	script("kill -SEGV $$");
	run_one(&r);
	expect(0, 2, 0);
	expect_error("ended by signal 11");
	script("exit 0");
	run_one(&r);
	expect(1, 2, 0);
}

static void cannot_be_run(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	unlink(world.config.run);
	assert_int_equal(offer(&r), -ENOENT);
	expect_error("No such file");
	write_program("#!/bin/sh\n", 0644);
	assert_int_equal(offer(&r), -EACCES);
	expect_error("Permission denied; put it there, chmod +x");
	write_program("exit 0\n", 0755);
	assert_int_equal(offer(&r), -ENOEXEC);
	expect_error("a script begins with #!/bin/sh");
	write_program("#!/no/such/shell\n", 0755);
	assert_int_equal(offer(&r), -ENOENT);
	expect(0, 4, 0);
	/* seen when it is opened, too */
	world.sink.kind->close(&world.sink);
	unlink(world.config.run);
	assert_int_equal(sink_exec.open(&world.sink), 0);
	expect(0, 5, 0);
	script("exit 0");
	run_one(&r);
	expect(1, 5, 0);
}

static void being_written(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	FILE *f = fopen(world.config.run, "ae");

	(void)state;
	assert_int_equal(offer(&r), -EAGAIN);
	later(100);
	assert_int_equal(offer(&r), -EAGAIN);
	expect(0, 1, 0);
	expect_error("Text file busy; tried each second");
	fclose(f);
	assert_int_equal(offer(&r), -EAGAIN);
	later(1000);
	run_one(&r);
	expect(1, 1, 0);
}

static void hangs(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	script("echo x > $D/began; sleep 100");
	assert_int_equal(offer(&r), 0);
	wait_content("began");
	assert_int_equal(offer(&r), -EAGAIN);
	later(499);
	turn(50);
	assert_int_equal(running(), 1);
	later(1);
	wait_all();
	expect(0, 1, 1);
	expect_error("not done after 500 ms");
}

/* Neither it nor its children listen to SIGTERM. */
static void does_not_want_to_end(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	pid_t child;

	(void)state;
	script("trap '' TERM; sleep 100 & echo $! > $D/child; while :; do sleep 1; done");
	assert_int_equal(offer(&r), 0);
	wait_content("child");
	child = strtol(content("child"), NULL, 10);
	assert_int_equal(kill(child, 0), 0);
	later(500);
	later(999);
	turn(100);
	assert_int_equal(running(), 1);
	later(1);
	wait_all();
	expect(0, 1, 1);
	expect_ended(child);
}

/* Ended well, but somebody of its group still holds the pipe: that is no reason to wait. */
static void leaves_children(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	pid_t child;

	(void)state;
	script("sleep 100 & echo $! > $D/child; exit 0");
	run_one(&r);
	expect(1, 0, 0);
	child = strtol(content("child"), NULL, 10);
	expect_ended(child);
}

static void talks_without_end(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	script("printf 'one\\033\\ntwo' >&2; head -c 4000000 /dev/zero | tr '\\0' x; exit 0");
	world.config.timeout_ms = 60000;
	assert_int_equal(offer(&r), 0);
	wait_all();
	expect(1, 0, 0);
	assert_in_range(world.logged, 4096, 8192);
	assert_in_range(world.lines, 5, 40);
	assert_non_null(strstr(world.last_line, "beyond 4096 bytes is left out"));
}

static void output_is_logged(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);

	(void)state;
	script("printf 'one\\033\\ttwo'");
	run_one(&r);
	assert_int_equal(world.lines, 1);
	assert_string_equal(world.last_line, "test, record 7: one?\ttwo");
}

static void at_once(void **state)
{
	struct siprtx_record r = make_record(1, RECORD_EXHAUSTED, 10);

	(void)state;
	world.sink.kind->close(&world.sink);
	world.config.at_once = 3;
	assert_int_equal(sink_exec.open(&world.sink), 0);
	script("echo x >> $D/began; read x < $D/go");
	snprintf(world.last_line, sizeof(world.last_line), "%s/go", world.folder);
	assert_int_equal(mkfifo(world.last_line, 0600), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(offer(&r), 0);
	assert_int_equal(offer(&r), -EAGAIN);
	assert_int_equal(running(), 3);
	while (!content("began") || strlen(content("began")) < 6)
		turn(10);
	/* their number is what held it back, nothing else */
	later(500);
	wait_all();
	assert_int_equal(offer(&r), 0);
}

/* What is told of one gateway comes in order; of others beside it. */
static void states_of_a_gateway_in_order(void **state)
{
	struct siprtx_record down = make_record(1, RECORD_GATEWAY_DOWN, 10), up = make_record(2, RECORD_GATEWAY_UP, 10),
			     other = make_record(3, RECORD_GATEWAY_UP, 11), call = make_record(4, RECORD_EXHAUSTED, 10);

	(void)state;
	world.sink.kind->close(&world.sink);
	world.config.at_once = 4;
	assert_int_equal(sink_exec.open(&world.sink), 0);
	script("sleep .2; echo $SIPRTX_EVENT >> $D/order");
	world.config.timeout_ms = 60000;
	assert_int_equal(offer(&down), 0);
	assert_int_equal(offer(&up), -EAGAIN);
	assert_int_equal(offer(&other), 0);
	assert_int_equal(offer(&call), 0);
	wait_all();
	assert_int_equal(offer(&up), 0);
	wait_all();
	expect(4, 0, 0);
	assert_string_equal(strrchr(content("order"), 'g'), "gateway_up\n");
}

static void rate(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	unsigned begun = 0;

	(void)state;
	world.config.rate = 2;
	for (int i = 0; i < 100; i++) {
		if (!offer(&r)) {
			begun++;
			wait_all();
		}
		later(50);
	}
	/* five seconds, and a second's worth to begin with */
	assert_in_range(begun, 10, 12);
}

/* siprtx-notify ends: it does not wait longer than a second, and nothing is left. */
static void closed_while_it_runs(void **state)
{
	struct siprtx_record r = make_record(7, RECORD_EXHAUSTED, 10);
	uint64_t before;
	pid_t pid;

	(void)state;
	world.sink.kind->close(&world.sink);
	world.config.at_once = 3;
	assert_int_equal(sink_exec.open(&world.sink), 0);
	script("trap '' TERM; echo $$ >> $D/pid; while :; do sleep 1; done");
	for (int i = 0; i < 3; i++)
		assert_int_equal(offer(&r), 0);
	for (int i = 0; i < REAL_MS / 10 && (!content("pid") || strlen(content("pid")) < 3); i++)
		turn(10);
	pid = strtol(content("pid"), NULL, 10);
	before = now_ns();
	world.sink.kind->close(&world.sink);
	assert_in_range(now_ns() - before, GRACE_NS / 2, 2 * GRACE_NS);
	assert_int_equal(kill(pid, 0), -1);
	assert_null(world.sink.own);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(environment),
		TEST(fails),
		TEST(cannot_be_run),
		TEST(being_written),
		TEST(hangs),
		TEST(does_not_want_to_end),
		TEST(leaves_children),
		TEST(talks_without_end),
		TEST(output_is_logged),
		TEST(at_once),
		TEST(states_of_a_gateway_in_order),
		TEST(rate),
		TEST(closed_while_it_runs),
	};

	return cmocka_run_group_tests_name("notify_exec", tests, NULL, NULL);
}
