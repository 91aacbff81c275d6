/* One thread owns the files. The owner fills `open` without a lock, seals it into `ready` under the
 * lock, and the thread takes `ready` as a whole: nothing ever waits for SQLite but this thread. */
#include "controller/storage/checkpoint.h"
#include "common/loop/priority.h"
#include "controller/storage/bigfile.h"
#include "controller/storage/storage_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS_DEFAULT 250
#define CACHE_KIB_DEFAULT   8192
#define FULL_RETRY_US       1000000

static void *heap_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    void *moved;
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    moved = realloc(ptr, new_size);
    if (moved == NULL) {
        (void)fprintf(stderr, "out of memory: %zu bytes\n", new_size);
        abort();
    }
    return moved;
}

const struct mem *storage_mem(void)
{
    static const struct mem heap = {heap_resize, NULL};
    return &heap;
}

int64_t storage_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- the thread ----------------------------------------------------------------------------------
 */

static void tell(struct storage *s)
{
    if (s->options.wake != NULL) {
        s->options.wake(s->options.data);
    }
}

/* Remember the first error; locked. */
static void fail(struct storage *s, const struct err *err)
{
    if (s->failed.code == 0) {
        s->failed = *err;
    }
}

static int write_rows(struct storage *s, const struct storage_point *point, struct err *err)
{
    int rv = db_exec(s->db.sql, "BEGIN IMMEDIATE", err);
    if (rv != 0) {
        return rv;
    }
    pending_sort(&s->writing);
    for (uint32_t i = 0; i < s->writing.n && rv == 0; i++) {
        const struct pending_row *row = &s->writing.rows[i];
        rv = db_put_row(&s->db, row->kind, row->slot, row->bytes, err);
    }
    if (rv == 0) {
        rv = db_put_point(&s->db, point, 0, err);
    }
    if (rv == 0) {
        rv = db_exec(s->db.sql, "COMMIT", err);
    }
    if (rv != 0) {
        (void)sqlite3_exec(s->db.sql, "ROLLBACK", NULL, NULL, NULL);
    }
    return rv;
}

static void count_write(struct storage *s, uint64_t us, uint64_t file_bytes)
{
    s->stats.n_transactions++;
    s->stats.n_rows += s->writing.n;
    s->stats.n_coalesced += s->writing.n_replaced;
    s->stats.last_write_us = us;
    s->stats.file_bytes = file_bytes;
    if (us > s->stats.write_us_max) {
        s->stats.write_us_max = us;
    }
}

/* The disk is full: what was to be written waits below what has changed since. Nothing is lost, the
 * log has it all. Locked. */
static void put_off(struct storage *s, int64_t interval_us)
{
    pending_underlay(&s->ready, &s->writing);
    s->any_ready = true;
    s->written_at_us = storage_now_us() + FULL_RETRY_US - interval_us;
    s->stats.n_full++;
}

/* What was told so far is to be written. Locked. */
static void take_history(struct storage *s)
{
    struct history_queue empty = s->history_writing;
    s->history_writing = s->history_ready;
    s->history_ready = empty;
}

static bool is_awaited(const struct storage *s)
{
    return s->awaited > s->n_settled;
}

/* Not locked. */
static void write_history(struct storage *s)
{
    uint64_t n = s->history_writing.n;
    int rv = n == 0 ? 0 : history_file_write(&s->history, &s->history_writing, NULL);
    history_queue_clear(&s->history_writing);
    bool awaited;
    pthread_mutex_lock(&s->lock);
    s->stats.n_history += rv == 0 ? n : 0;
    s->stats.n_history_lost += rv == 0 ? 0 : n;
    awaited = is_awaited(s);
    s->n_settled += n;
    awaited = awaited && !is_awaited(s);
    pthread_mutex_unlock(&s->lock);
    if (awaited) {
        tell(s);
    }
}

/* Rows, and before them all that was told by the time when they were taken: what is in the
 * checkpoint is not told again. Locked on entry and on return, not in between; so are the other
 * steps. The owner waits for the lock, so nothing is done under it that takes time: no call of the
 * file system, no freeing. */
static void step_write(struct storage *s)
{
    struct storage_point point = s->ready_point;
    struct pending empty = s->writing;
    struct stat st = {0};
    struct err err = {0};
    int64_t began_us = storage_now_us();
    uint64_t us;
    int rv;
    s->writing = s->ready;
    s->ready = empty;
    s->any_ready = false;
    s->flush = false;
    take_history(s);
    pthread_mutex_unlock(&s->lock);
    s->written_at_us = began_us;
    write_history(s);
    rv = write_rows(s, &point, &err);
    us = (uint64_t)(storage_now_us() - began_us);
    (void)stat(s->path, &st);
    pthread_mutex_lock(&s->lock);
    if (rv == 0) {
        s->durable = point;
        count_write(s, us, (uint64_t)st.st_size);
    } else if (rv == ERR_FULL && !s->closing) {
        put_off(s, (int64_t)s->options.interval_ms * 1000);
    } else {
        fail(s, &err);
    }
    pthread_mutex_unlock(&s->lock);
    pending_clear(&s->writing);
    tell(s);
    pthread_mutex_lock(&s->lock);
}

static void step_history(struct storage *s)
{
    take_history(s);
    pthread_mutex_unlock(&s->lock);
    write_history(s);
    pthread_mutex_lock(&s->lock);
    if (!s->any_ready) {
        s->written_at_us = storage_now_us(); /* The next records wait for one another. */
    }
}

/* The last name of a large file is gone: closing it gives back its blocks. */
static void step_close(struct storage *s)
{
    int fd = s->closing_fds[--s->n_closing_fds];
    pthread_mutex_unlock(&s->lock);
    bigfile_discard(fd);
    pthread_mutex_lock(&s->lock);
}

static void step_snapshot(struct storage *s)
{
    struct storage_point point;
    struct err err = {0};
    int rv;
    pthread_mutex_unlock(&s->lock);
    rv = snapshot_make(s, &point, &err);
    pthread_mutex_lock(&s->lock);
    /* A copy that could not be made (no room) is asked for again; nothing of ours is lost. */
    s->snapshot = rv == 0 ? STORAGE_DONE : STORAGE_IDLE;
    if (rv == 0) {
        s->snapshot_point = point;
        s->snapshot_at_us = storage_now_us();
    }
    pthread_mutex_unlock(&s->lock);
    tell(s);
    pthread_mutex_lock(&s->lock);
}

static void step_install(struct storage *s)
{
    struct storage_point point = {0};
    struct err err = {0};
    bool final = false;
    int rv;
    pthread_mutex_unlock(&s->lock);
    rv = snapshot_install(s, &point, &final, &err);
    pthread_mutex_lock(&s->lock);
    s->install = STORAGE_DONE;
    s->install_point = point;
    s->install_err = err;
    if (rv == 0) {
        s->durable = point;
        pending_clear(&s->ready);
        s->any_ready = false;
        s->snapshot = STORAGE_IDLE;
    } else if (final) {
        fail(s, &err);
    }
    pthread_mutex_unlock(&s->lock);
    tell(s);
    pthread_mutex_lock(&s->lock);
}

/* Sleep until something is signalled, at most until the given time. */
static void sleep_until(struct storage *s, int64_t until_us)
{
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

static void *run(void *arg)
{
    struct storage *s = arg;
    int64_t interval_us = (int64_t)s->options.interval_ms * 1000;
    priority_lower_thread(); /* Copies and write-behind must not delay the loop and the log. */
    pthread_mutex_lock(&s->lock);
    for (;;) {
        bool well = s->failed.code == 0;
        int64_t due_us = s->written_at_us + interval_us;
        bool now = s->flush || s->closing || storage_now_us() >= due_us;
        if (well && s->install == STORAGE_WANTED) {
            step_install(s);
        } else if (well && s->any_ready && now) {
            step_write(s);
        } else if (s->history_ready.n > 0 && (now || !well || is_awaited(s))) {
            step_history(s);
        } else if (well && s->snapshot == STORAGE_WANTED) {
            step_snapshot(s);
        } else if (s->n_closing_fds > 0) {
            step_close(s);
        } else if (s->closing) {
            break;
        } else if (well && (s->any_ready || s->history_ready.n > 0)) {
            sleep_until(s, due_us);
        } else {
            (void)pthread_cond_wait(&s->wake, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- open and close ------------------------------------------------------------------------------
 */

static int make_dir(struct storage *s, struct err *err)
{
    char *lock = arena_printf(&s->arena, "%s/lock", s->dir);
    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST) {
        return err_set(err, ERR_IO, "%s: %s", s->dir, strerror(errno));
    }
    s->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return err_set(err, ERR_IO, "%s: %s", lock, strerror(errno));
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, ERR_BUSY, "%s: another process uses this directory", lock);
    }
    return 0;
}

static int make_lock(struct storage *s, struct err *err)
{
    pthread_condattr_t attr;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "mutex");
    }
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (pthread_cond_init(&s->wake, &attr) != 0) {
        (void)pthread_condattr_destroy(&attr);
        (void)pthread_mutex_destroy(&s->lock);
        return err_set(err, ERR_NOMEM, "condition");
    }
    (void)pthread_condattr_destroy(&attr);
    s->has_lock = true;
    return 0;
}

static struct storage *make(const struct storage_options *options)
{
    const struct mem *mem = storage_mem();
    struct storage *s = mem_alloc(mem, sizeof *s);
    s->options = *options;
    if (s->options.interval_ms == 0) {
        s->options.interval_ms = INTERVAL_MS_DEFAULT;
    }
    if (s->options.cache_kib == 0) {
        s->options.cache_kib = CACHE_KIB_DEFAULT;
    }
    s->lock_fd = -1;
    s->incoming_fd = -1;
    arena_init(&s->arena, mem);
    pending_init(&s->open, mem);
    pending_init(&s->ready, mem);
    pending_init(&s->writing, mem);
    history_queue_init(&s->history_ready, mem);
    history_queue_init(&s->history_writing, mem);
    s->dir = arena_strdup(&s->arena, options->dir);
    s->options.dir = s->dir;
    s->path = arena_printf(&s->arena, "%s/checkpoint.db", s->dir);
    s->incoming_path = arena_printf(&s->arena, "%s/incoming.db", s->dir);
    s->outgoing_path = arena_printf(&s->arena, "%s/outgoing.db", s->dir);
    return s;
}

int storage_open(const struct storage_options *options, struct storage **ret,
                 struct storage_point *ret_point, struct err *err)
{
    struct storage *s;
    uint64_t rows_hash;
    int rv;
    assert(options->codec != NULL);
    s = make(options);
    rv = make_dir(s, err);
    if (rv == 0) {
        rv = make_lock(s, err);
    }
    if (rv != 0) {
        goto fail;
    }
    (void)unlink(s->incoming_path); /* Left by a crash: worth nothing. */
    (void)unlink(s->outgoing_path);
    rv = db_open(s->path, s->options.cache_kib, &s->db, err);
    if (rv == 0) {
        rv = db_get_point(s->db.sql, &s->durable, &rows_hash, err);
    }
    if (rv == 0) {
        rv = history_file_open(&s->history, arena_printf(&s->arena, "%s/history.db", s->dir),
                               &options->history, err);
    }
    if (rv != 0) {
        goto fail;
    }
    *ret_point = s->durable;
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        rv = err_set(err, ERR_NOMEM, "storage thread");
        goto fail;
    }
    s->started = true;
    *ret = s;
    return 0;

fail:
    (void)storage_close(s, NULL);
    return err_wrap(err, rv, "storage");
}

static void stop_thread(struct storage *s)
{
    if (s->started) {
        pthread_mutex_lock(&s->lock);
        s->closing = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        (void)pthread_join(s->thread, NULL);
    }
}

int storage_close(struct storage *s, struct err *err)
{
    int rv;
    if (s == NULL) {
        return 0;
    }
    stop_thread(s);
    storage_receive_abort(s);
    rv = s->failed.code;
    if (rv != 0) {
        (void)err_set(err, rv, "%s", s->failed.text);
    }
    db_close(&s->db);
    history_file_close(&s->history);
    history_queue_close(&s->history_ready);
    history_queue_close(&s->history_writing);
    pending_close(&s->open);
    pending_close(&s->ready);
    pending_close(&s->writing);
    if (s->has_lock) {
        (void)pthread_cond_destroy(&s->wake);
        (void)pthread_mutex_destroy(&s->lock);
    }
    if (s->lock_fd >= 0) {
        (void)unlink(s->outgoing_path);
        (void)close(s->lock_fd);
    }
    arena_close(&s->arena);
    mem_free(storage_mem(), s, sizeof *s);
    return rv;
}

/* --- writing -------------------------------------------------------------------------------------
 */

void storage_row(struct storage *s, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    pending_put(&s->open, kind, slot, str_make((const char *)bytes, n));
}

void storage_commit(struct storage *s, const struct storage_point *point)
{
    pthread_mutex_lock(&s->lock);
    assert(point->index >= s->ready_point.index && point->index >= s->durable.index);
    assert(s->install == STORAGE_IDLE);
    if (s->failed.code == 0) {
        pending_merge(&s->ready, &s->open);
        s->ready_point = *point;
        s->any_ready = true;
        pthread_cond_signal(&s->wake);
    } else {
        pending_clear(&s->open);
    }
    pthread_mutex_unlock(&s->lock);
}

struct storage_point storage_durable(struct storage *s)
{
    struct storage_point point;
    pthread_mutex_lock(&s->lock);
    point = s->durable;
    pthread_mutex_unlock(&s->lock);
    return point;
}

void storage_flush(struct storage *s)
{
    pthread_mutex_lock(&s->lock);
    s->flush = s->any_ready;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

int storage_error(struct storage *s, struct err *err)
{
    int rv;
    pthread_mutex_lock(&s->lock);
    rv = s->failed.code;
    if (rv != 0) {
        (void)err_set(err, rv, "storage: %s", s->failed.text);
    }
    pthread_mutex_unlock(&s->lock);
    return rv;
}

size_t storage_backlog(struct storage *s)
{
    size_t n;
    pthread_mutex_lock(&s->lock);
    n = pending_bytes(&s->ready) + pending_bytes(&s->open);
    pthread_mutex_unlock(&s->lock);
    return n;
}

void storage_stats(struct storage *s, struct storage_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->stats;
    ret->pending_rows = s->ready.n;
    ret->pending_bytes = pending_bytes(&s->ready);
    pthread_mutex_unlock(&s->lock);
}

void storage_history(struct storage *s, const struct history_record *record)
{
    pthread_mutex_lock(&s->lock);
    if (s->history_ready.arena.used > s->history.limits.queue_max) {
        s->stats.n_history_lost++;
    } else {
        history_queue_put(&s->history_ready, record);
        s->n_told++;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
}

uint64_t storage_history_flush(struct storage *s)
{
    uint64_t n;
    pthread_mutex_lock(&s->lock);
    n = s->n_told;
    s->awaited = n;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint64_t storage_history_settled(struct storage *s)
{
    uint64_t n;
    pthread_mutex_lock(&s->lock);
    n = s->n_settled;
    pthread_mutex_unlock(&s->lock);
    return n;
}
