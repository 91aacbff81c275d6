/* Three ways to read without touching: a file without WAL is immutable; one that a controller holds
 * (the lock beside it says so) is read through SQLite's shared memory, which exists then; one with
 * a WAL that nobody holds is copied together with it, because SQLite would otherwise recover the
 * WAL in place. */
#include "controller/storage/image.h"

#include "controller/storage/load.h"
#include "controller/storage/storage_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK 65536u
#define URI_MAX    8192

struct image {
    sqlite3 *sql;
    char copy[32]; /* Folder of a private copy, or "". */
};

/* --- where the bytes are --------------------------------------------------------------------- */

static bool has_wal(const char *path)
{
    char wal[URI_MAX];
    struct stat st;
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    return stat(wal, &st) == 0 && st.st_size > 0;
}

/* Does a controller hold the folder of this file? */
static bool is_live(const char *path)
{
    char lock[URI_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? 0 : (int)(slash - path) + 1;
    bool held;
    int fd;
    (void)snprintf(lock, sizeof lock, "%.*slock", n, path);
    fd = open(lock, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    (void)close(fd);
    return held;
}

static int copy_file(const char *from, const char *to, struct err *err)
{
    static uint8_t chunk[COPY_CHUNK];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = -1;
    if (out >= 0) {
        while ((n = read(in, chunk, sizeof chunk)) > 0) {
            if (write(out, chunk, (size_t)n) != n) {
                n = -1;
                break;
            }
        }
    }
    if (n < 0) {
        (void)err_set(err, ERR_IO, "copy %s to %s: %s", from, to, strerror(errno));
    }
    if (in >= 0) {
        (void)close(in);
    }
    if (out >= 0) {
        (void)close(out);
    }
    return n < 0 ? ERR_IO : 0;
}

static void remove_copy(struct image *image)
{
    static const char *const names[] = {"/c.db", "/c.db-wal", "/c.db-shm"};
    char path[64];
    if (image->copy[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", image->copy, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(image->copy);
}

static int make_copy(struct image *image, const char *path, char *ret, size_t size, struct err *err)
{
    char wal[URI_MAX];
    char wal_copy[64];
    int rv;
    (void)snprintf(image->copy, sizeof image->copy, "/tmp/ecs-image-XXXXXX");
    if (mkdtemp(image->copy) == NULL) {
        rv = err_set(err, ERR_IO, "%s: %s", image->copy, strerror(errno));
        image->copy[0] = '\0';
        return rv;
    }
    (void)snprintf(ret, size, "%s/c.db", image->copy);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    (void)snprintf(wal_copy, sizeof wal_copy, "%s/c.db-wal", image->copy);
    rv = copy_file(path, ret, err);
    return rv == 0 ? copy_file(wal, wal_copy, err) : rv;
}

/* --- opening --------------------------------------------------------------------------------- */

/* "file:PATH?immutable=1", what is special in a path escaped. */
static int immutable_uri(const char *path, char *ret, size_t size, struct err *err)
{
    size_t n = (size_t)snprintf(ret, size, "file:");
    for (; *path != '\0'; path++) {
        bool special = strchr("%?#", *path) != NULL;
        if (n + 4 + sizeof "?immutable=1" > size) {
            return err_set(err, ERR_TOOBIG, "the name of the file is too long");
        }
        n += (size_t)snprintf(ret + n, size - n, special ? "%%%02X" : "%c",
                              (unsigned)(unsigned char)*path);
    }
    (void)snprintf(ret + n, size - n, "?immutable=1");
    return 0;
}

static int connect_file(struct image *image, const char *path, struct err *err)
{
    char name[URI_MAX];
    int rv;
    if (!has_wal(path)) {
        rv = immutable_uri(path, name, sizeof name, err);
        return rv == 0 ? db_connect(name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &image->sql, err)
                       : rv;
    }
    if (is_live(path)) {
        return db_connect(path, SQLITE_OPEN_READONLY, &image->sql, err);
    }
    rv = make_copy(image, path, name, sizeof name, err);
    return rv == 0 ? db_connect(name, SQLITE_OPEN_READWRITE, &image->sql, err) : rv;
}

static int begin(struct image *image, struct err *err)
{
    int rv;
    (void)sqlite3_db_config(image->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rv = db_check_format(image->sql, err);
    return rv == 0 ? db_exec(image->sql, "PRAGMA query_only = ON", err) : rv;
}

int image_open(const char *path, struct image **ret, struct err *err)
{
    struct image *image = mem_alloc(storage_mem(), sizeof *image);
    struct stat st;
    int rv = 0;
    if (stat(path, &st) != 0) {
        rv = err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        rv = err_set(err, ERR_INVALID, "is not a file");
    }
    if (rv == 0) {
        rv = connect_file(image, path, err);
    }
    if (rv == 0) {
        rv = begin(image, err);
    }
    if (rv != 0) {
        image_close(image);
        return err_wrap(err, rv, "%s", path);
    }
    *ret = image;
    return 0;
}

int image_open_bytes(const uint8_t *bytes, size_t n, struct image **ret, struct err *err)
{
    struct image *image = mem_alloc(storage_mem(), sizeof *image);
    int rv = db_connect(":memory:", SQLITE_OPEN_READWRITE, &image->sql, err);
    if (rv == 0 &&
        sqlite3_deserialize(image->sql, "main", (unsigned char *)(uintptr_t)bytes, (sqlite3_int64)n,
                            (sqlite3_int64)n, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
        rv = db_error(image->sql, err, "open the bytes");
    }
    if (rv == 0) {
        rv = begin(image, err);
    }
    if (rv != 0) {
        image_close(image);
        return rv;
    }
    *ret = image;
    return 0;
}

void image_close(struct image *image)
{
    if (image == NULL) {
        return;
    }
    (void)sqlite3_close(image->sql);
    remove_copy(image);
    mem_free(storage_mem(), image, sizeof *image);
}

/* --- reading --------------------------------------------------------------------------------- */

int image_point(struct image *image, struct storage_point *ret, uint64_t *ret_rows_hash,
                struct err *err)
{
    return db_get_point(image->sql, ret, ret_rows_hash, err);
}

struct each {
    image_row_cb cb;
    void *ctx;
};

static int each_row(void *ctx, const struct db_raw_row *row, struct err *err)
{
    const struct each *e = ctx;
    struct image_row out = {row->table, (enum kind)row->kind, row->whole, row->slot, row->bytes};
    return e->cb(e->ctx, &out, err);
}

int image_each(struct image *image, image_row_cb cb, void *ctx, struct err *err)
{
    struct each e = {cb, ctx};
    int rv = 0;
    for (uint8_t kind = 1; kind < KIND_N && rv == 0; kind++) {
        rv = db_each_raw(image->sql, kind, each_row, &e, err);
    }
    return rv;
}

int image_faults(struct image *image, image_fault_cb cb, void *ctx, struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rc;
    if (sqlite3_prepare_v2(image->sql, "PRAGMA integrity_check", -1, &s, NULL) != SQLITE_OK) {
        return db_error(image->sql, err, "check the pages");
    }
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        if (text != NULL && strcmp(text, "ok") != 0) {
            cb(ctx, text);
        }
    }
    (void)sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : db_error(image->sql, err, "check the pages");
}

int image_load(struct image *image, const struct codec *codec, struct store *store,
               const struct mem *mem, struct err *err)
{
    struct storage_point point;
    uint64_t recorded;
    uint64_t hash;
    int rv = load_store(image->sql, codec, store, mem, err);
    if (rv == 0) {
        rv = db_get_point(image->sql, &point, &recorded, err);
    }
    if (rv == 0 && recorded != 0) {
        rv = db_hash_rows(image->sql, &hash, err);
        if (rv == 0 && hash != recorded) {
            rv = err_set(err, ERR_CORRUPT, "the rows do not have the recorded hash");
        }
    }
    return rv;
}
