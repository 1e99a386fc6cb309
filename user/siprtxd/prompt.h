/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIPRTXD_PROMPT_H
#define SIPRTXD_PROMPT_H

/* A copy is due to the ms whatever else runs here. The lowest real-time priority, for this thread alone. */
void be_prompt(void);

#endif
