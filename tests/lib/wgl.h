/* tests/lib/wgl.h
 *
 * The search behind lincheck.h, for the operations of one key. Pure computation. */
#ifndef TESTS_LIB_WGL_H
#define TESTS_LIB_WGL_H

#include "tests/lib/lincheck.h"

/* Is there an order of ops[0..n), all of one key and model and sorted by invocation, that the
 * model allows? Those of unknown outcome may be left out of it; failed ones must have been
 * removed. *steps grows by the work done. */
enum lin_verdict wgl_search(const struct hist_op *ops, uint32_t n, const struct lin_limits *limits,
                            const struct mem *mem, uint64_t *steps);

#endif
