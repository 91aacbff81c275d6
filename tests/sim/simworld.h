/* tests/sim/simworld.h
 *
 * A cluster in one thread: the real replica, log files, vote and checkpoint transfer over simulated
 * disks, network and time. One seed decides everything. Used by ecs-sim with random faults and by
 * unit tests with faults of their choice.
 *
 * What is always checked: one leader per term; entries with the same index and term are the same;
 * every controller applies the same entries in the same order; what was acknowledged is applied
 * everywhere in the end; reads see everything acknowledged before they were asked for; memory is
 * returned. A violation prints seed, time and what happened, and ends the process (simworld_fail).
 */
#ifndef TESTS_SIM_SIMWORLD_H
#define TESTS_SIM_SIMWORLD_H

#include "common/base/buf.h"
#include "common/base/prng.h"
#include "controller/raft/conf.h"
#include "controller/raftio/message.h"
#include "tests/sim/simdisk.h"

#include <stdbool.h>
#include <stdint.h>

#define SIMWORLD_NODES_MAX 7u
#define SIMWORLD_EPOCH_MS  1700000000000 /* Of the wall clocks at the start. */

struct simworld; /* Opaque. */

/* What the controllers run above the log. Every function gets the position of the controller. None
 * may call into the replica; simworld_soon() is for that. */
struct simapp {
    void *ctx;
    /* The process starts; what does its durable checkpoint hold? */
    void (*boot)(void *ctx, unsigned node, uint64_t *ret_index, uint64_t *ret_term);
    /* The process is gone, with everything that was not durable. */
    void (*die)(void *ctx, unsigned node);
    /* A new machine takes its place: the durable things are gone too. */
    void (*wipe)(void *ctx, unsigned node);
    /* The next committed command; ours: it is what simworld_propose_bytes() was given last. */
    void (*apply)(void *ctx, unsigned node, uint64_t index, uint64_t term, const uint8_t *bytes,
                  size_t len, bool ours);
    void (*lead)(void *ctx, unsigned node);
    void (*lost)(void *ctx, unsigned node); /* Leadership, with proposals and reads. */
    void (*read_ready)(void *ctx, unsigned node, uint64_t ticket);
    /* The process goes on after a pause, and does not know yet what it missed. */
    void (*resumed)(void *ctx, unsigned node);
    /* Everything applied so far is durable in the checkpoint now. */
    void (*checkpoint)(void *ctx, unsigned node);
    /* The durable checkpoint as bytes: append to out. */
    void (*snapshot)(void *ctx, unsigned node, struct buf *out);
    /* Put a received one in its place, durably; then make it the state. */
    void (*install)(void *ctx, unsigned node, const uint8_t *bytes, size_t n);
    void (*installed)(void *ctx, unsigned node);
};

struct simworld_options { /* Zeroed: a quiet world. Rates are per million. */
    uint64_t seed;
    unsigned n;      /* Controllers. */
    unsigned voters; /* The first so many begin the cluster, the rest may be added; 0: all. */
    unsigned loss;   /* Messages. */
    unsigned dup;
    unsigned delay_us_min;
    unsigned delay_us_max;
    unsigned forged; /* Messages beside which comes one cut short, or a stranger's. */
    unsigned slow;   /* Messages that take up to slow_us_max. */
    unsigned slow_us_max;
    unsigned disk_us_max; /* A batch of writes. */
    unsigned stall;       /* Batches that take up to stall_us_max (0: 400 ms). */
    unsigned stall_us_max;
    unsigned write_fault;   /* Batches in which the disk fails: the controller crashes. */
    unsigned crash_ms;      /* Mean time between crashes in the cluster; 0: none. */
    unsigned down_ms;       /* Mean time until restart. */
    unsigned cut_ms;        /* Mean time between changes of the network; 0: none. */
    unsigned pause_ms;      /* Mean time between pauses of a process; 0: none. */
    unsigned client_ms;     /* Mean time between proposals; 0: none. */
    unsigned read_ms;       /* Mean time between reads; 0: none. */
    unsigned transfer_ms;   /* Mean time between hand-overs; 0: none. */
    unsigned member_ms;     /* Mean time between changes of the members; 0: none. */
    unsigned checkpoint_ms; /* Mean time between checkpoints of one controller; 0: none. */
    unsigned trailing;
    unsigned command_max;    /* Bytes; default 200. */
    unsigned segment_bytes;  /* Default 64 KiB. */
    unsigned message_bytes;  /* See replica_settings; default 1 MiB. */
    unsigned snapshot_bytes; /* Size of a checkpoint; default 1,000. */
    unsigned plant;          /* Break something on purpose; see simworld.c. */
    unsigned skew_ms;        /* Wall clocks differ by up to this. */
    unsigned drift_ppm;      /* Clocks run fast or slow by up to this. */
    unsigned step_ms;        /* Mean time between steps of a wall clock; 0: none. */
    unsigned step_max_ms;    /* Either way. */
    unsigned full_ms;        /* Mean time between full disks; 0: none. */
    unsigned rot_ms;         /* Mean time between damaged bytes of a controller that is down. */
    unsigned lose_ms;        /* Mean time between log records lost though they were synced. */
    unsigned heartbeat_ms;   /* 0: the stock ones. */
    unsigned election_ms;
    unsigned inflight;
    const struct simapp *app; /* NULL: a digest of what was applied. */
    bool tolerate;            /* A controller that refuses to start stays down. */
    bool verbose;
};

struct simworld_stats {
    uint64_t proposed, acked, lost, refused, applied;
    uint64_t reads, elections, crashes, faults, cuts, pauses, handovers;
    uint64_t checkpoints, installs, messages, dropped, torn;
    uint64_t changes, replaced;
    uint64_t shortened, forged, drifting;
    uint64_t repaired, tails_lost;
    uint64_t doubled, slowed, stalled, steps, full, rotten, refused_starts, events;
};

/* Draw shape and faults of a world without an app from the seed. */
struct simworld_options simworld_draw(uint64_t seed);

struct simworld *simworld_open(const struct simworld_options *options);

/* The two halves of it, for whoever has to prepare an app in between. */
struct simworld *simworld_new(const struct simworld_options *options);
void simworld_start(struct simworld *w);

/* Also checks that no memory is left. NULL is fine. */
void simworld_close(struct simworld *w);

/* Let this much time pass. */
void simworld_run(struct simworld *w, uint64_t ms);

/* End all faults, wait until everything agrees (at most limit_ms), then check what must be true in
 * the end. */
void simworld_settle(struct simworld *w, uint64_t limit_ms);

/* --- faults by hand -------------------------------------------------------------------------- */
void simworld_crash(struct simworld *w, unsigned node);
void simworld_restart(struct simworld *w, unsigned node);
/* Cut or join what `from` sends to `to`. */
void simworld_cut(struct simworld *w, unsigned from, unsigned to, bool cut);
/* Cut or join a node from all others, both ways. */
void simworld_isolate(struct simworld *w, unsigned node, bool cut);
/* Every message passes here first; false drops it. NULL: none. */
typedef bool (*simworld_filter)(void *arg, unsigned from, unsigned to, const struct message *m);
void simworld_set_filter(struct simworld *w, simworld_filter filter, void *arg);
struct simdisk *simworld_disk(struct simworld *w, unsigned node);
/* The disk of a node that is down loses the last record of the log, synced or not: zeros. Returns
 * its entry's index, or 0 when there is none that could be lost without being missed at start. */
uint64_t simworld_lose_tail(struct simworld *w, unsigned node);

/* --- work by hand ---------------------------------------------------------------------------- */
/* 0 or what replica_propose() said. *ret_index may be NULL. */
int simworld_propose(struct simworld *w, unsigned node, size_t len, uint64_t *ret_index);
int simworld_read(struct simworld *w, unsigned node);
/* To SIMWORLD_NODES_MAX: to whoever is best. */
int simworld_transfer(struct simworld *w, unsigned node, unsigned to);
/* The connection from `peer` to node was closed at peer's end. */
void simworld_peer_closed(struct simworld *w, unsigned node, unsigned peer);
/* 0 or what replica_change() said; error is then simworld_error(). */
int simworld_change(struct simworld *w, unsigned node, const struct replica_change *change);
/* A new machine with an empty disk and an id that nobody had; it waits to be added. */
void simworld_replace(struct simworld *w, unsigned node);
void simworld_checkpoint(struct simworld *w, unsigned node);

/* --- for an app ------------------------------------------------------------------------------ */

typedef void (*simworld_call)(void *arg, uint64_t a, uint64_t b);

/* Call back later; the caller tells stale calls by a and b. */
void simworld_later(struct simworld *w, uint64_t us, simworld_call call, void *arg, uint64_t a,
                    uint64_t b);
/* The same, on a controller: not after it crashed, and not while it is paused. */
void simworld_later_on(struct simworld *w, unsigned node, uint64_t us, simworld_call call,
                       void *arg, uint64_t a, uint64_t b);
/* 0 or what replica_propose() said, from an event of the node. */
int simworld_propose_bytes(struct simworld *w, unsigned node, const uint8_t *bytes, size_t len);
int simworld_may_propose(struct simworld *w, unsigned node, size_t len, struct err *err);
/* Leadership to whoever is fit for it, if anybody is. From an event of the node. */
void simworld_hand_over(struct simworld *w, unsigned node);
int simworld_ask(struct simworld *w, unsigned node, uint64_t *ret_ticket);
uint64_t simworld_mono_ms(const struct simworld *w, unsigned node);
int64_t simworld_wall_ms(const struct simworld *w, unsigned node);
const struct mem *simworld_mem(struct simworld *w);
struct prng *simworld_prng(struct simworld *w);
bool simworld_chance(struct simworld *w, unsigned ppm); /* Never when calm. */
uint64_t simworld_between(struct simworld *w, uint64_t min, uint64_t max);
bool simworld_is_calm(const struct simworld *w);
uint64_t simworld_now_us(const struct simworld *w);
/* Mix something into the hash of the run. */
void simworld_note(struct simworld *w, uint64_t value);
uint64_t simworld_hash(const struct simworld *w);
__attribute__((format(printf, 2, 3), noreturn)) void simworld_fail(struct simworld *w,
                                                                   const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void simworld_trace(struct simworld *w, const char *fmt, ...);

bool simworld_is_paused(const struct simworld *w, unsigned node);
/* The process ends and does not come back. */
void simworld_stop(struct simworld *w, unsigned node);

/* End all faults; down controllers come back. simworld_settle() without waiting. */
void simworld_heal(struct simworld *w);
/* And begin again. */
void simworld_unheal(struct simworld *w);
bool simworld_agreed(const struct simworld *w);
void simworld_check_end(struct simworld *w);
/* Is it a member that must have everything in the end? */
bool simworld_counts(const struct simworld *w, unsigned node);

/* --- questions ------------------------------------------------------------------------------- */
uint64_t simworld_id(const struct simworld *w, unsigned node);
const char *simworld_address(unsigned node);
/* Its configuration in force; false while it has none. */
bool simworld_conf(const struct simworld *w, unsigned node, struct membership *ret);
/* Does libraft there take it for a member? */
bool simworld_goes_by(const struct simworld *w, unsigned node, uint64_t id);
bool simworld_is_up(const struct simworld *w, unsigned node);
/* Why the last restart failed, or "". */
const char *simworld_error(const struct simworld *w, unsigned node);
struct replica_status simworld_status(const struct simworld *w, unsigned node);
uint64_t simworld_term_of(const struct simworld *w, unsigned node, uint64_t index);
/* A ready leader in the highest term, or -1. */
int simworld_leader(const struct simworld *w);
bool simworld_is_ready(const struct simworld *w, unsigned node);
/* Whom it takes for the leader, or -1. */
int simworld_believed(const struct simworld *w, unsigned node);
/* Run until there is a ready leader (at most limit_ms) and return it, or -1. */
int simworld_elect(struct simworld *w, uint64_t limit_ms);
const struct simworld_stats *simworld_stats(const struct simworld *w);
uint64_t simworld_now_ms(const struct simworld *w);

#endif
