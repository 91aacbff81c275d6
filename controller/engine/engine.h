/* controller/engine/engine.h
 *
 * The ring: requests become commands, commands become log entries, committed entries change the
 * store, changes make work. One engine per controller, on the loop thread. What happens is decided
 * by controller/ring, which knows no clock and no loop; the engine feeds it from libuv and raftnode
 * and carries out what it asks for. Consensus and disk are raftio's, files are storage's.
 *
 * Contract of every request struct: embedded in its owner, which sets the upper fields; the
 * callback runs exactly once, from the loop, never inside the call that started it, and is the last
 * thing to touch the struct. */
#ifndef CONTROLLER_ENGINE_ENGINE_H
#define CONTROLLER_ENGINE_ENGINE_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/list.h"
#include "controller/core/audit.h"
#include "controller/core/command.h"
#include "controller/core/leader.h"
#include "controller/core/store.h"
#include "controller/ring/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct engine; /* Opaque. */

/* --- writes
 * ---------------------------------------------------------------------------------------- */

struct engine_write;

/* Fill *cmd (at_ms and seed are the engine's) when the request's turn in a batch has come, on the
 * leader, whose state is current: checks made here hold when the command is applied, except for
 * what the same batch changes. What cmd points to lives in the arena or in the request and must
 * last until done. Return 0 to propose; 1 to be answered at once with status 0 and result NULL
 * (nothing to change: the answer can be read from the store); a negative ERR_* with err to be
 * answered with that. */
typedef int (*engine_decide)(struct engine_write *w, struct engine *e, struct command *cmd,
                             struct arena *arena, struct err *err);

/* status 0: applied, see result (rejections included; NULL after decide returned 1). ERR_NOTLEADER:
 * not tried, send it to the leader. ERR_UNKNOWN: leadership was lost with the command in flight;
 * sending it again with the same token is safe. ERR_FULL: overload or low disk. Anything else is
 * what decide returned. */
typedef void (*engine_done)(struct engine_write *w, int status, const struct result *result,
                            const struct err *err);

struct engine_write {
    void *data;
    engine_decide decide;
    engine_done done;
    /* Private. */
    struct ring_write ring;
    struct engine *engine;
};

void engine_submit(struct engine *e, struct engine_write *w);

/* --- reads
 * ----------------------------------------------------------------------------------------- */

struct engine_read;

/* status 0: the store now reflects every write acknowledged before the request. ERR_NOTLEADER: ask
 * the leader. ERR_UNAVAILABLE: no majority. */
typedef void (*engine_ready)(struct engine_read *r, int status);

struct engine_read {
    void *data;
    engine_ready ready;
    bool eventual; /* This controller's state is good enough. */
    /* Private. */
    struct ring_read ring;
};

void engine_read(struct engine *e, struct engine_read *r);

/* --- state
 * ------------------------------------------------------------------------------------------- */

const struct store *engine_store(const struct engine *e);

/* The decisions of the leader, NULL on any other controller. */
struct leader *engine_leader(struct engine *e);

/* Ready to lead: elected and its barrier applied. */
bool engine_is_leader(const struct engine *e);

/* Where the leader's front door is ("address:port"), "" while there is none. */
const char *engine_leader_address(const struct engine *e);

/* The front doors of all members, as the log says now; borrowed until the members change, which
 * the watches are told of. Returns how many there are. */
#define ENGINE_CONTROLLERS_MAX 7u
unsigned engine_controllers(const struct engine *e, const char *v[ENGINE_CONTROLLERS_MAX]);

/* Wall clock as the state machine will see it: never behind what was applied. */
int64_t engine_now_ms(const struct engine *e);

/* A random 64-bit number from the operating system, for seeds. */
uint64_t engine_random(struct engine *e);

struct engine_status {
    uint64_t member_id;
    uint64_t leader_id;
    uint64_t term;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t checkpoint_index;
    uint64_t log_bytes;
    uint64_t n_peer_losses;  /* As leader: a peer had lost what it had confirmed. */
    uint64_t n_commands;     /* Applied since the start. */
    uint64_t n_batches;      /* Proposed since the start. */
    uint64_t n_rejected;     /* Requests refused for overload or low disk. */
    uint32_t n_waiting;      /* Requests waiting now. */
    uint64_t n_history;      /* Records written to history.db since the start, ... */
    uint64_t n_history_lost; /* ... and dropped, because the disk did not take them. */
};

/* The feature level (core/feature.h) to which the cluster could be raised now: what all voters have
 * announced; 0 while one of them is not connected. */
uint32_t engine_voters_level(const struct engine *e);

void engine_status(const struct engine *e, struct engine_status *ret);

/* --- history
 * -----------------------------------------------------------------------------------------
 * What this controller remembers of what happened (history.db), read on a worker thread. Each
 * controller has its own: all write the same records, unless one was away. */

struct engine_history;
typedef void (*engine_history_cb)(struct engine_history *h);

struct engine_history { /* Zeroed fields select everything; texts live until done. */
    void *data;
    engine_history_cb done;
    uint8_t kind;       /* enum ring_record_kind; 0: any. */
    struct str cluster; /* p NULL: any. Records of no cluster belong to all. */
    struct str subject; /* At most one of these three. */
    struct str service;
    struct str node;
    int64_t since;
    int64_t until;
    uint64_t before_revision; /* Newest first; continue before this revision ... */
    uint32_t before_position; /* ... and position. */
    uint32_t n_max;
    struct arena *arena; /* For the answer; nobody else's until done. */
    /* The answer. status 0, or ERR_* with err. */
    struct ring_record *records;
    uint32_t n;
    int status;
    struct err err;
};

void engine_history(struct engine *e, struct engine_history *h);

/* --- the auditor
 * ------------------------------------------------------------------------------------------ */

/* What it found so far (core/audit.h); and begin a round now, see audit_hurry(). */
void engine_audit_status(struct engine *e, struct audit_status *ret);
uint64_t engine_audit_hurry(struct engine *e);

/* Who hears the nodes has findings too: fn fills at most max of those there are now and returns how
 * many there are; engine_audit_found() logs and counts a new one. fn NULL: nobody. */
typedef uint32_t (*engine_findings)(void *ctx, struct audit_finding *v, uint32_t max);
void engine_audit_source(struct engine *e, engine_findings fn, void *ctx);
void engine_audit_found(struct engine *e, const struct audit_finding *f);

/* --- changes
 * ----------------------------------------------------------------------------------------- */

/* Told after every applied command, and with changes NULL when everything may have changed (a
 * snapshot was installed) or leadership came or went. */
typedef void (*engine_watch_cb)(void *data, const struct changes *changes);

struct engine_watch { /* The caller's; zeroed before first use. */
    void *data;
    engine_watch_cb cb;
    /* Private. */
    struct list link;
};

void engine_watch_add(struct engine *e, struct engine_watch *w);
void engine_watch_remove(struct engine *e, struct engine_watch *w); /* Zeroed ones are fine. */

#endif
