/* record(revision, position) is the primary key and so the order of the file; at never goes back
 * as revisions grow, which is why the oldest are always at its beginning. */
#include "controller/storage/history.h"

#include "controller/storage/db.h"
#include "controller/storage/history_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AGE_MS_DEFAULT    (7ull * 24 * 3600 * 1000)
#define N_RECORDS_DEFAULT 1000000u
#define QUEUE_MAX_DEFAULT (16ull * 1024 * 1024)
#define TRIM_EVERY        1000u /* Records between two looks at the limits. */
#define TRIM_MAX          5000u /* Records removed in one statement. */
#define PATH_LEN          4096

/* --- queue ---------------------------------------------------------------------------------------
 */

void history_queue_init(struct history_queue *q, const struct mem *mem)
{
    memset(q, 0, sizeof *q);
    arena_init(&q->arena, mem);
}

void history_queue_close(struct history_queue *q)
{
    arena_close(&q->arena);
    memset(q, 0, sizeof *q);
}

void history_queue_clear(struct history_queue *q)
{
    arena_clear(&q->arena);
    q->head = NULL;
    q->tail = NULL;
    q->n = 0;
}

static struct str keep(struct arena *a, struct str s)
{
    return s.n == 0 ? STR("") : str_make(arena_dup(a, s.p, s.n), s.n);
}

void history_queue_put(struct history_queue *q, const struct history_record *record)
{
    struct history_item *item = arena_alloc(&q->arena, sizeof *item);
    item->record = *record;
    item->record.cluster = keep(&q->arena, record->cluster);
    item->record.subject = keep(&q->arena, record->subject);
    item->record.service = keep(&q->arena, record->service);
    item->record.node = keep(&q->arena, record->node);
    item->record.text = keep(&q->arena, record->text);
    item->record.data = keep(&q->arena, record->data);
    if (q->head == NULL) {
        q->head = item;
    } else {
        *q->tail = item;
    }
    q->tail = &item->next;
    q->n++;
}

/* --- file ----------------------------------------------------------------------------------------
 */

static int open_file(struct history_file *f, const char *path, struct err *err)
{
    static const char setup[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE IF NOT EXISTS record(revision INTEGER NOT NULL, position INTEGER NOT NULL,"
        " kind INTEGER NOT NULL, at INTEGER NOT NULL, cluster TEXT NOT NULL,"
        " subject TEXT NOT NULL, service TEXT NOT NULL, node TEXT NOT NULL,"
        " text TEXT NOT NULL, data BLOB NOT NULL,"
        " PRIMARY KEY(revision, position)) WITHOUT ROWID;"
        "CREATE INDEX IF NOT EXISTS record_subject ON record(subject, revision, position);"
        "CREATE INDEX IF NOT EXISTS record_service ON record(service, revision, position)"
        " WHERE service <> '';"
        "CREATE INDEX IF NOT EXISTS record_node ON record(node, revision, position)"
        " WHERE node <> ''";
    static const char insert[] = "INSERT OR IGNORE INTO record(revision, position, kind, at,"
                                 " cluster, subject, service, node, text, data)"
                                 " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlite3_stmt *count = NULL;
    int rv = db_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &f->sql, err);
    if (rv != 0) {
        return rv;
    }
    rv = db_exec(f->sql, setup, err);
    if (rv != 0) {
        return rv;
    }
    if (sqlite3_prepare_v3(f->sql, insert, -1, SQLITE_PREPARE_PERSISTENT, &f->insert, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v2(f->sql, "SELECT count(*) FROM record", -1, &count, NULL) != SQLITE_OK ||
        sqlite3_step(count) != SQLITE_ROW) {
        rv = db_error(f->sql, err, "history");
    } else {
        f->n_records = (uint64_t)sqlite3_column_int64(count, 0);
    }
    (void)sqlite3_finalize(count);
    return rv;
}

static void remove_file(const char *path)
{
    char name[PATH_LEN];
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (snprintf(name, sizeof name, "%s%s", path, suffixes[i]) < (int)sizeof name) {
            (void)unlink(name);
        }
    }
}

/* Is it the file that cannot be used, and not only now? A full disk, an I/O error or a lack of
 * memory may pass, and what is in the file is still what happened. */
static bool is_useless(const struct history_file *f)
{
    switch (f->sql == NULL ? SQLITE_NOMEM : sqlite3_errcode(f->sql) & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* Other tables than ours. */
        return true;
    default:
        return false;
    }
}

int history_file_open(struct history_file *f, const char *path, const struct history_limits *limits,
                      struct err *err)
{
    int rv;
    f->limits = *limits;
    if (f->limits.age_ms == 0) {
        f->limits.age_ms = AGE_MS_DEFAULT;
    }
    if (f->limits.n_records == 0) {
        f->limits.n_records = N_RECORDS_DEFAULT;
    }
    if (f->limits.queue_max == 0) {
        f->limits.queue_max = QUEUE_MAX_DEFAULT;
    }
    rv = open_file(f, path, err);
    if (rv != 0 && is_useless(f)) {
        history_file_close(f);
        remove_file(path);
        rv = open_file(f, path, err);
    }
    if (rv != 0) {
        history_file_close(f);
    }
    return rv;
}

void history_file_close(struct history_file *f)
{
    (void)sqlite3_finalize(f->insert);
    (void)sqlite3_close(f->sql);
    f->insert = NULL;
    f->sql = NULL;
}

static void bind_text(sqlite3_stmt *s, int at, struct str text)
{
    (void)sqlite3_bind_text64(s, at, text.n == 0 ? "" : text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
}

static int insert_record(struct history_file *f, const struct history_record *r, struct err *err)
{
    sqlite3_stmt *s = f->insert;
    int rc;
    (void)sqlite3_bind_int64(s, 1, (int64_t)r->revision);
    (void)sqlite3_bind_int64(s, 2, r->position);
    (void)sqlite3_bind_int(s, 3, r->kind);
    (void)sqlite3_bind_int64(s, 4, r->at);
    bind_text(s, 5, r->cluster);
    bind_text(s, 6, r->subject);
    bind_text(s, 7, r->service);
    bind_text(s, 8, r->node);
    bind_text(s, 9, r->text);
    (void)sqlite3_bind_blob64(s, 10, r->data.n == 0 ? "" : r->data.p, r->data.n, SQLITE_STATIC);
    rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    if (rc != SQLITE_DONE) {
        return db_error(f->sql, err, "write history");
    }
    f->n_records += (uint64_t)sqlite3_changes(f->sql);
    return 0;
}

/* Remove up to n of the oldest records that are older than the time; returns how many in *ret. */
static int remove_oldest(struct history_file *f, uint64_t n, int64_t before, uint64_t *ret,
                         struct err *err)
{
    static const char remove[] =
        "DELETE FROM record WHERE at < ?2 AND (revision, position) IN"
        " (SELECT revision, position FROM record ORDER BY revision, position LIMIT ?1)";
    sqlite3_stmt *s = NULL;
    int rv = 0;
    if (sqlite3_prepare_v2(f->sql, remove, -1, &s, NULL) != SQLITE_OK) {
        return db_error(f->sql, err, "trim history");
    }
    (void)sqlite3_bind_int64(s, 1, (int64_t)n);
    (void)sqlite3_bind_int64(s, 2, before);
    if (sqlite3_step(s) != SQLITE_DONE) {
        rv = db_error(f->sql, err, "trim history");
    } else {
        *ret = (uint64_t)sqlite3_changes(f->sql);
        f->n_records -= *ret;
    }
    (void)sqlite3_finalize(s);
    return rv;
}

static int trim(struct history_file *f, struct err *err)
{
    struct timespec now;
    uint64_t removed = TRIM_MAX;
    int64_t before;
    int rv = 0;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    before = (int64_t)now.tv_sec * 1000 - (int64_t)f->limits.age_ms;
    while (rv == 0 && removed == TRIM_MAX) {
        rv = remove_oldest(f, TRIM_MAX, before, &removed, err);
    }
    while (rv == 0 && f->n_records > f->limits.n_records) {
        uint64_t over = f->n_records - f->limits.n_records;
        rv = remove_oldest(f, over < TRIM_MAX ? over : TRIM_MAX, INT64_MAX, &removed, err);
    }
    return rv;
}

int history_file_write(struct history_file *f, const struct history_queue *q, struct err *err)
{
    uint64_t n_before = f->n_records;
    int rv = db_exec(f->sql, "BEGIN IMMEDIATE", err);
    if (rv != 0) {
        return rv;
    }
    for (const struct history_item *i = q->head; i != NULL && rv == 0; i = i->next) {
        rv = insert_record(f, &i->record, err);
    }
    f->n_since += q->n;
    if (rv == 0 && (f->n_since >= TRIM_EVERY || f->n_records > f->limits.n_records)) {
        f->n_since = 0;
        rv = trim(f, err);
    }
    if (rv == 0) {
        rv = db_exec(f->sql, "COMMIT", err);
    }
    if (rv != 0) {
        (void)sqlite3_exec(f->sql, "ROLLBACK", NULL, NULL, NULL);
        f->n_records = n_before;
    }
    return rv;
}

/* --- reading -------------------------------------------------------------------------------------
 */

struct history {
    sqlite3 *sql;
};

int history_open(const char *dir, struct history **ret, struct err *err)
{
    char path[PATH_LEN];
    sqlite3 *sql;
    struct history *h;
    int rv;
    if (snprintf(path, sizeof path, "%s/history.db", dir) >= (int)sizeof path) {
        return err_set(err, ERR_TOOBIG, "path is too long: %s", dir);
    }
    rv = db_connect(path, SQLITE_OPEN_READWRITE, &sql, err);
    if (rv != 0) {
        return rv;
    }
    h = sqlite3_malloc64(sizeof *h);
    if (h == NULL) {
        (void)sqlite3_close(sql);
        return err_set(err, ERR_NOMEM, "history");
    }
    h->sql = sql;
    *ret = h;
    return 0;
}

void history_close(struct history *h)
{
    if (h != NULL) {
        (void)sqlite3_close(h->sql);
        sqlite3_free(h);
    }
}

static struct str column(sqlite3_stmt *s, int at, struct arena *a)
{
    const void *p = sqlite3_column_blob(s, at);
    struct str text = str_make(p, (size_t)sqlite3_column_bytes(s, at));
    return keep(a, text);
}

static void read_record(sqlite3_stmt *s, struct arena *a, struct history_record *to)
{
    to->revision = (uint64_t)sqlite3_column_int64(s, 0);
    to->position = (uint32_t)sqlite3_column_int64(s, 1);
    to->kind = (uint8_t)sqlite3_column_int(s, 2);
    to->at = sqlite3_column_int64(s, 3);
    to->cluster = column(s, 4, a);
    to->subject = column(s, 5, a);
    to->service = column(s, 6, a);
    to->node = column(s, 7, a);
    to->text = column(s, 8, a);
    to->data = column(s, 9, a);
}

/* The one column with an index that the query names, and its value; NULL when it names none. */
static const char *indexed(const struct history_query *q, struct str *ret)
{
    *ret = q->subject.p != NULL ? q->subject : q->service.p != NULL ? q->service : q->node;
    if (ret->p == NULL) {
        return "";
    }
    /* "<> ''" lets SQLite see that the partial index will do. */
    return q->subject.p != NULL   ? " AND subject = ?9"
           : q->service.p != NULL ? " AND service = ?9 AND service <> ''"
                                  : " AND node = ?9 AND node <> ''";
}

static void bind_query(sqlite3_stmt *s, const struct history_query *q, struct str value)
{
    bool all = q->before_revision == 0 && q->before_position == 0;
    (void)sqlite3_bind_int(s, 1, q->kind);
    (void)sqlite3_bind_int(s, 2, q->cluster.p != NULL);
    bind_text(s, 3, q->cluster);
    (void)sqlite3_bind_int64(s, 4, q->since);
    (void)sqlite3_bind_int64(s, 5, q->until == 0 ? INT64_MAX : q->until);
    (void)sqlite3_bind_int64(s, 6, all ? INT64_MAX : (int64_t)q->before_revision);
    (void)sqlite3_bind_int64(s, 7, q->before_position);
    (void)sqlite3_bind_int64(s, 8, q->n_max);
    if (value.p != NULL) {
        bind_text(s, 9, value);
    }
}

int history_read(struct history *h, const struct history_query *q, struct arena *a,
                 struct history_record **ret, uint32_t *ret_n, struct err *err)
{
    char query[512];
    struct str value;
    const char *also = indexed(q, &value);
    struct history_record *records = arena_array(a, q->n_max, sizeof *records);
    sqlite3_stmt *s = NULL;
    uint32_t n = 0;
    int rc;
    /* Several queries rather than one with "or": so that an index is used. */
    (void)snprintf(query, sizeof query,
                   "SELECT revision, position, kind, at, cluster, subject, service, node, text,"
                   " data FROM record"
                   " WHERE (?1 = 0 OR kind = ?1) AND (?2 = 0 OR cluster IN (?3, ''))"
                   " AND at >= ?4 AND at <= ?5 AND (revision, position) < (?6, ?7)%s"
                   " ORDER BY revision DESC, position DESC LIMIT ?8",
                   also);
    if (sqlite3_prepare_v2(h->sql, query, -1, &s, NULL) != SQLITE_OK) {
        return db_error(h->sql, err, "read history");
    }
    bind_query(s, q, value);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && n < q->n_max) {
        read_record(s, a, &records[n++]);
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        rc = db_error(h->sql, err, "read history");
        (void)sqlite3_finalize(s);
        return rc;
    }
    (void)sqlite3_finalize(s);
    *ret = records;
    *ret_n = n;
    return 0;
}
