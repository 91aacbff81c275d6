/* The statements are few and prepared once. SQLite's cache is kept small: the whole file of a busy
 * node is some hundred kilobytes, and the kernel caches it as well. The file is locked for as long
 * as it is open, so two agents cannot share one directory; the lock also spares the -shm file. */
#include "agent/state/journal_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TASK_COLUMNS                                                                             \
    "id, phase, want_stop, disowned, stop_code, accepted_at, pull_started_at, pull_stopped_at, " \
    "started_at, stopped_at, forgotten_at, reason"
#define CONTAINER_COLUMNS \
    "task, position, phase, health, exit_code, started_at, stopped_at, manifest, image, reason"

static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA cache_size = -128;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA wal_autocheckpoint = 128;"
                              "PRAGMA journal_size_limit = 1048576;";

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE task (id TEXT PRIMARY KEY, phase INTEGER NOT NULL, want_stop INTEGER NOT NULL,"
    " disowned INTEGER NOT NULL, stop_code INTEGER NOT NULL, accepted_at INTEGER NOT NULL,"
    " pull_started_at INTEGER NOT NULL, pull_stopped_at INTEGER NOT NULL,"
    " started_at INTEGER NOT NULL, stopped_at INTEGER NOT NULL, forgotten_at INTEGER NOT NULL,"
    " reason TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE container (task TEXT NOT NULL, position INTEGER NOT NULL,"
    " phase INTEGER NOT NULL, health INTEGER NOT NULL, exit_code INTEGER,"
    " started_at INTEGER NOT NULL, stopped_at INTEGER NOT NULL, manifest TEXT NOT NULL,"
    " image TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (task, position)) WITHOUT ROWID;"
    "CREATE TABLE spec (task TEXT PRIMARY KEY, bytes BLOB NOT NULL);"
    "PRAGMA user_version = 1;"
    "COMMIT;";
_Static_assert(JOURNAL_FORMAT == 1, "schema sets user_version");

static const char clear[] = "BEGIN; DELETE FROM meta; DELETE FROM task; DELETE FROM container;"
                            "DELETE FROM spec; COMMIT;";

static const char *const statements[SQL_N] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PUT_META] = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
    [SQL_GET_META] = "SELECT value FROM meta WHERE key = ?",
    [SQL_PUT_TASK] =
        "INSERT OR REPLACE INTO task (" TASK_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_PUT_CONTAINER] =
        "INSERT OR REPLACE INTO container (" CONTAINER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)",
    [SQL_PUT_SPEC] = "INSERT OR REPLACE INTO spec (task, bytes) VALUES (?, ?)",
    [SQL_DROP_TASK] = "DELETE FROM task WHERE id = ?",
    [SQL_DROP_CONTAINERS] = "DELETE FROM container WHERE task = ?",
    [SQL_DROP_SPEC] = "DELETE FROM spec WHERE task = ?",
    [SQL_LOAD_TASKS] = "SELECT " TASK_COLUMNS
                       ", bytes FROM task LEFT JOIN spec ON spec.task = task.id ORDER BY id",
    [SQL_LOAD_CONTAINERS] =
        "SELECT " CONTAINER_COLUMNS " FROM container WHERE task = ? ORDER BY position",
};

int journal_error(struct journal *j, struct err *err)
{
    int code;
    switch (sqlite3_errcode(j->db)) {
    case SQLITE_FULL:
        code = ERR_FULL;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = ERR_BUSY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = ERR_CORRUPT;
        break;
    case SQLITE_NOMEM:
        code = ERR_NOMEM;
        break;
    default:
        code = ERR_IO;
        break;
    }
    return err_set(err, code, "%s", sqlite3_errmsg(j->db));
}

sqlite3_stmt *journal_sql(struct journal *j, enum journal_sql i, struct err *err)
{
    if (j->sql[i] == NULL && sqlite3_prepare_v3(j->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                                &j->sql[i], NULL) != SQLITE_OK) {
        (void)journal_error(j, err);
        return NULL;
    }
    (void)sqlite3_reset(j->sql[i]);
    j->unbound = false;
    return j->sql[i];
}

int journal_run(struct journal *j, sqlite3_stmt *st, struct err *err)
{
    int rv;
    if (st == NULL) {
        return err != NULL ? err->code : ERR_IO;
    }
    if (j->unbound) {
        return err_set(err, ERR_NOMEM, "a value for SQLite");
    }
    rv = sqlite3_step(st) == SQLITE_DONE ? 0 : journal_error(j, err);
    (void)sqlite3_reset(st);
    return rv;
}

/* Numbers always find room. */
static void bind_id(struct journal *j, sqlite3_stmt *st, int i, struct id id)
{
    char hex[ID_HEX_LEN + 1];
    id_hex(id, hex);
    if (sqlite3_bind_text(st, i, hex, ID_HEX_LEN, SQLITE_TRANSIENT) != SQLITE_OK) {
        j->unbound = true;
    }
}

static void bind_text(struct journal *j, sqlite3_stmt *st, int i, const char *text)
{
    if (sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC) != SQLITE_OK) {
        j->unbound = true;
    }
}

/* --- writing ------------------------------------------------------------------------------------
 */

static int drop(struct journal *j, enum journal_sql i, struct id task, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, i, err);
    if (st != NULL) {
        bind_id(j, st, 1, task);
    }
    return journal_run(j, st, err);
}

static int put_meta(struct journal *j, const char *key, const char *value, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_PUT_META, err);
    if (st != NULL) {
        bind_text(j, st, 1, key);
        bind_text(j, st, 2, value);
    }
    return journal_run(j, st, err);
}

static int put_container(struct journal *j, struct id task, uint32_t i, const struct container *c,
                         struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_PUT_CONTAINER, err);
    if (st == NULL) {
        return journal_run(j, st, err);
    }
    bind_id(j, st, 1, task);
    (void)sqlite3_bind_int64(st, 2, i);
    (void)sqlite3_bind_int(st, 3, c->phase);
    (void)sqlite3_bind_int(st, 4, (int)c->health);
    if (c->has_exit_code) {
        (void)sqlite3_bind_int(st, 5, c->exit_code);
    } else {
        (void)sqlite3_bind_null(st, 5);
    }
    (void)sqlite3_bind_int64(st, 6, c->started_at);
    (void)sqlite3_bind_int64(st, 7, c->stopped_at);
    bind_text(j, st, 8, c->image.manifest);
    bind_text(j, st, 9, c->image.id);
    bind_text(j, st, 10, c->reason);
    return journal_run(j, st, err);
}

static int put_task(struct journal *j, const struct task *t, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_PUT_TASK, err);
    int rv;
    if (st != NULL) {
        bind_id(j, st, 1, t->id);
        (void)sqlite3_bind_int(st, 2, t->phase);
        (void)sqlite3_bind_int(st, 3, t->want_stop);
        (void)sqlite3_bind_int(st, 4, t->disowned);
        (void)sqlite3_bind_int(st, 5, (int)t->stop_code);
        (void)sqlite3_bind_int64(st, 6, t->accepted_at);
        (void)sqlite3_bind_int64(st, 7, t->pull_started_at);
        (void)sqlite3_bind_int64(st, 8, t->pull_stopped_at);
        (void)sqlite3_bind_int64(st, 9, t->started_at);
        (void)sqlite3_bind_int64(st, 10, t->stopped_at);
        (void)sqlite3_bind_int64(st, 11, t->forgotten_at);
        bind_text(j, st, 12, t->reason);
    }
    rv = journal_run(j, st, err);
    for (uint32_t i = 0; rv == 0 && i < t->n_containers; i++) {
        rv = put_container(j, t->id, i, &t->containers[i], err);
    }
    return rv;
}

static int put_spec(struct journal *j, struct id task, struct str bytes, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_PUT_SPEC, err);
    if (st != NULL) {
        bind_id(j, st, 1, task);
        if (sqlite3_bind_blob64(st, 2, bytes.p, bytes.n, SQLITE_STATIC) != SQLITE_OK) {
            j->unbound = true;
        }
    }
    return journal_run(j, st, err);
}

static int carry_out(struct journal *j, const struct journal_op *op, struct err *err)
{
    char text[24];
    int rv = 0;
    switch (op->kind) {
    case JOURNAL_PUT_TASK:
        return put_task(j, op->record, err);
    case JOURNAL_PUT_SPEC:
        return put_spec(j, op->task, op->bytes, err);
    case JOURNAL_DROP_TASK:
        rv = drop(j, SQL_DROP_TASK, op->task, err);
        /* Fall through. */
    case JOURNAL_DROP_SPEC:
        rv = rv != 0 ? rv : drop(j, SQL_DROP_SPEC, op->task, err);
        return rv != 0 ? rv : drop(j, SQL_DROP_CONTAINERS, op->task, err);
    case JOURNAL_PUT_SESSION:
        (void)sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)op->epoch);
        rv = put_meta(j, "epoch", text, err);
        (void)sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)op->number);
        return rv != 0 ? rv : put_meta(j, "session", text, err);
    }
    assert(false);
    return ERR_INTERNAL;
}

int journal_commit(struct journal *j, const struct journal_batch *b, struct err *err)
{
    struct err local = {0};
    int rv = journal_run(j, journal_sql(j, SQL_BEGIN, &local), &local);
    if (rv != 0) {
        return err_set(err, rv, "journal: %s", local.text);
    }
    for (const struct journal_op *op = b->first; rv == 0 && op != NULL; op = op->next) {
        rv = carry_out(j, op, &local);
    }
    rv = rv != 0 ? rv : journal_run(j, journal_sql(j, SQL_COMMIT, &local), &local);
    if (rv == 0) {
        return 0;
    }
    if (sqlite3_get_autocommit(j->db) == 0) { /* SQLite has not rolled back by itself. */
        (void)journal_run(j, journal_sql(j, SQL_ROLLBACK, NULL), NULL);
    }
    return err_set(err, rv, "journal: %s", local.text);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* A row that cannot be understood, or could not be read for want of memory. */
static int senseless(struct journal *j, const char *what, struct err *err)
{
    return sqlite3_errcode(j->db) == SQLITE_NOMEM
               ? journal_error(j, err)
               : err_set(err, ERR_CORRUPT, "%s makes no sense", what);
}

static bool column_text(sqlite3_stmt *st, int i, char *ret, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text != NULL && str_copy(ret, size, str_of(text));
}

static bool column_enum(sqlite3_stmt *st, int i, int n, int *ret)
{
    *ret = sqlite3_column_int(st, i);
    return *ret >= 0 && *ret < n;
}

static bool read_container(sqlite3_stmt *st, uint32_t position, struct container *c)
{
    int health;
    bool ok = sqlite3_column_int64(st, 1) == (sqlite3_int64)position;
    ok = column_enum(st, 2, CONTAINER_PHASE_N, &c->phase) && ok;
    ok = column_enum(st, 3, HEALTH_N, &health) && ok;
    c->health = (enum health)health;
    c->has_exit_code = sqlite3_column_type(st, 4) != SQLITE_NULL;
    c->exit_code = sqlite3_column_int(st, 4);
    c->started_at = sqlite3_column_int64(st, 5);
    c->stopped_at = sqlite3_column_int64(st, 6);
    ok = column_text(st, 7, c->image.manifest, sizeof c->image.manifest) && ok;
    ok = column_text(st, 8, c->image.id, sizeof c->image.id) && ok;
    return column_text(st, 9, c->reason, sizeof c->reason) && ok;
}

static bool read_task(sqlite3_stmt *st, struct task *t)
{
    int stop_code;
    bool ok = id_parse(str_of((const char *)sqlite3_column_text(st, 0)), &t->id);
    ok = column_enum(st, 1, TASK_PHASE_N, &t->phase) && ok;
    t->want_stop = sqlite3_column_int(st, 2) != 0;
    t->disowned = sqlite3_column_int(st, 3) != 0;
    ok = column_enum(st, 4, WIRE_STOP_CODE_N, &stop_code) && ok;
    t->stop_code = (enum wire_stop_code)stop_code;
    t->accepted_at = sqlite3_column_int64(st, 5);
    t->pull_started_at = sqlite3_column_int64(st, 6);
    t->pull_stopped_at = sqlite3_column_int64(st, 7);
    t->started_at = sqlite3_column_int64(st, 8);
    t->stopped_at = sqlite3_column_int64(st, 9);
    t->forgotten_at = sqlite3_column_int64(st, 10);
    return column_text(st, 11, t->reason, sizeof t->reason) && ok;
}

static int load_containers(struct journal *j, struct task *t, struct container *containers,
                           struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_LOAD_CONTAINERS, err);
    int step;
    if (st == NULL) {
        return journal_run(j, st, err);
    }
    t->containers = containers;
    t->n_containers = 0;
    bind_id(j, st, 1, t->id);
    if (j->unbound) {
        return err_set(err, ERR_NOMEM, "a value for SQLite");
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        if (t->n_containers == LIMIT_CONTAINERS ||
            !read_container(st, t->n_containers, &containers[t->n_containers])) {
            return senseless(j, "table container: a row", err);
        }
        t->n_containers++;
    }
    return step == SQLITE_DONE ? 0 : journal_error(j, err);
}

int journal_load(struct journal *j, journal_load_cb cb, void *data, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_LOAD_TASKS, err);
    struct container *containers = calloc(LIMIT_CONTAINERS, sizeof *containers);
    int step = SQLITE_DONE;
    int rv = st == NULL ? journal_run(j, st, err) : 0;
    if (containers == NULL) {
        return err_set(err, ERR_NOMEM, "journal");
    }
    while (rv == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct task t;
        struct str spec;
        memset(&t, 0, sizeof t);
        if (!read_task(st, &t)) {
            rv = senseless(j, "table task: a row", err);
            break;
        }
        memset(containers, 0, LIMIT_CONTAINERS * sizeof *containers);
        rv = load_containers(j, &t, containers, err);
        spec.p = sqlite3_column_blob(st, 12);
        spec.n = (size_t)sqlite3_column_bytes(st, 12);
        if (rv == 0 && sqlite3_errcode(j->db) == SQLITE_NOMEM) {
            rv = journal_error(j, err);
        }
        rv = rv != 0 ? rv : cb(data, &t, spec, err);
    }
    if (rv == 0 && step != SQLITE_DONE) {
        rv = journal_error(j, err);
    }
    free(containers);
    if (st != NULL) {
        (void)sqlite3_reset(st);
    }
    return rv != 0 ? err_wrap(err, rv, "journal") : 0;
}

/* *ret is "" when the key is not there. */
static int get_meta(struct journal *j, const char *key, char *ret, size_t size, struct err *err)
{
    sqlite3_stmt *st = journal_sql(j, SQL_GET_META, err);
    int rv = 0;
    int step;
    ret[0] = '\0';
    if (st == NULL) {
        return journal_run(j, st, err);
    }
    bind_text(j, st, 1, key);
    if (j->unbound) {
        return err_set(err, ERR_NOMEM, "a value for SQLite");
    }
    step = sqlite3_step(st);
    if (step == SQLITE_ROW && !column_text(st, 0, ret, size)) {
        rv = senseless(j, "table meta: a value", err);
    } else if (step != SQLITE_ROW && step != SQLITE_DONE) {
        rv = journal_error(j, err);
    }
    (void)sqlite3_reset(st);
    return rv;
}

/* 0 when it was never saved. */
static int get_number(struct journal *j, const char *key, uint64_t *ret, struct err *err)
{
    char text[24];
    int rv = get_meta(j, key, text, sizeof text, err);
    *ret = 0;
    if (rv == 0 && text[0] != '\0' && !str_u64(str_of(text), ret)) {
        rv = err_set(err, ERR_CORRUPT, "table meta: %s is no number", key);
    }
    return rv;
}

int journal_session(struct journal *j, uint64_t *ret_epoch, uint64_t *ret_session, struct err *err)
{
    uint64_t epoch;
    uint64_t session;
    int rv = get_number(j, "epoch", &epoch, err);
    if (rv == 0) {
        rv = get_number(j, "session", &session, err);
    }
    if (rv != 0) {
        return err_wrap(err, rv, "journal");
    }
    *ret_epoch = epoch;
    *ret_session = session;
    return 0;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static int execute(struct journal *j, const char *sql, struct err *err)
{
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : journal_error(j, err);
}

static int version(struct journal *j, int *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rv = 0;
    if (sqlite3_prepare_v2(j->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        rv = journal_error(j, err);
    } else {
        *ret = sqlite3_column_int(st, 0);
    }
    (void)sqlite3_finalize(st);
    return rv;
}

/* The file must be private before SQLite puts anything into it. */
static int create(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_set(err, ERR_IO, "%s", strerror(errno));
    }
    (void)close(fd);
    return 0;
}

static int prepare(struct journal *j, struct err *err)
{
    int found = 0;
    int rv = execute(j, pragmas, err);
    rv = rv != 0 ? rv : version(j, &found, err);
    if (rv == 0 && found == 0) {
        rv = execute(j, schema, err);
    } else if (rv == 0 && found != JOURNAL_FORMAT) {
        rv = err_set(err, ERR_UNSUPPORTED, "format %d, this agent knows only %d", found,
                     JOURNAL_FORMAT);
    }
    return rv;
}

static int bind_node(struct journal *j, struct id node, bool *ret_cleared, struct err *err)
{
    char want[ID_HEX_LEN + 1];
    char have[ID_HEX_LEN + 1];
    int rv = get_meta(j, "node", have, sizeof have, err);
    id_hex(node, want);
    *ret_cleared = false;
    if (rv != 0 || strcmp(have, want) == 0) {
        return rv;
    }
    if (have[0] != '\0') {
        *ret_cleared = true;
        rv = execute(j, clear, err);
    }
    return rv != 0 ? rv : put_meta(j, "node", want, err);
}

int journal_open(const char *path, struct id node, struct journal **ret, bool *ret_cleared,
                 struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    struct journal *j = calloc(1, sizeof *j);
    int rv;
    if (j == NULL) {
        return err_set(err, ERR_NOMEM, "journal");
    }
    rv = create(path, err);
    if (rv == 0 && sqlite3_open_v2(path, &j->db, flags, NULL) != SQLITE_OK) {
        rv = j->db == NULL ? err_set(err, ERR_NOMEM, "open") : journal_error(j, err);
    }
    rv = rv != 0 ? rv : prepare(j, err);
    rv = rv != 0 ? rv : bind_node(j, node, ret_cleared, err);
    if (rv != 0) {
        journal_close(j);
        return err_wrap(err, rv, "journal %s", path);
    }
    *ret = j;
    return 0;
}

int journal_limit_pages(struct journal *j, unsigned n)
{
    char sql[64];
    (void)sqlite3_snprintf(sizeof sql, sql, "PRAGMA max_page_count = %u", n);
    return execute(j, sql, NULL);
}

void journal_close(struct journal *j)
{
    if (j == NULL) {
        return;
    }
    for (int i = 0; i < SQL_N; i++) {
        (void)sqlite3_finalize(j->sql[i]);
    }
    (void)sqlite3_close(j->db);
    free(j);
}
