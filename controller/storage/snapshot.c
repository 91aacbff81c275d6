/* Whole checkpoints: copied for a peer, received from one.
 *
 * The copy is made by SQLite's backup on the storage thread and then turned from WAL to a plain
 * file, so that it is one piece; the hash over its rows goes into it. The receiver checks all of it
 * before the switch: truncate the WAL of the old file, close it, rename the new one over it, sync
 * the directory. A crash leaves the old state or the new one. */
#include "controller/storage/bigfile.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/storage_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_YOUNG_US (10 * 1000000ll)

/* --- sending -------------------------------------------------------------------------------------
 */

static int copy_pages(sqlite3 *from, sqlite3 *to, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL) {
        return db_error(to, err, "copy");
    }
    (void)sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) != SQLITE_OK) {
        return db_error(to, err, "copy");
    }
    return 0;
}

static int put_hash(sqlite3 *sql, uint64_t hash, struct err *err)
{
    char statement[80];
    (void)snprintf(statement, sizeof statement, "UPDATE point SET rows_hash = %lld",
                   (long long)hash);
    return db_exec(sql, statement, err);
}

int snapshot_make(struct storage *s, struct storage_point *ret, struct err *err)
{
    sqlite3 *to;
    struct storage_point point;
    uint64_t hash;
    int rv;
    (void)unlink(s->outgoing_path);
    rv = db_connect(s->outgoing_path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err);
    if (rv != 0) {
        return rv;
    }
    /* Never read after a crash, so nothing needs to be synced. */
    rv = db_exec(to, "PRAGMA synchronous = OFF", err);
    if (rv == 0) {
        rv = copy_pages(s->db.sql, to, err);
    }
    if (rv == 0) {
        rv = db_exec(to, "PRAGMA journal_mode = DELETE", err);
    }
    if (rv == 0) {
        rv = db_hash_rows(to, &hash, err);
    }
    if (rv == 0) {
        rv = put_hash(to, hash, err);
    }
    if (rv == 0) {
        rv = db_get_point(to, &point, &hash, err);
    }
    (void)sqlite3_close(to);
    if (rv != 0) {
        (void)unlink(s->outgoing_path);
        return rv;
    }
    *ret = point;
    return 0;
}

struct storage_snapshot {
    struct storage *s;
    int fd;
};

/* Forget the copy and have a new one made; locked. */
static int ask_for_copy(struct storage *s, struct err *err)
{
    s->snapshot = STORAGE_WANTED;
    pthread_cond_signal(&s->wake);
    return err_set(err, ERR_AGAIN, "a copy of the checkpoint is being made");
}

int storage_snapshot_open(struct storage *s, struct storage_snapshot **ret,
                          struct storage_point *ret_point, uint64_t *ret_size, struct err *err)
{
    struct storage_snapshot *snap;
    struct stat st;
    int fd = -1;
    int rv = 0;
    pthread_mutex_lock(&s->lock);
    if (s->failed.code != 0) {
        rv = err_set(err, s->failed.code, "%s", s->failed.text);
    } else if (s->snapshot != STORAGE_DONE ||
               storage_now_us() - s->snapshot_at_us > COPY_YOUNG_US) {
        rv = ask_for_copy(s, err);
    } else {
        fd = open(s->outgoing_path, O_RDWR | O_CLOEXEC); /* See bigfile_discard. */
        if (fd < 0 || fstat(fd, &st) != 0) {
            rv = err_set(err, ERR_IO, "%s: %s", s->outgoing_path, strerror(errno));
        } else {
            *ret_point = s->snapshot_point;
            *ret_size = (uint64_t)st.st_size;
        }
        /* The open file outlives its name, and its room is free when the reader is done. */
        (void)unlink(s->outgoing_path);
        s->snapshot = STORAGE_IDLE;
    }
    pthread_mutex_unlock(&s->lock);
    if (rv != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return rv;
    }
    snap = mem_alloc(storage_mem(), sizeof *snap);
    snap->s = s;
    snap->fd = fd;
    *ret = snap;
    return 0;
}

int storage_snapshot_read(struct storage_snapshot *snap, uint64_t offset, uint8_t *to, size_t size,
                          size_t *ret_n, struct err *err)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = pread(snap->fd, to + n, size - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, ERR_IO, "read the copy of the checkpoint: %s", strerror(errno));
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

void storage_snapshot_close(struct storage_snapshot *snap)
{
    struct storage *s;
    bool taken;
    if (snap == NULL) {
        return;
    }
    s = snap->s;
    pthread_mutex_lock(&s->lock);
    taken = s->n_closing_fds < STORAGE_CLOSING_MAX;
    if (taken) {
        s->closing_fds[s->n_closing_fds++] = snap->fd;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    if (!taken) {
        (void)close(snap->fd);
    }
    mem_free(storage_mem(), snap, sizeof *snap);
}

/* --- receiving -----------------------------------------------------------------------------------
 */

int storage_receive_begin(struct storage *s, uint64_t size, struct err *err)
{
    bool busy;
    pthread_mutex_lock(&s->lock);
    busy = s->install == STORAGE_WANTED;
    pthread_mutex_unlock(&s->lock);
    if (busy) {
        return err_set(err, ERR_BUSY, "a checkpoint is being installed");
    }
    storage_receive_abort(s);
    s->incoming_fd = open(s->incoming_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (s->incoming_fd < 0) {
        return err_set(err, ERR_IO, "%s: %s", s->incoming_path, strerror(errno));
    }
    s->incoming_size = size;
    s->incoming_done = 0;
    return 0;
}

int storage_receive_chunk(struct storage *s, const uint8_t *bytes, size_t n, struct err *err)
{
    if (s->incoming_fd < 0) {
        return err_set(err, ERR_INVALID, "no checkpoint is being received");
    }
    if (n > s->incoming_size - s->incoming_done) {
        return err_set(err, ERR_TOOBIG, "more than the announced %llu bytes",
                       (unsigned long long)s->incoming_size);
    }
    while (n > 0) {
        ssize_t put = pwrite(s->incoming_fd, bytes, n, (off_t)s->incoming_done);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return err_set(err, errno == ENOSPC ? ERR_FULL : ERR_IO, "%s: %s", s->incoming_path,
                           strerror(errno));
        }
        bytes += put;
        n -= (size_t)put;
        s->incoming_done += (uint64_t)put;
    }
    return 0;
}

void storage_receive_abort(struct storage *s)
{
    if (s->incoming_fd >= 0) {
        (void)close(s->incoming_fd);
        s->incoming_fd = -1;
        (void)unlink(s->incoming_path);
    }
}

int storage_install(struct storage *s, uint64_t index, uint64_t term, struct err *err)
{
    if (s->incoming_fd < 0 || s->incoming_done != s->incoming_size) {
        return err_set(err, ERR_INVALID, "the checkpoint has not been received completely");
    }
    (void)close(s->incoming_fd); /* The thread opens and syncs it. */
    s->incoming_fd = -1;
    pending_clear(&s->open);
    pthread_mutex_lock(&s->lock);
    assert(s->install == STORAGE_IDLE);
    s->install = STORAGE_WANTED;
    s->install_index = index;
    s->install_term = term;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int storage_installed(struct storage *s, struct storage_point *ret_point, struct err *err)
{
    int rv;
    pthread_mutex_lock(&s->lock);
    if (s->install == STORAGE_WANTED) {
        rv = err_set(err, ERR_AGAIN, "a checkpoint is being installed");
    } else if (s->install == STORAGE_IDLE) {
        rv = err_set(err, ERR_NOTFOUND, "no checkpoint was received");
    } else {
        s->install = STORAGE_IDLE;
        rv = s->install_err.code;
        if (rv == 0) {
            *ret_point = s->install_point;
        } else {
            (void)err_set(err, rv, "%s", s->install_err.text);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rv;
}

static int check_integrity(sqlite3 *sql, struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rv = 0;
    if (sqlite3_prepare_v2(sql, "PRAGMA integrity_check(1)", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        rv = db_error(sql, err, "integrity check");
    } else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0) {
        rv = err_set(err, ERR_CORRUPT, "%s", (const char *)sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
    return rv;
}

/* SQLite reads what is missing at the end as zeros. */
static int check_size(sqlite3 *sql, uint64_t size, struct err *err)
{
    int64_t n_pages = 0;
    int64_t page_size = 0;
    int rv = db_get_number(sql, "PRAGMA page_count", &n_pages, err);
    if (rv == 0) {
        rv = db_get_number(sql, "PRAGMA page_size", &page_size, err);
    }
    if (rv == 0 && (uint64_t)n_pages * (uint64_t)page_size != size) {
        rv = err_set(err, ERR_CORRUPT, "has %llu bytes instead of %lld pages of %lld",
                     (unsigned long long)size, (long long)n_pages, (long long)page_size);
    }
    return rv;
}

static int check_incoming(struct storage *s, struct storage_point *ret, struct err *err)
{
    sqlite3 *sql;
    uint64_t recorded;
    uint64_t hash;
    int rv = db_connect(s->incoming_path, SQLITE_OPEN_READWRITE, &sql, err);
    if (rv != 0) {
        return rv;
    }
    rv = db_check_format(sql, err);
    if (rv == 0) {
        rv = check_size(sql, s->incoming_size, err);
    }
    if (rv == 0) {
        rv = check_integrity(sql, err);
    }
    if (rv == 0) {
        rv = db_get_point(sql, ret, &recorded, err);
    }
    if (rv == 0) {
        rv = db_hash_rows(sql, &hash, err);
    }
    if (rv == 0 && hash != recorded) {
        rv = err_set(err, ERR_CORRUPT, "rows do not have the recorded hash");
    }
    if (rv == 0 && (ret->index != s->install_index || ret->term != s->install_term)) {
        rv = err_set(err, ERR_CORRUPT, "is the state at index %llu of term %llu, not %llu of %llu",
                     (unsigned long long)ret->index, (unsigned long long)ret->term,
                     (unsigned long long)s->install_index, (unsigned long long)s->install_term);
    }
    (void)sqlite3_close(sql);
    return rv == 0 ? 0 : err_wrap(err, rv, "received checkpoint");
}

static int sync_path(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rv = fd < 0 || fsync(fd) != 0 ? err_set(err, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return rv;
}

/* Everything of the WAL into the file, so that the file alone is the old state. */
static int fold_wal(sqlite3 *sql, struct err *err)
{
    if (sqlite3_wal_checkpoint_v2(sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK) {
        return db_error(sql, err, "fold the WAL");
    }
    return 0;
}

static int write_out(const struct storage *s, struct err *err)
{
    int fd = open(s->incoming_path, O_RDONLY | O_CLOEXEC);
    int rv = fd < 0 ? err_set(err, ERR_IO, "%s: %s", s->incoming_path, strerror(errno))
                    : bigfile_write_out(fd, s->incoming_size, err);
    if (fd >= 0) {
        (void)close(fd);
    }
    return rv;
}

/* In the place of the old state, which may be large. */
static int replace(const struct storage *s, struct err *err)
{
    int old = open(s->path, O_RDWR | O_CLOEXEC);
    int rv = rename(s->incoming_path, s->path) != 0
                 ? err_set(err, ERR_IO, "%s: %s", s->path, strerror(errno))
                 : sync_path(s->dir, O_RDONLY | O_DIRECTORY, err);
    if (rv == 0 && old >= 0) {
        bigfile_discard(old);
    } else if (old >= 0) {
        (void)close(old);
    }
    return rv;
}

int snapshot_install(struct storage *s, struct storage_point *ret, bool *ret_final, struct err *err)
{
    int rv = check_incoming(s, ret, err);
    if (rv == 0) {
        rv = write_out(s, err);
    }
    if (rv == 0) {
        rv = sync_path(s->incoming_path, O_RDONLY, err);
    }
    if (rv == 0) {
        rv = fold_wal(s->db.sql, err);
    }
    if (rv != 0) {
        (void)unlink(s->incoming_path);
        return rv;
    }
    *ret_final = true;
    db_close(&s->db);
    rv = replace(s, err);
    return rv == 0 ? db_open(s->path, s->options.cache_kib, &s->db, err) : rv;
}
