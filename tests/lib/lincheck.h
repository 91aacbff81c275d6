/* tests/lib/lincheck.h
 *
 * Judges a history: can every answer be explained by one order of the operations, each taking
 * effect at one moment between its invocation and its return? The history is divided by model and
 * key, since parts are linearizable exactly when the whole is (Herlihy and Wing 1990).
 *
 * First the checks that need only sorting, for histories of any length:
 *   counter   numbers are unique, and rise in real time: who was answered before another asked has
 *             the smaller one
 *   token     one effect, whoever asked and however often
 *   latch     once set or seen set, never seen unset again
 *   register  a client never sees a version older than one it has seen
 * Then the search of Wing and Gong in Lowe's form, with a memo of (operations done, state), for
 * these sequential models:
 *   register  read gives the last value written (0 at first); versions, where told, rise with each
 *             write and stay as they are between writes
 *   counter   next gives last + 1; read gives the last
 *   token     the first run makes the effect, later ones find it
 *   latch     0 becomes 1 by a set or by itself, and stays 1
 *
 * Pure computation; any thread. */
#ifndef TESTS_LIB_LINCHECK_H
#define TESTS_LIB_LINCHECK_H

#include "common/base/buf.h"
#include "tests/lib/history.h"

enum lin_verdict {
    LIN_OK,
    LIN_TOO_BIG,   /* Not judged within the limits: a failure of the run's design. */
    LIN_VIOLATION, /* No order explains the answers. */
};

struct lin_limits {     /* Zeroed fields mean the default. */
    uint32_t ops_max;   /* Of one key, for the search; 2,000. */
    uint64_t steps_max; /* Of one search; 20 million, some seconds. */
    size_t memo_max;    /* Bytes of the memo of one search; 256 MiB. */
};

/* Judge all of h. The sentences of the verdict are appended to text: for each key that is not ok
 * the model, the check, and the shortest set of operations that cannot be explained. Stops after
 * three violations. */
enum lin_verdict lincheck(const struct hist *h, const struct lin_limits *limits, struct buf *text);

/* Only the first kind of checks, O(n log n). */
enum lin_verdict lincheck_cheap(const struct hist *h, struct buf *text);

#endif
