/* controller/raftio/peers.h
 *
 * The connections to the other controllers: one to each for what we send, one from each for what
 * they send, mutual TLS 1.3, certificates of role controller whose id is that of a member. Who the
 * members are may change at any time. A member whose data directory is not the one that is recorded
 * for it is refused: it would have forgotten what it voted. Made again when they break. What cannot
 * be sent now is dropped: raft repeats itself, and a queue that grows would only delay the
 * heartbeats behind it. Loop thread only. */
#ifndef CONTROLLER_RAFTIO_PEERS_H
#define CONTROLLER_RAFTIO_PEERS_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/raftio/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define PEERS_QUEUE_MAX   25165824u /* 24 MiB; bytes unsent to one peer. */
#define PEERS_QUEUE_BULK  8388608u  /* 8 MiB; beyond it entries are dropped. */
#define PEERS_HELLO_MS    5000u     /* For hello, after the handshake. */
#define PEERS_HELLO_MAX   1200u     /* Bytes of it; until then nobody knows who speaks. */
#define PEERS_STREAMS_MAX 1024u     /* Connections that were accepted; */
#define PEERS_PER_IP_MAX  32u       /* of one address before the handshake is over. */
#define PEERS_REFUSALS_S  2u        /* Lines of log a second about refused ones. */
#define PEERS_QUEUE_CHUNK 524288u   /* 512 KiB; beyond it no pieces of checkpoints. */

struct peers;       /* Opaque. */
struct addr;        /* common/net/addr.h */
struct tls_context; /* common/net/tls.h */

struct peers_member {
    uint64_t id;
    const char *address; /* See controller/raft/conf.h; with the incarnation once recorded. */
};

struct peers_config { /* Copied, but the TLS contexts. */
    uv_loop_t *loop;
    const struct mem *mem;
    uint64_t id; /* Ours. */
    uint64_t incarnation;
    struct id cluster_id; /* Of our control plane, and its epoch; none and 0: not known yet. */
    uint64_t epoch;
    const char *software;               /* Our version, for people. */
    const struct peers_member *members; /* We may be among them, with our address. */
    uint16_t level;                     /* The feature level to announce. */
    unsigned n_members;
    const char *listen;             /* "ip:port"; NULL: our own address among the members. */
    struct tls_context *tls_server; /* Both NULL: plain TCP and whoever says he is a member; for
                                     * tests. */
    struct tls_context *tls_client;
};

struct peers_events {
    /* A checked message from a member. Borrowed for the call. An error ends the connection: no
     * honest member would have said that. */
    int (*message)(void *ctx, uint64_t from, const struct message *m, struct err *err);
    /* Somebody who is no peer, but has a controller's certificate of this id, says hello. 0: take
     * it as a peer until the next peers_update(); otherwise why not, with a sentence in err. */
    int (*stranger)(void *ctx, uint64_t id, struct err *err);
    /* A member will not talk to us. Borrowed for the call. */
    void (*refused)(void *ctx, uint64_t by, const struct message_refused *why);
    /* A member closed its connection to us: no more messages will come by it. */
    void (*closed)(void *ctx, uint64_t id);
};

int peers_open(const struct peers_config *config, const struct peers_events *events, void *ctx,
               struct peers **ret, struct err *err);
void peers_close(struct peers *p); /* NULL is fine. Not from inside an event. */

/* From now on this is known of our control plane. Peers that know of another one, or of another
 * epoch, are refused: they belong to what was there before a restore, or after it. */
void peers_identify(struct peers *p, struct id cluster_id, uint64_t epoch);

/* From now on these are the members. Connections to others end, also those to strangers that
 * events->stranger() refuses by now. */
void peers_update(struct peers *p, const struct peers_member *members, unsigned n);

/* As the peer said in its hello; 0 and "" when it has not said any. */
uint64_t peers_incarnation(const struct peers *p, uint64_t id);
const char *peers_software(const struct peers *p, uint64_t id);

/* Send or drop. */
void peers_send(struct peers *p, uint64_t to, const struct message *m);
void peers_send_replica(struct peers *p, const struct replica_message *m);

/* The feature level a member has announced on the connection it has to us now; 0: there is none. */
uint32_t peers_level(const struct peers *p, uint64_t id);

/* Is there a connection to this member? */
bool peers_connected(const struct peers *p, uint64_t id);
unsigned peers_n_connected(const struct peers *p);

/* Where we listen, with the real port. */
const struct addr *peers_listen_addr(const struct peers *p);

#endif
