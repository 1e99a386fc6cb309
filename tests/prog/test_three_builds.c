// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One source, three answers that must be one: the scanner and the key as the JIT has compiled them, the native build
 * of the same headers, and the plain parser. The first two byte for byte, in what they leave of refused messages too.
 */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../fuzz/agree.h"
#include "messages.h"
#include "scan_run.h"

#define HEADERS (14 + 28) /* Ethernet, IPv4, UDP */

static struct scan_run scan;
static struct siprtx_hash_key secret;
static struct siprtx_slot ground[3];
static unsigned compared, whole, dialogs; /* messages; those of them SIP_OK; of these with a dialog key */

static int up(void **state)
{
	static const char *const around[] = {"\n", " SIP/2.0\r\n\r\n", ";branch=z9hG4bKother\r\n\r\n"};

	(void)state;
	for (unsigned i = 0; i < KEY_WORDS; i++)
		secret.k[i] = (i + 1) * 2246822519u;
	for (unsigned i = 0; i < 3; i++)
		agree_fill(&ground[i], around[i]);
	scan_up(&scan, -1, &secret, NULL);
	return 0;
}

static int down(void **state)
{
	(void)state;
	scan_down(&scan);
	return 0;
}

static void __attribute__((noreturn)) differ(const char *name, const char *what, const uint8_t *data, size_t len)
{
	fail_msg("%s: %s differ, in %zu bytes:\n%.*s", name, what, len, (int)len, (const char *)data);
	__builtin_unreachable();
}

/* Reads the frame, of which the message data[len] is the end, in three ways. */
static void compare(const char *name, const struct frame *f, const uint8_t *data, size_t len)
{
	const struct scan_result *jit = scan.result;
	struct siprtx_key key = {};
	struct plain_msg plain;
	uint64_t plain_hash[2];
	const char *what;
	struct sip_dialog dialog;
	struct sip_msg m;
	int verdict;

	*scan.buf = ground[compared++ % 3];
	memset(scan.result, 0xee, sizeof(*scan.result));
	scan_frame(&scan, f);
	if (jit->reason != SCAN_READ)
		differ(name, "lengths", data, len);
	if (f->len - 14 > SLOT_ROOM) {
		assert_int_equal(jit->verdict, SIP_TOO_LONG);
		return;
	}
	assert_int_equal(jit->end - jit->beg, len);
	assert_memory_equal((uint8_t *)scan.buf + jit->beg, data, len);
	verdict = sip_scan(scan.buf, jit->beg, jit->end, &m);
	if (verdict != (int)jit->verdict || memcmp(&m, &jit->msg, sizeof(m)))
		differ(name, "JIT and native build", data, len);
	plain_sip(data, len, &plain);
	what = agree_scan(scan.buf, data, jit->beg, len, &plain);
	if (what)
		differ(name, what, data, len);
	if (verdict != SIP_OK)
		return;
	whole++;
	sip_key(scan.buf, &m, scan_key_method(&m), &secret, &key);
	plain_key(data, &plain, scan_key_method(&m), secret.k, plain_hash);
	if (memcmp(&key, &jit->key, sizeof(key)) || memcmp(&key, plain_hash, sizeof(key)))
		differ(name, "keys", data, len);
	if (sip_dialog(scan.buf, &m, &dialog) != (int)jit->dialog_verdict ||
	    memcmp(&dialog, &jit->dialog, sizeof(dialog)))
		differ(name, "what JIT and native build say of the dialog", data, len);
	if (jit->dialog_verdict != SIP_OK)
		return;
	dialogs++;
	sip_dialog_key(scan.buf, &dialog, &secret, &key);
	if (memcmp(&key, &jit->dialog_key, sizeof(key)))
		differ(name, "dialog keys", data, len);
}

static void each(void *ctx, const char *name, const uint8_t *data, size_t len)
{
	static const struct shape shapes[] = {{}, {.ip_options = 12}, {.v6 = true}};
	struct frame f;

	(void)ctx;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		frame_build(&f, &shapes[i], data, len);
		compare(name, &f, data, len);
	}
}

static void said(const char *of)
{
	print_message("%s: %u comparisons, %u of messages whole, %u with a dialog's key, no difference\n", of, compared,
		      whole, dialogs);
	compared = whole = dialogs = 0;
}

static void test_messages_of_others(void **state)
{
	(void)state;
	if (!corpus_messages(each, NULL) || !capture_messages(each, NULL)) {
		print_message("no corpus in %s, set SIPRTX_CORPUS: skipped\n", corpus_folder());
		skip();
	}
	assert_true(whole > 0);
	said("RFC 4475, RFC 5118 and captures");
}

static void test_fuzz_corpus(void **state)
{
	(void)state;
	if (!kept_messages(each, NULL)) {
		print_message("no tests/fuzz here, run from the top of the tree: skipped\n");
		skip();
	}
	assert_true(whole > 0);
	said("tests/fuzz");
}

/* Cut after every byte, lengths as they then are. */
static void cut(const char *text)
{
	struct frame f;

	for (size_t len = 0; len <= strlen(text); len++) {
		frame_build(&f, &(struct shape){0}, text, len);
		compare("cut", &f, (const uint8_t *)text, len);
	}
}

static void test_truncations(void **state)
{
	(void)state;
	cut(own_invite);
	cut(own_response);
	cut(own_prack);
	assert_true(whole > 0);
	said("truncations");
}

/* Every byte, every other value. */
static void change(const char *text)
{
	size_t len = strlen(text);
	struct frame f;
	uint8_t *data = f.data + HEADERS;

	frame_build(&f, &(struct shape){0}, text, len);
	for (size_t at = 0; at < len; at++) {
		for (unsigned other = 1; other < 256; other++) {
			data[at] = (uint8_t)text[at] ^ other;
			compare("one byte changed", &f, data, len);
		}
		data[at] = text[at];
	}
}

static void test_every_byte_changed(void **state)
{
	(void)state;
	change(own_invite);
	change(own_response);
	change(own_prack);
	assert_true(whole > compared / 2);
	said("single bytes");
}

/* An interpreter would be a second native build. */
static void test_compiled_by_the_jit(void **state)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	(void)state;
	assert_int_equal(bpf_obj_get_info_by_fd(scan.prog, &info, &size), 0);
	if (!info.jited_prog_len) {
		print_message("the kernel's BPF JIT is off (net.core.bpf_jit_enable): its interpreter was compared\n");
		skip();
	}
}

/* The two are what this file takes them for. */
static void rule_04_05_08_09_10_12_15_own_messages(void **state)
{
	struct siprtx_key key;
	struct frame f;

	(void)state;
	frame_build(&f, &(struct shape){0}, own_invite, strlen(own_invite));
	scan_frame(&scan, &f);
	assert_int_equal(scan.result->verdict, SIP_OK);
	assert_int_equal(scan.result->msg.cseq, 9);
	assert_int_equal(scan.result->msg.port, 5062);
	assert_int_equal(scan.result->msg.branch_len, strlen("z9hG4bKown.Aa-776"));
	assert_memory_equal((char *)scan.buf + scan.result->msg.branch, "z9hG4bKown.Aa-776", 17);
	key = scan.result->key;
	frame_build(&f, &(struct shape){.v6 = true}, own_response, strlen(own_response));
	scan_frame(&scan, &f);
	assert_int_equal(scan.result->verdict, SIP_OK);
	assert_memory_equal(&scan.result->key, &key, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiled_by_the_jit), cmocka_unit_test(rule_04_05_08_09_10_12_15_own_messages),
		cmocka_unit_test(test_messages_of_others),  cmocka_unit_test(test_fuzz_corpus),
		cmocka_unit_test(test_truncations),	    cmocka_unit_test(test_every_byte_changed),
	};

	return cmocka_run_group_tests_name("prog: three builds", tests, up, down);
}
