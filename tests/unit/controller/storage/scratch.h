/* tests/unit/controller/storage/scratch.h
 *
 * One folder for all files of a test program, made and removed by main(): so nothing is left behind
 * when a test fails in its own process. */
#ifndef TESTS_UNIT_CONTROLLER_STORAGE_SCRATCH_H
#define TESTS_UNIT_CONTROLLER_STORAGE_SCRATCH_H

#include "tests/lib/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRATCH_LEN 64

/* Set by scratch_run() before any test starts. */
static char scratch_root[SCRATCH_LEN];

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

/* A new folder below the root. */
static inline void scratch_dir(char ret[SCRATCH_LEN])
{
    (void)snprintf(ret, SCRATCH_LEN, "%.40s/XXXXXX", scratch_root);
    ck_assert_ptr_nonnull(mkdtemp(ret));
}

/* test_run() inside a root. */
static inline int scratch_run(Suite *suite)
{
    int status;
    (void)snprintf(scratch_root, sizeof scratch_root, "/tmp/ecs-storage-XXXXXX");
    if (mkdtemp(scratch_root) == NULL) {
        perror(scratch_root);
        return EXIT_FAILURE;
    }
    status = test_run(suite);
    (void)nftw(scratch_root, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

#endif
