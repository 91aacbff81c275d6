/* controller/raftio/raftnode_impl.h
 *
 * Shared by raftnode.c (life and what the owner asks for) and raftnode_io.c (what the replica, the
 * writer, the peers and transfers ask for); nobody else includes it. */
#ifndef CONTROLLER_RAFTIO_RAFTNODE_IMPL_H
#define CONTROLLER_RAFTIO_RAFTNODE_IMPL_H

#include "common/base/list.h"
#include "common/loop/loop.h"
#include "controller/raft/replica.h"
#include "controller/raftio/disk.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/peers.h"
#include "controller/raftio/raftnode.h"
#include "controller/raftio/transfer.h"
#include "controller/raftio/writer.h"

struct proposal {
    struct list link;
    void *cookie;
    uint64_t index; /* Once it is in the log. */
    size_t len;
    uint8_t bytes[]; /* Until then. */
};

struct reader {
    struct list link;
    raftnode_read_cb cb;
    void *arg;
    uint64_t ticket; /* Once it is asked for. */
    int status;      /* Once it is answered. */
};

struct raftnode {
    struct raftnode_config config;
    struct raftnode_events events;
    void *ctx;
    const struct mem *mem;
    struct raftnode_member members[REPLICA_MEMBERS_MAX]; /* Addresses are ours. */

    struct disk disk;
    struct durable *durable;
    struct replica *replica;
    struct writer *writer;
    struct peers *peers;
    struct transfer *transfer;
    struct loop_soon *soon;
    struct loop_timer *tick;
    struct loop_timer *house;         /* Every second. */
    struct loop_timer *transfer_tick; /* While something is being sent. */

    struct list queued;  /* Proposals that wait for the end of this turn. */
    struct list waiting; /* In the log, not applied. */
    uint64_t queued_bytes;
    struct list reads_queued;
    struct list reads_asked;
    struct list reads_done; /* To be called back. */
    uint64_t read_ticket;   /* Reads up to here are done. */

    bool told_leader; /* events.leader was called and events.follower was not. */
    uint64_t told_leader_id;
    uint64_t term_seen;
    bool dead; /* A fatal error was reported; nothing happens any more. */

    /* Stopping. */
    bool stopping;
    bool handed_over;
    bool told_stopped;
    uint64_t stop_deadline_ms;

    /* Checkpoints. */
    uint64_t checkpoint_wanted;
    struct raftnode_snapshot incoming; /* Being received, or installed. */
    bool install_asked;                /* receive_install was called and not answered. */
    bool install_answered;
    int install_status;
    uint64_t install_index;

    uint64_t disk_room;
    uint64_t disk_warned_ms;
    uint64_t n_proposed, n_applied, n_reads, n_elections;
};

/* --- raftnode_io.c --------------------------------------------------------------------------- */
extern const struct replica_io raftnode_replica_io;
extern const struct writer_events raftnode_writer_events;
extern const struct peers_events raftnode_peers_events;
extern const struct transfer_io raftnode_transfer_io;

/* --- raftnode.c ------------------------------------------------------------------------------ */
/* Report err to the owner; the node is dead if that returns. */
void raftnode_fail(struct raftnode *n, const struct err *err);

/* After every input to the replica: fail on rv != 0, otherwise see when it is due next. */
void raftnode_after(struct raftnode *n, int rv, const struct err *err);

/* Everything asked for goes with the leadership. */
void raftnode_lose_all(struct raftnode *n);

#endif
