/* controller/ring/ring_impl.h
 *
 * Shared by ring.c (requests, batches, turns) and ring_apply.c (committed entries). */
#ifndef CONTROLLER_RING_RING_IMPL_H
#define CONTROLLER_RING_RING_IMPL_H

#include "common/base/buf.h"
#include "controller/ring/ring.h"

#define RING_WAITING_MAX  200000     /* Requests; more are refused with ERR_FULL. */
#define RING_BATCH_MAX    1024       /* Commands in one entry ... */
#define RING_BATCH_BYTES  (1u << 20) /* ... or about so many bytes, whichever comes first. */
#define RING_BUILD_MAX    20000      /* Tasks that a new leader looks at in one turn. */
#define RING_PASS_MAX     64         /* Commands of the leader's own in one entry. */
#define RING_SLOTS        (RING_BATCH_MAX + RING_PASS_MAX + 3) /* And level, identity, digest. */
#define RING_ROW_MAX      (16u << 20)
#define RING_DIGEST_EVERY 1024 /* Revisions between published digests. */
#define RING_RETRY_MS     100  /* Before the leader's own commands are tried again. */

/* Commands decided together and who waits for each. They go into one entry, or, where they are too
 * long for that, into several; one entry is in flight at a time. */
struct batch {
    struct ring_write **writers; /* NULL for the leader's own commands. */
    struct command *commands;
    uint32_t n;
    uint32_t at;        /* Those before were applied, or answered. */
    uint32_t n_flight;  /* From there: in the entry that is in flight. */
    struct arena arena; /* What the commands point to. */
};

struct ring {
    const struct mem *mem;
    const struct codec *codec;
    struct leader_settings settings;
    const struct ring_io *io;
    void *ctx;
    struct store *store;
    struct leader *leader; /* While we lead. */

    struct list writes; /* struct ring_write.queue: waiting for a batch. */
    uint32_t n_writes;
    struct batch batch;
    bool in_flight;

    struct list refused;  /* Writes to be answered ERR_NOTLEADER at the next turn. */
    struct list overflow; /* Likewise ERR_FULL. */
    struct list reads;    /* Reads to be answered at the next turn, with their status. */
    struct list asked;    /* Reads that wait for raft. */

    struct changes changes;   /* Of one command. */
    struct changes dirty;     /* Of one entry: what the checkpoint must be told. */
    struct arena apply_arena; /* Decoded entry. */
    struct arena told_arena;  /* Texts of the records of one command. */
    struct buf row;           /* One encoded row. */
    struct buf entry;         /* One encoded entry. */
    uint64_t applied_index;
    int64_t wall_offset;    /* From the monotonic clock to the time we go by ... */
    uint64_t wall_moved_ms; /* ... and when it was last brought closer to the wall clock. */
    int64_t seen_now;       /* Latest time of the state ... */
    uint64_t seen_mono_ms;  /* ... and when it was first seen: time goes on from there. */
    uint64_t published;     /* Revision of the last digest in the log. */
    uint64_t n_commands;
    uint64_t n_batches;
    uint64_t n_rejected;
    uint64_t level_since_ms; /* All voters announce more than the cluster's level; 0: not. */
    uint64_t retry_ms;       /* Monotonic: no commands of the leader's own before. */
    int refusal;             /* Why the log took nothing the last time; 0: it did. */
    bool stopping;
};

/* ring_history.c: hand the records of a command that was applied (r->changes, result) to
 * ring_io.record. */
void ring_tell(struct ring *r, const struct command *cmd, const struct result *result);

/* Every command of the batch was applied or answered. */
void ring_batch_done(struct ring *r);

/* Remember the time of the state, and when it was seen. */
void ring_see_time(struct ring *r);

#endif
