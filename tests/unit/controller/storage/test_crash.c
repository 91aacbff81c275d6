/* Every crash point of checkpoint.db. On the simulated disk the power goes after each unit written
 * and leaves any part of what was not synced; with real files the process is killed at each
 * operation while a received checkpoint takes the place of the old one. What was committed is
 * there, whole, and opening twice finds the same. */
#include "common/base/prng.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/db.h"
#include "tests/lib/simvfs.h"
#include "tests/lib/test.h"
#include "tests/unit/controller/storage/scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define COMMITS  6
#define ROWS     5u
#define ROW_LEN  700u
#define SLOTS    9u
#define PATH_LEN 300

/* --- one connection over the simulated disk ----------------------------------------------------
 */

/* The row that commit i writes into its j-th slot; every third time it goes. */
static struct str row(uint64_t i, unsigned j, uint32_t *ret_slot, char to[ROW_LEN])
{
    struct prng p;
    prng_init(&p, i * 100 + j);
    *ret_slot = (uint32_t)prng_below(&p, SLOTS);
    if (prng_below(&p, 3) == 0) {
        return str_make(NULL, 0);
    }
    memset(to, (int)('a' + (i + j) % 26), ROW_LEN);
    return str_make(to, 1 + prng_below(&p, ROW_LEN));
}

static int commit(struct db *db, uint64_t i)
{
    struct storage_point point = {i, 1, i * 3, i * 7};
    char bytes[ROW_LEN];
    int rv = db_exec(db->sql, "BEGIN IMMEDIATE", NULL);
    for (unsigned j = 0; rv == 0 && j < ROWS; j++) {
        uint32_t slot;
        struct str text = row(i, j, &slot, bytes);
        rv = db_put_row(db, KIND_TASK, slot, text, NULL);
    }
    rv = rv != 0 ? rv : db_put_point(db, &point, 0, NULL);
    return rv != 0 ? rv : db_exec(db->sql, "COMMIT", NULL);
}

struct model {
    struct str rows[SLOTS];
    char bytes[SLOTS][ROW_LEN];
    unsigned seen;
};

static int compare_row(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    struct model *m = ctx;
    (void)err;
    ck_assert_uint_eq(kind, KIND_TASK);
    ck_assert_uint_lt(slot, SLOTS);
    ck_assert(str_eq(m->rows[slot], bytes));
    m->seen++;
    return 0;
}

/* All rows are those after the commit the point names, which is returned. */
static uint64_t check_rows(sqlite3 *sql)
{
    static struct model m;
    struct storage_point point;
    struct err err = {0};
    uint64_t hash;
    unsigned n = 0;
    memset(&m, 0, sizeof m);
    ck_assert_msg(db_get_point(sql, &point, &hash, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(point.revision, point.index * 3);
    for (uint64_t i = 1; i <= point.index; i++) {
        for (unsigned j = 0; j < ROWS; j++) {
            char bytes[ROW_LEN];
            uint32_t slot;
            struct str text = row(i, j, &slot, bytes);
            memcpy(m.bytes[slot], bytes, text.n);
            m.rows[slot] = str_make(text.p == NULL ? NULL : m.bytes[slot], text.n);
        }
    }
    ck_assert_msg(db_each_row(sql, compare_row, &m, &err) == 0, "%s", err.text);
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        n += m.rows[slot].p != NULL;
    }
    ck_assert_uint_eq(m.seen, n);
    return point.index;
}

/* Commit until done or the disk stops; how many were acknowledged. The connection is closed by a
 * process that can no longer write. */
static uint64_t run(struct simdisk *d)
{
    struct db db = {0};
    uint64_t done = 0;
    simvfs_use(d);
    if (db_open("checkpoint.db", 256, &db, NULL) == 0 &&
        db_exec(db.sql, "PRAGMA wal_autocheckpoint = 7", NULL) == 0) {
        while (done < COMMITS && commit(&db, done + 1) == 0) {
            done++;
        }
        simdisk_stop_after(d, 0);
    }
    db_close(&db);
    return done;
}

static uint64_t reopen(struct simdisk *d, bool kill)
{
    struct db db = {0};
    struct err err = {0};
    uint64_t index;
    simvfs_use(d);
    ck_assert_msg(db_open("checkpoint.db", 256, &db, &err) == 0, "%s", err.text);
    index = check_rows(db.sql);
    simdisk_stop_after(d, kill ? 0 : UINT64_MAX);
    db_close(&db);
    simdisk_stop_after(d, UINT64_MAX);
    return index;
}

static void go_on(struct simdisk *d, uint64_t index)
{
    struct db db = {0};
    simvfs_use(d);
    ck_assert_int_eq(db_open("checkpoint.db", 256, &db, NULL), 0);
    ck_assert_int_eq(commit(&db, index + 1), 0);
    db_close(&db);
    ck_assert_uint_eq(reopen(d, false), index + 1);
}

static uint64_t units_of_a_whole_run(void)
{
    struct simdisk *d = simdisk_open(test_mem());
    uint64_t n;
    ck_assert_uint_eq(run(d), COMMITS);
    n = simdisk_spent(d);
    simdisk_close(d);
    return n;
}

/* The power goes: some outcomes of it, each recovered from twice. Notes which commits were found.
 */
static void check_crash(const struct simdisk *d, uint64_t acked, struct prng *p,
                        uint64_t reached[COMMITS + 2])
{
    for (int outcome = 0; outcome < 2; outcome++) {
        struct simdisk *copy = simdisk_copy(d);
        uint64_t index;
        simdisk_crash(copy, p);
        index = reopen(copy, outcome == 0);
        ck_assert(index >= acked && index <= acked + 1);
        ck_assert_uint_eq(reopen(copy, true), index);
        if (outcome == 0) {
            go_on(copy, index);
        }
        reached[index]++;
        simdisk_close(copy);
    }
}

/* At each operation, in the middle of what it writes ... */
START_TEST(a_checkpoint_survives_power_loss_at_any_operation)
    {
        uint64_t reached[COMMITS + 2] = {0};
        struct prng p;
        uint64_t acked = 0;
        unsigned n = 0;
        prng_init(&p, 7);
        while (acked < COMMITS) {
            struct simdisk *d = simdisk_open(test_mem());
            n++;
            simdisk_fail_after(d, n);
            acked = run(d);
            check_crash(d, acked, &p, reached);
            simdisk_close(d);
        }
        ck_assert_uint_gt(n, 40);
        for (int i = 0; i < COMMITS; i++) {
            ck_assert_uint_gt(reached[i], 0);
        }
        simvfs_use(NULL);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* ... and after any number of bytes. */
START_TEST(a_checkpoint_survives_power_loss_at_any_byte)
    {
        uint64_t units = units_of_a_whole_run();
        uint64_t reached[COMMITS + 2] = {0};
        struct prng p;
        unsigned tried = 0;
        prng_init(&p, 8);
        for (uint64_t k = 0; k <= units; k += 1 + prng_below(&p, 800), tried++) {
            struct simdisk *d = simdisk_open(test_mem());
            simdisk_stop_after(d, k);
            check_crash(d, run(d), &p, reached);
            simdisk_close(d);
        }
        ck_assert_uint_gt(tried, 100);
        simvfs_use(NULL);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* The n-th operation fails, and all after it; the process lives, closes, and starts again. */
START_TEST(a_checkpoint_survives_any_failing_operation)
    {
        uint64_t acked = 0;
        unsigned n = 0;
        while (acked < COMMITS) {
            struct simdisk *d = simdisk_open(test_mem());
            uint64_t index;
            n++;
            simdisk_fail_after(d, n);
            acked = run(d);
            simdisk_kill(d);
            index = reopen(d, false);
            ck_assert(index >= acked && index <= acked + 1);
            simdisk_close(d);
        }
        ck_assert_uint_gt(n, 40);
        simvfs_use(NULL);
        ck_assert_uint_eq(test_mem_in_use(), 0);
    }
END_TEST

/* A disk that says it synced and did not is found out by the same checks: they are not blind. */
START_TEST(a_lying_disk_is_found_out)
    {
        unsigned lost = 0;
        struct prng p;
        prng_init(&p, 4);
        for (int i = 0; i < 40; i++) {
            struct simdisk *d = simdisk_open(test_mem());
            struct db db = {0};
            struct storage_point point = {0};
            uint64_t hash;
            simdisk_lie(d);
            ck_assert_uint_eq(run(d), COMMITS);
            simdisk_crash(d, &p);
            if (db_open("checkpoint.db", 256, &db, NULL) != 0 ||
                db_get_point(db.sql, &point, &hash, NULL) != 0 || point.index < COMMITS) {
                lost++;
            }
            db_close(&db);
            simdisk_close(d);
        }
        ck_assert_uint_gt(lost, 10);
        simvfs_use(NULL);
    }
END_TEST

/* --- a process killed while it installs a received checkpoint ----------------------------------
 */

static unsigned until_kill; /* Operations of SQLite that write; 0: never. */
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods deadly_methods;
static int (*real_open)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

static void count_down(void)
{
    if (until_kill > 0 && --until_kill == 0) {
        (void)raise(SIGKILL);
    }
}

static int deadly_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    count_down();
    return real_methods->xWrite(f, bytes, n, at);
}

static int deadly_sync(sqlite3_file *f, int flags)
{
    count_down();
    return real_methods->xSync(f, flags);
}

static int deadly_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    count_down();
    return real_methods->xTruncate(f, size);
}

static int deadly_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret)
{
    int rv = real_open(vfs, path, f, flags, ret);
    if (rv == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        real_methods = f->pMethods;
        deadly_methods = *real_methods;
        deadly_methods.xWrite = deadly_write;
        deadly_methods.xSync = deadly_sync;
        deadly_methods.xTruncate = deadly_truncate;
        f->pMethods = &deadly_methods;
    }
    count_down();
    return rv;
}

static struct storage *open_storage(const char *dir, const struct codec *codec,
                                    struct storage_point *at)
{
    struct storage_options o = {.dir = dir, .codec = codec, .interval_ms = 1};
    struct storage *s;
    struct err err = {0};
    ck_assert_msg(storage_open(&o, &s, at, &err) == 0, "%s", err.text);
    return s;
}

static void put_state(struct storage *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        char bytes[ROW_LEN];
        for (unsigned j = 0; j < ROWS; j++) {
            uint32_t slot;
            struct str text = row(i, j, &slot, bytes);
            storage_row(s, KIND_TASK, slot, (const uint8_t *)text.p, text.n);
        }
        storage_commit(s, &(struct storage_point){i, 1, i * 3, i * 7});
    }
    storage_flush(s);
    while (storage_durable(s).index < to) {
        nanosleep(&(struct timespec){0, 200000}, NULL);
        ck_assert_int_eq(storage_error(s, NULL), 0);
    }
}

/* A copy of the state after n commits, as one controller sends it to another. */
static uint8_t *copy_of(const char *dir, const struct codec *codec, uint64_t n, uint64_t *ret_size)
{
    struct storage_point at;
    struct storage *s = open_storage(dir, codec, &at);
    struct storage_snapshot *snap;
    uint8_t *bytes;
    size_t got;
    put_state(s, 1, n);
    while (storage_snapshot_open(s, &snap, &at, ret_size, NULL) != 0) {
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    bytes = malloc(*ret_size);
    ck_assert_int_eq(storage_snapshot_read(snap, 0, bytes, *ret_size, &got, NULL), 0);
    ck_assert_uint_eq(got, *ret_size);
    storage_snapshot_close(snap);
    ck_assert_int_eq(storage_close(s, NULL), 0);
    return bytes;
}

static void install_until_killed(const char *dir, const struct codec *codec, const uint8_t *bytes,
                                 uint64_t size, unsigned n)
{
    sqlite3_vfs vfs = *sqlite3_vfs_find("unix");
    struct storage_point at;
    struct storage *s;
    int rv;
    real_open = vfs.xOpen;
    vfs.xOpen = deadly_open;
    vfs.zName = "deadly";
    (void)sqlite3_vfs_register(&vfs, 1);
    s = open_storage(dir, codec, &at);
    put_state(s, 1, 3);
    until_kill = n;
    ck_assert_int_eq(storage_receive_begin(s, size, NULL), 0);
    ck_assert_int_eq(storage_receive_chunk(s, bytes, size, NULL), 0);
    ck_assert_int_eq(storage_install(s, 20, 1, NULL), 0);
    while ((rv = storage_installed(s, &at, NULL)) == ERR_AGAIN) {
        nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    ck_assert_int_eq(rv, 0);
    put_state(s, 21, 22);
    ck_assert_int_eq(storage_close(s, NULL), 0);
    _exit(0);
}

static uint64_t index_on_disk(const char *dir, const struct codec *codec)
{
    struct storage_point at;
    char path[PATH_LEN];
    sqlite3 *sql;
    uint64_t index;
    struct storage *s = open_storage(dir, codec, &at);
    ck_assert_int_eq(storage_close(s, NULL), 0);
    (void)snprintf(path, sizeof path, "%s/checkpoint.db", dir);
    ck_assert_int_eq(db_connect(path, SQLITE_OPEN_READWRITE, &sql, NULL), 0);
    index = check_rows(sql);
    ck_assert_uint_eq(index, at.index);
    (void)sqlite3_close(sql);
    return index;
}

START_TEST(an_installation_killed_at_any_operation_leaves_old_or_new)
    {
        struct codec *codec;
        char sender[SCRATCH_LEN];
        unsigned n_old = 0;
        unsigned n_new = 0;
        bool finished = false;
        uint64_t size;
        uint8_t *bytes;
        ck_assert_int_eq(codec_open(test_mem(), &codec, NULL), 0);
        scratch_dir(sender);
        bytes = copy_of(sender, codec, 20, &size);
        for (unsigned n = 1; !finished; n++) {
            char dir[SCRATCH_LEN];
            int status;
            uint64_t index;
            pid_t pid;
            scratch_dir(dir);
            pid = fork();
            ck_assert_int_ge(pid, 0);
            if (pid == 0) {
                install_until_killed(dir, codec, bytes, size, n);
            }
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            finished = WIFEXITED(status);
            ck_assert(finished ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
            index = index_on_disk(dir, codec);
            ck_assert(index == 3 || (index >= 20 && index <= 22));
            ck_assert(!finished || index == 22);
            n_old += index == 3;
            n_new += index >= 20;
        }
        ck_assert_uint_gt(n_old, 5);
        ck_assert_uint_gt(n_new, 5);
        free(bytes);
        codec_close(codec);
    }
END_TEST

int main(void)
{
    Suite *s = suite_create("storage_crash");
    TEST_CASE(s, "power", 300, a_checkpoint_survives_power_loss_at_any_operation,
              a_checkpoint_survives_power_loss_at_any_byte,
              a_checkpoint_survives_any_failing_operation, a_lying_disk_is_found_out);
    TEST_CASE(s, "kill", 300, an_installation_killed_at_any_operation_leaves_old_or_new);
    return scratch_run(s);
}
