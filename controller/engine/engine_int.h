/* controller/engine/engine_int.h
 *
 * What the parts of the engine share. Private to controller/engine. */
#ifndef CONTROLLER_ENGINE_ENGINE_INT_H
#define CONTROLLER_ENGINE_ENGINE_INT_H

#include "common/loop/loop.h"
#include "controller/codec/object.h"
#include "controller/engine/engine.h"
#include "controller/engine/open.h"
#include "controller/raftio/raftnode.h"
#include "controller/ring/ring.h"
#include "controller/storage/checkpoint.h"
#include "controller/storage/identity.h"

#include <stdatomic.h>

#define ENGINE_BACKLOG_HIGH (64u << 20) /* Bytes the checkpoint may lag behind. */

struct engine_load { /* A received checkpoint on its way into memory. */
    struct engine *e;
    uv_thread_t thread;
    struct storage_point at;
    struct store *store;
    int status;
    struct err err;
    _Atomic bool done;
};

struct engine {
    const struct mem *mem;
    uv_loop_t *loop;
    struct engine_config config;
    struct codec *codec;
    struct ring *ring;
    struct storage *storage;
    struct raftnode *node;

    struct audit *audit; /* Goes round the state for ever. */
    struct loop_timer *audit_timer;
    engine_findings outside_fn;
    void *outside_ctx;
    struct audit_finding outside[AUDIT_FINDINGS_MAX];
    uint64_t n_outside; /* New ones since the start. */

    struct identity identity; /* As in the data directory's file. */

    struct list watches;
    struct list questions; /* About the history, for what is not in its file yet. */
    struct loop_soon *pump;
    struct loop_timer *timer; /* When the ring wants a turn. */
    uv_async_t *durable;      /* The storage thread made progress. */

    bool hand_over;           /* Wanted: no node is heard any more. */
    uint8_t loss;             /* enum leader_loss, as told last. */
    bool installing;          /* A received checkpoint is being checked and switched ... */
    struct engine_load *load; /* ... and then loaded; NULL otherwise. */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* Tell those who watch; NULL: leadership or the members have changed. */
void engine_tell(struct engine *e, const struct changes *changes);

/* The process cannot go on: log why and end it. */
_Noreturn void engine_die(const char *event, const struct err *err);

/* identity.c: read the file, compare it with the state, and have raft know; then keep both up to
 * date. */
int engine_identity_open(struct engine *e, struct err *err);
void engine_identity_follow(struct engine *e);

/* history.c: the storage thread made progress; nobody will answer any more. */
void engine_history_progress(struct engine *e);
void engine_history_abandon(struct engine *e);

/* auditor.c */
void engine_audit_open(struct engine *e);
void engine_audit_close(struct engine *e);

/* engine_ring.c: what the ring asks for. */
extern const struct ring_io engine_ring_io;

/* engine_snapshot.c: raft's questions about our checkpoint. */
void engine_snapshot_events(struct raftnode_events *events);

/* Wait for a checkpoint that is being loaded and forget it. */
void engine_load_abandon(struct engine *e);

/* The storage thread made progress, finished an installation, or failed. */
void engine_storage_progress(struct engine *e);

#endif
