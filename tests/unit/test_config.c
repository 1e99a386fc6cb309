// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "schedule.h"

#define SIDES	"[siprtx]\ninside = eth0\noutside = eth1\n" /* lines 1 to 3 */
#define GATEWAY SIDES "[gateway a]\n"			    /* line 4 */
#define PROFILE SIDES "[profile own]\n"			    /* line 4 */

/* a line holds 198 characters */
#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static char path[] = "/tmp/siprtx-test-XXXXXX";

static int load_bytes(const char *text, size_t n, char **overrides, struct config *c, struct problems *problems)
{
	unsigned n_overrides = 0;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	while (overrides && overrides[n_overrides])
		n_overrides++;
	*problems = (struct problems){0};
	return config_load(path, overrides, n_overrides, c, problems);
}

static int load_text(const char *text, char **overrides, struct config *c, struct problems *problems)
{
	return load_bytes(text, strlen(text), overrides, c, problems);
}

static void load_good(const char *text, char **overrides, struct config *c)
{
	struct problems problems;
	int err = load_text(text, overrides, c, &problems);

	problems_print(&problems, stderr, "test_config");
	assert_int_equal(err, 0);
	assert_int_equal(problems.n, 0);
	problems_free(&problems);
}

/* Each text has one fault: where it is, and words of the cause and of the remedy. */
static const struct fault {
	const char *text;
	unsigned line;
	const char *what, *remedy;
} faults[] = {
	/* lines */
	{SIDES "nonsense\n", 4, "\"nonsense\" is neither a section nor a key", "KEY = VALUE"},
	{SIDES "= 5\n", 4, "\"= 5\" is neither", "KEY = VALUE"},
	{SIDES "[gateway a\naddress = 192.0.2.1\n", 4, "\"[gateway a\" is not a section header", "[gateway carrier-a]"},
	{SIDES "[gateway a] b\n", 4, "\"[gateway a] b\" is not a section header", "[gateway carrier-a]"},
	{"mode = inline\n" SIDES, 1, "mode stands before the first section", "[siprtx]"},
	{SIDES "journal = /" X100 X100 "\n", 4, "longer than 198 characters", "Shorten"},
	/* sections */
	{SIDES "[carrier a]\naddress = 192.0.2.1\n", 4, "no section [carrier]", "[gateway NAME]"},
	{SIDES "[nobody]\n", 4, "no section [nobody]", "[gateway NAME]"},
	{SIDES "[siprtx two]\n", 4, "[siprtx] takes no name", "[siprtx]"},
	{SIDES "[profile]\n", 4, "profile name \"\" is empty", "[profile NAME]"},
	{SIDES "[profile two words]\n", 4, "\"two words\" has other characters", "[profile NAME]"},
	{SIDES "[gateway a/b]\n", 4, "\"a/b\" has other characters", "[gateway NAME]"},
	{SIDES "[profile abcdefghijklmnopqrstuvwxyzabcdef]\n", 4, "longer than 31", "1 to 31"},
	{SIDES "[profile own]\n[profile own]\n", 5, "[profile own] stands in line 4", "under one header"},
	{SIDES "[profile standard]\n\n[siprtx]\n", 6, "[siprtx] stands in line 1", "under one header"},
	/* keys */
	{SIDES "outsides = eth2\n", 4, "[siprtx] has no key outsides", "inside, outside"},
	{PROFILE "address = 192.0.2.1\n", 5, "[profile] has no key address", "resend_interval, send_retry"},
	{GATEWAY "address = 192.0.2.1\nport = 5060\n", 6, "[gateway] has no key port", "address, profile"},
	{SIDES "outside = eth2\n", 4, "outside is given in line 3 already", "Remove one"},
	{SIDES "journal =\n", 4, "journal has no value", "Give one"},
	{SIDES "journal = # none\n", 4, "journal has no value", "Give one"},
	/* [siprtx] */
	{"[siprtx]\noutside = eth1\n", 1, "inside is not set", "inside = eth0"},
	{"[siprtx]\ninside = eth0\n", 1, "outside is not set", "outside = eth1"},
	{"[siprtx]\nmode = host\ninside = eth0\noutside = eth1\n", 3, "inside has no meaning with mode = host",
	 "Remove the line"},
	{"[siprtx]\nmode = host\noutside = eth1\ncapture = xdp\n", 4, "XDP does not see what this host sends",
	 "capture = auto"},
	{"[siprtx]\nforward = xdp\nmode = host\noutside = eth1\n", 2, "forward = xdp cannot be", "forward = kernel"},
	{SIDES "mode = bridge\n", 4, "mode cannot be \"bridge\"", "Use inline or host"},
	{SIDES "mode = Inline\n", 4, "mode cannot be \"Inline\"", "Use inline"},
	{"[siprtx]\ninside = eth0\noutside = eth1,eth0\n", 3, "eth0 is both inside and outside", "one side"},
	{"[siprtx]\ninside = eth0,\noutside = eth1\n", 2, "\"\": it is empty", "comma"},
	{"[siprtx]\ninside = eth0, eth0\noutside = eth1\n", 2, "\"eth0\": it is there twice", "once"},
	{"[siprtx]\ninside = abcdefghijklmnop\noutside = eth1\n", 2, "is not the name of an interface", "ip link"},
	{"[siprtx]\ninside = eth0 eth2\noutside = eth1\n", 2, "\"eth0 eth2\": it is not the name", "ip link"},
	{"[siprtx]\ninside = i\noutside = a,b,c,d,e,f,g,h,j,k,l,m,n,o,p,q,r,s\n", 3,
	 "outside has 18 interfaces, the most is 16", "Remove 2"},
	{SIDES "sip_ports = 0\n", 4, "sip_ports cannot be \"0\": it is out of range", "1 to 65535"},
	{SIDES "sip_ports = 5060,65536\n", 4, "\"65536\": it is out of range", "1 to 65535"},
	{SIDES "sip_ports = sip\n", 4, "\"sip\": it is not a number", "1 to 65535"},
	{SIDES "sip_ports = 5060 5061\n", 4, "\"5060 5061\": it is not a number", "1 to 65535"},
	{SIDES "sip_ports = 5060,5060\n", 4, "\"5060\": it is there twice", "once"},
	{SIDES "sip_ports = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n", 4, "sip_ports has 17 ports, the most is 16",
	 "Remove 1"},
	{SIDES "max_transactions = 15\n", 4, "\"15\": it is out of range", "16 to 4194304"},
	{SIDES "max_transactions = 4194305\n", 4, "out of range", "16 to 4194304"},
	{SIDES "max_transactions = 99999999999999999999999\n", 4, "out of range", "16 to 4194304"},
	{SIDES "max_transactions = 64k\n", 4, "\"64k\": it is not a number", "16 to 4194304"},
	{SIDES "max_transactions = 0x100\n", 4, "\"0x100\": it is not a number", "16 to 4194304"},
	{SIDES "max_transactions = +100\n", 4, "\"+100\": it is not a number", "16 to 4194304"},
	{SIDES "max_transactions = -100\n", 4, "\"-100\": it is negative", "16 to 4194304"},
	{SIDES "max_transactions = 100.0\n", 4, "\"100.0\": it is not a whole number", "16 to 4194304"},
	{SIDES "forward = yes\n", 4, "forward cannot be \"yes\"", "Use kernel or xdp or xdp-all"},
	{SIDES "capture = tc\n", 4, "capture cannot be \"tc\"", "Use auto or xdp or egress"},
	{SIDES "capture = egress\nforward = xdp\n", 5, "forward = xdp cannot be with capture at egress",
	 "forward = kernel"},
	{SIDES "capture = egress\nforward = xdp-all\n", 5, "forward = xdp-all cannot be with capture at egress",
	 "forward = kernel"},
	{SIDES "forward = all\n", 4, "forward cannot be \"all\"", "Use kernel or xdp or xdp-all"},
	{SIDES "zerocopy = maybe\n", 4, "zerocopy cannot be \"maybe\"", "Use no or yes"},
	{SIDES "sender = udp\n", 4, "sender cannot be \"udp\"", "Use afxdp or live-frames"},
	{SIDES "sender = live-frames\nzerocopy = yes\n", 5, "zerocopy = yes is of AF_XDP",
	 "Write zerocopy = no, or sender = afxdp"},
	{SIDES "pin_path = siprtx\n", 4, "\"siprtx\": it is not an absolute path", "/"},
	{SIDES "journal = exhausted.jsonl\n", 4, "\"exhausted.jsonl\": it is not an absolute path", "/"},
	/* [profile] */
	{PROFILE "resend_interval = 1,1,1,1,1,1,1,1,1,1,1\n", 5, "resend_interval has 11 intervals, the most is 10",
	 "Remove 1 of them"},
	{PROFILE "resend_interval = 1,1,1,1,1,1,1,1,1,1,1,x,1\n", 5, "has 13 intervals", "Remove 3 of them"},
	{PROFILE "resend_interval =\n", 5, "resend_interval has no value", "Give one"},
	{PROFILE "resend_interval = ,1\n", 5, "\"\": it is empty", "0.5"},
	{PROFILE "resend_interval = 1,,2\n", 5, "\"\": it is empty", "0.5"},
	{PROFILE "resend_interval = 1,2,\n", 5, "\"\": it is empty", "0.5"},
	{PROFILE "resend_interval = 1;2\n", 5, "\"1;2\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 1 2\n", 5, "\"1 2\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 1,-2\n", 5, "\"-2\": it is negative", "0.5"},
	{PROFILE "resend_interval = 1,two\n", 5, "\"two\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 1e3\n", 5, "\"1e3\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 0x10\n", 5, "\"0x10\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 1s\n", 5, "\"1s\": it is not a number", "0.5"},
	{PROFILE "resend_interval = .5\n", 5, "\".5\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 5.\n", 5, "\"5.\": it is not a number", "0.5"},
	{PROFILE "resend_interval = nan\n", 5, "\"nan\": it is not a number", "0.5"},
	{PROFILE "resend_interval = 0.5001\n", 5, "\"0.5001\": it has too many decimals", "3 decimals"},
	{PROFILE "resend_interval = 0.5,0.009\n", 5,
	 "\"0.009\": it is out of range, as interval_2 is 9 ms, under 10 ms", "0.01 to 3600"},
	{PROFILE "resend_interval = 3600.001\n", 5, "interval_1 is 3600001 ms, over", "0.01 to 3600"},
	{PROFILE "resend_interval = 99999999999999999999\n", 5, "out of range", "0.01 to 3600"},
	{PROFILE "resend_interval = 0\n", 5, "the list is empty", "0.01 to 3600"},
	{PROFILE "resend_interval = 1,0,2\n", 5, "\"0\": it is no interval", "Remove it"},
	{PROFILE "resend_interval = 1,2,0.000\n", 5, "\"0\": it is no interval", "Remove it"},
	{PROFILE "send_retry = 11\n", 5, "\"11\": it is out of range", "0 to 10"},
	{PROFILE "send_retry = -1\n", 5, "\"-1\": it is negative", "0 to 10"},
	{PROFILE "send_retry = 1.5\n", 5, "\"1.5\": it is not a whole number", "0 to 10"},
	{PROFILE "timeout_invite = 3601\n", 5, "timeout_invite is 3601000 ms, over", "0 for no time-out"},
	{PROFILE "timeout_trying = -20\n", 5, "timeout_trying cannot be \"-20\": it is negative", "seconds"},
	{PROFILE "timeout_progress = 20s\n", 5, "\"20s\": it is not a number", "seconds"},
	{PROFILE "timeout_progress_sdp = 9999999\n", 5, "timeout_progress_sdp is 4294967295 ms, over", "seconds"},
	{PROFILE "timeout_ringing = off\n", 5, "\"off\": it is not a number", "seconds"},
	{PROFILE "final_wait = 0\n", 5, "final_wait is 0 ms, under 10 ms", "0.01 to 3600"},
	/* [gateway] */
	{GATEWAY, 4, "gateway a has no address", "Add address"},
	{GATEWAY "profile = standard\n", 4, "gateway a has no address", "Add address"},
	{GATEWAY "address = carrier.example\n", 5, "\"carrier.example\": it is not an address", "192.0.2.10:5060"},
	{GATEWAY "address = 192.0.2\n", 5, "is not an address", "192.0.2.10"},
	{GATEWAY "address = 192.0.2.256\n", 5, "is not an address", "192.0.2.10"},
	{GATEWAY "address = 192.0.2.1:\n", 5, "has no valid port", "1 to 65535"},
	{GATEWAY "address = 192.0.2.1:0\n", 5, "has no valid port", "1 to 65535"},
	{GATEWAY "address = 192.0.2.1:65536\n", 5, "has no valid port", "1 to 65535"},
	{GATEWAY "address = 192.0.2.1:sip\n", 5, "\"192.0.2.1:sip\": it has no valid port", "1 to 65535"},
	{GATEWAY "address = 192.0.2.0/33\n", 5, "no valid prefix length", "0 to 32"},
	{GATEWAY "address = 192.0.2.0/\n", 5, "no valid prefix length", "0 to 32"},
	{GATEWAY "address = 2001:db8::/129\n", 5, "no valid prefix length", "0 to 128"},
	{GATEWAY "address = 192.0.2.10/24\n", 5, "\"192.0.2.10/24\": it has bits set after its prefix",
	 "Write 192.0.2.0/24"},
	{GATEWAY "address = 198.51.100.255/30\n", 5, "bits set", "Write 198.51.100.252/30"},
	{GATEWAY "address = 2001:db8::1/33\n", 5, "bits set", "Write 2001:db8::/33"},
	{GATEWAY "address = 192.0.2.0/24:5060\n", 5, "is a prefix with a port", "port away"},
	{GATEWAY "address = [2001:db8::/32]:5060\n", 5, "is a prefix with a port", "port away"},
	{GATEWAY "address = [2001:db8::1]5060\n", 5, "is not an address", "[2001:db8::1]:5060"},
	{GATEWAY "address = [192.0.2.1]:5060\n", 5, "is not an address", "192.0.2.10:5060"},
	{GATEWAY "address = ::ffff:192.0.2.1\n", 5, "is an IPv4 address written as IPv6", "192.0.2.10"},
	{GATEWAY "address = 192.0.2.1\n[gateway b]\naddress = 192.0.2.1\n", 7, "gateway b has the address of gateway a",
	 "Remove one"},
	{GATEWAY "address = 192.0.2.1\n[gateway b]\naddress = 192.0.2.1/32\n", 7, "the address of gateway a",
	 "Remove one"},
	{GATEWAY "address = ::/0\n[gateway b]\naddress = ::/0\n", 7, "the address of gateway a", "Remove one"},
	{GATEWAY "address = 192.0.2.1\nprofile = fast\n", 6, "profile \"fast\" that is not defined",
	 "Known are standard, unstable, fast-failover"},
	{GATEWAY "address = 192.0.2.1\nprofile = a b\n", 6, "profile cannot be \"a b\"", "name of a profile"},
	{GATEWAY "address = 192.0.2.1\non_exhausted = 503\n", 6, "on_exhausted cannot be \"503\"", "Use record"},
};

static void assert_fault(const struct problems *problems, const char *where, const char *what, const char *remedy)
{
	const struct problem *one = problems->list;

	if (problems->n != 1 || strcmp(one->where, where) || !strstr(one->what, what) || !strstr(one->remedy, remedy)) {
		problems_print(problems, stderr, "test_config");
		fail_msg("expected alone: %s: %s. %s", where, what, remedy);
	}
	assert_int_equal(one->level, PROBLEM_ERROR);
}

static void test_faults(void **state)
{
	struct problems problems;
	char where[64];
	struct config c;

	(void)state;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *f = &faults[i];

		assert_int_equal(load_text(f->text, NULL, &c, &problems), -EINVAL);
		snprintf(where, sizeof(where), "%s:%u", path, f->line);
		assert_fault(&problems, where, f->what, f->remedy);
		problems_free(&problems);
		config_free(&c);
	}
}

static void test_override_faults(void **state)
{
	static const struct {
		char *override;
		const char *what, *remedy;
	} cases[] = {
		{"inside", "no section, key and value", "-o SECTION.KEY=VALUE"},
		{"inside=eth0", "no section, key and value", "-o SECTION.KEY=VALUE"},
		{"edge.inside=eth0", "no section [edge]", "[siprtx]"},
		{"siprtx.insides=eth0", "has no key insides", "inside"},
		{"siprtx.inside=", "inside has no value", "Give one"},
		{"siprtx.inside=eth1", "eth1 is both", "one side"},
		{"siprtx.max_transactions=1", "\"1\": it is out of range", "16"},
		{"profile a b.send_retry=1", "\"a b\" has other characters", "[profile NAME]"},
		{"gateway a.address=nowhere", "\"nowhere\": it is not an address", "192.0.2.10"},
	};
	struct problems problems;
	struct config c;
	char where[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *overrides[] = {cases[i].override, NULL};

		assert_int_equal(load_text(SIDES, overrides, &c, &problems), -EINVAL);
		/* a clash is told at the value that clashes, which is the file's outside here */
		if (strstr(cases[i].what, "both"))
			snprintf(where, sizeof(where), "%s:3", path);
		else
			snprintf(where, sizeof(where), "-o %s", cases[i].override);
		assert_fault(&problems, where, cases[i].what, cases[i].remedy);
		problems_free(&problems);
		config_free(&c);
	}
}

static void test_everything_is_named(void **state)
{
	static const char text[] = "[siprtx]\nmode = x\nzerocopy = x\n[profile p]\nsend_retry = x\nfinal_wait = x\n"
				   "resend_interval = x,1,y\n[gateway g]\naddress = x\n";
	struct problems problems;
	struct config c;

	(void)state;
	assert_int_equal(load_text(text, NULL, &c, &problems), -EINVAL);
	/* seven values, and neither side is set */
	assert_int_equal(problems.errors, 9);
	problems_free(&problems);
	config_free(&c);
}

static void test_files_that_cannot_be_read(void **state)
{
	struct problems problems = {0};
	struct config c;

	(void)state;
	assert_int_equal(config_load("/nonexistent/siprtx.conf", NULL, 0, &c, &problems), -EINVAL);
	assert_fault(&problems, "/nonexistent/siprtx.conf", "No such file", "-c");
	problems_free(&problems);
	config_free(&c);
	assert_int_equal(config_load("/", NULL, 0, &c, &problems), -EINVAL);
	assert_fault(&problems, "/", "cannot be read", "-c");
	problems_free(&problems);
	config_free(&c);
	assert_int_equal(load_bytes(SIDES "jou\0rnal = /x\n", sizeof(SIDES) + 13, NULL, &c, &problems), -EINVAL);
	assert_non_null(strstr(problems.list[0].what, "NUL byte"));
	problems_free(&problems);
	config_free(&c);
}

static void assert_address(const struct config_gateway *g, const char *addr, uint32_t prefixlen, uint16_t port)
{
	uint8_t expected[16];

	assert_int_equal(inet_pton(AF_INET6, addr, expected), 1);
	assert_memory_equal(g->addr, expected, 16);
	assert_int_equal(g->prefixlen, prefixlen);
	assert_int_equal(g->port, port);
}

static void test_a_good_file(void **state)
{
	static const char text[] = "\xef\xbb\xbf# edge 1\r\n"
				   "[siprtx]\t; the whole\r\n"
				   "  mode = inline            # inside + outside\r\n"
				   "inside = eth0, ens1f0\r\n"
				   "outside=eth1\r\n"
				   "sip_ports = 5060 ,5080\r\n"
				   "max_transactions = 1024\r\n"
				   "forward = xdp\r\n"
				   "capture = xdp\r\n"
				   "zerocopy = yes\r\n"
				   "pin_path = /sys/fs/bpf/edge-1\r\n"
				   "journal = /var/tmp/a#b;c.jsonl # with both signs\r\n"
				   "\r\n"
				   "[gateway first]\r\n"
				   "address = 192.0.2.10\r\n"
				   "profile = later.one\r\n"
				   "[gateway second]\r\n"
				   "address = 192.0.2.10:5062\r\n"
				   "on_exhausted = record\r\n"
				   "[gateway net]\r\n"
				   "address = 198.51.100.128/25\r\n"
				   "profile = rfc3261\r\n"
				   "[gateway six]\r\n"
				   "address = [2001:db8::1]:5060\r\n"
				   "[gateway six-net]\r\n"
				   "address = 2001:db8::/33\r\n"
				   "[gateway all]\r\n"
				   "address = 0.0.0.0/0\r\n"
				   "[profile rfc3261]\r\n"
				   "send_retry = 4\r\n"
				   "[profile later.one]\r\n"
				   "resend_interval = 0.01, 0.5,1.125 , 3600\r\n"
				   "timeout_invite = 0.001\r\n"
				   "timeout_trying = 1\r\n"
				   "timeout_progress = 2\r\n"
				   "timeout_progress_sdp = 3\r\n"
				   "timeout_ringing = 0\r\n"
				   "final_wait = 0.25\r\n"
				   "down_retry = 3"; /* no line end */
	uint32_t own[PROFILE_FIELDS] = {10,
					500,
					1125,
					3600000,
					[PF_SEND_RETRY] = 10,
					[PF_TIMEOUT_INVITE] = 1,
					[PF_TIMEOUT_TRYING] = 1000,
					[PF_TIMEOUT_PROGRESS] = 2000,
					[PF_TIMEOUT_PROGRESS_SDP] = 3000,
					[PF_FINAL_WAIT] = 250,
					[PF_DOWN_RETRY] = 3};
	uint32_t rfc3261[PROFILE_FIELDS];
	struct config c;

	(void)state;
	load_good(text, NULL, &c);
	assert_int_equal(c.mode, MODE_INLINE);
	assert_int_equal(c.n_inside, 2);
	assert_string_equal(c.inside[0], "eth0");
	assert_string_equal(c.inside[1], "ens1f0");
	assert_int_equal(c.n_outside, 1);
	assert_string_equal(c.outside[0], "eth1");
	assert_int_equal(c.n_sip_ports, 2);
	assert_int_equal(c.sip_ports[0], 5060);
	assert_int_equal(c.sip_ports[1], 5080);
	assert_int_equal(c.max_transactions, 1024);
	assert_int_equal(c.forward, FORWARD_XDP);
	assert_int_equal(c.capture, CAPTURE_XDP);
	assert_true(c.zerocopy);
	assert_string_equal(c.pin_path, "/sys/fs/bpf/edge-1");
	assert_string_equal(c.journal, "/var/tmp/a#b;c.jsonl");

	assert_int_equal(c.n_profiles, 8);
	assert_string_equal(c.profile[7].name, "later.one");
	assert_memory_equal(c.profile[7].field, own, sizeof(own));
	memcpy(rfc3261, builtin_profile[5], sizeof(rfc3261));
	rfc3261[PF_SEND_RETRY] = 4;
	assert_memory_equal(c.profile[5].field, rfc3261, sizeof(rfc3261));

	assert_int_equal(c.n_gateways, 6);
	assert_string_equal(c.gateway[0].name, "first");
	assert_address(&c.gateway[0], "::ffff:192.0.2.10", 128, 0);
	assert_int_equal(c.gateway[0].profile, 7);
	assert_address(&c.gateway[1], "::ffff:192.0.2.10", 128, 5062);
	assert_int_equal(c.gateway[1].profile, 0);
	assert_int_equal(c.gateway[1].on_exhausted, ON_EXHAUSTED_RECORD);
	assert_address(&c.gateway[2], "::ffff:198.51.100.128", 121, 0);
	assert_int_equal(c.gateway[2].profile, 5);
	assert_address(&c.gateway[3], "2001:db8::1", 128, 5060);
	assert_address(&c.gateway[4], "2001:db8::", 33, 0);
	assert_address(&c.gateway[5], "::ffff:0.0.0.0", 96, 0);
	config_free(&c);
}

static void where_messages_are_taken(void **state)
{
	static const struct {
		const char *text;
		bool egress;
	} cases[] = {
		{SIDES, false},
		{SIDES "capture = auto\n", false},
		{SIDES "capture = xdp\n", false},
		{SIDES "capture = egress\n", true},
		{"[siprtx]\nmode = host\noutside = eth1\n", true},
		{"[siprtx]\nmode = host\noutside = eth1,eth2\ncapture = auto\n", true},
		{"[siprtx]\nmode = host\noutside = eth1\ncapture = egress\n", true},
		/* with replies too */
		{SIDES "capture = egress\n[gateway g]\naddress = 192.0.2.1\non_exhausted = reply-408\n", true},
		{"[gateway g]\naddress = 192.0.2.1\non_exhausted = reply-503\n[siprtx]\nmode = host\noutside = eth1\n",
		 true},
	};
	struct config c;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		load_good(cases[i].text, NULL, &c);
		assert_int_equal(config_takes_egress(&c), cases[i].egress);
		assert_int_equal(c.n_inside, c.mode == MODE_INLINE);
		config_free(&c);
	}
}

static void assert_defaults(const struct config *c)
{
	assert_int_equal(c->mode, MODE_INLINE);
	assert_int_equal(c->n_sip_ports, 1);
	assert_int_equal(c->sip_ports[0], 5060);
	assert_int_equal(c->max_transactions, 65536);
	assert_int_equal(c->forward, FORWARD_KERNEL);
	assert_int_equal(c->capture, CAPTURE_AUTO);
	assert_false(c->zerocopy);
	assert_false(c->live_frames);
	assert_string_equal(c->pin_path, "/sys/fs/bpf/siprtx");
	assert_string_equal(c->journal, "/var/lib/siprtx/exhausted.jsonl");
	assert_int_equal(c->n_profiles, 7);
	for (unsigned i = 0; i < 7; i++) {
		assert_string_equal(c->profile[i].name, builtin_profile_name[i]);
		assert_memory_equal(c->profile[i].field, builtin_profile[i], sizeof(builtin_profile[i]));
	}
}

static void test_defaults(void **state)
{
	struct problems problems = {0};
	struct config c;

	(void)state;
	load_good(SIDES, NULL, &c);
	assert_defaults(&c);
	config_free(&c);
	/* no file: what is left can be used, but the interfaces are asked for */
	assert_int_equal(config_load(NULL, NULL, 0, &c, &problems), -EINVAL);
	assert_int_equal(problems.errors, 2);
	assert_defaults(&c);
	problems_free(&problems);
	config_free(&c);
}

static void test_the_example(void **state)
{
	struct problems problems = {0};
	struct config c;

	(void)state;
	assert_int_equal(config_load("examples/siprtx-host.conf", NULL, 0, &c, &problems), 0);
	assert_true(config_takes_egress(&c));
	config_free(&c);
	assert_int_equal(config_load("examples/siprtx.conf", NULL, 0, &c, &problems), 0);
	assert_int_equal(problems.n, 0);
	assert_defaults(&c);
	assert_int_equal(c.n_gateways, 2);
	config_free(&c);
}

static void test_overrides(void **state)
{
	char *overrides[] = {"siprtx.inside=eth7, eth8",
			     "profile my.own.send_retry=3",
			     "siprtx.outside=eth9",
			     "profile my.own.final_wait=1",
			     "gateway a.address=[2001:db8::1]:5061",
			     "gateway new.address=192.0.2.9",
			     "siprtx.outside = eth6",
			     NULL};
	struct config c;

	(void)state;
	load_good(GATEWAY "address = 192.0.2.1\nprofile = my.own\n", overrides, &c);
	assert_int_equal(c.n_inside, 2);
	assert_string_equal(c.inside[1], "eth8");
	assert_int_equal(c.n_outside, 1);
	assert_string_equal(c.outside[0], "eth6");
	assert_string_equal(c.profile[7].name, "my.own");
	assert_int_equal(c.profile[7].field[PF_SEND_RETRY], 3);
	assert_int_equal(c.profile[7].field[PF_FINAL_WAIT], 1000);
	assert_int_equal(c.n_gateways, 2);
	assert_address(&c.gateway[0], "2001:db8::1", 128, 5061);
	assert_int_equal(c.gateway[0].profile, 7);
	assert_string_equal(c.gateway[1].name, "new");
	config_free(&c);
}

static void test_limits(void **state)
{
	static char text[CONFIG_MAX_GATEWAYS * 64 + 8192];
	struct problems problems;
	struct config c;
	char *s = text;

	(void)state;
	s += sprintf(s, SIDES);
	for (unsigned i = 0; i < 25; i++)
		s += sprintf(s, "[profile p%u]\n", i);
	for (unsigned i = 0; i < CONFIG_MAX_GATEWAYS; i++)
		s += sprintf(s, "[gateway g%u]\naddress = 10.0.%u.%u\n", i, i / 256, i % 256);
	load_good(text, NULL, &c);
	assert_int_equal(c.n_profiles, MAX_PROFILES);
	assert_int_equal(c.n_gateways, CONFIG_MAX_GATEWAYS);
	config_free(&c);

	sprintf(s, "[profile p25]\nsend_retry = 3\n[gateway more]\naddress = 10.1.0.0\n");
	assert_int_equal(load_text(text, NULL, &c, &problems), -EINVAL);
	assert_int_equal(problems.n, 2);
	assert_non_null(strstr(problems.list[0].what, "p25 is one too many, the most is 25"));
	assert_non_null(strstr(problems.list[1].what, "more is one too many, the most is 1024"));
	problems_free(&problems);
	config_free(&c);
}

static void test_printed(void **state)
{
	struct problems problems = {0};
	char *text = NULL;
	size_t size;
	FILE *f;

	(void)state;
	problem_add(&problems, PROBLEM_ERROR, "siprtx.conf:12", "Remove 1 of them", "resend_interval has %u intervals",
		    11);
	problem_add(&problems, PROBLEM_WARNING, "", NULL, "eth1 is down.");
	assert_int_equal(problems.n, 2);
	assert_int_equal(problems.errors, 1);
	f = open_memstream(&text, &size);
	problems_print(&problems, f, "siprtxd");
	fclose(f);
	assert_string_equal(text, "siprtxd: siprtx.conf:12: resend_interval has 11 intervals. Remove 1 of them.\n"
				  "siprtxd: warning: eth1 is down.\n");
	free(text);
	problems_free(&problems);
	assert_int_equal(problems.n, 0);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_override_faults),
		cmocka_unit_test(test_everything_is_named),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_a_good_file),
		cmocka_unit_test(where_messages_are_taken),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_the_example),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
