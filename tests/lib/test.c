#include "tests/lib/test.h"

#include <stdlib.h>

#define SLACK_MAX 1000

uint32_t test_slack(void)
{
    const char *text = getenv("TEST_SLACK");
    unsigned long n = text == NULL ? 1 : strtoul(text, NULL, 10);
    return n < 1 ? 1 : n > SLACK_MAX ? SLACK_MAX : (uint32_t)n;
}

int test_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
