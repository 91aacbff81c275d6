/* tests/lib/test.h
 *
 * What every test program needs: memory that is counted, and a main() around one Check suite. */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include "common/base/mem.h"

#include <check.h>
#include <stdint.h>

/* malloc() behind the mem interface. test_mem_in_use() is the number of bytes not yet freed. */
const struct mem *test_mem(void);
size_t test_mem_in_use(void);

/* Run the suite; the exit status says whether all passed. Runs each case in its own process unless
 * CK_FORK=no. `suite` is made by suite_create() and freed here. */
int test_run(Suite *suite);

/* How many times longer than usual to wait, from TEST_SLACK (1): for emulated and busy machines.
 * CK_TIMEOUT_MULTIPLIER does the same to the time limits of cases. */
uint32_t test_slack(void);

/* Add every listed test to a new case of the suite, with a time limit in seconds. */
#define TEST_CASE(suite, name, seconds, ...)                               \
    do {                                                                   \
        const TTest *const tests_[] = {__VA_ARGS__};                       \
        TCase *case_ = tcase_create(name);                                 \
        tcase_set_timeout(case_, seconds);                                 \
        for (size_t i_ = 0; i_ < sizeof tests_ / sizeof tests_[0]; i_++) { \
            tcase_add_test(case_, tests_[i_]);                             \
        }                                                                  \
        suite_add_tcase(suite, case_);                                     \
    } while (0)

#endif
