/* What happened: written behind, read newest first, never twice, never too much. */
#include "controller/codec/object.h"
#include "controller/storage/checkpoint.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char dir[SCRATCH_LEN];
    struct storage *s;
    struct codec *codec;
    struct history_limits limits;
    uint32_t interval_ms;
};

static void start(struct fixture *x)
{
    struct storage_options o = {.dir = x->dir, .history = x->limits, .interval_ms = x->interval_ms};
    struct storage_point at;
    struct err err = {0};
    if (x->codec == NULL) {
        scratch_dir(x->dir);
        ck_assert_int_eq(codec_open(test_mem(), &x->codec, NULL), 0);
    }
    o.codec = x->codec;
    ck_assert_msg(storage_open(&o, &x->s, &at, &err) == 0, "%s", err.text);
}

static void stop(struct fixture *x)
{
    ck_assert_int_eq(storage_close(x->s, NULL), 0);
    x->s = NULL;
}

static void finish(struct fixture *x)
{
    codec_close(x->codec);
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

/* Record number i: kinds, clusters and subjects take turns. */
static void put(struct fixture *x, uint32_t i)
{
    static const char *const subjects[] = {"service/web", "service/db", "node/1"};
    char text[32];
    struct history_record r = {
        .revision = 1 + i / 2,
        .position = i % 2,
        .kind = (uint8_t)(i % 5 == 0 ? HISTORY_AUDIT : HISTORY_EVENT),
        .at = now_ms() + i,
        .cluster = i % 2 == 0 ? STR("prod") : STR("test"),
        .subject = str_of(subjects[i % 3]),
        .service = i % 3 == 0 ? STR("web") : STR(""),
        .node = i % 3 == 2 ? STR("1") : STR(""),
        .data = str_make("\0\1", 2),
    };
    (void)snprintf(text, sizeof text, "record %u", i);
    r.text = str_of(text);
    storage_history(x->s, &r);
}

static uint32_t count(struct fixture *x, const struct history_query *q)
{
    struct history *h;
    struct history_record *records;
    struct arena a;
    struct err err = {0};
    uint32_t n;
    arena_init(&a, test_mem());
    ck_assert_msg(history_open(x->dir, &h, &err) == 0, "%s", err.text);
    ck_assert_msg(history_read(h, q, &a, &records, &n, &err) == 0, "%s", err.text);
    for (uint32_t i = 0; i < n; i++) {
        bool later = i == 0 || records[i].revision < records[i - 1].revision ||
                     (records[i].revision == records[i - 1].revision &&
                      records[i].position < records[i - 1].position);
        ck_assert(later);
        ck_assert_uint_eq(records[i].data.n, 2);
        ck_assert(str_starts(records[i].text, "record "));
    }
    history_close(h);
    arena_close(&a);
    return n;
}

START_TEST(records_are_found_by_what_they_are_about)
    {
        struct fixture x = {0};
        start(&x);
        for (uint32_t i = 0; i < 300; i++) {
            put(&x, i);
        }
        stop(&x);
        ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 1000}), 300);
        ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 7}), 7);
        ck_assert_uint_eq(
            count(&x, &(struct history_query){.subject = STR("service/web"), .n_max = 1000}), 100);
        ck_assert_uint_eq(count(&x, &(struct history_query){.cluster = STR("prod"), .n_max = 1000}),
                          150);
        ck_assert_uint_eq(count(&x, &(struct history_query){.kind = HISTORY_AUDIT, .n_max = 1000}),
                          60);
        ck_assert_uint_eq(count(&x, &(struct history_query){.subject = STR("node/1"),
                                                            .cluster = STR("test"),
                                                            .n_max = 1000}),
                          50);
        ck_assert_uint_eq(count(&x, &(struct history_query){.service = STR("web"), .n_max = 1000}),
                          100);
        ck_assert_uint_eq(count(&x, &(struct history_query){.node = STR("1"), .n_max = 1000}), 100);
        ck_assert_uint_eq(count(&x, &(struct history_query){.node = STR("2"), .n_max = 1000}), 0);
        ck_assert_uint_eq(
            count(&x, &(struct history_query){.since = now_ms() + 3600000, .n_max = 1000}), 0);
        /* Continue after revision 11, position 1: records 0 to 20 remain. */
        ck_assert_uint_eq(count(&x, &(struct history_query){.before_revision = 11,
                                                            .before_position = 1,
                                                            .n_max = 1000}),
                          21);
        finish(&x);
    }
END_TEST

START_TEST(a_replayed_log_adds_nothing_twice)
    {
        struct fixture x = {0};
        for (int life = 0; life < 3; life++) {
            start(&x);
            for (uint32_t i = 0; i < 100; i++) {
                put(&x, i);
            }
            stop(&x);
        }
        ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 1000}), 100);
        finish(&x);
    }
END_TEST

START_TEST(the_oldest_records_go_when_there_are_too_many)
    {
        struct fixture x = {.limits = {.n_records = 50}};
        struct history *h;
        struct history_record *records;
        struct arena a;
        uint32_t n;
        start(&x);
        for (uint32_t i = 0; i < 400; i++) {
            put(&x, i);
        }
        stop(&x);
        arena_init(&a, test_mem());
        ck_assert_int_eq(history_open(x.dir, &h, NULL), 0);
        ck_assert_int_eq(
            history_read(h, &(struct history_query){.n_max = 1000}, &a, &records, &n, NULL), 0);
        ck_assert_uint_eq(n, 50);
        ck_assert(str_eqc(records[0].text, "record 399"));
        ck_assert(str_eqc(records[49].text, "record 350"));
        history_close(h);
        arena_close(&a);
        finish(&x);
    }
END_TEST

START_TEST(records_that_are_too_old_go)
    {
        struct fixture x = {.limits = {.age_ms = 1000}};
        start(&x);
        for (uint32_t i = 0; i < 1000; i++) {
            struct history_record r = {.revision = i + 1,
                                       .kind = 1,
                                       .at = 5,
                                       .text = STR("record old"),
                                       .data = STR("xx")};
            storage_history(x.s, &r);
        }
        for (uint32_t i = 2000; i < 3000; i++) {
            put(&x, i);
        }
        stop(&x);
        ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 10000}), 1000);
        finish(&x);
    }
END_TEST

START_TEST(a_full_queue_drops_and_counts)
    {
        struct fixture x = {.limits = {.queue_max = 1}};
        struct storage_stats stats;
        uint64_t n;
        start(&x);
        for (uint32_t i = 0; i < 20000; i++) {
            put(&x, i);
        }
        storage_stats(x.s, &stats);
        n = stats.n_history_lost;
        stop(&x);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(count(&x, &(struct history_query){.n_max = 30000}) + n, 20000);
        finish(&x);
    }
END_TEST

START_TEST(a_broken_file_is_replaced_by_an_empty_one)
    {
        struct fixture x = {0};
        char path[200];
        FILE *f;
        start(&x);
        put(&x, 1);
        stop(&x);
        (void)snprintf(path, sizeof path, "%s/history.db", x.dir);
        f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        for (int i = 0; i < 3000; i++) {
            fputs("this is no database ", f);
        }
        fclose(f);
        start(&x);
        put(&x, 2);
        stop(&x);
        ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 10}), 1);
        finish(&x);
    }
END_TEST

/* The newest record of a command up to this revision. */
static uint64_t newest(struct fixture *x, uint64_t revision)
{
    const struct history_query q = {.before_revision = revision + 1, .n_max = 1};
    struct history *h;
    struct history_record *records;
    struct arena a;
    uint32_t n;
    uint64_t found;
    arena_init(&a, test_mem());
    ck_assert_int_eq(history_open(x->dir, &h, NULL), 0);
    ck_assert_int_eq(history_read(h, &q, &a, &records, &n, NULL), 0);
    found = n == 0 ? 0 : records[0].revision;
    history_close(h);
    arena_close(&a);
    return found;
}

/* Rows are written once a minute here; who asks does not wait for that. */
START_TEST(what_was_told_is_written_when_somebody_asks)
    {
        struct fixture x = {.interval_ms = 60000};
        start(&x);
        ck_assert_uint_eq(storage_history_flush(x.s), 0);
        for (uint32_t i = 0; i < 40; i++) {
            put(&x, i);
            if (i % 10 == 9) {
                uint64_t n = storage_history_flush(x.s);
                ck_assert_uint_eq(n, i + 1);
                while (storage_history_settled(x.s) < n) {
                    (void)usleep(100);
                }
                ck_assert_uint_eq(count(&x, &(struct history_query){.n_max = 100}), i + 1);
            }
        }
        stop(&x);
        finish(&x);
    }
END_TEST

/* A crash takes away what was not written; the log tells again what the checkpoint lacks, and
 * nothing else. */
START_TEST(what_is_in_the_checkpoint_was_told_before)
    {
        struct fixture x = {.interval_ms = 1};
        uint64_t seen = 0;
        unsigned n_seen = 0;
        start(&x);
        for (uint32_t i = 1; n_seen < 300; i++) {
            const struct storage_point point = {.index = i, .term = 1};
            put(&x, 2 * (i - 1)); /* Revision i. */
            storage_commit(x.s, &point);
            uint64_t durable = storage_durable(x.s).index;
            if (durable > seen) {
                ck_assert_uint_eq(newest(&x, durable), durable);
                seen = durable;
                n_seen++;
            }
            (void)usleep(20); /* More than the queue takes would be dropped. */
        }
        stop(&x);
        finish(&x);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("history");
    TEST_CASE(s, "history", 60, records_are_found_by_what_they_are_about,
              a_replayed_log_adds_nothing_twice, the_oldest_records_go_when_there_are_too_many,
              records_that_are_too_old_go, a_full_queue_drops_and_counts,
              a_broken_file_is_replaced_by_an_empty_one, what_is_in_the_checkpoint_was_told_before,
              what_was_told_is_written_when_somebody_asks);
    return scratch_run(s);
}
