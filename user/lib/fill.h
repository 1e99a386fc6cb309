/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How full the slots are: the marks that the controller logs and `siprtx status` warns at. Pure. */
#ifndef SIPRTX_FILL_H
#define SIPRTX_FILL_H

#include <stdint.h>

/* In ascending order. Once reached, a mark is left only when use falls FILL_BACK below it: no line for each call. */
#define FILL_MARKS                                                                                                     \
	{                                                                                                              \
		80, 95                                                                                                 \
	}
#define FILL_BACK   5
#define FILL_REMEDY "raise max_transactions, once no slot is free new requests pass unhelped"

struct fill {
	unsigned marks; /* reached and not left since */
};

/* The highest mark (percent) that `used` of `total` has reached, 0: none. */
unsigned fill_mark(uint64_t used, uint64_t total);
/* Takes note of a reading. The mark (percent) that was reached with it, the highest one where there are two; 0: none.
 */
unsigned fill_reached(struct fill *f, uint64_t used, uint64_t total);

#endif
