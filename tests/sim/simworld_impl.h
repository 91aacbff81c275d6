/* tests/sim/simworld_impl.h
 *
 * Shared by simworld.c (events, network, faults), simnode.c (one controller) and simcheck.c (what
 * must hold). */
#ifndef TESTS_SIM_SIMWORLD_IMPL_H
#define TESTS_SIM_SIMWORLD_IMPL_H

#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/prng.h"
#include "controller/raft/replica.h"
#include "controller/raftio/durable.h"
#include "controller/raftio/transfer.h"
#include "tests/sim/simworld.h"

#define SIMWORLD_COMMAND_DEFAULT  200u
#define SIMWORLD_SEGMENT_DEFAULT  (64u * 1024u)
#define SIMWORLD_SNAPSHOT_DEFAULT 1000u
#define SIMWORLD_CHECKPOINT_MAX   (64u << 20)
#define SIMWORLD_FORGED_TERM      (UINT64_C(1) << 40)
#define SIMNODE_REFUSALS          4u
#define SIMNODE_ROLLS             256u
#define SIMNODE_SIZES             4096u
#define SIMNODE_RECORD            64u /* Around an entry in the log, at most. */
#define PPM                       1000000u

enum simplant { /* Faults put in on purpose, to prove that the checks find them. */
                SIMPLANT_NONE,
                SIMPLANT_LYING_DISK, /* sync() does nothing on one controller. */
                SIMPLANT_NO_VOTE,    /* Votes are not saved. */
                SIMPLANT_EARLY_ACK,  /* Entries count as durable before they are. */
                SIMPLANT_STALE_READ, /* Reads are served without asking anybody. */
                SIMPLANT_N,
};

enum event_kind {
    EV_DELIVER, /* A message arrives. */
    EV_TICK,    /* A replica's deadline. */
    EV_WRITE,   /* A batch of writes ends. */
    EV_INSTALL, /* One step of an installation. */
    EV_NODE_CALL,
    EV_RESTART,
    EV_TRANSFER_TICK,
    EV_ROOM,
    EV_CLIENT, /* The rest happen to the world, at random times. */
    EV_READ,
    EV_CRASH,
    EV_CUT,
    EV_PAUSE,
    EV_HANDOVER,
    EV_CHECKPOINT,
    EV_MEMBER,
    EV_STEP,
    EV_FULL,
    EV_ROT,
    EV_LOSE,
    EV_CALL,
    EV_KINDS,
};

struct simevent {
    struct heap_node node;
    enum event_kind kind;
    unsigned to;         /* Node. */
    uint64_t from;       /* EV_DELIVER: the sender's id. */
    bool spoiled;        /* EV_DELIVER: it is no message ... */
    bool forged;         /* ... or one of somebody who is no member any more. */
    uint64_t generation; /* Of the node; events of an earlier life are dropped. 0: any. */
    simworld_call call;  /* EV_CALL, EV_NODE_CALL. */
    void *arg;
    uint64_t a, b;
    size_t len;
    uint8_t bytes[]; /* EV_DELIVER: the body. */
};

/* --- one controller -------------------------------------------------------------------------- */

struct simstate { /* What is applied, in short. */
    uint64_t index;
    uint64_t term;
    uint64_t digest;
};

struct write_op {
    struct list link;
    enum { OP_APPEND, OP_TRIM } kind;
    uint64_t index; /* OP_TRIM: through. */
    uint64_t ticket;
    unsigned n;
    struct replica_entry *entries;
};

struct proposal {
    struct list link;
    uint64_t index;
    uint64_t id;
};

struct asked { /* A read under way. */
    struct list link;
    uint64_t ticket;
    uint64_t need; /* Index it must see. */
};

/* Where the log went on in a new file though the last one was not full. */
struct simroll {
    uint64_t index;
    uint64_t replaced; /* Bytes of the entries from there on that stay behind in older files. */
};

struct simnode {
    struct simworld *w;
    unsigned at;
    uint64_t id; /* at + 1, and SIMWORLD_NODES_MAX more with every new machine. */
    struct simdisk *disk;
    struct simstate checkpoint; /* Durable, as the state module's. */
    struct simstate saved;      /* With an app: what it was told of last. */
    uint64_t reached;           /* Highest index it ever applied: durable, so never lost. */
    uint64_t marked;            /* And of the watermark: damage up to there must be noticed. */
    struct simroll rolls[SIMNODE_ROLLS]; /* The latest. */
    unsigned n_rolls;
    uint32_t sizes[SIMNODE_SIZES]; /* Of the latest entries of the log, by index. */
    uint64_t app_index;            /* Of its proposal; 0: none. */
    bool app_leads;
    bool app_boots; /* Between boot and die. */
    int64_t wall_offset_ms;
    bool full;    /* Its disk is. */
    bool stopped; /* For good. */
    struct {      /* A byte that went bad, to be put right when the operators come. */
        bool is;
        char name[DISK_NAME_MAX];
        uint64_t offset;
        uint8_t was;
        unsigned n_refused; /* Starts because of it: the operators come after some. */
    } rot;
    bool up;
    uint64_t generation;
    uint64_t clock_offset_ms;
    int64_t drift_ppm;
    uint64_t paused_until_us;
    char error[ERR_TEXT_MAX];

    /* While up. */
    struct durable *durable;
    struct replica *replica;
    struct transfer *transfer;
    struct simstate state;
    struct simevent *tick;
    struct list writes;
    bool writing;
    struct simevent *written; /* When that ends. */
    uint64_t last_ticket;     /* Asked for; see SIMPLANT_EARLY_ACK. */
    struct list proposals;
    struct list reads;
    uint64_t reads_done;
    bool doomed; /* The disk failed inside a callback: crash when it returns. */

    /* Receiving a snapshot. */
    struct buf incoming_bytes; /* With an app. */
    struct simstate incoming;
    uint64_t incoming_size;
    uint64_t incoming_got;
    unsigned install_step;
    struct replica_snapshot install;
    uint8_t install_conf[REPLICA_CONF_MAX];
};

void simnode_init(struct simnode *n, struct simworld *w, unsigned at);
void simnode_close(struct simnode *n);
void simnode_start(struct simnode *n);
void simnode_crash(struct simnode *n);
void simnode_deliver(struct simnode *n, const struct simevent *e);
uint64_t simnode_now_ms(const struct simnode *n); /* Of its clock that never goes back. */
void simnode_tick(struct simnode *n);
void simnode_write(struct simnode *n);
void simnode_install(struct simnode *n);
void simnode_transfer_tick(struct simnode *n);
int simnode_propose(struct simnode *n, size_t len, uint64_t *ret_index);
int simnode_read(struct simnode *n);
int simnode_handover(struct simnode *n, uint64_t to);
void simnode_peer_closed(struct simnode *n, uint64_t peer);
void simnode_checkpoint(struct simnode *n);
int simnode_change(struct simnode *n, const struct replica_change *change);
void simnode_replace(struct simnode *n);

/* --- members (simmember.c) ------------------------------------------------------------------- */

/* Should this node have everything in the end? Not when it was removed or never added. */
bool simmember_counts(const struct simworld *w, unsigned node);

/* libraft goes by the members that the log has. */
void simmember_check(struct simworld *w, unsigned node);

/* Ask for some change that makes sense. */
void simmember_random(struct simworld *w);

/* --- what must hold -------------------------------------------------------------------------- */

struct simappended { /* An entry some log had at an index. */
    uint64_t term;
    uint64_t hash;
    struct simappended *next;
};

struct simhistory { /* By index - 1. */
    uint32_t len;   /* Bytes of the longest entry that was there. */
    uint64_t term;  /* Of the entry that was applied; 0: not yet. */
    uint64_t hash;
    uint64_t digest; /* Of the state after it. */
    struct simappended *appended;
};

struct simcheck {
    struct simhistory *history;
    size_t cap;
    uint64_t last;     /* Highest index applied anywhere. */
    uint64_t acked;    /* Highest index acknowledged. */
    uint64_t *leaders; /* By term: node + 1. */
    size_t cap_leaders;
};

uint64_t simcheck_hash(const struct replica_entry *e);
void simcheck_append(struct simworld *w, uint64_t index, const struct replica_entry *e);
/* Returns the digest of the state after this entry. */
uint64_t simcheck_apply(struct simworld *w, unsigned node, uint64_t index,
                        const struct replica_entry *e, uint64_t digest_before);
void simcheck_state(struct simworld *w, unsigned node, const struct simstate *s);
/* I19: the log, trimmed up to here, keeps what it must and little more. */
void simcheck_log(struct simworld *w, unsigned node, uint64_t trimmed, uint64_t last,
                  uint64_t bytes);
void simcheck_leader(struct simworld *w, unsigned node, uint64_t term);
void simcheck_end(struct simworld *w);
void simcheck_close(struct simworld *w);

/* --- the world ------------------------------------------------------------------------------- */

struct simworld {
    struct mem mem;
    size_t in_use;
    struct simworld_options opt;
    struct prng prng;
    uint64_t now_us;
    struct heap events;
    struct simnode nodes[SIMWORLD_NODES_MAX];
    bool cut[SIMWORLD_NODES_MAX][SIMWORLD_NODES_MAX];
    bool calm; /* Faults are over. */
    struct simcheck check;
    struct simworld_stats stats;
    simworld_filter filter;
    void *filter_arg;
    uint64_t next_id;
    uint64_t hash;
};

/* Fails unless rv is 0. */
void simnode_must(struct simnode *n, int rv, const struct err *err, const char *what);
extern const struct transfer_io simnode_transfer_io; /* simtransfer.c */
void simnode_die(struct simnode *n);
void simnode_call(struct simnode *n, const struct simevent *e);
int simnode_propose_bytes(struct simnode *n, const uint8_t *bytes, size_t len);
int simnode_ask(struct simnode *n, uint64_t *ret_ticket);
void simnode_full(struct simnode *n, bool full);
void simnode_rot(struct simnode *n);
void simnode_lose(struct simnode *n);
uint64_t simnode_lose_tail(struct simnode *n);
void simnode_unrot(struct simnode *n);
void simnode_repair(struct simnode *n);

struct simevent *simworld_event(struct simworld *w, enum event_kind kind, unsigned to,
                                uint64_t delay_us, size_t len);
void simworld_event_drop(struct simworld *w, struct simevent *e);

void simworld_send(struct simworld *w, unsigned from, const struct message *m, uint64_t to_id);

#endif
