/* Each allocation and each operation of history.db fails in turn. The history is never needed to
 * run, so an error may lose what was to be written, as a whole; never what was there before, and
 * never the process. */
#include "common/loop/sysmem.h"
#include "controller/storage/history.h"
#include "controller/storage/history_file.h"
#include "tests/lib/fail_alloc.h"
#include "tests/lib/simvfs.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BATCH    3u
#define PATH_LEN (SCRATCH_LEN + 16)

/* Records of revision `revision`, all new enough to be kept. */
static void fill(struct history_queue *q, uint64_t revision)
{
    history_queue_init(q, sysmem());
    for (uint32_t i = 0; i < BATCH; i++) {
        struct history_record r = {
            .revision = revision,
            .position = i,
            .kind = HISTORY_EVENT,
            .at = (int64_t)time(NULL) * 1000,
            .cluster = STR("prod"),
            .subject = STR("service/web"),
            .service = STR("web"),
            .text = STR("something happened"),
            .data = str_make("\0\1", 2),
        };
        history_queue_put(q, &r);
    }
}

static int put(const char *path, uint64_t revision, struct err *err)
{
    static const struct history_limits limits;
    struct history_file f = {0};
    struct history_queue q;
    int rv = history_file_open(&f, path, &limits, err);
    fill(&q, revision);
    if (rv == 0) {
        rv = history_file_write(&f, &q, err);
    }
    history_queue_close(&q);
    history_file_close(&f);
    return rv;
}

/* All there is, newest first; checks what it finds. */
static int look(const char *dir, uint32_t *ret_n, struct err *err)
{
    struct history_query query = {.service = STR("web"), .n_max = 100};
    struct history_record *records = NULL;
    struct history *h = NULL;
    struct arena arena;
    int rv;
    arena_init(&arena, sysmem());
    rv = history_open(dir, &h, err);
    if (rv == 0) {
        rv = history_read(h, &query, &arena, &records, ret_n, err);
    }
    for (uint32_t i = 0; rv == 0 && i < *ret_n; i++) {
        assert(records[i].revision == (*ret_n - 1 - i) / BATCH + 1);
        assert(str_eq(records[i].text, STR("something happened")) && records[i].data.n == 2);
    }
    history_close(h);
    arena_close(&arena);
    return rv;
}

/* --- allocations ---------------------------------------------------------------------------------
 */

static unsigned long write_some(void *arg, unsigned long n, int *ret_error)
{
    char dir[SCRATCH_LEN];
    char path[PATH_LEN];
    struct err err = {0};
    unsigned long total;
    uint32_t there = 0;
    (void)arg;
    scratch_dir(dir);
    (void)snprintf(path, sizeof path, "%s/history.db", dir);
    assert(put(path, 1, NULL) == 0);
    fail_alloc_at(n);
    *ret_error = put(path, 2, &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 || err.text[0] != '\0');
    assert(look(dir, &there, NULL) == 0);
    assert(there == BATCH || there == 2 * BATCH);
    assert(*ret_error != 0 || there == 2 * BATCH);
    return total;
}

static unsigned long read_some(void *arg, unsigned long n, int *ret_error)
{
    char dir[SCRATCH_LEN];
    char path[PATH_LEN];
    struct err err = {0};
    unsigned long total;
    uint32_t there = 0;
    (void)arg;
    scratch_dir(dir);
    (void)snprintf(path, sizeof path, "%s/history.db", dir);
    assert(put(path, 1, NULL) == 0);
    fail_alloc_at(n);
    *ret_error = look(dir, &there, &err);
    total = fail_alloc_stop();
    assert(*ret_error == 0 ? there == BATCH : err.text[0] != '\0');
    assert(look(dir, &there, NULL) == 0 && there == BATCH);
    return total;
}

START_TEST(a_history_is_written_and_read_or_an_error_is_said)
    {
        struct fail_alloc_report r = fail_alloc_torture("history write", write_some, NULL, 250);
        ck_assert_uint_gt(r.n_errors, 20);
        r = fail_alloc_torture("history read", read_some, NULL, 250);
        ck_assert_uint_gt(r.n_errors, 20);
    }
END_TEST

/* --- operations ----------------------------------------------------------------------------------
 */

static uint32_t look_on(struct simdisk *d)
{
    uint32_t n = 0;
    struct err err = {0};
    simvfs_use(d);
    ck_assert_msg(look("anywhere", &n, &err) == 0, "%s", err.text);
    return n;
}

/* A disk with one batch on it, of which the n-th operation and all after it fail. The process
 * lives, and later the disk is well again. */
START_TEST(what_is_there_survives_any_failing_operation)
    {
        unsigned n = 0;
        int rv = ERR_IO;
        while (rv != 0) {
            struct simdisk *d = simdisk_open(test_mem());
            struct err err = {0};
            uint32_t there;
            n++;
            simvfs_use(d);
            ck_assert_int_eq(put("history.db", 1, NULL), 0);
            simdisk_fail_after(d, n);
            rv = put("history.db", 2, &err);
            ck_assert(rv == 0 || err.text[0] != '\0');
            simdisk_kill(d);
            simdisk_fail_after(d, 0);
            there = look_on(d);
            ck_assert(there == BATCH || there == 2 * BATCH);
            ck_assert(rv != 0 || there == 2 * BATCH);
            ck_assert_int_eq(put("history.db", there / BATCH + 1, NULL), 0);
            ck_assert_uint_eq(look_on(d), there + BATCH);
            simdisk_close(d);
        }
        ck_assert_uint_gt(n, 5);
        simvfs_use(NULL);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* The power goes at any operation: whole batches are there, the oldest first, and it goes on.
 * (Those that were lost are made again from the log.) */
START_TEST(whole_batches_survive_power_loss_at_any_operation)
    {
        struct prng p;
        unsigned n = 0;
        int rv = ERR_IO;
        prng_init(&p, 11);
        while (rv != 0) {
            struct simdisk *d = simdisk_open(test_mem());
            uint32_t there = 0;
            n++;
            simvfs_use(d);
            simdisk_fail_after(d, n);
            rv = put("history.db", 1, NULL);
            rv = rv != 0 ? rv : put("history.db", 2, NULL);
            simdisk_crash(d, &p);
            (void)look("anywhere", &there, NULL); /* The file may not be there yet. */
            ck_assert_uint_eq(there % BATCH, 0);
            ck_assert_int_eq(put("history.db", there / BATCH + 1, NULL), 0);
            ck_assert_uint_eq(look_on(d), there + BATCH);
            simdisk_close(d);
        }
        ck_assert_uint_gt(n, 10);
        simvfs_use(NULL);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("history faults");
    TEST_CASE(s, "operations", 120, what_is_there_survives_any_failing_operation,
              whole_batches_survive_power_loss_at_any_operation);
    TEST_CASE(s, "allocations", 600, a_history_is_written_and_read_or_an_error_is_said);
    return test_run(s);
}
