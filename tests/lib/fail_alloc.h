/* tests/lib/fail_alloc.h
 *
 * The n-th allocation fails: of malloc(), calloc() and realloc(), in our code and in every library,
 * on the thread that asked for it. Defines those functions for the programs that use it, and only
 * for them. Counts with sanitizers too. */
#ifndef TESTS_LIB_FAIL_ALLOC_H
#define TESTS_LIB_FAIL_ALLOC_H

/* The n-th allocation from now on this thread fails, once; 0: none does. Counting begins anew. */
void fail_alloc_at(unsigned long n);

/* Nothing fails any more. Returns how many allocations there were since fail_alloc_at(). */
unsigned long fail_alloc_stop(void);

/* --- torture -------------------------------------------------------------------------------------
 */

/* One operation with everything around it, in a process of its own: makes what it needs, calls
 * fail_alloc_at(n), does it, calls fail_alloc_stop(), checks that what is left behind is whole
 * (assert()), and releases everything. Returns the number fail_alloc_stop() gave; *ret_error says
 * whether the operation reported an error. */
typedef unsigned long (*fail_alloc_op)(void *arg, unsigned long n, int *ret_error);

struct fail_alloc_report {
    unsigned long n_allocations; /* Of the operation when nothing fails. */
    unsigned n_errors;           /* Runs that ended with a clean error ... */
    unsigned n_aborts;           /* ... with "out of memory" on stderr and abort() ... */
    unsigned n_successes;        /* ... or as if nothing had happened. */
};

/* Run the operation with each allocation failing in turn, at most `runs` of them (or
 * as many as the environment's FAIL_ALLOC_RUNS says), evenly spread.
 * Fails the test when a run ends in any other way, or leaks (where LeakSanitizer can tell). */
struct fail_alloc_report fail_alloc_torture(const char *name, fail_alloc_op op, void *arg,
                                            unsigned runs);

#endif
