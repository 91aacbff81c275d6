/* controller/raftio/raftnode_impl.h
 *
 * Shared by raftnode.c (life and what the owner asks for), raftnode_io.c (what the replica, the
 * writer, the peers and transfers ask for) and raftnode_member.c (who the members are); nobody else
 * includes it. */
#ifndef CONTROLLER_RAFTIO_RAFTNODE_IMPL_H
#define CONTROLLER_RAFTIO_RAFTNODE_IMPL_H

#include "common/base/list.h"
#include "common/loop/loop.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"
#include "controller/raftio/disk.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/peers.h"
#include "controller/raftio/raftnode.h"
#include "controller/raftio/suspect.h"
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

struct seat { /* A member, for the owner. */
    uint64_t id;
    int role;
    char address[CONF_ADDRESS_MAX];
    char peer[CONF_ADDRESS_MAX];
    char api[CONF_ADDRESS_MAX];
};

struct raftnode {
    struct raftnode_config config;
    struct raftnode_events events;
    void *ctx;
    const struct mem *mem;
    struct raftnode_member members[REPLICA_MEMBERS_MAX]; /* As configured; addresses are ours. */
    struct seat seats[CONF_MEMBERS_MAX];                 /* As they are. */
    unsigned n_seats;
    bool seats_dirty;
    struct conf_server leaving; /* A member whose removal is not committed yet. */
    char software[32];

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

    struct suspect suspect;

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
    uint64_t n_peer_losses;
};

/* --- raftnode_io.c --------------------------------------------------------------------------- */
extern const struct replica_io raftnode_replica_io;
extern const struct writer_events raftnode_writer_events;
extern const struct peers_events raftnode_peers_events;
extern const struct transfer_io raftnode_transfer_io;

/* --- raftnode_member.c ----------------------------------------------------------------------- */

/* Those to talk to: of the configuration in force and of the committed one, or, before there is
 * any, those we were told of. v has room for 2 * CONF_MEMBERS_MAX; texts are good until the members
 * change. */
unsigned raftnode_peers(struct raftnode *n, struct peers_member *v);

/* The members have changed: tell the peers and the owner. */
void raftnode_pump_members(struct raftnode *n);

/* On the leader: write down what is missing in the configuration (incarnations, front doors). */
void raftnode_record_members(struct raftnode *n);

/* Somebody without a seat wants to talk; see peers_events. */
int raftnode_stranger(void *ctx, uint64_t id, struct err *err);
void raftnode_refused(void *ctx, uint64_t by, const struct message_refused *why);

/* --- raftnode.c ------------------------------------------------------------------------------ */
/* Report err to the owner; the node is dead if that returns. */
void raftnode_fail(struct raftnode *n, const struct err *err);

/* After every input to the replica: fail on rv != 0, otherwise see when it is due next. */
void raftnode_after(struct raftnode *n, int rv, const struct err *err);

/* Everything asked for goes with the leadership. */
void raftnode_lose_all(struct raftnode *n);

#endif
