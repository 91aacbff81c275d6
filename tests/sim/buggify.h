/* tests/sim/buggify.h
 *
 * Which of the turns of common/base/buggify.h a run takes. One simulated world at a time. */
#ifndef TESTS_SIM_BUGGIFY_H
#define TESTS_SIM_BUGGIFY_H

#include "common/base/buggify.h"

#include <stdbool.h>
#include <stdint.h>

/* A new run: some of the points are switched on. */
void buggify_begin(uint64_t seed);

/* None of them while it is calm: deadlines are counted then. */
void buggify_calm(bool calm);

/* How often each was taken, in all runs. */
uint64_t buggify_count(enum buggify point);
const char *buggify_text(enum buggify point);

/* Does this build have them? */
bool buggify_is_built(void);

#endif
