/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named figures, a value a round: collected while it is measured, printed as one line of JSON. */
#ifndef SAMPLES_H
#define SAMPLES_H

/* Adds a value to the figure of that name ("steps.copy_hot_ns"); the string must stay. Ends the program when full. */
void sample(const char *name, double value);
/* {"name": [value, ...], ...} */
void samples_print(void);

#endif
