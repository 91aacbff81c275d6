/* controller/storage/db.h
 *
 * The file behind a checkpoint: its tables, its marks, its rows. Internal to storage; one thread
 * per connection. */
#ifndef CONTROLLER_STORAGE_DB_H
#define CONTROLLER_STORAGE_DB_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "controller/core/model.h"
#include "controller/storage/checkpoint.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct db { /* Zeroed before use. */
    sqlite3 *sql;
    sqlite3_stmt *put[KIND_N];
    sqlite3_stmt *del[KIND_N];
    sqlite3_stmt *point;
};

/* Put what SQLite says into err; what is the attempt ("commit"). Gives ERR_CORRUPT, ERR_BUSY,
 * ERR_FULL, ERR_NOMEM or ERR_IO. */
int db_error(sqlite3 *sql, struct err *err, const char *what);

int db_exec(sqlite3 *sql, const char *statement, struct err *err);

/* The first column of the first row. */
int db_get_number(sqlite3 *sql, const char *query, int64_t *ret, struct err *err);

/* A connection with the settings we always want. Released with sqlite3_close(). */
int db_connect(const char *path, int flags, sqlite3 **ret, struct err *err);

/* Open or create a checkpoint for writing. */
int db_open(const char *path, uint32_t cache_kib, struct db *db, struct err *err);
void db_close(struct db *db);

/* Check that the file is a checkpoint this program reads. */
int db_check_format(sqlite3 *sql, struct err *err);

int db_get_point(sqlite3 *sql, struct storage_point *ret, uint64_t *ret_rows_hash, struct err *err);

/* Inside a transaction. bytes.p NULL: the row goes. */
int db_put_row(struct db *db, uint8_t kind, uint32_t slot, struct str bytes, struct err *err);
int db_put_point(struct db *db, const struct storage_point *point, uint64_t rows_hash,
                 struct err *err);

/* Call for every row, by table and slot, after checking its checksum; a result other than 0 ends
 * it. */
typedef int (*db_row_cb)(void *ctx, uint8_t kind, uint32_t slot, struct str bytes, struct err *err);
int db_each_row(sqlite3 *sql, db_row_cb cb, void *ctx, struct err *err);

/* The same over every row there is, whole or not; slot is what the table says. A table that cannot
 * be read ends it with its error. */
struct db_raw_row {
    const char *table;
    uint8_t kind;
    bool whole; /* The slot is possible and the checksum fits. */
    int64_t slot;
    struct str bytes;
};
typedef int (*db_raw_cb)(void *ctx, const struct db_raw_row *row, struct err *err);
int db_each_raw(sqlite3 *sql, uint8_t kind, db_raw_cb cb, void *ctx, struct err *err);

/* A hash over all rows. */
int db_hash_rows(sqlite3 *sql, uint64_t *ret, struct err *err);

#endif
