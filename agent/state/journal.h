/* agent/state/journal.h
 *
 * What this node was told and what it did, across restarts: an SQLite file (WAL mode). Intents are
 * in it before the acts. Blocking: called at start-up, or from one worker thread at a time, never
 * from the loop. Batches are filled by the loop thread and committed by the worker: one
 * transaction, one fsync, however many changes there are.
 *
 *   meta       key, value: "node" (id in hex), "epoch", "session"
 *   task       one row per task, times in milliseconds since 1970
 *   container  one row per container of a task, position as in the task definition
 *   spec       the task's specification as the controller sent it (ecs.agent.v1.TaskSpec)
 *
 * The file holds environments of containers, secrets included: mode 0600. */
#ifndef AGENT_STATE_JOURNAL_H
#define AGENT_STATE_JOURNAL_H

#include "agent/core/task.h"
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_FORMAT 1

struct journal; /* Opaque. */

/* Open or create the file at path for this node. Rows of another node (the machine has joined
 * again since) are deleted, which *ret_cleared says. ERR_BUSY: another process has it open.
 * ERR_UNSUPPORTED: a newer agent wrote it. On failure *ret is left alone. */
int journal_open(const char *path, struct id node, struct journal **ret, bool *ret_cleared,
                 struct err *err);

void journal_close(struct journal *j); /* NULL is fine. */

/* The highest epoch and, within it, session that were saved; 0: none. */
int journal_session(struct journal *j, uint64_t *ret_epoch, uint64_t *ret_session, struct err *err);

/* One call per task in the order of their ids: what journal_batch_put_task() was given, and the
 * encoded specification (empty: it was dropped). Both are borrowed for the call. Anything but 0
 * from cb ends the walk and is returned. */
typedef int (*journal_load_cb)(void *data, const struct task *saved, struct str spec,
                               struct err *err);
int journal_load(struct journal *j, journal_load_cb cb, void *data, struct err *err);

/* --- writing -------------------------------------------------------------------------------------
 */
struct journal_op;

struct journal_batch {
    size_t n; /* Changes in it. */
    /* Private. */
    struct arena arena;
    struct journal_op *first;
    struct journal_op *last;
};

void journal_batch_init(struct journal_batch *b, const struct mem *mem);
void journal_batch_close(struct journal_batch *b); /* Zeroed batches are fine. */
void journal_batch_clear(struct journal_batch *b);

/* Everything is copied. */
void journal_batch_put_task(struct journal_batch *b, const struct task *t);
void journal_batch_put_spec(struct journal_batch *b, struct id task, struct str spec);
void journal_batch_drop_spec(struct journal_batch *b, struct id task); /* With its containers. */
void journal_batch_drop_task(struct journal_batch *b, struct id task);
void journal_batch_put_session(struct journal_batch *b, uint64_t epoch, uint64_t session);

/* All of it is durable once this returns 0, none of it otherwise. ERR_FULL: the disk is full, and
 * the same batch may be tried again. Any other error: the file cannot be trusted any more. */
int journal_commit(struct journal *j, const struct journal_batch *b, struct err *err);

/* Let the file have at most n pages of 4 KiB; beyond, commits end with ERR_FULL. 0 or ERR_*. */
int journal_limit_pages(struct journal *j, unsigned n);

#endif
