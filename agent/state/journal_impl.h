/* agent/state/journal_impl.h
 *
 * Shared by the files of journal.h, for nobody else. */
#ifndef AGENT_STATE_JOURNAL_IMPL_H
#define AGENT_STATE_JOURNAL_IMPL_H

#include "agent/state/journal.h"

#include <sqlite3.h>

enum journal_op_kind {
    JOURNAL_PUT_TASK,
    JOURNAL_PUT_SPEC,
    JOURNAL_DROP_SPEC,
    JOURNAL_DROP_TASK,
    JOURNAL_PUT_SESSION,
};

struct journal_op {
    struct journal_op *next;
    enum journal_op_kind kind;
    struct id task;
    const struct task *record;
    struct str bytes;
    uint64_t epoch; /* Of a session, which is number. */
    uint64_t number;
};

enum journal_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PUT_META,
    SQL_GET_META,
    SQL_PUT_TASK,
    SQL_PUT_CONTAINER,
    SQL_PUT_SPEC,
    SQL_DROP_TASK,
    SQL_DROP_CONTAINERS,
    SQL_DROP_SPEC,
    SQL_LOAD_TASKS,
    SQL_LOAD_CONTAINERS,
    SQL_N,
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *sql[SQL_N]; /* Prepared on first use. */
    bool unbound; /* A value of the statement at hand is missing: it must not run, since the value
                   * of its last use would take the place. */
};

/* The prepared statement, reset; NULL with err. */
sqlite3_stmt *journal_sql(struct journal *j, enum journal_sql i, struct err *err);

/* Run a statement that returns no rows. */
int journal_run(struct journal *j, sqlite3_stmt *st, struct err *err);

/* What SQLite says went wrong. */
int journal_error(struct journal *j, struct err *err);

#endif
