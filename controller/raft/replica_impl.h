/* controller/raft/replica_impl.h
 *
 * What the files of the replica share; nobody else includes it.
 *
 *   replica.c        life and inputs
 *   replica_step.c   one raft_step() and what follows from its update
 *   replica_read.c   rounds of linearizable reads
 *   replica_repair.c a peer that has lost what it had confirmed
 *   replica_member.c who the members are, and changes of that */
#ifndef CONTROLLER_RAFT_REPLICA_IMPL_H
#define CONTROLLER_RAFT_REPLICA_IMPL_H

#include "controller/raft/cache.h"
#include "controller/raft/conf.h"
#include "controller/raft/replica.h"

struct replica_conf { /* A configuration and the entry that brought it. */
    uint64_t index;
    uint64_t last_id; /* See conf.h. */
    size_t len;
    uint8_t *bytes;
};

struct replica_peer { /* What the leader knows of a peer, in this term. */
    uint64_t id;
    uint64_t heard_ms; /* Last message from it; 0: none. */
    bool has_capacity;
    unsigned short capacity; /* Of its disk, as it last said. */
    uint64_t sent;           /* The last long message to it ended with this entry ... */
    uint64_t sent_ms;        /* ... and went out then. */
    bool lost;               /* It has not any more what it had confirmed in this term, ... */
    uint64_t kept;           /* ... only this much. */
    uint64_t resent;         /* The entries up to here are on their way to it again ... */
    uint64_t resent_ms;      /* ... since then. */
    uint64_t offered_ms;     /* When it was offered a checkpoint because of that; 0: it was not. */
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

    uint64_t led_ms; /* When a leader was last heard. */

    /* Leadership. */
    bool leading;
    bool ready;
    uint64_t lead_term;
    uint64_t barrier; /* Index of the first entry of lead_term, 0 until there is one. */
    struct replica_reads reads;
    struct replica_peer peers[REPLICA_MEMBERS_MAX];
    unsigned n_peers;
    unsigned short capacity; /* Our own, MiB. */

    /* The configuration as of the snapshot, if there is one, and every one in the log after it,
     * applied or not. The last one is in force. */
    struct replica_conf *confs;
    unsigned n_confs;
    unsigned cap_confs;
    uint64_t told_conf;           /* As of the last io->members: the one in force ... */
    uint64_t told_conf_committed; /* ... and the last committed one. */

    /* Snapshots. */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    bool installing;
    struct raft_snapshot_metadata install; /* While installing. */

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

/* Send entries of the log, cut into messages of their own; from says which. */
void replica_send_append(struct replica *r, uint64_t peer, const struct raft_append_entries *from);

/* Is there something left to apply? */
bool replica_has_backlog(const struct replica *r);

/* --- replica_member.c ------------------------------------------------------------------------ */
/* The log has a configuration at index, the highest so far. */
void replica_conf_add(struct replica *r, uint64_t index, const uint8_t *bytes, size_t len);

/* The log was cut: forget those from this index on. */
void replica_conf_cut(struct replica *r, uint64_t from);

/* Forget those that were replaced before the snapshot. */
void replica_conf_trim(struct replica *r);
void replica_conf_close(struct replica *r);

/* The one that was in force at index, or NULL. */
const struct replica_conf *replica_conf_find(const struct replica *r, uint64_t index);

/* Ourselves in libraft's configuration in force, or NULL. */
struct raft_server *replica_own_server(struct replica *r);

/* A follower that may not stand for election never finds out by itself that the leader is gone. */
void replica_forget_leader(struct replica *r);

/* See to it that libraft goes by the right configurations. */
int replica_conf_sync(struct replica *r, struct err *err);

/* Tell io->members if there is news. */
void replica_conf_tell(struct replica *r);

/* --- replica_repair.c ------------------------------------------------------------------------ */
/* An answer of a peer, before libraft sees it: changed to one that says nothing when it contradicts
 * what the peer has confirmed in this term, or is part of making up for that. */
void replica_repair_answer(struct replica *r, uint64_t id,
                           struct raft_append_entries_result *result);

/* What is about to be sent to a peer: for one that lost entries, those. */
void replica_repair_append(struct replica *r, uint64_t id, struct raft_append_entries *args);

/* Has the peer lost what it had confirmed, and not got it back yet? */
bool replica_repair_needed(const struct replica *r, uint64_t id);

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
