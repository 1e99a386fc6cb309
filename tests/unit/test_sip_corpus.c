// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The SIP scanner on whole messages: cut short anywhere; those of RFC 4475 and 5118, from $SIPRTX_CORPUS or, without
 * it, ../shared/corpus; those the fuzzer kept.
 */
#include <dirent.h>

#include "sip_case.h"

/* Cut anywhere, a message is refused, or its header section was whole and it reads the same. */
static void test_truncations(void **state)
{
	static const char *const texts[] = {
		INVITE VIA "Via: SIP/2.0/UDP b;branch=z9hG4bKb\r\n" CSEQ REST
			   "Content-Length: 7\r\nSubject: a\r\n folded\r\n\r\nv=0\r\n\r\n",
		"SIP/2.0 183 Progress\r\n" VIA CSEQ REST "Content-Length: 7\r\n\r\nv=0\r\n\r\n",
		"SIP/2.0 200 OK\nl:0\ni:a\nf:b\nt:c\ncseq:1 INVITE\nv:SIP/2.0/UDP a;branch=z9hG4bKa\n\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct sip_msg whole, m;

		assert_int_equal(scan(texts[i], &whole), SIP_OK);
		for (size_t len = 0; len < strlen(texts[i]); len++) {
			int verdict = scan_bytes(texts[i], len, &m);

			if (AGREE_BEGIN + len < whole.body) {
				assert_int_not_equal(verdict, SIP_OK);
				continue;
			}
			assert_int_equal(verdict, SIP_OK);
			assert_memory_equal(&m, &whole, sizeof(m));
		}
	}
}

static size_t read_file(const char *folder, const char *name, uint8_t *data, size_t max)
{
	char path[512];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	len = fread(data, 1, max, f);
	fclose(f);
	return len;
}

static const char *corpus_folder(void)
{
	const char *folder = getenv("SIPRTX_CORPUS");

	return folder ? folder : "../shared/corpus";
}

struct corpus_case {
	const char *name;
	int verdict;
	char branch[48]; /* of those that are SIP_OK */
};

static void run_corpus(const struct corpus_case *cases, size_t n)
{
	uint8_t data[SLOT_SIZE];

	if (read_file(corpus_folder(), "rfc4475/TC_WSINV.dat", data, sizeof(data)) == 0) {
		print_message("no corpus in %s, set SIPRTX_CORPUS: skipped\n", corpus_folder());
		skip();
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t len = read_file(corpus_folder(), cases[i].name, data, sizeof(data));
		struct sip_msg m;
		int verdict;

		if (len == 0)
			fail_msg("%s: not there", cases[i].name);
		verdict = scan_bytes(data, len, &m);
		if (verdict != cases[i].verdict)
			fail_msg("%s: verdict %d, expected %d", cases[i].name, verdict, cases[i].verdict);
		if (verdict == SIP_OK)
			assert_bytes(m.branch, m.branch_len, cases[i].branch);
		for (size_t cut = 0; cut < len; cut++)
			scan_bytes(data, cut, &m);
	}
}

#define RUN_CORPUS(cases) run_corpus(cases, sizeof(cases) / sizeof(*(cases)))

static void rule_04_08_09_wsinv_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_WSINV.dat", SIP_LEGACY}, /* its top branch is 390skdjuw */
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_10_large_numbers_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_SCALAR02_V.dat", SIP_MALFORMED},
		{"rfc4475/TC_SCALARLG_V.dat", SIP_MALFORMED},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_11_mismatched_methods_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_MISMATCH01_V.dat", SIP_CSEQ_MISMATCH},
		{"rfc4475/TC_MISMATCH02_V.dat", SIP_CSEQ_MISMATCH},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_14_branches_of_rfc_2543_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_BADBRANCH_V.dat", SIP_LEGACY},
		{"rfc4475/TC_INV2543_I.dat", SIP_LEGACY},
		{"rfc4475/TC_LTGTRURI_I.dat", SIP_LEGACY},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_15_ipv6_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc5118/torture_1_0.sip", SIP_OK, "z9hG4bKas3-111"},
		{"rfc5118/torture_5_0.sip", SIP_OK, "z9hG4bKas3-111"},
		{"rfc5118/torture_6_0.sip", SIP_OK, "z9hG4bKas3"},
		{"rfc5118/torture_8_0.sip", SIP_OK, "z9hG4bKas3-111"},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_43_bytes_that_are_not_text_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_ESCNULL_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_MPART01.dat", SIP_OK, "z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-"},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_44_second_message_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_DBLREQ.dat", SIP_OK, "z9hG4bKkdjuw23492"},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void rule_45_version_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_BADVERS_V.dat", SIP_BAD_VERSION},
	};

	(void)state;
	RUN_CORPUS(cases);
}

static void test_rest_of_the_corpus(void **state)
{
	static const struct corpus_case cases[] = {
		{"rfc4475/TC_BADASPEC_I.dat", SIP_OK, "z9hG4bKkdju43234"},
		{"rfc4475/TC_BADDATE_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_BADINV01_I.dat", SIP_MALFORMED},
		{"rfc4475/TC_BCAST_V.dat", SIP_OK, "z9hG4bK1324923"},
		{"rfc4475/TC_BEXT01_V.dat", SIP_MALFORMED}, /* TLS */
		{"rfc4475/TC_BIGCODE_V.dat", SIP_MALFORMED},
		{"rfc4475/TC_CLERR_I.dat", SIP_OK, "z9hG4bK-39234-23523"},
		{"rfc4475/TC_CPARAM01_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_CPARAM02_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_ESC01_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_ESC02_V.dat", SIP_MALFORMED}, /* TCP */
		{"rfc4475/TC_ESCRURI_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_INSUF_I.dat", SIP_MALFORMED},
		{"rfc4475/TC_INTMETH.dat", SIP_MALFORMED}, /* TCP */
		{"rfc4475/TC_INVUT_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_LWSDISP_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_LWSRURI_I.dat", SIP_NOT_SIP},
		{"rfc4475/TC_LWSSTART_V.dat", SIP_NOT_SIP}, /* 3.1.2.8: invalid */
		{"rfc4475/TC_MCL01_I.dat", SIP_MALFORMED},
		{"rfc4475/TC_MULTI01_I.dat", SIP_MALFORMED},
		{"rfc4475/TC_NCL_I.dat", SIP_MALFORMED},
		{"rfc4475/TC_NOREASON_V.dat", SIP_OK, "z9hG4bK2398ndaoe"},
		{"rfc4475/TC_NOVELSC_V.dat", SIP_MALFORMED}, /* TCP */
		{"rfc4475/TC_QUOTBAL_I.dat", SIP_OK, "z9hG4bKkdjuw39234"},
		{"rfc4475/TC_REGBADCT_I.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_REGESCRT_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_SDP01_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_SEMIURI_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_TEST_I.dat", SIP_NOT_SIP},
		{"rfc4475/TC_TRANSPORTS_V.dat", SIP_OK, "z9hG4bKkdjuw"},
		{"rfc4475/TC_TRWS_I.dat", SIP_NOT_SIP},
		{"rfc4475/TC_UNKSCM_V.dat", SIP_MALFORMED}, /* TCP */
		{"rfc4475/TC_UNREASON_V.dat", SIP_OK, "z9hG4bK1324923"},
		{"rfc4475/TC_ZEROMF_V.dat", SIP_OK, "z9hG4bKkdjuw2349i"},
	};

	(void)state;
	RUN_CORPUS(cases);
}

/* Scanner and plain parser agree on what the fuzzer starts from, and on what it found worth keeping. */
static void test_fuzz_corpus(void **state)
{
	static const char *const folders[] = {"tests/fuzz/seeds", "tests/fuzz/corpus"};
	uint8_t data[SLOT_SIZE - AGREE_BEGIN];
	struct sip_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		DIR *folder = opendir(folders[i]);
		unsigned int n = 0;

		if (!folder) {
			print_message("no %s here, run from the top of the tree: skipped\n", folders[i]);
			skip();
			return;
		}
		for (struct dirent *entry; (entry = readdir(folder));) {
			if (entry->d_name[0] == '.')
				continue;
			scan_bytes(data, read_file(folders[i], entry->d_name, data, sizeof(data)), &m);
			n++;
		}
		closedir(folder);
		assert_true(n > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(rule_04_08_09_wsinv_of_the_corpus),
		cmocka_unit_test(rule_10_large_numbers_of_the_corpus),
		cmocka_unit_test(rule_11_mismatched_methods_of_the_corpus),
		cmocka_unit_test(rule_14_branches_of_rfc_2543_of_the_corpus),
		cmocka_unit_test(rule_15_ipv6_of_the_corpus),
		cmocka_unit_test(rule_43_bytes_that_are_not_text_of_the_corpus),
		cmocka_unit_test(rule_44_second_message_of_the_corpus),
		cmocka_unit_test(rule_45_version_of_the_corpus),
		cmocka_unit_test(test_rest_of_the_corpus),
		cmocka_unit_test(test_fuzz_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
