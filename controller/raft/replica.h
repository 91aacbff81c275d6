/* controller/raft/replica.h
 *
 * One voter of the cluster: libraft's raft_step() and everything it leaves to its user, without
 * clock, I/O or chance. Time, bytes and the seed come in as arguments; what has to happen goes out
 * through struct replica_io, in the order in which it must happen. Production, tests and the
 * simulator drive the same code.
 *
 * Order within one input: the vote is durable first (save_vote returns only then); then entries go
 * to the log and messages to peers; commands are applied once they are committed and durable here
 * too, so a checkpoint is never ahead of the log under it.
 *
 * The first act of a term is a barrier entry. Until it is applied the replica is leader in name
 * only: proposals and reads are refused with ERR_AGAIN. Leadership lost means that the outcome of
 * what was proposed is unknown, not that it failed.
 *
 * Reads that must see every acknowledged write use a round of their own (ReadIndex): note the
 * commit index, ask every voter for its term, and when a majority including this one still
 * answers ours, serve as soon as that index is applied.
 *
 * Every input that returns an error other than those it names has met a broken invariant; the
 * process must end. Single-threaded. Inputs must not be called from inside a replica_io function.
 */
#ifndef CONTROLLER_RAFT_REPLICA_H
#define CONTROLLER_RAFT_REPLICA_H

#include "common/base/err.h"
#include "common/base/mem.h"

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLICA_ENTRY_MAX   4194304u /* 4 MiB; bytes in one entry. */
#define REPLICA_BATCH_MAX   64u      /* Entries in one proposal or one message. */
#define REPLICA_CONF_MAX    4096u    /* Bytes of an encoded configuration. */
#define REPLICA_MEMBERS_MAX 7u       /* CONF_MEMBERS_MAX. */

struct membership; /* controller/raft/conf.h */
struct replica;    /* Opaque. */

struct replica_entry {
    uint64_t term;
    enum raft_entry_type type;
    const uint8_t *bytes; /* Borrowed. */
    size_t len;
};

enum replica_message_kind {
    REPLICA_RAFT = 1, /* What libraft says to its peers. */
    REPLICA_PROBE,    /* "Which term are you in?", asked by a leader that wants to read. */
    REPLICA_PROBE_REPLY,
};

/* A message to or from a peer. Snapshots travel outside (see replica_snapshot_receive). */
struct replica_message {
    uint64_t peer; /* Receiver when sending, sender when receiving. */
    enum replica_message_kind kind;
    union {
        struct raft_message raft; /* Never RAFT_INSTALL_SNAPSHOT. Entries borrowed for the call. */
        struct {
            uint64_t term;
            uint64_t round;
        } probe;
    };
};

/* What a snapshot stands for: everything up to index, and who the members were. */
struct replica_snapshot {
    uint64_t index; /* 0: there is none. */
    uint64_t term;
    uint64_t conf_index;
    const uint8_t *conf; /* As raft_configuration_encode() writes it. Borrowed. */
    size_t conf_len;
};

struct replica_status {
    enum raft_state state;
    bool ready; /* Leader, and the first entry of the term is applied. */
    uint64_t term;
    uint64_t vote;
    uint64_t leader;  /* 0 while unknown. */
    uint64_t last;    /* Last index in the log. */
    uint64_t durable; /* Last index that is on this disk. */
    uint64_t commit;
    uint64_t applied;
    uint64_t first;       /* Oldest index still in the log; last + 1 when it is empty. */
    uint64_t snapshot;    /* Index of the latest snapshot. */
    uint64_t cache_bytes; /* Payload bytes held in memory. */
    bool installing;      /* Waiting for replica_snapshot_installed(). */
};

/* What the replica wants done. Called during inputs; pointers are borrowed for the call. */
struct replica_io {
    /* Make term and vote durable before returning. */
    void (*save_vote)(void *ctx, uint64_t term, uint64_t vote);
    /* Put n entries at index, discarding what the log has from there on; then, when they are
     * durable, tell replica_persisted(ticket). Tickets grow by one; answering one answers all
     * before it. */
    void (*append)(void *ctx, uint64_t index, const struct replica_entry *entries, unsigned n,
                   uint64_t ticket);
    /* May be lost, doubled and reordered. */
    void (*send)(void *ctx, const struct replica_message *message);
    /* The next committed entry; every type, in order, without gaps. */
    void (*apply)(void *ctx, uint64_t index, const struct replica_entry *entry);
    /* Term, state or leader changed, or the barrier of the term was applied. */
    void (*changed)(void *ctx, const struct replica_status *status);
    /* No longer leader: proposals not applied yet have an unknown outcome, reads not answered yet
     * fail. */
    void (*lost)(void *ctx, uint64_t term);
    /* Every read with this ticket or a smaller one may be served from what is applied now. */
    void (*read_ready)(void *ctx, uint64_t ticket);
    /* A peer is too far behind for the log: send it a snapshot of at least this index. Repeated
     * for as long as it is needed. */
    void (*snapshot_send)(void *ctx, uint64_t peer, uint64_t index);
    /* The log of a peer ends with `kept`, but in this term it had confirmed everything up to
     * `confirmed`: its disk has lost entries. It is given them again. */
    void (*peer_lost_entries)(void *ctx, uint64_t peer, uint64_t confirmed, uint64_t kept);
    /* Switch to a received snapshot, empty the log so that it continues after it, make both
     * durable, then call replica_snapshot_installed(). */
    void (*snapshot_install)(void *ctx, const struct replica_snapshot *snapshot);
    /* The configuration in force, or which one is committed, has changed: ask replica_conf(). */
    void (*members)(void *ctx);
};

struct replica_settings {        /* Zeroed fields mean the default. */
    uint64_t id;                 /* Required, > 0. */
    unsigned election_ms;        /* Randomised between this and its double; default 300. */
    unsigned heartbeat_ms;       /* Default 50. */
    unsigned snapshot_ms;        /* Ask again for a snapshot after this; default 10,000. */
    unsigned inflight_max;       /* Entries sent to a peer and not acknowledged; default 64. */
    size_t message_bytes_max;    /* Larger AppendEntries are cut in several; default 1 MiB. */
    uint64_t cache_bytes_max;    /* Log in memory; beyond it ERR_FULL; default 512 MiB. */
    unsigned short capacity_min; /* MiB of disk below which commands are refused; 0: never. */
    unsigned seed;               /* For election timeouts. */
};

/* What the disk says at start. */
struct replica_boot {
    uint64_t term;
    uint64_t vote;
    struct replica_snapshot snapshot;
    uint64_t first; /* Index of entries[0]; at most snapshot.index + 1. */
    const struct replica_entry *entries;
    size_t n_entries;
    bool joining; /* Nothing at all is fine: the members will add us and send what they have. */
};

/* io and mem are borrowed until replica_close(); ctx is handed to every io function. */
int replica_open(const struct replica_settings *settings, const struct mem *mem,
                 const struct replica_io *io, void *ctx, struct replica **ret, struct err *err);
void replica_close(struct replica *r); /* NULL is fine. */

/* First input, once. The entries are copied. Nothing is applied yet: call replica_tick() next.
 * ERR_CORRUPT when they cannot belong together. */
int replica_start(struct replica *r, uint64_t now_ms, const struct replica_boot *boot,
                  struct err *err);

/* Time has passed: call at replica_deadline_ms() or any time before. */
int replica_tick(struct replica *r, uint64_t now_ms, struct err *err);
uint64_t replica_deadline_ms(const struct replica *r);

/* A message from a peer, checked by the codec. */
int replica_receive(struct replica *r, uint64_t now_ms, const struct replica_message *message,
                    struct err *err);

/* Everything handed to append up to this ticket is durable. */
int replica_persisted(struct replica *r, uint64_t now_ms, uint64_t ticket, struct err *err);

/* Append n commands to the log, one entry each. On success *ret_index is where the first one will
 * be applied, unless leadership is lost before. ERR_NOTLEADER, ERR_AGAIN (barrier not applied yet
 * or leadership being handed over), ERR_FULL (disk or memory), ERR_TOOBIG. */
int replica_propose(struct replica *r, uint64_t now_ms, const struct raft_buffer *commands,
                    unsigned n, uint64_t *ret_index, struct err *err);

/* Would replica_propose() take these now? 0 or what it would say. Not an input. */
int replica_may_propose(const struct replica *r, const struct raft_buffer *commands, unsigned n,
                        struct err *err);

/* Ask for a linearizable read; read_ready or lost answers, perhaps before this returns.
 * ERR_NOTLEADER, ERR_AGAIN. */
int replica_read(struct replica *r, uint64_t now_ms, uint64_t *ret_ticket, struct err *err);

/* The connection from peer was closed at its end, as when its process ends. If it is our leader, we
 * do not wait for the election timeout: we forget it, so that others may be elected, and stand
 * ourselves soon, the voter with the lowest id first. A false alarm costs a pre-vote: who still
 * hears the leader says no to it. */
int replica_peer_closed(struct replica *r, uint64_t now_ms, uint64_t peer, struct err *err);

/* Hand leadership to peer, or to the most advanced one when peer is 0. Gives up by itself after an
 * election timeout. ERR_NOTLEADER, ERR_NOTFOUND (nobody to hand it to). */
int replica_transfer(struct replica *r, uint64_t now_ms, uint64_t peer, struct err *err);

/* --- members ---------------------------------------------------------------------------------
 * A new controller is added as a spare, then made a standby, which receives the log, and a voter
 * once it has caught up. One change at a time; each may be asked for again when its outcome is
 * unknown: what is so already is not an error. The leader itself cannot be demoted or removed:
 * hand leadership over first. */

enum replica_change_kind {
    REPLICA_ADD = 1, /* id, address: a new spare. */
    REPLICA_ROLE,    /* id, role: spare to standby, standby to voter, voter to standby. */
    REPLICA_REMOVE,  /* id. */
    REPLICA_RENAME,  /* addresses of the members in conf that differ from those in force. */
};

struct replica_change {
    enum replica_change_kind kind;
    uint64_t id;
    int role;
    const char *address;           /* "PEER/API"; see conf.h. */
    const struct membership *conf; /* REPLICA_RENAME. */
};

/* On success *ret_index is where the change will be applied, or 0 when it is so already.
 * ERR_NOTLEADER; ERR_AGAIN (leadership is changing, another change is in flight, or the member has
 * not caught up yet: err says which); ERR_NOTFOUND (no such member); ERR_EXISTS (the id, or an
 * address, is another member's); ERR_INVALID (an id that was used before, the last voter, the
 * leader, a move between roles that is none); ERR_FULL (members, disk); ERR_UNAVAILABLE (not enough
 * voters can be reached for the members to be able to decide anything afterwards). */
int replica_change(struct replica *r, uint64_t now_ms, const struct replica_change *change,
                   uint64_t *ret_index, struct err *err);

/* The configuration in force, committed or not. False when there is none (joining). */
bool replica_conf(const struct replica *r, struct membership *ret);

/* The last one known to be committed, and its entry. False when there is none. */
bool replica_conf_committed(const struct replica *r, struct membership *ret, uint64_t *ret_index);

/* Entry of the one in force, 0 when there is none. */
uint64_t replica_conf_index(const struct replica *r);

/* Is a change on its way that is not applied yet? */
bool replica_is_changing(const struct replica *r);

/* By the configuration in force. */
bool replica_is_member(const struct replica *r, uint64_t id);

/* Whom to listen to: the members in force; the committed ones too, for a change that is not
 * committed may be undone, and only a leader it would exclude can do that; and those with an id
 * above all that this log knows of, for whoever was away, or joins, may find everybody replaced.
 * So refused are those that were removed. Everybody while there is no configuration. */
bool replica_is_known(const struct replica *r, uint64_t id);

struct replica_progress { /* What the leader knows of a member. */
    bool known;           /* False on followers; the rest is not set then. */
    uint64_t match;       /* The log is the same up to here. */
    uint64_t lag;         /* Entries behind ours. */
    bool heard;           /* In this term, ... */
    uint64_t heard_ms;    /* ... this long ago. */
    bool has_capacity;
    unsigned short capacity; /* MiB of disk. */
};

struct replica_progress replica_progress(const struct replica *r, uint64_t now_ms, uint64_t id);

/* --- snapshots ------------------------------------------------------------------------------- */

/* A snapshot of everything up to index (applied here) is durable. Entries up to index - trailing
 * are forgotten. Indexes not above the latest snapshot are ignored. */
int replica_snapshot_taken(struct replica *r, uint64_t now_ms, uint64_t index, uint64_t trailing,
                           struct err *err);

/* A leader's snapshot has arrived completely: the leader's term as sent with it, and what it is.
 * Leads to snapshot_install when it is news. */
int replica_snapshot_receive(struct replica *r, uint64_t now_ms, uint64_t peer, uint64_t term,
                             const struct replica_snapshot *snapshot, struct err *err);

/* What snapshot_install asked for is done and durable. */
int replica_snapshot_installed(struct replica *r, uint64_t now_ms, struct err *err);

/* MiB of disk this replica can count on; told to peers with every answer. */
void replica_set_capacity(struct replica *r, unsigned short mib);

/* A voter that lately said it has at least capacity_min, or 0: whom to hand leadership to when our
 * own disk is full. */
uint64_t replica_roomy_peer(const struct replica *r);

struct replica_status replica_status(const struct replica *r);

/* Leader, and the barrier of the term is applied. */
bool replica_is_ready(const struct replica *r);

/* Term of the entry at index, 0 when the log does not know (any more). */
uint64_t replica_term_of(const struct replica *r, uint64_t index);

/* The committed members as of index (applied or below), for a snapshot: conf is written to buf and
 * *ret_len is its length. ERR_NOTFOUND when index is before what is known. */
int replica_conf_at(const struct replica *r, uint64_t index, uint8_t buf[REPLICA_CONF_MAX],
                    size_t *ret_len, uint64_t *ret_conf_index, struct err *err);

#endif
