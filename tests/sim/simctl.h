/* tests/sim/simctl.h
 *
 * One controller above the log: what controller/engine and controller/link are in production, with
 * the ring, store, leader and dispatcher that production runs. Private to tests/sim. */
#ifndef TESTS_SIM_SIMCTL_H
#define TESTS_SIM_SIMCTL_H

#include "common/base/arena.h"
#include "common/base/list.h"
#include "controller/codec/nodemsg.h"
#include "controller/core/dispatch.h"
#include "controller/ring/ring.h"
#include "tests/sim/fleet_impl.h"
#include "tests/sim/simckpt.h"

#define SIMCTL_LOST_MS      30000u /* As controller/program has them. */
#define SIMCTL_GRACE_MS     30000u
#define SIMCTL_SILENT_MS    15000u
#define SIMCTL_HEARTBEAT_MS 5000u
#define SIMCTL_LEASE_MS     22500u /* Three quarters of SIMCTL_LOST_MS, as in production. */
#define SIMCTL_CLUSTER      "c"

enum simsession_state { SIMSESSION_NEW, SIMSESSION_REGISTERING, SIMSESSION_LIVE, SIMSESSION_ENDED };

struct simsession { /* As struct session of controller/link. */
    struct list link;
    struct simctl *c;
    uint64_t number;
    struct simstream *stream; /* NULL once closed. */
    enum simsession_state state;
    struct id node;
    struct dispatch_session *dispatch;
    struct arena hello; /* What `said` points to. */
    struct nodemsg_hello said;
    struct ring_write write;
    bool writing;
};

struct simask { /* A read that waits for raft. */
    struct list link;
    struct ring_read *read;
    uint64_t ticket; /* 0: not asked yet. */
};

struct simctl {
    struct fleet *f;
    unsigned node;
    uint64_t life;       /* Counts boots: stale calls differ. */
    struct simckpt ckpt; /* Durable. */
    bool up;
    bool dying;
    /* While up. */
    struct ring *ring;
    struct prng prng;
    bool turn_posted;
    uint64_t alarm; /* Counts wishes: the latest counts. */
    uint64_t seen_mono;
    uint32_t changed; /* Rows that the latest command changed. */
    uint64_t audited; /* Revision of the latest record of the audit. */
    bool handing_over;
    struct buf out;   /* The message to a node that is being sent. */
    struct buf entry; /* Proposed, not in the log yet. */
    bool has_entry;
    bool in_log;
    struct list asked;
    uint64_t reads_done;
    bool read_posted;
    struct dispatch *dispatch;
    struct list sessions;
    uint64_t n_sessions;
    struct ring_write taken;
    bool taking;
    bool link_posted;
    uint64_t link_alarm;
    uint64_t applies;
    uint64_t check_at; /* Which one is followed by store_check(). */
};

/* simlink.c */
void simlink_changed(struct simctl *c, const struct changes *changes);
void simlink_wake(struct simctl *c);
void simlink_die(struct simctl *c);

#endif
