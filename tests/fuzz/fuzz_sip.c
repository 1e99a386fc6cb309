// SPDX-License-Identifier: GPL-2.0-or-later
/* libFuzzer target: the scanner against the plain parser. */
#include <stdio.h>
#include <stdlib.h>

#include "agree.h"
/* the target is built from one file */
#include "plain_dialog.c"
#include "plain_key.c"
#include "plain_sip.c"
#include "sip_detail.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *what = disagreement(data, len);

	if (what) {
		fprintf(stderr, "The scanner and the plain parser disagree: %s.\n", what);
		abort();
	}
	return 0;
}
