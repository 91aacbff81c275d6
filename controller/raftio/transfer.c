/* Go-back-N: the receiver takes pieces in order and says how far it got. A sender that hears the
 * same a few times, or nothing new for a while, goes back to that point, once: if every ack could
 * make it go back, overtaken acks would multiply what is sent. Lost, doubled and reordered messages
 * cost time, nothing else. A transfer is named by peer, term, index and size: pieces of another one
 * start anew (at offset 0) or are answered with "I have nothing". */
#include "controller/raftio/transfer.h"

#include "common/base/plant.h"
#include <assert.h>
#include <string.h>

#define REPEATS 3u

struct outgoing { /* To one peer. */
    bool active;
    uint64_t peer;
    uint64_t term;
    void *handle;
    struct transfer_meta meta;
    uint8_t conf[REPLICA_CONF_MAX];
    size_t conf_len;
    uint64_t conf_index;
    uint64_t acked;
    uint64_t heard;   /* The latest ack, which may be older than the best one. */
    unsigned repeats; /* Of the best ack: later pieces arrive, the next one does not. */
    uint64_t sent;
    bool empty_sent;   /* An empty checkpoint is one empty piece. */
    uint64_t news_ms;  /* Last ack that moved. */
    uint64_t retry_ms; /* Last time it went back. */
};

struct incoming {
    bool active; /* Some transfer is known; it may be complete. */
    bool complete;
    uint64_t peer;
    uint64_t term;
    uint64_t index;
    uint64_t size;
    uint64_t received;
};

struct transfer {
    const struct mem *mem;
    const struct transfer_io *io;
    void *ctx;
    struct outgoing out[REPLICA_MEMBERS_MAX];
    struct incoming in;
};

int transfer_open(const struct mem *mem, const struct transfer_io *io, void *ctx,
                  struct transfer **ret)
{
    struct transfer *t = mem_alloc(mem, sizeof *t);
    t->mem = mem;
    t->io = io;
    t->ctx = ctx;
    *ret = t;
    return 0;
}

static void finish(struct transfer *t, struct outgoing *o)
{
    if (o->active) {
        t->io->close(t->ctx, o->handle);
    }
    memset(o, 0, sizeof *o);
}

void transfer_stop(struct transfer *t)
{
    for (unsigned i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        finish(t, &t->out[i]);
    }
}

static void forget_incoming(struct transfer *t)
{
    if (t->in.active && !t->in.complete) {
        t->io->abort(t->ctx);
    }
    memset(&t->in, 0, sizeof t->in);
}

void transfer_close(struct transfer *t)
{
    if (t == NULL) {
        return;
    }
    transfer_stop(t);
    forget_incoming(t);
    mem_free(t->mem, t, sizeof *t);
}

bool transfer_busy(const struct transfer *t)
{
    for (unsigned i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        if (t->out[i].active) {
            return true;
        }
    }
    return false;
}

/* --- sending --------------------------------------------------------------------------------- */

static int send_piece(struct transfer *t, struct outgoing *o, struct err *err)
{
    uint8_t bytes[MESSAGE_CHUNK_MAX];
    uint64_t left = o->meta.size - o->sent;
    size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
    struct message m = {.kind = MESSAGE_CHUNK};
    size_t got = 0;
    int rv = n == 0 ? 0 : t->io->read(t->ctx, o->handle, o->sent, bytes, n, &got, err);
    if (rv == 0 && got != n) {
        rv = err_set(err, ERR_CORRUPT, "checkpoint: %zu of %zu bytes at %llu", got, n,
                     (unsigned long long)o->sent);
    }
    if (rv != 0) {
        return rv;
    }
    m.chunk = (struct message_chunk){
        .term = o->term,
        .snapshot = {o->meta.index, PLANTED(SNAPSHOT_TERM) ? o->term : o->meta.term, o->conf_index,
                     o->conf, o->conf_len},
        .size = o->meta.size,
        .offset = o->sent,
        .bytes = bytes,
        .n = n,
    };
    t->io->send(t->ctx, o->peer, &m);
    o->sent += n;
    o->empty_sent = true;
    return 0;
}

static void pump(struct transfer *t, struct outgoing *o)
{
    struct err err = {0};
    while (o->sent < o->meta.size ? o->sent - o->acked < TRANSFER_WINDOW
                                  : o->meta.size == 0 && !o->empty_sent) {
        if (send_piece(t, o, &err) != 0) {
            t->io->trouble(t->ctx, o->peer, &err);
            finish(t, o);
            return;
        }
    }
}

static struct outgoing *slot_for(struct transfer *t, uint64_t peer)
{
    struct outgoing *unused = NULL;
    for (unsigned i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        if (t->out[i].active && t->out[i].peer == peer) {
            return &t->out[i];
        }
        unused = t->out[i].active || unused != NULL ? unused : &t->out[i];
    }
    return unused;
}

void transfer_start(struct transfer *t, uint64_t now_ms, uint64_t peer, uint64_t term,
                    uint64_t min_index)
{
    struct outgoing *o = slot_for(t, peer);
    struct err err = {0};
    int rv;
    if (o == NULL || (o->active && o->term == term)) {
        return;
    }
    finish(t, o);
    rv = t->io->open(t->ctx, &o->handle, &o->meta, &err);
    if (rv != 0) {
        t->io->trouble(t->ctx, peer, &err);
        return;
    }
    o->active = true;
    rv = t->io->conf_at(t->ctx, o->meta.index, o->conf, &o->conf_len, &o->conf_index, &err);
    if (rv == 0 && o->meta.index < min_index) {
        rv = err_set(&err, ERR_AGAIN, "checkpoint ends with entry %llu, %llu is needed",
                     (unsigned long long)o->meta.index, (unsigned long long)min_index);
    }
    if (rv != 0) {
        t->io->trouble(t->ctx, peer, &err);
        finish(t, o);
        return;
    }
    o->peer = peer;
    o->term = term;
    o->news_ms = now_ms;
    o->retry_ms = now_ms;
    pump(t, o);
}

void transfer_tick(struct transfer *t, uint64_t now_ms)
{
    for (unsigned i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        struct outgoing *o = &t->out[i];
        if (!o->active) {
            continue;
        }
        if (now_ms >= o->news_ms + TRANSFER_GIVE_UP_MS) {
            finish(t, o);
            continue;
        }
        if (now_ms >= o->retry_ms + TRANSFER_RETRY_MS) {
            o->retry_ms = now_ms;
            o->repeats = 0;
            o->acked = o->heard; /* Less than before when the receiver has started again. */
            o->sent = o->acked;
            o->empty_sent = false;
        }
        pump(t, o);
    }
}

static void receive_ack(struct transfer *t, uint64_t now_ms, uint64_t peer,
                        const struct message_chunk_ack *ack)
{
    struct outgoing *o = slot_for(t, peer);
    if (o == NULL || !o->active || ack->term != o->term || ack->index != o->meta.index) {
        return;
    }
    if (ack->offset == MESSAGE_UNWANTED || ack->offset >= o->meta.size) {
        finish(t, o);
        return;
    }
    o->heard = ack->offset;
    if (ack->offset > o->acked) {
        o->acked = ack->offset;
        o->sent = o->sent > o->acked ? o->sent : o->acked;
        o->repeats = 0;
        o->news_ms = now_ms;
        o->retry_ms = now_ms;
    } else if (ack->offset == o->acked && ++o->repeats == REPEATS) {
        o->sent = o->acked;
    }
    pump(t, o);
}

/* --- receiving ------------------------------------------------------------------------------- */

static void acknowledge(struct transfer *t, uint64_t peer, const struct message_chunk *c,
                        uint64_t offset)
{
    struct message m = {.kind = MESSAGE_CHUNK_ACK};
    m.ack = (struct message_chunk_ack){c->term, c->snapshot.index, offset};
    t->io->send(t->ctx, peer, &m);
}

static int take_piece(struct transfer *t, uint64_t peer, const struct message_chunk *c,
                      struct err *err)
{
    struct incoming *in = &t->in;
    int rv = 0;
    if ((c->offset == in->received || PLANTED(CHUNK_ANY)) && c->n > 0) {
        rv = t->io->chunk(t->ctx, c->bytes, c->n, err);
        in->received += c->n;
    }
    if (rv != 0 || in->received < in->size) {
        return rv;
    }
    rv = t->io->end(t->ctx, err);
    if (rv == 0) {
        in->complete = true;
        t->io->arrived(t->ctx, peer, c->term, &c->snapshot);
    }
    return rv;
}

static void receive_chunk(struct transfer *t, uint64_t peer, const struct message_chunk *c)
{
    struct incoming *in = &t->in;
    struct err err = {0};
    int rv = 0;
    bool known = in->active && in->peer == peer && in->term == c->term &&
                 in->index == c->snapshot.index && in->size == c->size;
    if (!t->io->wanted(t->ctx, &c->snapshot)) {
        acknowledge(t, peer, c, MESSAGE_UNWANTED);
        if (!known || !in->complete) {
            t->io->arrived(t->ctx, peer, c->term, &c->snapshot);
        }
        return;
    }
    known = known && !in->complete;
    if (!known && c->offset != 0) {
        acknowledge(t, peer, c, 0);
        return;
    }
    if (!known) {
        struct transfer_meta meta = {c->snapshot.index, c->snapshot.term, c->size};
        forget_incoming(t);
        rv = t->io->begin(t->ctx, &meta, &err);
        *in = (struct incoming){rv == 0, false, peer, c->term, meta.index, meta.size, 0};
    }
    if (rv == 0) {
        rv = take_piece(t, peer, c, &err);
    }
    if (rv != 0) {
        t->io->trouble(t->ctx, peer, &err);
        forget_incoming(t);
        return; /* No answer: the sender comes back to offset 0 after a while. */
    }
    acknowledge(t, peer, c, in->received);
}

void transfer_receive(struct transfer *t, uint64_t now_ms, uint64_t peer, const struct message *m)
{
    if (m->kind == MESSAGE_CHUNK) {
        receive_chunk(t, peer, &m->chunk);
    } else if (m->kind == MESSAGE_CHUNK_ACK) {
        receive_ack(t, now_ms, peer, &m->ack);
    }
}
