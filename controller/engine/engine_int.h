/* controller/engine/engine_int.h
 *
 * What the parts of the engine share. Private to controller/engine. */
#ifndef CONTROLLER_ENGINE_ENGINE_INT_H
#define CONTROLLER_ENGINE_ENGINE_INT_H

#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "controller/codec/object.h"
#include "controller/engine/engine.h"
#include "controller/engine/open.h"
#include "controller/raftio/raftnode.h"
#include "controller/storage/checkpoint.h"

#define ENGINE_WAITING_MAX  200000      /* Requests; more are refused with ERR_FULL. */
#define ENGINE_BATCH_MAX    1024        /* Commands in one entry ... */
#define ENGINE_BATCH_BYTES  (1u << 20)  /* ... or about so many bytes, whichever comes first. */
#define ENGINE_PASS_MAX     64          /* Commands of the leader's own in one entry. */
#define ENGINE_BACKLOG_HIGH (64u << 20) /* Bytes the checkpoint may lag behind. */
#define ENGINE_SLOTS        (ENGINE_BATCH_MAX + ENGINE_PASS_MAX + 1) /* And the digest. */
#define ENGINE_DIGEST_EVERY 1024 /* Revisions between published digests. */
#define ENGINE_RETRY_MS     100  /* Before the leader's own commands are tried again. */

/* Commands decided together and who waits for each. They go into one entry, or, where they are too
 * long for that, into several; one entry is in flight at a time. */
struct batch {
    struct engine_write **writers; /* NULL for the leader's own commands. */
    struct command *commands;
    uint32_t n;
    uint32_t at;        /* Those before were applied, or answered. */
    uint32_t n_flight;  /* From there: in the entry that is in flight. */
    struct arena arena; /* What the commands point to. */
};

struct engine {
    const struct mem *mem;
    uv_loop_t *loop;
    struct engine_config config;
    struct codec *codec;
    struct store *store;
    struct storage *storage;
    struct raftnode *node;
    struct leader *leader; /* While we lead. */

    struct list writes; /* struct engine_write.queue: waiting for a batch. */
    uint32_t n_writes;
    struct batch batch;
    bool in_flight;

    struct list refused;  /* Writes to be answered ERR_NOTLEADER at the next turn. */
    struct list overflow; /* Likewise ERR_FULL. */
    struct list reads;    /* Reads to be answered at the next turn, with their status. */
    struct list asked;    /* Reads that wait for raft. */

    struct list watches;
    struct loop_soon *pump;
    struct loop_timer *timer; /* The leader's next deadline. */
    uv_async_t *durable;      /* The storage thread made progress. */

    struct changes changes;   /* Of one command. */
    struct changes dirty;     /* Of one entry: what the checkpoint must be told. */
    struct arena apply_arena; /* Decoded entry. */
    struct buf row;           /* One encoded row. */
    struct buf entry;         /* One encoded entry. */
    uint64_t applied_index;
    int64_t seen_now;      /* Latest time of the state ... */
    uint64_t seen_mono_ms; /* ... and when it was first seen: time goes on from there. */
    uint64_t published;    /* Revision of the last digest in the log. */
    uint64_t n_commands;
    uint64_t n_batches;
    uint64_t n_rejected;
    uint64_t retry_ms; /* Monotonic: no commands of the leader's own before. */
    int refusal;       /* Why the log took nothing the last time; 0: it did. */
    bool stopping;
    bool installing; /* A received checkpoint is being checked and switched. */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* engine_apply.c: carry out one committed entry. */
void engine_apply_entry(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                        void *cookie);

/* Every command of the batch was applied or answered. */
void engine_batch_done(struct engine *e);

/* Remember the time of the state, and when it was seen. */
void engine_see_time(struct engine *e);

/* Tell the watchers (NULL: everything may have changed). */
void engine_notify(struct engine *e, const struct changes *changes);

/* Wake the pump when the leader has a deadline. */
void engine_arm(struct engine *e);

/* The process cannot go on: log why and end it. */
_Noreturn void engine_die(const char *event, const struct err *err);

/* Answer every write of the list, with status and a sentence. */
void engine_answer(struct list *writes, int status, const char *why);

/* Answer every read of the list with the status it was given. */
void engine_answer_reads(struct list *reads);

/* engine_snapshot.c: raft's questions about our checkpoint. */
void engine_snapshot_events(struct raftnode_events *events);

/* The storage thread made progress, finished an installation, or failed. */
void engine_storage_progress(struct engine *e);

#endif
