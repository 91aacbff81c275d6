/* agent/engine/engine.h
 *
 * The shell around the agent's core: turns what happens (messages, exits, answers of the executor,
 * time) into events, journals what the core wants remembered, and only then carries out what it
 * wants done. One fsync covers all that gathered while the one before was under way. Loop thread
 * only; the journal is written on a thread of libuv's pool.
 *
 * Life: engine_open; open an executor with engine_executor_events; engine_start; run; engine_stop;
 * close the executor; engine_close. Containers outlive all of it. */
#ifndef AGENT_ENGINE_ENGINE_H
#define AGENT_ENGINE_ENGINE_H

#include "agent/core/executor.h"
#include "agent/core/message.h"
#include "agent/core/reconcile.h"
#include "agent/link/session.h"
#include "agent/state/journal.h"
#include "common/base/err.h"
#include "common/loop/loop.h"

#include <uv.h>

struct engine; /* Opaque. */

struct engine_options { /* Everything pointed to is borrowed until engine_close(). */
    struct journal *journal;
    struct reconcile_options reconcile;
    enum exec_pull_policy pull_policy;
    const struct hello *hello; /* Who this node is; the inventory is added. */
    struct session_options session;
    /* The journal cannot be written and what follows would not be remembered: end the process. */
    void (*fatal)(void *data, const struct err *err);
    void *data;
};

/* Nothing runs yet. */
struct engine *engine_open(uv_loop_t *loop, const struct engine_options *options);

/* What the executor has to tell, for its own open. */
struct executor_events engine_executor_events(struct engine *e);

/* Read the journal (blocking), take the runtime's inventory, then look for a controller. Failures
 * of the inventory come through fatal. */
int engine_start(struct engine *e, struct executor *executor, struct err *err);

/* End the session and begin nothing new; cb(data) comes from the loop when the journal is at rest.
 * Requests under way stay so until the executor is closed. */
void engine_stop(struct engine *e, loop_cb cb, void *data);

/* After engine_stop() and the executor's close, or without engine_start(). NULL is fine. */
void engine_close(struct engine *e);

/* For renewal; NULL before the inventory is known. */
struct session *engine_session(struct engine *e);

/* Runs once, from the loop, when engine_session() is there. */
void engine_on_session(struct engine *e, loop_cb cb, void *data);

struct engine_stats {
    uint32_t n_tasks;
    uint32_t n_running;
    uint32_t n_orphans;
    uint64_t n_events;  /* Taken in since the start ... */
    uint64_t n_commits; /* ... and transactions they cost. */
};

void engine_stats(const struct engine *e, struct engine_stats *ret);

#endif
