/* controller/raftio/raftnode.h
 *
 * This controller's seat in the cluster, as the rest of the program sees it: commands in, committed
 * commands out, in the same order on every controller. Ties together the replica (pure), the log
 * files with their writer thread, and the connections to the peers.
 *
 * Loop thread only. Callbacks run from the loop and never inside raftnode_open(),
 * raftnode_propose() or raftnode_read(). A storage error ends the process (see `fatal`): a
 * controller that cannot trust its disk leaves the quorum rather than guess.
 *
 * Life: open → (callbacks) → stop → on_stopped → close. close may also be called alone. */
#ifndef CONTROLLER_RAFTIO_RAFTNODE_H
#define CONTROLLER_RAFTIO_RAFTNODE_H

#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define RAFTNODE_PAYLOAD_MAX 4194304u /* 4 MiB; one entry; ERR_TOOBIG above. */
#define RAFTNODE_LATENCY_N   24       /* Buckets of the fsync histogram. */

struct raftnode;    /* Opaque. */
struct tls_context; /* common/net/tls.h */

struct raftnode_member {
    uint64_t id;         /* 1, 2, 3, ...; the certificate says role controller and this id. */
    const char *address; /* "PEER/API" (controller/raft/conf.h), or only the "host:port" of the peer
                          * port. */
};

struct raftnode_config { /* Zeroed fields mean the default. Everything is copied but the tls. */
    const char *dir;     /* Of this controller alone; made if missing. */
    uint64_t id;         /* Which of the members we are. */
    const struct raftnode_member *members; /* Who begins the cluster: the same list on all of them.
                                            * Once there is a log, it says who the members are. */
    unsigned n_members;
    bool joining; /* An empty directory waits to be added; members says whom to expect then. */
    const char *software; /* Our version, for people. */
    struct id cluster_id; /* See raftnode_identify(). */
    uint64_t epoch;
    const char *listen;             /* "ip:port"; NULL: our own member address. */
    struct tls_context *tls_server; /* Both NULL: plain TCP, for tests. Borrowed. */
    struct tls_context *tls_client;
    uv_loop_t *loop;
    const struct mem *mem;

    /* What the module that owns the state has durably: its checkpoint includes everything up to
     * this index, whose term was this one. 0, 0 for an empty state. */
    uint64_t checkpoint_index;
    uint64_t checkpoint_term;

    unsigned election_ms;    /* Default 300, randomised up to double. */
    unsigned heartbeat_ms;   /* Default 50. */
    uint64_t trailing;       /* Entries kept behind the checkpoint for slow peers; default 8,192. */
    uint64_t segment_bytes;  /* Size of one log file; default 16 MiB. */
    uint64_t memory_bytes;   /* Log kept in memory; default 512 MiB. */
    uint64_t disk_min_bytes; /* Below this much room commands are refused; default 256 MiB. */
    unsigned seed;           /* For election timeouts; 0: from the system. */
    uint16_t feature_level;  /* To announce to the peers; default 1. */
};

struct raftnode_snapshot { /* A checkpoint on its way to a controller that lags behind. */
    uint64_t index;
    uint64_t term;
    uint64_t size; /* Bytes. */
};

/* What the node tells its owner. ctx is the owner's. Members may be NULL where noted. */
struct raftnode_events {
    /* The next committed command. cookie is what raftnode_propose() was given when the command was
     * proposed by this node in this term, otherwise NULL. bytes is borrowed for the call. */
    void (*apply)(void *ctx, uint64_t index, uint64_t term, const uint8_t *bytes, size_t len,
                  void *cookie);
    /* Leadership ended before the command was applied here: its outcome is unknown, and apply may
     * still be called for it, with cookie NULL. */
    void (*lost)(void *ctx, void *cookie);
    /* This node leads, and everything earlier leaders committed is applied. */
    void (*leader)(void *ctx, uint64_t term);
    /* It leads no longer. After lost() of every open proposal. */
    void (*follower)(void *ctx, uint64_t term);
    /* The known leader changed; 0 for none. May be NULL. */
    void (*leader_changed)(void *ctx, uint64_t leader_id);
    /* The node cannot go on. Default (NULL): log and _exit(1). If it returns, the node stays
     * silent for good. */
    void (*fatal)(void *ctx, const struct err *err);
    /* raftnode_stop() is done. */
    void (*stopped)(void *ctx);
    /* The members, or their addresses, have changed. May be NULL. */
    void (*members)(void *ctx);
    /* This controller has no seat any more: it was removed, or comes with another data directory
     * than the one that voted. The process must end; if this returns (or is NULL), fatal follows.
     */
    void (*expelled)(void *ctx, const struct err *err);

    /* --- sending our checkpoint to a peer: all short, non-blocking -------------------------------
     */
    /* Open a consistent copy of the durable checkpoint. ERR_AGAIN when none can be had now. */
    int (*snapshot_open)(void *ctx, void **ret_handle, struct raftnode_snapshot *ret,
                         struct err *err);
    /* Read up to size bytes at offset; *ret_n is how many (all of them but at the end). */
    int (*snapshot_read)(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size,
                         size_t *ret_n, struct err *err);
    void (*snapshot_close)(void *ctx, void *handle);

    /* --- receiving the leader's checkpoint: one at a time ----------------------------------------
     */
    /* A transfer begins (an earlier unfinished one is forgotten). */
    int (*receive_begin)(void *ctx, const struct raftnode_snapshot *snapshot, struct err *err);
    /* The next bytes, in order. */
    int (*receive_chunk)(void *ctx, const uint8_t *bytes, size_t n, struct err *err);
    /* Drop what was received so far. */
    void (*receive_abort)(void *ctx);
    /* All bytes are there and the leader is still the leader. Check them, switch the state to them
     * atomically and durably, then call raftnode_installed(), now or later. No apply in between;
     * the next apply is index + 1. */
    void (*receive_install)(void *ctx, const struct raftnode_snapshot *snapshot);
};

enum raftnode_role { RAFTNODE_FOLLOWER, RAFTNODE_CANDIDATE, RAFTNODE_LEADER };

struct raftnode_stats {
    enum raftnode_role role;
    bool ready; /* Leader and ready for commands. */
    uint64_t term;
    uint64_t leader; /* 0: unknown. */
    uint64_t last, durable, commit, applied, first, checkpoint;
    uint64_t memory_bytes;    /* Entries in memory. */
    uint64_t disk_bytes;      /* Log files. */
    uint64_t disk_room_bytes; /* Room for more, preallocated included. */
    uint64_t n_proposed, n_applied, n_reads, n_elections;
    uint64_t n_peer_losses; /* A peer lost what it had confirmed (raft.peer_lost_entries). */
    uint64_t n_fsyncs, fsync_us_sum, fsync_us_max;
    uint64_t fsync_us[RAFTNODE_LATENCY_N]; /* fsync_us[i]: took less than 2^i microseconds. */
    unsigned n_peers_connected;
};

/* Read the disk, start the writer thread, listen, connect. Blocking (start-up). An empty directory
 * becomes a new log whose first entry is the configuration made of the members. Refuses with
 * ERR_CORRUPT what cannot be trusted, naming file and offset, and with ERR_CONFLICT a directory
 * of another id. */
int raftnode_open(const struct raftnode_config *config, const struct raftnode_events *events,
                  void *ctx, struct raftnode **ret, struct err *err);

/* Refuse new work, hand leadership over if we have it, wait for what is in flight (bounded by
 * two election timeouts), then call events->stopped. */
void raftnode_stop(struct raftnode *n);

/* Release everything. Open proposals and reads get no more callbacks. NULL is fine. Not from inside
 * a callback. */
void raftnode_close(struct raftnode *n);

/* Have a command replicated. On success exactly one of apply(cookie) and lost(cookie) follows.
 * cookie must not be NULL. bytes are copied. Group several commands into one entry: an entry costs
 * a disk write on every controller. ERR_NOTLEADER, ERR_AGAIN (leader, but not ready), ERR_FULL
 * (disk or memory low), ERR_TOOBIG, ERR_CLOSED. */
int raftnode_propose(struct raftnode *n, const uint8_t *bytes, size_t len, void *cookie,
                     struct err *err);

/* status 0: everything acknowledged anywhere before raftnode_read() is applied here. Otherwise
 * ERR_NOTLEADER or ERR_CLOSED. */
typedef void (*raftnode_read_cb)(void *arg, int status);

/* Linearizable read: cb runs exactly once, from the loop. Reads of one turn share one round of
 * messages. ERR_NOTLEADER, ERR_AGAIN, ERR_CLOSED: cb is not called. */
int raftnode_read(struct raftnode *n, raftnode_read_cb cb, void *arg, struct err *err);

/* The state module's checkpoint now includes everything up to index, durably: older entries may
 * go. Call after the module's own fsync. */
void raftnode_checkpoint(struct raftnode *n, uint64_t index);

/* Answer to receive_install: status 0 when the state is the snapshot now. Otherwise this is fatal:
 * the log has given way to the snapshot by then; the next start begins with what is on disk and
 * asks for the snapshot again. */
void raftnode_installed(struct raftnode *n, int status);

/* Hand leadership to a member (0: the best). ERR_NOTLEADER, ERR_NOTFOUND. */
int raftnode_transfer(struct raftnode *n, uint64_t id, struct err *err);

/* --- members ---------------------------------------------------------------------------------
 * Changes are asked for on the leader, one at a time, and may be asked for again; see
 * controller/raft/replica.h for the rules and the errors. On success *ret_index is where the change
 * will be applied, unless leadership is lost before, or 0 when it is so already. */

enum raftnode_seat_role { RAFTNODE_VOTER, RAFTNODE_STANDBY, RAFTNODE_SPARE };

/* As a spare; address is "PEER/API". */
int raftnode_add(struct raftnode *n, uint64_t id, const char *address, uint64_t *ret_index,
                 struct err *err);

/* The next step up: spare to standby, standby to voter (ERR_AGAIN while it is behind). */
int raftnode_promote(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err);
int raftnode_demote(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err);
int raftnode_remove(struct raftnode *n, uint64_t id, uint64_t *ret_index, struct err *err);

#define RAFTNODE_MEMBERS_MAX 7u

struct raftnode_seat { /* Texts are good until the members change. */
    uint64_t id;
    enum raftnode_seat_role role;
    const char *peer_address;
    const char *api_address; /* "" when it is not known. */
    uint64_t incarnation;    /* Of its data directory; 0: not recorded yet. */
    const char *software;    /* Its version, "" likewise. */
    bool connected;
    bool known;     /* The rest is known; only on the leader. */
    uint64_t match; /* It has the log up to here. */
    uint64_t lag;   /* Entries behind. */
    bool heard;
    uint64_t heard_ms; /* This long ago. */
    bool has_room;
    uint64_t room_bytes; /* On its disk, at least. */
};

/* Returns how many there are. */
unsigned raftnode_members(const struct raftnode *n, struct raftnode_seat v[RAFTNODE_MEMBERS_MAX]);

/* Entry of the newest committed configuration. */
uint64_t raftnode_members_index(const struct raftnode *n);

/* The front door of a member; "" when that is not known. Good until the members change. */
const char *raftnode_api_address(const struct raftnode *n, uint64_t id);

uint64_t raftnode_id(const struct raftnode *n);

/* Our control plane's id and epoch are known from now on: peers of others are refused. */
void raftnode_identify(struct raftnode *n, struct id cluster_id, uint64_t epoch);
bool raftnode_is_leader(const struct raftnode *n);  /* And ready. */
uint64_t raftnode_leader(const struct raftnode *n); /* 0: unknown. */

/* Has this node heard from the member lately (a connection from or to it is up)? */
bool raftnode_connected(const struct raftnode *n, uint64_t id);

/* Is there a connection to this member? */
bool raftnode_connected(const struct raftnode *n, uint64_t id);

/* The lowest feature level of the voters, as they have announced it on connections they have now;
 * 0: one is not connected. */
uint32_t raftnode_voters_level(const struct raftnode *n);

void raftnode_stats(const struct raftnode *n, struct raftnode_stats *ret);

#endif
