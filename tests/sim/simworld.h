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

#include "controller/raft/conf.h"
#include "controller/raftio/message.h"
#include "tests/sim/simdisk.h"

#include <stdbool.h>
#include <stdint.h>

#define SIMWORLD_NODES_MAX 7u

struct simworld; /* Opaque. */

struct simworld_options { /* Zeroed: a quiet world. Rates are per million. */
    uint64_t seed;
    unsigned n;      /* Controllers. */
    unsigned voters; /* The first so many begin the cluster, the rest may be added; 0: all. */
    unsigned loss;   /* Messages. */
    unsigned dup;
    unsigned delay_us_min;
    unsigned delay_us_max;
    unsigned slow; /* Messages that take up to slow_us_max. */
    unsigned slow_us_max;
    unsigned disk_us_max;   /* A batch of writes. */
    unsigned stall;         /* Batches that take up to 400 ms. */
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
    bool tolerate;           /* A controller that refuses to start stays down. */
    bool verbose;
};

struct simworld_stats {
    uint64_t proposed, acked, lost, refused, applied;
    uint64_t reads, elections, crashes, faults, cuts, pauses, handovers;
    uint64_t checkpoints, installs, messages, dropped, torn;
    uint64_t changes, replaced;
};

struct simworld *simworld_open(const struct simworld_options *options);

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

/* --- work by hand ---------------------------------------------------------------------------- */
/* 0 or what replica_propose() said. *ret_index may be NULL. */
int simworld_propose(struct simworld *w, unsigned node, size_t len, uint64_t *ret_index);
int simworld_read(struct simworld *w, unsigned node);
int simworld_transfer(struct simworld *w, unsigned node, unsigned to);
/* The connection from `peer` to node was closed at peer's end. */
void simworld_peer_closed(struct simworld *w, unsigned node, unsigned peer);
/* 0 or what replica_change() said; error is then simworld_error(). */
int simworld_change(struct simworld *w, unsigned node, const struct replica_change *change);
/* A new machine with an empty disk and an id that nobody had; it waits to be added. */
void simworld_replace(struct simworld *w, unsigned node);
void simworld_checkpoint(struct simworld *w, unsigned node);

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
/* Run until there is a ready leader (at most limit_ms) and return it, or -1. */
int simworld_elect(struct simworld *w, uint64_t limit_ms);
const struct simworld_stats *simworld_stats(const struct simworld *w);
uint64_t simworld_now_ms(const struct simworld *w);

#endif
