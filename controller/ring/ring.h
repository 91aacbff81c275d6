/* controller/ring/ring.h
 *
 * The ring without its machine: group commit, apply and the leader's turns, as a value that is fed.
 * Requests, committed entries, leadership and alarms come in through functions; entries to
 * replicate, rows to save and the wish to be woken go out through struct ring_io. It owns the store
 * and, while we lead, the leader's decisions.
 *
 * No clock, no chance, no I/O, no loop: controller/engine drives it with libuv and raftnode,
 * tests/sim with virtual time and planted faults, and both run this code.
 *
 * Callbacks of requests run exactly once, from ring_turn(), ring_apply(), ring_lost(),
 * ring_follower() or ring_abandon(), never inside the call that made the request, and are the last
 * thing to touch the request. One thread. Inputs must not be called from inside a ring_io function;
 * ring_submit(), ring_read() and the questions may be called from everywhere. */
#ifndef CONTROLLER_RING_RING_H
#define CONTROLLER_RING_RING_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "controller/codec/object.h"
#include "controller/core/command.h"
#include "controller/core/leader.h"
#include "controller/core/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_ENTRY_MAX 4194304u /* 4 MiB: bytes in one entry. */

struct ring; /* Opaque. */
struct ring_write;
struct ring_read;

/* --- requests -----------------------------------------------------------------------------------
 */

/* As engine_decide and engine_done in engine.h. */
typedef int (*ring_decide)(struct ring_write *w, struct command *cmd, struct arena *arena,
                           struct err *err);
typedef void (*ring_done)(struct ring_write *w, int status, const struct result *result,
                          const struct err *err);

struct ring_write {
    ring_decide decide;
    ring_done done;
    /* Private. */
    struct list queue;
};

/* status as in engine_ready. */
typedef void (*ring_ready)(struct ring_read *r, int status);

struct ring_read {
    ring_ready ready;
    bool eventual; /* This controller's state is good enough. */
    /* Private. */
    struct list queue;
    int status;
};

/* --- what the ring wants done -------------------------------------------------------------------
 */

/* A place in the log and the state reached there. */
struct ring_point {
    uint64_t index;
    uint64_t term;
    uint64_t revision;
    uint64_t digest;
};

/* Something that happened, for history.db: the same on every controller, keyed by (revision,
 * position). Kinds and fields as in controller/storage/history.h. */
enum ring_record_kind {
    RING_RECORD_EVENT = 1,
    RING_RECORD_TASK = 2,
    RING_RECORD_DEPLOYMENT = 3,
    RING_RECORD_DECISION = 4,
    RING_RECORD_AUDIT = 5,
};

struct ring_record {
    uint64_t revision;
    uint32_t position;
    uint8_t kind; /* enum ring_record_kind */
    int64_t at;
    struct str cluster;
    struct str subject;
    struct str service;
    struct str node;
    struct str text;
    struct str data;
};

struct ring_io { /* Pointers are borrowed for the call. */
    int64_t (*wall_ms)(void *ctx);
    uint64_t (*mono_ms)(void *ctx); /* Never goes back. */
    uint64_t (*random)(void *ctx);  /* For seeds of ids. */

    /* Have one entry replicated. After 0 exactly one of ring_apply(ours) and ring_lost() follows,
     * not from inside the call. ERR_NOTLEADER, ERR_AGAIN, ERR_FULL, ERR_TOOBIG, ERR_CLOSED. */
    int (*propose)(void *ctx, const uint8_t *bytes, size_t len, struct err *err);
    /* Ask for the state to be fresh: ring_fresh() answers after 0. ERR_NOTLEADER, ERR_AGAIN,
     * ERR_CLOSED. */
    int (*ask)(void *ctx, struct ring_read *r, struct err *err);

    /* The lowest feature level that the voters announce; 0 while one is missing. NULL: all voters
     * are programs like this one. */
    uint32_t (*voters_level)(void *ctx);

    /* Call ring_turn() soon, from an empty stack; once, however often it is asked for. */
    void (*wake)(void *ctx);
    /* Call ring_turn() in so many milliseconds; the latest wish counts. UINT64_MAX: not at all. */
    void (*wake_after)(void *ctx, uint64_t ms);

    /* The row is these bytes now, or gone (NULL); belongs to the next commit. */
    void (*row)(void *ctx, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n);
    void (*commit)(void *ctx, const struct ring_point *point);
    /* What the command just applied has to tell; comes before its rows. NULL: nobody listens. */
    void (*record)(void *ctx, const struct ring_record *record);
    /* May the checkpoint fall further behind? While not, nothing is proposed. */
    bool (*keeps_up)(void *ctx);

    /* A command was applied, or (NULL) everything may have changed or leadership did. */
    void (*changed)(void *ctx, const struct changes *changes);
    /* Another controller may see what this leader lost sight of: hand leadership over, soon and not
     * from inside the call. NULL: there is nobody. */
    void (*hand_over)(void *ctx);
    /* The log took nothing, for this reason; told when the reason changes. For the log file. */
    void (*refused)(void *ctx, uint32_t n_commands, const struct err *err);
    /* This controller cannot go on. */
    __attribute__((noreturn)) void (*die)(void *ctx, const char *event, const struct err *err);
};

#define RING_LEVEL_AGAIN_MS 1000      /* While the cluster's level is below ours: look again. */
#define RING_LEVEL_WAIT_MS  86400000u /* All voters could do more for so long: let them. */

/* --- life ---------------------------------------------------------------------------------------
 */

/* codec, io and mem are borrowed until ring_close(); settings are copied. */
struct ring *ring_open(const struct codec *codec, const struct leader_settings *settings,
                       const struct ring_io *io, void *ctx, const struct mem *mem);

/* Answer everything that waits with ERR_CLOSED (ERR_UNKNOWN when in flight), here and now, and
 * accept nothing any more. */
void ring_abandon(struct ring *r);

/* Releases the store too. Abandon first when anybody may wait. NULL is fine. */
void ring_close(struct ring *r);

/* From here on requests are refused. */
void ring_stop(struct ring *r);

/* Take over a loaded state in the place of the present one, which is released: at the start, and
 * when a received snapshot was installed. Not while leading. */
void ring_take_state(struct ring *r, struct store *store, uint64_t index);

/* --- inputs -------------------------------------------------------------------------------------
 */

/* What the voters have announced, at most the level of this program; 0 while one is missing. */
uint32_t ring_voters_level(const struct ring *r);

void ring_submit(struct ring *r, struct ring_write *w);
void ring_read(struct ring *r, struct ring_read *read);

/* Answer to ring_io.ask. */
void ring_fresh(struct ring_read *read, int status);

/* One bounded turn: answers what is due, makes the next batch. */
void ring_turn(struct ring *r);

/* The next committed entry. ours: it is the one that was proposed last. */
void ring_apply(struct ring *r, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                bool ours);

/* The proposed entry has an unknown outcome; it may still be applied (ours == false). */
void ring_lost(struct ring *r);

/* Leadership begins, with everything earlier leaders committed applied; and ends, after
 * ring_lost(). */
void ring_lead(struct ring *r);
void ring_follow(struct ring *r);

/* --- questions ----------------------------------------------------------------------------------
 */

const struct store *ring_store(const struct ring *r);
struct leader *ring_leader(struct ring *r); /* NULL while we do not lead. */
int64_t ring_now_ms(struct ring *r);        /* Never behind what was applied, and no leaps. */
uint64_t ring_random(struct ring *r);

struct ring_status {
    uint64_t applied_index;
    uint64_t n_commands; /* Applied since the start. */
    uint64_t n_batches;  /* Proposed since the start. */
    uint64_t n_rejected; /* Requests refused for overload or low disk. */
    uint32_t n_waiting;  /* Requests waiting now. */
};

struct ring_status ring_status(const struct ring *r);

#endif
