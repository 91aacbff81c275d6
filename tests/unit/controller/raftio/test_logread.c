/* Reading a log to look at it: sees what opening it sees, and tells of every flipped byte. */
#include "controller/raftio/logread.h"

#include "common/base/buf.h"
#include "common/base/prng.h"
#include "controller/raftio/logfile.h"
#include "tests/lib/test.h"
#include "tests/sim/simdisk.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT 4096u
#define N_MAX   2000u

struct seen {
    uint64_t term[N_MAX]; /* By index, of records that count. */
    uint64_t n;
    uint64_t n_replaced;
    unsigned n_damage;
    unsigned n_torn;
    char file[DISK_NAME_MAX];
    uint64_t offset; /* Of the first damage. */
};

static void on_record(void *ctx, const struct logread_record *r)
{
    struct seen *s = ctx;
    ck_assert_uint_lt(r->index, N_MAX);
    if (r->replaced) {
        s->n_replaced++;
        return;
    }
    s->term[r->index] = r->term;
    s->n++;
}

static void on_damage(void *ctx, const struct logread_damage *d)
{
    struct seen *s = ctx;
    if (s->n_damage + s->n_torn == 0) {
        (void)snprintf(s->file, sizeof s->file, "%s", d->file);
        s->offset = d->offset;
    }
    ck_assert_ptr_nonnull(d->why);
    s->n_damage += d->torn ? 0 : 1;
    s->n_torn += d->torn ? 1 : 0;
}

static const struct logread_events events = {.record = on_record, .damage = on_damage};

static void look(struct simdisk *disk, struct seen *s, struct logread_summary *sum)
{
    struct err err = {0};
    memset(s, 0, sizeof *s);
    ck_assert_msg(logread(simdisk_disk(disk), test_mem(), &events, s, sum, &err) == 0, "%s",
                  err.text);
}

static void put(struct logfile *log, uint64_t index, uint64_t term, size_t len)
{
    static uint8_t bytes[512];
    struct replica_entry e = {term, RAFT_COMMAND, bytes, len};
    memset(bytes, (int)(index % 250 + 1), sizeof bytes);
    ck_assert_int_eq(logfile_append(log, index, &e, 1, NULL), 0);
}

/* A log of several files, with tails that were replaced and a beginning that was trimmed. */
static struct simdisk *make_log(uint64_t seed, uint64_t *ret_last)
{
    const struct logfile_settings set = {.segment_bytes = SEGMENT};
    struct simdisk *disk = simdisk_open(test_mem());
    struct logfile *log = NULL;
    struct cache entries;
    struct prng p;
    uint64_t last = 0;
    uint64_t term = 1;
    prng_init(&p, seed);
    ck_assert_int_eq(logfile_open(simdisk_disk(disk), test_mem(), &set, &log, &entries, NULL), 0);
    cache_close(&entries);
    for (int i = 0; i < 150; i++) {
        if (last > 20 && prng_below(&p, 12) == 0) {
            term++;
            last -= prng_below(&p, 10);
        }
        put(log, ++last, term, 8 + prng_below(&p, 300));
        if (prng_below(&p, 3) == 0) {
            ck_assert_int_eq(logfile_flush(log, NULL), 0);
        }
    }
    ck_assert_int_eq(logfile_flush(log, NULL), 0);
    ck_assert_int_eq(logfile_mark(log, NULL), 0);
    ck_assert_int_eq(logfile_trim(log, last / 4, NULL), 0);
    logfile_close(log);
    *ret_last = last;
    return disk;
}

START_TEST(what_counts_is_what_opening_the_log_finds)
    {
        static struct seen s;
        const struct logfile_settings set = {.segment_bytes = SEGMENT};
        struct logread_summary sum;
        struct logfile *log = NULL;
        struct cache entries;
        uint64_t last;
        struct simdisk *disk = make_log((uint64_t)_i, &last);
        look(disk, &s, &sum);
        ck_assert_uint_eq(s.n_damage + s.n_torn, 0);
        ck_assert_uint_eq(sum.last, last);
        ck_assert_uint_ge(sum.synced, last);
        ck_assert_uint_gt(sum.n_files, 2);
        ck_assert_uint_eq(sum.n_records, s.n + s.n_replaced);
        ck_assert_int_eq(logfile_open(simdisk_disk(disk), test_mem(), &set, &log, &entries, NULL),
                         0);
        ck_assert_uint_eq(sum.first, entries.first);
        ck_assert_uint_eq(s.n, entries.n);
        for (uint64_t i = entries.first; i <= cache_last(&entries); i++) {
            ck_assert_uint_eq(s.term[i], cache_get(&entries, i)->term);
        }
        cache_close(&entries);
        logfile_close(log);
        simdisk_close(disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_flipped_byte_is_found_where_it_is_and_what_follows_is_read)
    {
        static struct seen whole;
        static struct seen s;
        struct logread_summary sum;
        uint64_t last;
        struct simdisk *disk = make_log(7, &last);
        char name[DISK_NAME_MAX] = "";
        unsigned n_found = 0;
        look(disk, &whole, &sum);
        for (unsigned file = 1; file < 100 && name[0] == '\0'; file++) {
            uint8_t byte;
            (void)snprintf(name, sizeof name, "log-%010u", file);
            if (!simdisk_peek(disk, name, 0, &byte, 1)) {
                name[0] = '\0';
            }
        }
        for (uint64_t at = 64; at < SEGMENT; at += 13) {
            uint8_t byte;
            uint8_t wrong;
            ck_assert(simdisk_peek(disk, name, at, &byte, 1));
            wrong = byte ^ 0x40;
            ck_assert(simdisk_poke(disk, name, at, &wrong, 1));
            look(disk, &s, &sum);
            if (s.n_damage + s.n_torn > 0) { /* Not in what was never written. */
                ck_assert_str_eq(s.file, name);
                ck_assert_uint_le(s.offset, at);
                ck_assert_uint_ge(s.n + s.n_replaced + 1, whole.n + whole.n_replaced);
                n_found++;
            }
            ck_assert(simdisk_poke(disk, name, at, &byte, 1));
        }
        ck_assert_uint_gt(n_found, 200);
        simdisk_close(disk);
    }
END_TEST

START_TEST(a_missing_file_and_a_lost_tail_are_damage)
    {
        static struct seen s;
        static const uint8_t zeros[8];
        struct logread_summary sum;
        uint64_t last;
        struct simdisk *disk = make_log(3, &last);
        char name[DISK_NAME_MAX];
        unsigned newest = 0;
        for (unsigned file = 1; file < 100; file++) {
            uint8_t byte;
            (void)snprintf(name, sizeof name, "log-%010u", file);
            newest = simdisk_peek(disk, name, 0, &byte, 1) ? file : newest;
        }
        (void)snprintf(name, sizeof name, "log-%010u", newest);
        ck_assert(simdisk_poke(disk, name, 64, zeros, sizeof zeros)); /* Its first record. */
        look(disk, &s, &sum);
        ck_assert_uint_gt(s.n_damage, 0);
        ck_assert_str_eq(s.file, name);
        ck_assert(simdisk_remove(disk, name));
        look(disk, &s, &sum);
        ck_assert_uint_eq(s.n_damage, 1);
        ck_assert_str_eq(s.file, name);
        simdisk_close(disk);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("logread");
    TCase *many = tcase_create("random logs");
    tcase_set_timeout(many, 60);
    tcase_add_loop_test(many, what_counts_is_what_opening_the_log_finds, 0, 30);
    suite_add_tcase(s, many);
    TEST_CASE(s, "damage", 60, a_flipped_byte_is_found_where_it_is_and_what_follows_is_read,
              a_missing_file_and_a_lost_tail_are_damage);
    return test_run(s);
}
