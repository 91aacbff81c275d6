/* controller/raftio/message.h
 *
 * What controllers say to each other, as bytes. Every field of what arrives is checked, against its
 * range, against the bytes that are left and against the other fields, before libraft sees it: its
 * own checks are assertions that the packaged build leaves out. Pure. */
#ifndef CONTROLLER_RAFTIO_MESSAGE_H
#define CONTROLLER_RAFTIO_MESSAGE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/id.h"
#include "common/base/str.h"
#include "controller/raft/replica.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_VERSION   3u
#define MESSAGE_HEAD      4u /* Bytes in front of each body: its length. */
#define MESSAGE_BODY_MAX  (REPLICA_ENTRY_MAX + 65536u)
#define MESSAGE_CHUNK_MAX 32768u              /* 32 KiB. */
#define MESSAGE_INDEX_MAX (UINT64_C(1) << 60) /* Of indexes and terms. */
#define MESSAGE_TEXT_MAX  512u                /* Bytes of a text. */

enum message_kind {
    MESSAGE_HELLO = 1, /* First on every connection. */
    MESSAGE_REPLICA,   /* For replica_receive(). */
    MESSAGE_CHUNK,     /* Part of a snapshot. */
    MESSAGE_CHUNK_ACK,
    MESSAGE_REFUSED, /* The only answer to hello, before the connection is closed. */
};

struct message_hello {
    uint32_t version; /* 1: 0.1.0, which refuses any other. Later ones only add fields. */
    uint64_t from;    /* Member ids. */
    uint64_t to;
    uint64_t incarnation; /* Of the sender's data directory. */
    struct id cluster_id; /* Of the sender's control plane; none: not known yet. */
    uint64_t epoch;       /* Likewise; 0: not known yet. */
    struct str address;   /* "PEER/API" of the sender; empty: not known. Borrowed. */
    struct str software;  /* Its version, for people. Borrowed. */
    uint16_t level;       /* Its feature level (controller/core/feature.h). Version 1: 1. */
};

enum message_refusal {
    MESSAGE_REFUSED_OTHER = 1,  /* Says the text. */
    MESSAGE_REFUSED_REMOVED,    /* The id was removed from the cluster, for good. */
    MESSAGE_REFUSED_INCARNATION /* The member had another data directory. */
};

struct message_refused {
    enum message_refusal reason;
    struct str text; /* For people. Borrowed. */
};

/* A snapshot in pieces; term, index and size together name the transfer. */
struct message_chunk {
    uint64_t term; /* The leader's. */
    struct replica_snapshot snapshot;
    uint64_t size;   /* Bytes in all. */
    uint64_t offset; /* Of this piece. */
    const uint8_t *bytes;
    size_t n; /* 0 only when size is. */
};

struct message_chunk_ack {
    uint64_t term;
    uint64_t index;
    uint64_t offset; /* Bytes received without a gap; UINT64_MAX: not wanted. */
};

#define MESSAGE_UNWANTED UINT64_MAX

struct message {
    enum message_kind kind;
    union {
        struct message_hello hello;
        struct replica_message replica; /* Its peer is 0: only the connection knows. */
        struct message_chunk chunk;
        struct message_chunk_ack ack;
        struct message_refused refused;
    };
};

/* Append length and body to out. The caller checks out->overflow. */
void message_encode(const struct message *m, struct buf *out);
void message_encode_replica(const struct replica_message *m, struct buf *out);

/* Take a body apart. Entries, chunk and configuration are borrowed from it; entries is where the
 * array of an AppendEntries goes. ERR_PROTOCOL names the field and the rule. */
int message_decode(const uint8_t *body, size_t len, struct raft_entry entries[REPLICA_BATCH_MAX],
                   struct message *ret, struct err *err);

/* The length of the body announced by MESSAGE_HEAD bytes; ERR_TOOBIG beyond MESSAGE_BODY_MAX,
 * ERR_PROTOCOL when 0. */
int message_body_len(const uint8_t head[MESSAGE_HEAD], size_t *ret, struct err *err);

/* May this message be dropped to make room? Everything raft repeats by itself, when it is large. */
bool message_is_append(const struct replica_message *m);

#endif
