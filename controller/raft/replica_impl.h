/* controller/raft/replica_impl.h
 *
 * What the files of the replica share; nobody else includes it.
 *
 *   replica.c        life and inputs
 *   replica_step.c   one raft_step() and what follows from its update
 *   replica_read.c   rounds of linearizable reads */
#ifndef CONTROLLER_RAFT_REPLICA_IMPL_H
#define CONTROLLER_RAFT_REPLICA_IMPL_H

#include "controller/raft/cache.h"
#include "controller/raft/replica.h"

struct replica_conf { /* A committed configuration and the entry that brought it. */
    uint64_t index;
    size_t len;
    uint8_t bytes[REPLICA_CONF_MAX];
};

#define REPLICA_CONFS_MAX 8u

struct replica_peer { /* What the leader knows of a peer, in this term. */
    uint64_t id;
    bool has_capacity;
    unsigned short capacity; /* Of its disk, as it last said. */
    uint64_t sent;           /* The last long message to it ended with this entry ... */
    uint64_t sent_ms;        /* ... and went out then. */
};

/* One round at a time: reads asked for while one is out wait for the next. */
struct replica_reads {
    uint64_t next;  /* Ticket of the round that is being filled. */
    bool wanted;    /* Somebody holds that ticket. */
    uint64_t round; /* Ticket of the round that is out, or 0. */
    uint64_t index; /* Commit index when it went out. */
    bool confirmed; /* A majority answered; waiting for index to be applied. */
    uint64_t sent_ms;
    uint64_t answered[REPLICA_MEMBERS_MAX]; /* Voters that answered, by id. */
    unsigned n_answered;
};

struct replica {
    struct raft raft;
    struct replica_settings set;
    const struct mem *mem;
    const struct replica_io *io;
    void *ctx;
    struct cache cache;
    uint64_t now_ms;
    uint64_t ticked_ms;   /* Last time libraft was told of a timeout. */
    uint64_t ticket;      /* Last one handed to io->append. */
    uint64_t ticket_done; /* Last one answered. */
    uint64_t durable;
    uint64_t applied;
    bool started;
    bool busy; /* Inside an input. */

    /* Leadership. */
    bool leading;
    bool ready;
    uint64_t lead_term;
    uint64_t barrier; /* Index of the first entry of lead_term, 0 until there is one. */
    struct replica_reads reads;
    struct replica_peer peers[REPLICA_MEMBERS_MAX];
    unsigned n_peers;
    unsigned short capacity; /* Our own, MiB. */

    /* Snapshots. The first configuration is the one as of the snapshot. */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    bool installing;
    struct raft_snapshot_metadata install; /* While installing. */
    struct replica_conf confs[REPLICA_CONFS_MAX];
    unsigned n_confs;

    /* What libraft forgets to say in an answer, see send_raft(). */
    bool answering_stale;
    uint64_t asked_term;

    struct replica_status told; /* As of the last io->changed. */
};

/* Bracket every input: time never goes back. */
void replica_enter(struct replica *r, uint64_t now_ms);

/* Do everything that became possible (apply, barrier, reads), tell what changed, and leave. Passes
 * rv on when it is not 0. */
int replica_leave(struct replica *r, int rv, struct err *err);

/* One raft_step() with everything its update asks for. event->time is filled in. */
int replica_step(struct replica *r, struct raft_event *event, struct err *err);

/* What is known of a peer; made if there is room. NULL: there is none. */
struct replica_peer *replica_peer(struct replica *r, uint64_t id);

/* Is there something left to apply? */
bool replica_has_backlog(const struct replica *r);

/* Remember the configuration of an applied entry. */
void replica_conf_add(struct replica *r, uint64_t index, const uint8_t *bytes, size_t len);

/* --- replica_read.c -------------------------------------------------------------------------- */
void replica_reads_reset(struct replica *r);

/* Start a round if one is wanted, repeat one that got no answer, serve one that is due. */
void replica_reads_run(struct replica *r);

/* A peer answered a probe. */
void replica_reads_answer(struct replica *r, uint64_t peer, uint64_t term, uint64_t round);

/* Says whether id is a voter, and how many there are. */
bool replica_is_voter(const struct replica *r, uint64_t id);
unsigned replica_voters(const struct replica *r);

#endif
