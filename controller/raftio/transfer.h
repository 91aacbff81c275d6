/* controller/raftio/transfer.h
 *
 * Checkpoints on their way between controllers, in small pieces with a window, so that they never
 * stand in front of a heartbeat for long. Both ends; no I/O and no clock of its own: time comes in,
 * messages go out. Loop thread only. */
#ifndef CONTROLLER_RAFTIO_TRANSFER_H
#define CONTROLLER_RAFTIO_TRANSFER_H

#include "common/base/err.h"
#include "common/base/mem.h"
#include "controller/raft/replica.h"
#include "controller/raftio/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSFER_WINDOW     ((uint64_t)8 * MESSAGE_CHUNK_MAX) /* Bytes sent and not acknowledged. */
#define TRANSFER_RETRY_MS   500u   /* Without news, send again from the last ack. */
#define TRANSFER_GIVE_UP_MS 15000u /* Without news, forget it; raft asks again. */

struct transfer; /* Opaque. */

struct transfer_meta {
    uint64_t index;
    uint64_t term;
    uint64_t size;
};

struct transfer_io {
    void (*send)(void *ctx, uint64_t peer, const struct message *m);
    /* Members as of an applied index; see replica_conf_at(). */
    int (*conf_at)(void *ctx, uint64_t index, uint8_t buf[REPLICA_CONF_MAX], size_t *ret_len,
                   uint64_t *ret_conf_index, struct err *err);
    /* The source; see raftnode.h. */
    int (*open)(void *ctx, void **ret_handle, struct transfer_meta *ret, struct err *err);
    int (*read)(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size, size_t *ret_n,
                struct err *err);
    void (*close)(void *ctx, void *handle);
    /* The sink. wanted: false when we have all that already. */
    bool (*wanted)(void *ctx, const struct replica_snapshot *s);
    int (*begin)(void *ctx, const struct transfer_meta *meta, struct err *err);
    int (*chunk)(void *ctx, const uint8_t *bytes, size_t n, struct err *err);
    int (*end)(void *ctx, struct err *err);
    void (*abort)(void *ctx);
    /* All of it is here (or was not wanted): tell the replica. */
    void (*arrived)(void *ctx, uint64_t peer, uint64_t term, const struct replica_snapshot *s);
    /* Something went wrong with one transfer; it will be tried again. For the log. */
    void (*trouble)(void *ctx, uint64_t peer, const struct err *err);
};

int transfer_open(const struct mem *mem, const struct transfer_io *io, void *ctx,
                  struct transfer **ret);
void transfer_close(struct transfer *t); /* NULL is fine. */

/* As leader of this term: bring peer to at least min_index. Does nothing while that is under
 * way. */
void transfer_start(struct transfer *t, uint64_t now_ms, uint64_t peer, uint64_t term,
                    uint64_t min_index);

/* No longer leader: stop sending. */
void transfer_stop(struct transfer *t);

/* Call every 100 ms or so while transfer_busy(). */
void transfer_tick(struct transfer *t, uint64_t now_ms);
bool transfer_busy(const struct transfer *t);

/* MESSAGE_CHUNK or MESSAGE_CHUNK_ACK from a peer. */
void transfer_receive(struct transfer *t, uint64_t now_ms, uint64_t peer, const struct message *m);

#endif
