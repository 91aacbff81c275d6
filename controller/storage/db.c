/* One table per kind of row, so that SQLite's row number is our slot and nothing needs an index:
 *
 *     task(slot INTEGER PRIMARY KEY, crc INTEGER, data BLOB)
 *         crc   CRC-32C of kind (1 byte), slot (4, little-endian) and data
 *         data  ecs.log.v1.Task
 *     point(idx, term, revision, digest, rows_hash): one row, what the tables amount to
 *
 * SQLite does not check its pages, hence the checksum in every row. rows_hash is filled in copies
 * that go to another controller. Unsigned 64-bit numbers are stored as signed ones of the same
 * bits. */
#include "controller/storage/db.h"

#include "common/base/buf.h"
#include "common/base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define APPLICATION_ID 0x65637363 /* "ecsc" */
#define FORMAT         1
#define SQL_MAX        256
#define BUSY_MS        5000

static const char *const tables[KIND_N] = {
    [KIND_CLUSTER] = "cluster", [KIND_TASKDEF] = "taskdef",
    [KIND_SERVICE] = "service", [KIND_NODE] = "node",
    [KIND_TASK] = "task",       [KIND_TOKEN] = "token",
    [KIND_FAMILY] = "family",   [KIND_JOIN] = "join_token",
    [KIND_META] = "meta",       [KIND_CAPACITY_PROVIDER] = "capacity_provider",
};

int db_error(sqlite3 *sql, struct err *err, const char *what)
{
    int code = sql == NULL ? SQLITE_NOMEM : sqlite3_errcode(sql) & 0xff;
    int rv = ERR_IO;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        rv = ERR_CORRUPT;
    } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        rv = ERR_BUSY;
    } else if (code == SQLITE_FULL) {
        rv = ERR_FULL;
    } else if (code == SQLITE_NOMEM) {
        rv = ERR_NOMEM;
    }
    return err_set(err, rv, "%s: %s", what, sql == NULL ? "out of memory" : sqlite3_errmsg(sql));
}

int db_exec(sqlite3 *sql, const char *statement, struct err *err)
{
    return sqlite3_exec(sql, statement, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : db_error(sql, err, statement);
}

int db_connect(const char *path, int flags, sqlite3 **ret, struct err *err)
{
    sqlite3 *sql = NULL;
    int rv;
    if (sqlite3_open_v2(path, &sql, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        rv = db_error(sql, err, "open");
        goto fail;
    }
    (void)sqlite3_busy_timeout(sql, BUSY_MS);
    (void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rv = db_exec(sql, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", err);
    if (rv != 0) {
        goto fail;
    }
    *ret = sql;
    return 0;

fail:
    (void)sqlite3_close(sql);
    return err_wrap(err, rv, "%s", path);
}

int db_get_number(sqlite3 *sql, const char *query, int64_t *ret, struct err *err)
{
    sqlite3_stmt *s = NULL;
    int rv = 0;
    if (sqlite3_prepare_v2(sql, query, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        rv = db_error(sql, err, query);
    } else {
        *ret = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return rv;
}

int db_check_format(sqlite3 *sql, struct err *err)
{
    int64_t id;
    int64_t format;
    int rv = db_get_number(sql, "PRAGMA application_id", &id, err);
    if (rv == 0) {
        rv = db_get_number(sql, "PRAGMA user_version", &format, err);
    }
    if (rv != 0) {
        return rv;
    }
    if (id != APPLICATION_ID) {
        return err_set(err, ERR_CORRUPT, "not a checkpoint: application id %lld", (long long)id);
    }
    if (format < 1 || format > FORMAT) {
        return err_set(err, ERR_UNSUPPORTED, "checkpoint of format %lld: this controller reads %d",
                       (long long)format, FORMAT);
    }
    return 0;
}

static int create_tables(sqlite3 *sql, struct err *err)
{
    char statement[SQL_MAX];
    int rv = db_exec(sql,
                     "CREATE TABLE IF NOT EXISTS point(idx INTEGER NOT NULL, term INTEGER NOT NULL,"
                     " revision INTEGER NOT NULL, digest INTEGER NOT NULL,"
                     " rows_hash INTEGER NOT NULL);"
                     "INSERT INTO point SELECT 0, 0, 0, 0, 0"
                     " WHERE NOT EXISTS (SELECT 1 FROM point)",
                     err);
    for (int kind = 1; kind < KIND_N && rv == 0; kind++) {
        (void)snprintf(statement, sizeof statement,
                       "CREATE TABLE IF NOT EXISTS %s(slot INTEGER PRIMARY KEY,"
                       " crc INTEGER NOT NULL, data BLOB NOT NULL)",
                       tables[kind]);
        rv = db_exec(sql, statement, err);
    }
    if (rv == 0) {
        (void)snprintf(statement, sizeof statement,
                       "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                       FORMAT);
        rv = db_exec(sql, statement, err);
    }
    return rv;
}

/* A file without any table is new; anything else must be ours. */
static int create_or_check(sqlite3 *sql, struct err *err)
{
    int64_t n;
    int rv = db_get_number(sql, "SELECT count(*) FROM sqlite_schema", &n, err);
    if (rv == 0 && n > 0) {
        rv = db_check_format(sql, err);
    }
    if (rv == 0) {
        rv = db_exec(sql, "BEGIN IMMEDIATE", err);
    }
    if (rv == 0) {
        rv = create_tables(sql, err);
    }
    return rv == 0 ? db_exec(sql, "COMMIT", err) : rv;
}

static int prepare(sqlite3 *sql, const char *statement, sqlite3_stmt **ret, struct err *err)
{
    return sqlite3_prepare_v3(sql, statement, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK
               ? 0
               : db_error(sql, err, statement);
}

static int prepare_all(struct db *db, struct err *err)
{
    char statement[SQL_MAX];
    int rv = prepare(db->sql,
                     "UPDATE point SET idx = ?, term = ?, revision = ?, digest = ?, rows_hash = ?",
                     &db->point, err);
    for (int kind = 1; kind < KIND_N && rv == 0; kind++) {
        (void)snprintf(statement, sizeof statement,
                       "INSERT OR REPLACE INTO %s(slot, crc, data) VALUES(?, ?, ?)", tables[kind]);
        rv = prepare(db->sql, statement, &db->put[kind], err);
        if (rv == 0) {
            (void)snprintf(statement, sizeof statement, "DELETE FROM %s WHERE slot = ?",
                           tables[kind]);
            rv = prepare(db->sql, statement, &db->del[kind], err);
        }
    }
    return rv;
}

int db_open(const char *path, uint32_t cache_kib, struct db *db, struct err *err)
{
    char statement[SQL_MAX];
    int rv = db_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db->sql, err);
    if (rv != 0) {
        return rv;
    }
    /* FULL: what was committed is on the disk, because the log is trimmed up to it. */
    (void)snprintf(statement, sizeof statement,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -%u",
                   cache_kib);
    rv = db_exec(db->sql, statement, err);
    if (rv == 0) {
        rv = create_or_check(db->sql, err);
    }
    if (rv == 0) {
        rv = prepare_all(db, err);
    }
    if (rv != 0) {
        db_close(db);
        return err_wrap(err, rv, "%s", path);
    }
    return 0;
}

void db_close(struct db *db)
{
    for (int kind = 0; kind < KIND_N; kind++) {
        (void)sqlite3_finalize(db->put[kind]);
        (void)sqlite3_finalize(db->del[kind]);
    }
    (void)sqlite3_finalize(db->point);
    (void)sqlite3_close(db->sql);
    memset(db, 0, sizeof *db);
}

int db_get_point(sqlite3 *sql, struct storage_point *ret, uint64_t *ret_rows_hash, struct err *err)
{
    static const char query[] = "SELECT idx, term, revision, digest, rows_hash FROM point";
    sqlite3_stmt *s = NULL;
    int rv = 0;
    if (sqlite3_prepare_v2(sql, query, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        rv = db_error(sql, err, "read the point");
    } else {
        ret->index = (uint64_t)sqlite3_column_int64(s, 0);
        ret->term = (uint64_t)sqlite3_column_int64(s, 1);
        ret->revision = (uint64_t)sqlite3_column_int64(s, 2);
        ret->digest = (uint64_t)sqlite3_column_int64(s, 3);
        *ret_rows_hash = (uint64_t)sqlite3_column_int64(s, 4);
    }
    (void)sqlite3_finalize(s);
    return rv;
}

static uint32_t row_crc(uint8_t kind, uint32_t slot, struct str bytes)
{
    uint8_t head[5];
    head[0] = kind;
    put_u32(head + 1, slot);
    return crc32c(crc32c(0, head, sizeof head), bytes.p, bytes.n);
}

static int run(struct db *db, sqlite3_stmt *s, const char *what, struct err *err)
{
    int rc = sqlite3_step(s);
    int rv = rc == SQLITE_DONE ? 0 : db_error(db->sql, err, what);
    (void)sqlite3_reset(s);
    return rv;
}

int db_put_row(struct db *db, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    sqlite3_stmt *s;
    assert(kind > 0 && kind < KIND_N);
    if (bytes.p == NULL) {
        s = db->del[kind];
        (void)sqlite3_bind_int64(s, 1, slot);
        return run(db, s, "delete a row", err);
    }
    s = db->put[kind];
    (void)sqlite3_bind_int64(s, 1, slot);
    (void)sqlite3_bind_int64(s, 2, row_crc(kind, slot, bytes));
    if (sqlite3_bind_blob64(s, 3, bytes.p, bytes.n, SQLITE_STATIC) != SQLITE_OK) {
        return db_error(db->sql, err, "write a row");
    }
    return run(db, s, "write a row", err);
}

int db_put_point(struct db *db, const struct storage_point *point, uint64_t rows_hash,
                 struct err *err)
{
    (void)sqlite3_bind_int64(db->point, 1, (int64_t)point->index);
    (void)sqlite3_bind_int64(db->point, 2, (int64_t)point->term);
    (void)sqlite3_bind_int64(db->point, 3, (int64_t)point->revision);
    (void)sqlite3_bind_int64(db->point, 4, (int64_t)point->digest);
    (void)sqlite3_bind_int64(db->point, 5, (int64_t)rows_hash);
    return run(db, db->point, "write the point", err);
}

static struct db_raw_row raw_row(sqlite3_stmt *s, uint8_t kind)
{
    const void *data = sqlite3_column_blob(s, 2);
    int64_t crc = sqlite3_column_int64(s, 1);
    struct db_raw_row row = {
        .table = tables[kind],
        .kind = kind,
        .slot = sqlite3_column_int64(s, 0),
        .bytes =
            str_make(data == NULL ? "" : (const char *)data, (size_t)sqlite3_column_bytes(s, 2)),
    };
    row.whole = row.slot >= 0 && row.slot < SLOT_NONE &&
                crc == row_crc(kind, (uint32_t)row.slot, row.bytes);
    return row;
}

int db_each_raw(sqlite3 *sql, uint8_t kind, db_raw_cb cb, void *ctx, struct err *err)
{
    char query[SQL_MAX];
    sqlite3_stmt *s = NULL;
    int rv = 0;
    int rc;
    (void)snprintf(query, sizeof query, "SELECT slot, crc, data FROM %s ORDER BY slot",
                   tables[kind]);
    if (sqlite3_prepare_v2(sql, query, -1, &s, NULL) != SQLITE_OK) {
        return db_error(sql, err, query);
    }
    while (rv == 0 && (rc = sqlite3_step(s)) != SQLITE_DONE) {
        if (rc == SQLITE_ROW) {
            struct db_raw_row row = raw_row(s, kind);
            rv = cb(ctx, &row, err);
        } else {
            rv = db_error(sql, err, query);
        }
    }
    (void)sqlite3_finalize(s);
    return rv;
}

struct whole_rows {
    db_row_cb cb;
    void *ctx;
};

static int whole_row(void *ctx, const struct db_raw_row *row, struct err *err)
{
    struct whole_rows *w = ctx;
    if (!row->whole) {
        return err_set(err, ERR_CORRUPT, "table %s, slot %lld: checksum does not match", row->table,
                       (long long)row->slot);
    }
    return w->cb(w->ctx, row->kind, (uint32_t)row->slot, row->bytes, err);
}

int db_each_row(sqlite3 *sql, db_row_cb cb, void *ctx, struct err *err)
{
    struct whole_rows w = {cb, ctx};
    int rv = 0;
    for (uint8_t kind = 1; kind < KIND_N && rv == 0; kind++) {
        rv = db_each_raw(sql, kind, whole_row, &w, err);
    }
    return rv;
}

static int hash_row(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err)
{
    uint64_t *hash = ctx;
    (void)err;
    *hash = hash_bytes(bytes.p, bytes.n, hash_mix(*hash, (uint64_t)kind << 32 | slot));
    return 0;
}

int db_hash_rows(sqlite3 *sql, uint64_t *ret, struct err *err)
{
    uint64_t hash = 0;
    int rv = db_each_row(sql, hash_row, &hash, err);
    if (rv == 0) {
        *ret = hash;
    }
    return rv;
}
