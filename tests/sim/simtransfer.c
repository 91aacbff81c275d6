/* Checkpoints on the wire, as raftnode.c has them. */
#include "tests/sim/simworld_impl.h"

#include <string.h>

/* The k-th byte of the checkpoint of a state: its three numbers, then a pattern. */
static uint8_t snapshot_byte(const struct simstate *s, uint64_t k)
{
    const uint64_t words[3] = {s->index, s->term, s->digest};
    if (k < 24) {
        return (uint8_t)(words[k / 8] >> (k % 8 * 8));
    }
    return (uint8_t)(s->digest + k * 31);
}

static void xfer_send(void *ctx, uint64_t peer, const struct message *m)
{
    struct simnode *n = ctx;
    simworld_send(n->w, n->at, m, peer);
}

static int xfer_conf_at(void *ctx, uint64_t index, uint8_t buf[REPLICA_CONF_MAX], size_t *ret_len,
                        uint64_t *ret_conf_index, struct err *err)
{
    struct simnode *n = ctx;
    return replica_conf_at(n->replica, index, buf, ret_len, ret_conf_index, err);
}

struct simsnapshot { /* Being sent: a copy, as the real ones are. */
    struct simstate state;
    struct buf bytes; /* With an app: what comes after the first 24. */
};

static int xfer_open(void *ctx, void **ret_handle, struct transfer_meta *ret, struct err *err)
{
    struct simnode *n = ctx;
    const struct simapp *app = n->w->opt.app;
    struct simsnapshot *s;
    uint64_t size = n->w->opt.snapshot_bytes;
    if (n->checkpoint.index == 0) {
        return err_set(err, ERR_AGAIN, "no checkpoint");
    }
    s = mem_alloc(&n->w->mem, sizeof *s);
    s->state = n->checkpoint;
    buf_init(&s->bytes, &n->w->mem, SIMWORLD_CHECKPOINT_MAX);
    if (app != NULL) {
        app->snapshot(app->ctx, n->at, &s->bytes);
        size = 24 + s->bytes.len;
    }
    *ret_handle = s;
    *ret = (struct transfer_meta){s->state.index, s->state.term, size};
    return 0;
}

static int xfer_read(void *ctx, void *handle, uint64_t offset, uint8_t *to, size_t size,
                     size_t *ret_n, struct err *err)
{
    const struct simsnapshot *s = handle;
    const struct simnode *n = ctx;
    (void)err;
    for (size_t k = 0; k < size; k++) {
        uint64_t at = offset + k;
        to[k] = n->w->opt.app != NULL && at >= 24 ? s->bytes.data[at - 24]
                                                  : snapshot_byte(&s->state, at);
    }
    *ret_n = size;
    return 0;
}

static void xfer_close(void *ctx, void *handle)
{
    struct simnode *n = ctx;
    struct simsnapshot *s = handle;
    buf_close(&s->bytes);
    mem_free(&n->w->mem, s, sizeof *s);
}

static bool xfer_wanted(void *ctx, const struct replica_snapshot *s)
{
    struct simnode *n = ctx;
    struct replica_status now = replica_status(n->replica);
    return !now.installing && s->index > now.applied;
}

static int xfer_begin(void *ctx, const struct transfer_meta *meta, struct err *err)
{
    struct simnode *n = ctx;
    (void)err;
    n->incoming = (struct simstate){meta->index, meta->term, 0};
    n->incoming_size = meta->size;
    n->incoming_got = 0;
    buf_clear(&n->incoming_bytes);
    return 0;
}

static int xfer_chunk(void *ctx, const uint8_t *bytes, size_t size, struct err *err)
{
    struct simnode *n = ctx;
    for (size_t k = 0; k < size; k++) {
        uint64_t at = n->incoming_got + k;
        if (at >= 16 && at < 24) {
            n->incoming.digest |= (uint64_t)bytes[k] << ((at - 16) * 8);
        }
        if (at >= 24 && n->w->opt.app != NULL) {
            buf_put(&n->incoming_bytes, &bytes[k], 1);
        } else if (at >= 24 && bytes[k] != snapshot_byte(&n->incoming, at)) {
            return err_set(err, ERR_CORRUPT, "checkpoint differs at %llu", (unsigned long long)at);
        }
    }
    n->incoming_got += size;
    return 0;
}

static int xfer_end(void *ctx, struct err *err)
{
    struct simnode *n = ctx;
    if (n->incoming_got != n->incoming_size) {
        return err_set(err, ERR_CORRUPT, "checkpoint is cut");
    }
    return 0;
}

static void xfer_abort(void *ctx)
{
    (void)ctx;
}

static void xfer_arrived(void *ctx, uint64_t peer, uint64_t term, const struct replica_snapshot *s)
{
    struct simnode *n = ctx;
    struct err err = {0};
    simnode_must(n, replica_snapshot_receive(n->replica, simnode_now_ms(n), peer, term, s, &err),
                 &err, "snapshot receive");
}

static void xfer_trouble(void *ctx, uint64_t peer, const struct err *err)
{
    struct simnode *n = ctx;
    if (err->code != ERR_AGAIN && err->code != ERR_NOTFOUND) {
        simworld_fail(n->w, "controller %u: transfer with %llu: %s", n->at + 1,
                      (unsigned long long)peer, err->text);
    }
}

const struct transfer_io simnode_transfer_io = {
    .send = xfer_send,
    .conf_at = xfer_conf_at,
    .open = xfer_open,
    .read = xfer_read,
    .close = xfer_close,
    .wanted = xfer_wanted,
    .begin = xfer_begin,
    .chunk = xfer_chunk,
    .end = xfer_end,
    .abort = xfer_abort,
    .arrived = xfer_arrived,
    .trouble = xfer_trouble,
};
