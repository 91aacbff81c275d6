/* The checkpoint against a naive model of its rows: after closing, after kill -9, after a copy.
 * Rows here are arbitrary bytes; what they mean is the codec's business. */
#include "common/base/prng.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/db.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS    40
#define ROW_MAX  200
#define WAIT_MS  20000
#define PATH_LEN 300

/* --- the model: what the rows are after the first n commits of a seed --------------------------
 */

struct model {
    struct {
        bool present;
        size_t n;
        uint8_t bytes[ROW_MAX];
    } rows[KIND_N][SLOTS];
};

/* The changes of commit number i, applied to the model and, if given, to the storage. */
static void commit(uint64_t seed, uint64_t i, struct model *m, struct storage *s)
{
    struct storage_point point = {i, 1 + i / 100, i * 3, i * 0x9e3779b97f4a7c15ull};
    struct prng p;
    uint64_t n;
    prng_init(&p, seed ^ (i * 0x1234567));
    n = prng_below(&p, 12);
    for (uint64_t j = 0; j < n; j++) {
        uint8_t kind = (uint8_t)(1 + prng_below(&p, KIND_N - 1));
        uint32_t slot = (uint32_t)prng_below(&p, SLOTS);
        bool present = prng_below(&p, 4) != 0;
        size_t len = prng_below(&p, ROW_MAX);
        uint8_t bytes[ROW_MAX];
        for (size_t k = 0; k < len; k++) {
            bytes[k] = (uint8_t)prng_u64(&p);
        }
        if (m != NULL) {
            m->rows[kind][slot].present = present;
            m->rows[kind][slot].n = len;
            memcpy(m->rows[kind][slot].bytes, bytes, len);
        }
        if (s != NULL) {
            storage_row(s, kind, slot, present ? bytes : NULL, present ? len : 0);
        }
    }
    if (s != NULL) {
        storage_commit(s, &point);
    }
}

struct comparison {
    const struct model *model;
    uint32_t seen;
};

static int compare_row(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    struct comparison *c = ctx;
    ck_assert_uint_lt(slot, SLOTS);
    ck_assert(c->model->rows[kind][slot].present);
    ck_assert_uint_eq(c->model->rows[kind][slot].n, bytes.n);
    ck_assert_int_eq(memcmp(c->model->rows[kind][slot].bytes, bytes.p, bytes.n), 0);
    c->seen++;
    (void)err;
    return 0;
}

/* The file holds exactly the model after as many commits as its point says; returns that number. */
static uint64_t check_file(const char *dir, uint64_t seed)
{
    char path[PATH_LEN];
    struct model *m = calloc(1, sizeof *m);
    struct comparison c = {m, 0};
    struct storage_point point;
    struct err err = {0};
    uint64_t hash;
    uint32_t n = 0;
    sqlite3 *sql;
    (void)snprintf(path, sizeof path, "%s/checkpoint.db", dir);
    ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
    ck_assert_int_eq(db_get_point(sql, &point, &hash, &err), 0);
    for (uint64_t i = 1; i <= point.index; i++) {
        commit(seed, i, m, NULL);
    }
    ck_assert_msg(db_each_row(sql, compare_row, &c, &err) == 0, "%s", err.text);
    for (int kind = 0; kind < KIND_N; kind++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            n += m->rows[kind][slot].present ? 1 : 0;
        }
    }
    ck_assert_uint_eq(c.seen, n);
    ck_assert_uint_eq(point.revision, point.index * 3);
    sqlite3_close(sql);
    free(m);
    return point.index;
}

/* --- fixture ------------------------------------------------------------------------------------
 */

struct fixture {
    char dir[SCRATCH_LEN];
    int wake_fd;
    struct storage *s;
    struct storage_point at;
    struct codec *codec;
};

static void woken(void *data)
{
    struct fixture *x = data;
    uint64_t one = 1;
    ck_assert_int_eq((int)write(x->wake_fd, &one, sizeof one), (int)sizeof one);
}

static void make_dir(struct fixture *x)
{
    scratch_dir(x->dir);
    x->wake_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(x->wake_fd, 0);
}

static int try_open(struct fixture *x, struct err *err)
{
    struct storage_options o = {.dir = x->dir, .wake = woken, .data = x, .interval_ms = 1};
    if (x->codec == NULL) {
        ck_assert_int_eq(codec_open(test_mem(), &x->codec, NULL), 0);
    }
    o.codec = x->codec;
    return storage_open(&o, &x->s, &x->at, err);
}

static void start(struct fixture *x)
{
    struct err err = {0};
    ck_assert_msg(try_open(x, &err) == 0, "%s", err.text);
}

static void stop(struct fixture *x)
{
    struct err err = {0};
    ck_assert_msg(storage_close(x->s, &err) == 0, "%s", err.text);
    x->s = NULL;
}

static void finish(struct fixture *x)
{
    codec_close(x->codec);
    close(x->wake_fd);
}

static void wait_wake(struct fixture *x)
{
    struct pollfd fd = {x->wake_fd, POLLIN, 0};
    uint64_t n;
    ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
    ck_assert_int_eq((int)read(x->wake_fd, &n, sizeof n), (int)sizeof n);
}

static void wait_durable(struct fixture *x, uint64_t index)
{
    while (storage_durable(x->s).index < index) {
        wait_wake(x);
        ck_assert_int_eq(storage_error(x->s, NULL), 0);
    }
}

/* --- tests --------------------------------------------------------------------------------------
 */

START_TEST(what_was_committed_is_there_after_reopening)
    {
        struct fixture x = {0};
        uint64_t i = 0;
        make_dir(&x);
        for (int life = 0; life < 6; life++) {
            start(&x);
            ck_assert_uint_eq(x.at.index, i);
            for (int n = 0; n < 150; n++) {
                commit(7, ++i, NULL, x.s);
            }
            storage_row(x.s, KIND_TASK, 1, (const uint8_t *)"uncommitted", 11);
            stop(&x);
            ck_assert_uint_eq(check_file(x.dir, 7), i);
        }
        finish(&x);
    }
END_TEST

START_TEST(after_a_kill_the_state_of_some_commit_is_there)
    {
        struct fixture x = {0};
        uint64_t reached = 0;
        make_dir(&x);
        for (int round = 0; round < 12; round++) {
            uint64_t before = reached;
            pid_t pid = fork();
            ck_assert_int_ge(pid, 0);
            if (pid == 0) {
                uint64_t i;
                start(&x);
                for (i = x.at.index + 1;; i++) {
                    commit(9, i, NULL, x.s);
                    if (i % 16 == 0) {
                        wait_durable(&x, i);
                    }
                    if (i >= before + 20 + (uint64_t)round * 7) {
                        (void)raise(SIGKILL);
                    }
                }
            }
            ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
            reached = check_file(x.dir, 9);
            /* What the child saw as durable (every 16th at least) is there. */
            ck_assert_uint_ge(reached, (before + 20 + (uint64_t)round * 7) / 16 * 16 - 16);
        }
        ck_assert_uint_gt(reached, 100);
        finish(&x);
    }
END_TEST

START_TEST(a_row_that_changes_often_is_written_seldom)
    {
        struct fixture x = {0};
        struct storage_stats stats;
        make_dir(&x);
        start(&x);
        for (uint64_t i = 1; i <= 20000; i++) {
            struct storage_point point = {i, 1, i, i};
            storage_row(x.s, KIND_META, 0, (const uint8_t *)&i, sizeof i);
            storage_commit(x.s, &point);
        }
        storage_flush(x.s);
        wait_durable(&x, 20000);
        storage_stats(x.s, &stats);
        ck_assert_uint_eq(stats.n_rows + stats.n_coalesced, 20000);
        ck_assert_uint_gt(stats.n_coalesced, 10000);
        ck_assert_uint_eq(storage_backlog(x.s), 0);
        stop(&x);
        finish(&x);
    }
END_TEST

static struct storage_snapshot *open_snapshot(struct fixture *x, struct storage_point *point,
                                              uint64_t *size)
{
    struct storage_snapshot *snap;
    int rv = storage_snapshot_open(x->s, &snap, point, size, NULL);
    while (rv == ERR_AGAIN) {
        wait_wake(x);
        rv = storage_snapshot_open(x->s, &snap, point, size, NULL);
    }
    ck_assert_int_eq(rv, 0);
    return snap;
}

static uint8_t *read_snapshot(struct fixture *x, struct storage_point *point, uint64_t *size)
{
    struct storage_snapshot *snap = open_snapshot(x, point, size);
    uint8_t *bytes = malloc(*size);
    uint64_t done = 0;
    while (done < *size) {
        size_t n;
        ck_assert_int_eq(storage_snapshot_read(snap, done, bytes + done, 10000, &n, NULL), 0);
        ck_assert_uint_gt(n, 0);
        done += n;
    }
    storage_snapshot_close(snap);
    return bytes;
}

static int install(struct fixture *x, const uint8_t *bytes, uint64_t size,
                   const struct storage_point *at, struct storage_point *ret, struct err *err)
{
    int rv;
    ck_assert_int_eq(storage_receive_begin(x->s, size, NULL), 0);
    for (uint64_t done = 0; done < size; done += 4000) {
        size_t n = size - done < 4000 ? size - done : 4000;
        ck_assert_int_eq(storage_receive_chunk(x->s, bytes + done, n, NULL), 0);
    }
    rv = storage_install(x->s, at->index, at->term, err);
    if (rv != 0) {
        return rv;
    }
    if (storage_receive_begin(x->s, size, NULL) == 0) {
        storage_receive_abort(x->s); /* It was done already. */
    }
    while ((rv = storage_installed(x->s, ret, err)) == ERR_AGAIN) {
        wait_wake(x);
    }
    return rv;
}

START_TEST(a_copy_carries_the_state_to_another_controller)
    {
        struct fixture a = {0};
        struct fixture b = {0};
        struct storage_point point;
        struct storage_point there = {0};
        struct err err = {0};
        uint8_t *bytes;
        uint64_t size;
        make_dir(&a);
        make_dir(&b);
        start(&a);
        start(&b);
        for (uint64_t i = 1; i <= 500; i++) {
            commit(3, i, NULL, a.s);
        }
        for (uint64_t i = 1; i <= 50; i++) {
            commit(4, i, NULL, b.s); /* Another state, to be replaced. */
        }
        wait_durable(&a, 500);
        bytes = read_snapshot(&a, &point, &size);
        commit(3, 501, NULL, a.s); /* Goes on meanwhile. */
        ck_assert_uint_eq(point.index, 500);
        ck_assert_msg(install(&b, bytes, size, &point, &there, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(there.index, 500);
        ck_assert_uint_eq(there.digest, point.digest);
        ck_assert_uint_eq(storage_durable(b.s).index, 500);
        ck_assert_int_eq(storage_installed(b.s, &there, &err), ERR_NOTFOUND);
        for (uint64_t i = 501; i <= 600; i++) {
            commit(3, i, NULL, b.s);
        }
        stop(&b);
        ck_assert_uint_eq(check_file(b.dir, 3), 600);
        stop(&a);
        ck_assert_uint_eq(check_file(a.dir, 3), 501);
        free(bytes);
        finish(&a);
        finish(&b);
    }
END_TEST

START_TEST(a_damaged_copy_changes_nothing)
    {
        struct fixture a = {0};
        struct fixture b = {0};
        struct storage_point point;
        struct storage_point wrong;
        struct storage_point there;
        struct prng p;
        uint8_t *bytes;
        uint64_t size;
        make_dir(&a);
        make_dir(&b);
        start(&a);
        start(&b);
        for (uint64_t i = 1; i <= 300; i++) {
            commit(3, i, NULL, a.s);
            commit(4, i, NULL, b.s);
        }
        wait_durable(&a, 300);
        wait_durable(&b, 300);
        bytes = read_snapshot(&a, &point, &size);
        prng_init(&p, 5);
        for (int i = 0; i < 60; i++) {
            /* Within the rows' pages; not in unused room, which carries no information. */
            uint64_t at = prng_below(&p, size);
            struct err err = {0};
            int rv;
            bytes[at] ^= 0x55;
            rv = install(&b, bytes, size, &point, &there, &err);
            bytes[at] ^= 0x55;
            if (rv == 0) {
                /* The byte did not matter: all rows and their hash were right. Start again. */
                stop(&b);
                ck_assert_uint_eq(check_file(b.dir, 3), 300);
                finish(&b);
                memset(&b, 0, sizeof b);
                make_dir(&b);
                start(&b);
                for (uint64_t j = 1; j <= 300; j++) {
                    commit(4, j, NULL, b.s);
                }
                wait_durable(&b, 300);
            }
            ck_assert_int_eq(storage_error(b.s, NULL), 0);
        }
        wrong = point;
        wrong.index++;
        ck_assert_int_eq(install(&b, bytes, size, &wrong, &there, &(struct err){0}), ERR_CORRUPT);
        ck_assert_int_eq(install(&b, bytes, size - 1, &point, &there, &(struct err){0}),
                         ERR_CORRUPT);
        ck_assert_int_eq(storage_receive_begin(b.s, size, NULL), 0);
        ck_assert_int_eq(storage_install(b.s, 1, 1, NULL), ERR_INVALID);
        ck_assert_int_eq(storage_receive_chunk(b.s, bytes, size, NULL), 0);
        ck_assert_int_eq(storage_receive_chunk(b.s, bytes, 1, NULL), ERR_TOOBIG);
        stop(&b);
        ck_assert_uint_eq(check_file(b.dir, 4), 300);
        stop(&a);
        free(bytes);
        finish(&a);
        finish(&b);
    }
END_TEST

START_TEST(foreign_damaged_and_busy_files_are_refused)
    {
        struct fixture x = {0};
        struct fixture other;
        struct err err = {0};
        char path[PATH_LEN];
        sqlite3 *sql;
        FILE *f;
        make_dir(&x);
        start(&x);
        other = x;
        ck_assert_int_eq(try_open(&other, &err), ERR_BUSY);
        commit(1, 1, NULL, x.s);
        stop(&x);
        (void)snprintf(path, sizeof path, "%s/checkpoint.db", x.dir);
        ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
        ck_assert_int_eq(db_exec(sql, "PRAGMA user_version = 99", &err), 0);
        sqlite3_close(sql);
        ck_assert_int_eq(try_open(&x, &err), ERR_UNSUPPORTED);
        ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
        ck_assert_int_eq(db_exec(sql, "PRAGMA application_id = 1", &err), 0);
        sqlite3_close(sql);
        ck_assert_int_eq(try_open(&x, &err), ERR_CORRUPT);
        f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        for (int i = 0; i < 4000; i++) {
            fputs("nonsense ", f);
        }
        fclose(f);
        ck_assert_int_eq(try_open(&x, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, "checkpoint.db"));
        finish(&x);
    }
END_TEST

START_TEST(a_row_changed_behind_our_back_is_noticed)
    {
        struct fixture x = {0};
        struct model m = {0};
        struct comparison c = {&m, 0};
        struct err err = {0};
        char path[PATH_LEN];
        sqlite3 *sql;
        struct storage_point point = {1, 1, 1, 1};
        make_dir(&x);
        start(&x);
        storage_row(x.s, KIND_TASK, 3, (const uint8_t *)"abc", 3);
        storage_commit(x.s, &point);
        stop(&x);
        (void)snprintf(path, sizeof path, "%s/checkpoint.db", x.dir);
        ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, &err), 0);
        ck_assert_int_eq(db_exec(sql, "UPDATE task SET data = 'abd'", &err), 0);
        ck_assert_int_eq(db_each_row(sql, compare_row, &c, &err), ERR_CORRUPT);
        ck_assert_str_eq(err.text, "table task, slot 3: checksum does not match");
        sqlite3_close(sql);
        finish(&x);
    }
END_TEST

static atomic_bool disk_full;

static ssize_t pwrite_or_full(int fd, const void *bytes, size_t n, off_t offset)
{
    if (atomic_load(&disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return pwrite(fd, bytes, n, offset);
}

START_TEST(a_full_disk_delays_the_checkpoint_and_loses_nothing)
    {
        struct fixture x = {0};
        struct storage_stats stats = {0};
        struct err err = {0};
        sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
        uint64_t i;
        ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)pwrite_or_full),
                         SQLITE_OK);
        ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)pwrite_or_full),
                         SQLITE_OK);
        make_dir(&x);
        start(&x);
        for (i = 1; i <= 50; i++) {
            commit(7, i, NULL, x.s);
        }
        wait_durable(&x, 50);
        atomic_store(&disk_full, true);
        for (; i <= 100; i++) {
            commit(7, i, NULL, x.s);
        }
        while (stats.n_full < 2) {
            wait_wake(&x);
            storage_stats(x.s, &stats);
            ck_assert_int_eq(storage_error(x.s, &err), 0);
        }
        ck_assert_uint_eq(storage_durable(x.s).index, 50);
        commit(7, 101, NULL, x.s);
        atomic_store(&disk_full, false);
        wait_durable(&x, 101);
        stop(&x);
        ck_assert_uint_eq(check_file(x.dir, 7), 101);
        finish(&x);
    }
END_TEST

START_TEST(a_failing_disk_stops_the_storage_for_good)
    {
        struct fixture x = {0};
        struct rlimit limit = {64 * 1024, 64 * 1024};
        struct err err = {0};
        uint8_t bytes[4000] = {1};
        uint64_t i = 0;
        make_dir(&x);
        start(&x);
        (void)signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        while (storage_error(x.s, &err) == 0 && i < 1000) {
            struct storage_point point = {i + 1, 1, i + 1, i + 1};
            i++;
            storage_row(x.s, KIND_TASK, (uint32_t)i, bytes, sizeof bytes);
            storage_commit(x.s, &point);
            wait_wake(&x);
        }
        ck_assert_int_ne(err.code, 0);
        ck_assert_uint_lt(storage_durable(x.s).index, i);
        ck_assert_int_ne(storage_close(x.s, &err), 0);
        finish(&x);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("storage");
    TEST_CASE(s, "rows", 120, what_was_committed_is_there_after_reopening,
              after_a_kill_the_state_of_some_commit_is_there,
              a_row_that_changes_often_is_written_seldom);
    TEST_CASE(s, "copies", 120, a_copy_carries_the_state_to_another_controller,
              a_damaged_copy_changes_nothing);
    TEST_CASE(s, "faults", 60, foreign_damaged_and_busy_files_are_refused,
              a_row_changed_behind_our_back_is_noticed,
              a_full_disk_delays_the_checkpoint_and_loses_nothing,
              a_failing_disk_stops_the_storage_for_good);
    return scratch_run(s);
}
