/* Log files and what stands beside them, on a disk that tears, forgets, fails and lies. */
#include "controller/raftio/logfile.h"

#include "common/base/buf.h"
#include "common/base/prng.h"
#include "controller/raftio/disk.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/slots.h"
#include "tests/lib/test.h"
#include "tests/sim/simdisk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL_MAX 4000u
#define SEGMENT   4096u

struct model_entry {
    uint64_t term;
    uint64_t seed; /* The payload is made from it. */
    size_t len;
};

struct model { /* Entry i at v[i]; v[0] unused. */
    struct model_entry v[MODEL_MAX];
    uint64_t first;
    uint64_t last;
};

struct box { /* A log and what it should hold. */
    struct simdisk *disk;
    struct logfile *log;
    struct model now;     /* All that was appended. */
    struct model durable; /* As of the last flush. */
    uint64_t cut;         /* Least index replaced since then. */
    struct prng prng;
    uint64_t term;
};

static void payload(const struct model_entry *e, uint8_t *to)
{
    for (size_t i = 0; i < e->len; i++) {
        to[i] = (uint8_t)(e->seed * 31 + i * 7);
    }
}

static bool same(const struct model_entry *e, const struct cache_entry *c)
{
    uint8_t bytes[SEGMENT * 2];
    payload(e, bytes);
    return c->term == e->term && c->len == e->len && memcmp(c->bytes, bytes, e->len) == 0;
}

static int reopen(struct box *b, struct cache *entries, struct err *err)
{
    struct logfile_settings set = {.segment_bytes = SEGMENT};
    b->log = NULL;
    return logfile_open(simdisk_disk(b->disk), test_mem(), &set, &b->log, entries, err);
}

static void box_open(struct box *b, uint64_t seed)
{
    struct cache entries;
    memset(b, 0, sizeof *b);
    prng_init(&b->prng, seed);
    b->disk = simdisk_open(test_mem());
    b->now.first = 1;
    b->durable.first = 1;
    b->term = 1;
    b->cut = UINT64_MAX;
    ck_assert_int_eq(reopen(b, &entries, NULL), 0);
    cache_close(&entries);
}

static void box_close(struct box *b)
{
    logfile_close(b->log);
    simdisk_close(b->disk);
}

/* Append n entries at index; what the log says is returned. */
static int append(struct box *b, uint64_t index, unsigned n, size_t len_max)
{
    struct replica_entry entries[8];
    uint8_t bytes[8][SEGMENT * 2];
    int rv;
    ck_assert_uint_le(n, 8);
    if (index <= b->now.last) {
        b->term++;
        b->cut = index < b->cut ? index : b->cut;
    }
    for (unsigned i = 0; i < n; i++) {
        struct model_entry *e = &b->now.v[index + i];
        *e = (struct model_entry){b->term, prng_u64(&b->prng), prng_below(&b->prng, len_max)};
        payload(e, bytes[i]);
        entries[i] = (struct replica_entry){e->term, RAFT_COMMAND, bytes[i], e->len};
    }
    b->now.last = index + n - 1;
    rv = logfile_append(b->log, index, entries, n, NULL);
    return rv;
}

static int flush(struct box *b)
{
    int rv = logfile_flush(b->log, NULL);
    if (rv == 0) {
        b->durable = b->now;
        b->cut = UINT64_MAX;
    }
    return rv;
}

/* After a crash: everything durable that was not being replaced is there; what is there beyond is
 * what was written, in order. Takes what is there over into the model. */
static void check_after_crash(struct box *b, const struct cache *c)
{
    uint64_t must = b->durable.last < b->cut ? b->durable.last : b->cut - 1;
    bool is_new = false;
    ck_assert_uint_le(c->first, b->now.first);
    if (must > 0) {
        ck_assert_uint_ge(cache_last(c), must);
    }
    for (uint64_t i = c->first > b->now.first ? c->first : b->now.first; i <= cache_last(c); i++) {
        const struct cache_entry *e = cache_get(c, i);
        bool matches_now = i <= b->now.last && same(&b->now.v[i], e);
        bool matches_old = i <= b->durable.last && same(&b->durable.v[i], e);
        ck_assert(matches_now || (matches_old && !is_new));
        is_new = is_new || (matches_now && !matches_old);
        b->now.v[i] = matches_now ? b->now.v[i] : b->durable.v[i];
    }
    b->now.last = cache_last(c);
    b->durable = b->now;
    b->cut = UINT64_MAX;
}

static void crash(struct box *b)
{
    struct cache entries;
    struct err err = {0};
    logfile_close(b->log);
    simdisk_crash(b->disk, &b->prng);
    ck_assert_msg(reopen(b, &entries, &err) == 0, "%s", err.text);
    check_after_crash(b, &entries);
    cache_close(&entries);
}

static int random_step(struct box *b)
{
    uint64_t next = b->now.last + 1;
    uint64_t floor;
    switch (prng_below(&b->prng, 12)) {
    case 0:
        return logfile_mark(b->log, NULL);
    case 1:
        return logfile_prepare(b->log, NULL);
    case 2: /* Replace a tail, but nothing that was trimmed. The log would flush by itself; but the
             * model knows of two versions only. */
        if (flush(b) != 0) {
            return ERR_IO;
        }
        floor = b->now.first + (b->now.last - b->now.first + 1) / 2;
        next = floor + prng_below(&b->prng, next - floor + 1);
        return append(b, next, 1 + (unsigned)prng_below(&b->prng, 3), 300);
    case 3:
        if (flush(b) != 0) {
            return ERR_IO;
        }
        b->now.first += prng_below(&b->prng, (b->now.last - b->now.first + 1) / 2 + 1);
        return logfile_trim(b->log, b->now.first - 1, NULL);
    case 4:
    case 5:
    case 6:
        return flush(b);
    case 7:
        return append(b, next, 1, SEGMENT * 2);
    default:
        return append(b, next, 1 + (unsigned)prng_below(&b->prng, 8), 300);
    }
}

START_TEST(what_was_flushed_survives_any_crash)
    {
        static struct box b;
        unsigned crashes = 0;
        box_open(&b, (uint64_t)_i);
        for (int step = 0; step < 1500 && b.now.last < MODEL_MAX - 20; step++) {
            if (prng_below(&b.prng, 20) == 0) {
                simdisk_fail_after(b.disk, 1 + (unsigned)prng_below(&b.prng, 8));
            }
            if (random_step(&b) != 0 || prng_below(&b.prng, 40) == 0) {
                crash(&b);
                crashes++;
            }
        }
        ck_assert_uint_gt(crashes, 20);
        ck_assert_uint_gt(b.now.last, 50);
        box_close(&b);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* Three files and a watermark at the end. */
static void fill(struct box *b)
{
    box_open(b, 5);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(append(b, b->now.last + 1, 4, 300), 0);
        ck_assert_int_eq(flush(b), 0);
        ck_assert_int_eq(logfile_mark(b->log, NULL), 0);
    }
    logfile_close(b->log);
    b->log = NULL;
}

static bool holds_all(const struct box *b, const struct cache *c)
{
    if (c->first != 1 || cache_last(c) != b->now.last) {
        return false;
    }
    for (uint64_t i = 1; i <= b->now.last; i++) {
        if (!same(&b->now.v[i], cache_get(c, i))) {
            return false;
        }
    }
    return true;
}

/* Whatever single byte of whatever file changes: all entries, or a refusal that names the file. */
START_TEST(a_changed_byte_is_harmless_or_refused)
    {
        static const char *const names[] = {"log-0000000001", "log-0000000002", "log-0000000003",
                                            "watermark"};
        static struct box b;
        unsigned refused = 0;
        unsigned harmless = 0;
        fill(&b);
        for (unsigned f = 0; f < 4; f++) {
            uint8_t was;
            for (uint64_t at = 0; simdisk_peek(b.disk, names[f], at, &was, 1); at++) {
                uint8_t now = (uint8_t)(was ^ (1u << (at % 8)));
                struct cache entries;
                struct err err = {0};
                int rv;
                simdisk_poke(b.disk, names[f], at, &now, 1);
                rv = reopen(&b, &entries, &err);
                if (rv == 0) {
                    ck_assert(holds_all(&b, &entries));
                    cache_close(&entries);
                    logfile_close(b.log);
                    harmless++;
                } else {
                    ck_assert_int_eq(rv, ERR_CORRUPT);
                    ck_assert_msg(strstr(err.text, "log-") != NULL, "%s", err.text);
                    refused++;
                }
                simdisk_poke(b.disk, names[f], at, &was, 1);
            }
        }
        ck_assert_uint_gt(refused, 5000);
        ck_assert_uint_gt(harmless, 1000);
        b.log = NULL;
        box_close(&b);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* The last bytes that were flushed, which no watermark speaks of. */
START_TEST(a_changed_byte_is_told_from_a_torn_end)
    {
        static struct box b;
        char name[] = "log-0000000003";
        unsigned refused = 0;
        unsigned cut = 0;
        uint64_t end = 0;
        uint64_t from;
        uint8_t was;
        fill(&b);
        {
            struct cache entries;
            ck_assert_int_eq(reopen(&b, &entries, NULL), 0);
            cache_close(&entries);
        }
        ck_assert_int_eq(append(&b, b.now.last + 1, 3, 300), 0);
        ck_assert_int_eq(flush(&b), 0);
        logfile_close(b.log);
        name[13]++; /* A log that was opened goes on in a new file. */
        from = 64;  /* After the head. */
        for (uint64_t at = 0; simdisk_peek(b.disk, name, at, &was, 1); at++) {
            end = was != 0 ? at + 1 : end;
        }
        ck_assert_uint_gt(end, from + 300);
        for (uint64_t at = from; at < end; at++) {
            struct cache entries;
            struct err err = {0};
            uint8_t now;
            int rv;
            simdisk_peek(b.disk, name, at, &was, 1);
            now = (uint8_t)(was ^ (1u << (at % 8)));
            simdisk_poke(b.disk, name, at, &now, 1);
            rv = reopen(&b, &entries, &err);
            refused += rv == ERR_CORRUPT;
            if (rv == 0) {
                cut += cache_last(&entries) < b.now.last;
                cache_close(&entries);
                logfile_close(b.log);
            }
            simdisk_poke(b.disk, name, at, &was, 1);
        }
        ck_assert_uint_le(cut, 12); /* A length that reaches into the zeros. */
        ck_assert_uint_ge(refused + cut + 3 * 8, end - from);
        b.log = NULL;
        box_close(&b);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_missing_file_is_missed)
    {
        static const struct {
            const char *name;
            const char *says;
        } cases[] = {
            {"log-0000000002", "log-0000000002 is missing"},
            {"log-0000000003", "log-0000000003 is missing: the watermark says"},
        };
        static struct box b;
        struct cache entries;
        struct err err = {0};
        fill(&b);
        ck_assert(simdisk_remove(b.disk, cases[_i].name));
        ck_assert_int_eq(reopen(&b, &entries, &err), ERR_CORRUPT);
        ck_assert_msg(strstr(err.text, cases[_i].says) != NULL, "%s", err.text);
        box_close(&b);
    }
END_TEST

START_TEST(a_reset_log_continues_after_the_snapshot)
    {
        static struct box b;
        struct cache entries;
        struct replica_entry e = {9, RAFT_COMMAND, (const uint8_t *)"x", 1};
        fill(&b);
        ck_assert_int_eq(reopen(&b, &entries, NULL), 0);
        cache_close(&entries);
        ck_assert_int_eq(logfile_reset(b.log, 1000, NULL), 0);
        ck_assert_uint_eq(logfile_last(b.log), 1000);
        logfile_close(b.log);
        simdisk_crash(b.disk, &b.prng);
        ck_assert_int_eq(reopen(&b, &entries, NULL), 0);
        ck_assert_uint_eq(entries.first, 1001);
        ck_assert_uint_eq(entries.n, 0);
        cache_close(&entries);
        ck_assert_int_eq(logfile_append(b.log, 1001, &e, 1, NULL), 0);
        ck_assert_int_eq(logfile_flush(b.log, NULL), 0);
        logfile_close(b.log);
        ck_assert_int_eq(reopen(&b, &entries, NULL), 0);
        ck_assert_uint_eq(cache_get(&entries, 1001)->term, 9);
        cache_close(&entries);
        box_close(&b);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(a_full_disk_is_an_error_and_leaves_a_good_log)
    {
        static struct box b;
        int rv = 0;
        box_open(&b, 3);
        simdisk_set_room(b.disk, 5 * SEGMENT);
        while (rv == 0) {
            rv = append(&b, b.now.last + 1, 1, 300);
            rv = rv != 0 ? rv : flush(&b);
        }
        ck_assert_int_eq(rv, ERR_FULL);
        crash(&b);
        ck_assert_uint_gt(b.now.last, 20);
        box_close(&b);
    }
END_TEST

/* --- beside the log -------------------------------------------------------------------------- */

START_TEST(a_slot_is_whole_after_any_crash)
    {
        struct simdisk *disk = simdisk_open(test_mem());
        struct prng p;
        struct slots s;
        uint64_t promised = 0;
        uint64_t tried = 0;
        prng_init(&p, (uint64_t)_i);
        for (int round = 0; round < 200; round++) {
            const struct slot *newest;
            ck_assert_int_eq(slots_open(&s, simdisk_disk(disk), "vote", NULL), 0);
            newest = slots_newest(&s);
            ck_assert(newest != NULL || promised == 0);
            if (newest != NULL) {
                ck_assert_uint_ge(get_u64(newest->bytes), promised);
                ck_assert_uint_le(get_u64(newest->bytes), tried);
            }
            simdisk_fail_after(disk, 1 + (unsigned)prng_below(&p, 12));
            for (;;) {
                uint8_t bytes[2000] = {0};
                int rv;
                put_u64(bytes, ++tried);
                rv = prng_below(&p, 2) == 0 ? slots_put_both(&s, bytes, sizeof bytes, NULL)
                                            : slots_put_older(&s, bytes, sizeof bytes, NULL);
                if (rv != 0) {
                    break;
                }
                promised = tried;
            }
            slots_close(&s);
            simdisk_crash(disk, &p);
        }
        ck_assert_uint_gt(promised, 100);
        simdisk_close(disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

static const struct conf_member members[] = {{1, "a:1"}, {2, "b:1"}, {3, "c:1"}};

static int open_durable(struct simdisk *disk, uint64_t id, uint64_t index, uint64_t term,
                        struct durable **ret, struct err *err)
{
    struct durable_settings set = {.id = id, .members = members, .n_members = 3};
    set.checkpoint_index = index;
    set.checkpoint_term = term;
    set.log.segment_bytes = SEGMENT;
    return durable_open(simdisk_disk(disk), test_mem(), &set, ret, err);
}

START_TEST(the_first_start_is_the_same_on_every_controller)
    {
        struct durable *d[2];
        struct simdisk *disk[2];
        const struct replica_boot *b[2];
        for (unsigned i = 0; i < 2; i++) {
            disk[i] = simdisk_open(test_mem());
            ck_assert_int_eq(open_durable(disk[i], i + 1, 0, 0, &d[i], NULL), 0);
            b[i] = durable_boot(d[i]);
            ck_assert_uint_eq(b[i]->term, 1);
            ck_assert_uint_eq(b[i]->vote, 0);
            ck_assert_uint_eq(b[i]->n_entries, 1);
        }
        ck_assert_uint_eq(b[0]->entries[0].len, b[1]->entries[0].len);
        ck_assert_int_eq(
            memcmp(b[0]->entries[0].bytes, b[1]->entries[0].bytes, b[0]->entries[0].len), 0);
        for (unsigned i = 0; i < 2; i++) {
            durable_close(d[i]);
            simdisk_close(disk[i]);
        }
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* The first start is cut short after each of its writes; the next one finishes it. */
START_TEST(a_first_start_that_was_cut_short_is_finished)
    {
        unsigned cut = 0;
        for (unsigned n = 1; n < 40; n++) {
            struct simdisk *disk = simdisk_open(test_mem());
            struct durable *d;
            struct prng p;
            struct err err = {0};
            prng_init(&p, n);
            simdisk_fail_after(disk, n);
            if (open_durable(disk, 1, 0, 0, &d, &err) == 0) {
                durable_close(d);
            } else {
                cut++;
            }
            simdisk_crash(disk, &p);
            ck_assert_msg(open_durable(disk, 1, 0, 0, &d, &err) == 0, "%s", err.text);
            ck_assert_uint_eq(durable_boot(d)->n_entries, 1);
            durable_close(d);
            simdisk_close(disk);
        }
        ck_assert_uint_gt(cut, 8);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(log_vote_and_checkpoint_must_fit_together)
    {
        struct simdisk *disk = simdisk_open(test_mem());
        struct durable *d;
        struct replica_entry e[3];
        struct err err = {0};
        for (unsigned i = 0; i < 3; i++) {
            e[i] = (struct replica_entry){2, RAFT_COMMAND, (const uint8_t *)"x", 1};
        }
        ck_assert_int_eq(open_durable(disk, 1, 0, 0, &d, &err), 0);
        ck_assert_int_eq(durable_save_vote(d, 2, 3, &err), 0);
        ck_assert_int_eq(logfile_append(durable_log(d), 2, e, 3, &err), 0);
        ck_assert_int_eq(logfile_flush(durable_log(d), &err), 0);
        durable_close(d);
        ck_assert_int_eq(open_durable(disk, 2, 0, 0, &d, &err), ERR_CONFLICT);
        ck_assert_int_eq(open_durable(disk, 1, 9, 2, &d, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "entry 9 of term 2 is not in the log"));
        ck_assert_int_eq(open_durable(disk, 1, 3, 1, &d, &err), ERR_CORRUPT);
        ck_assert_int_eq(open_durable(disk, 1, 3, 2, &d, &err), 0);
        ck_assert_uint_eq(durable_boot(d)->vote, 3);
        ck_assert_uint_eq(durable_boot(d)->snapshot.conf_index, 1);
        ck_assert_uint_eq(durable_boot(d)->n_entries, 4);
        durable_close(d);
        ck_assert(simdisk_remove(disk, "vote"));
        ck_assert_int_eq(open_durable(disk, 1, 3, 2, &d, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "there is a log but no vote"));
        simdisk_close(disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* Entries that fill a file each; a tail is replaced from an entry on that files before lack. */
START_TEST(files_whose_entries_were_all_replaced_go_with_the_others)
    {
        static uint8_t bytes[SEGMENT - 200];
        struct simdisk *disk = simdisk_open(test_mem());
        struct logfile_settings set = {.segment_bytes = SEGMENT};
        struct logfile *log;
        struct cache entries;
        struct replica_entry e = {1, RAFT_COMMAND, bytes, sizeof bytes};
        ck_assert_int_eq(logfile_open(simdisk_disk(disk), test_mem(), &set, &log, &entries, NULL),
                         0);
        cache_close(&entries);
        for (uint64_t i = 1; i <= 10; i++) {
            ck_assert_int_eq(logfile_append(log, i, &e, 1, NULL), 0);
        }
        for (uint64_t i = 4; i <= 7; i++) {
            ck_assert_int_eq(logfile_append(log, i, &e, 1, NULL), 0);
        }
        ck_assert_int_eq(logfile_flush(log, NULL), 0);
        ck_assert_uint_eq(logfile_bytes(log), 14 * SEGMENT);
        ck_assert_int_eq(logfile_trim(log, 5, NULL), 0);
        ck_assert_uint_eq(logfile_bytes(log), 2 * SEGMENT);
        logfile_close(log);
        ck_assert_int_eq(logfile_open(simdisk_disk(disk), test_mem(), &set, &log, &entries, NULL),
                         0);
        ck_assert_uint_eq(entries.first, 6);
        ck_assert_uint_eq(cache_last(&entries), 7);
        cache_close(&entries);
        logfile_close(log);
        simdisk_close(disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

START_TEST(the_real_disk_keeps_a_log_and_locks_its_directory)
    {
        char dir[] = "/tmp/test-logfile-XXXXXX";
        char file[64];
        struct disk disk = {0};
        struct disk second = {0};
        struct logfile_settings set = {.segment_bytes = SEGMENT};
        struct logfile *log;
        struct cache entries;
        struct replica_entry e = {1, RAFT_COMMAND, (const uint8_t *)"hello", 5};
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(disk_posix_open(dir, &disk, NULL), 0);
        ck_assert_int_eq(disk_posix_open(dir, &second, NULL), ERR_BUSY);
        ck_assert_int_eq(logfile_open(&disk, test_mem(), &set, &log, &entries, NULL), 0);
        cache_close(&entries);
        for (uint64_t i = 1; i <= 200; i++) {
            ck_assert_int_eq(logfile_append(log, i, &e, 1, NULL), 0);
        }
        ck_assert_int_eq(logfile_flush(log, NULL), 0);
        ck_assert_int_eq(logfile_mark(log, NULL), 0);
        ck_assert_int_eq(logfile_trim(log, 150, NULL), 0);
        logfile_close(log);
        ck_assert_int_eq(logfile_open(&disk, test_mem(), &set, &log, &entries, NULL), 0);
        ck_assert_uint_eq(cache_last(&entries), 200);
        ck_assert_uint_gt(entries.first, 1);
        ck_assert_uint_le(entries.first, 151);
        cache_close(&entries);
        logfile_close(log);
        for (unsigned i = 0; i < 10; i++) {
            (void)snprintf(file, sizeof file, "%s/log-%010u", dir, i);
            (void)unlink(file);
        }
        (void)snprintf(file, sizeof file, "%s/watermark", dir);
        (void)unlink(file);
        disk_posix_close(&disk);
        ck_assert_int_eq(rmdir(dir), 0);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* A directory that joins begins no log and remembers that; once it had entries, an empty log is a
 * loss again. Its incarnation stays. */
START_TEST(a_joining_directory_waits_with_an_empty_log)
    {
        struct simdisk *disk = simdisk_open(test_mem());
        struct durable_settings set = {.id = 4, .joining = true, .incarnation = 77};
        struct durable *d;
        struct err err = {0};
        for (uint64_t i = 0; i < 3; i++) {
            set.incarnation = 77 + i;
            ck_assert_int_eq(durable_open(simdisk_disk(disk), test_mem(), &set, &d, &err), 0);
            ck_assert(durable_boot(d)->joining);
            ck_assert_uint_eq(durable_boot(d)->n_entries, 0);
            ck_assert_uint_eq(durable_boot(d)->term, i == 0 ? 0 : 5);
            ck_assert_uint_eq(durable_incarnation(d), 77);
            ck_assert_int_eq(durable_save_vote(d, 5, 0, &err), 0);
            durable_close(d);
        }
        ck_assert_int_eq(durable_open(simdisk_disk(disk), test_mem(), &set, &d, &err), 0);
        ck_assert_int_eq(durable_joined(d, &err), 0);
        durable_close(d);
        ck_assert_int_eq(durable_open(simdisk_disk(disk), test_mem(), &set, &d, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "there is a vote but no log"));
        simdisk_close(disk);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("logfile");
    TCase *loops = tcase_create("loops");
    TEST_CASE(s, "logfile", 120, a_changed_byte_is_harmless_or_refused,
              a_changed_byte_is_told_from_a_torn_end, a_reset_log_continues_after_the_snapshot,
              a_full_disk_is_an_error_and_leaves_a_good_log,
              the_first_start_is_the_same_on_every_controller,
              a_first_start_that_was_cut_short_is_finished,
              log_vote_and_checkpoint_must_fit_together,
              files_whose_entries_were_all_replaced_go_with_the_others,
              the_real_disk_keeps_a_log_and_locks_its_directory,
              a_joining_directory_waits_with_an_empty_log);
    tcase_set_timeout(loops, 120);
    tcase_add_loop_test(loops, what_was_flushed_survives_any_crash, 0, 20);
    tcase_add_loop_test(loops, a_missing_file_is_missed, 0, 2);
    tcase_add_loop_test(loops, a_slot_is_whole_after_any_crash, 0, 10);
    suite_add_tcase(s, loops);
    return test_run(s);
}
