#include "tests/sim/simckpt.h"

#include "common/base/hash.h"

#include <string.h>

#define ROW_HEAD 13u /* kind u8, slot u32, bytes u32, checksum u32 */

void simckpt_init(struct simckpt *c, const struct mem *mem)
{
    memset(c, 0, sizeof *c);
    c->mem = mem;
}

static void drop_blob(struct simckpt *c, struct simckpt_blob *b)
{
    mem_free(c->mem, b->bytes, b->n);
    *b = (struct simckpt_blob){NULL, 0};
}

static void drop_rows(struct simckpt *c)
{
    for (unsigned kind = 0; kind < KIND_N; kind++) {
        for (uint32_t i = 0; i < c->cap[kind]; i++) {
            drop_blob(c, &c->rows[kind][i]);
        }
    }
    c->at = (struct ring_point){0};
}

void simckpt_crash(struct simckpt *c)
{
    for (uint32_t i = 0; i < c->n_pending; i++) {
        drop_blob(c, &c->pending[i].row);
    }
    c->n_pending = 0;
    c->pending_at = c->at;
}

void simckpt_close(struct simckpt *c)
{
    simckpt_crash(c);
    drop_rows(c);
    for (unsigned kind = 0; kind < KIND_N; kind++) {
        mem_free(c->mem, c->rows[kind], c->cap[kind] * sizeof *c->rows[kind]);
    }
    mem_free(c->mem, c->pending, c->cap_pending * sizeof *c->pending);
}

void simckpt_row(struct simckpt *c, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n)
{
    struct simckpt_op *op;
    if (c->n_pending == c->cap_pending) {
        uint32_t cap = c->cap_pending == 0 ? 64 : c->cap_pending * 2;
        c->pending = mem_resize(c->mem, c->pending, c->cap_pending * sizeof *c->pending,
                                cap * sizeof *c->pending);
        c->cap_pending = cap;
    }
    op = &c->pending[c->n_pending++];
    *op = (struct simckpt_op){.kind = kind, .slot = slot};
    if (bytes != NULL) {
        op->row.bytes = mem_alloc(c->mem, n);
        op->row.n = n;
        memcpy(op->row.bytes, bytes, n);
    }
}

void simckpt_commit(struct simckpt *c, const struct ring_point *point)
{
    c->pending_at = *point;
}

static void put(struct simckpt *c, const struct simckpt_op *op)
{
    if (op->slot >= c->cap[op->kind]) {
        uint32_t was = c->cap[op->kind];
        uint32_t cap = was == 0 ? 16 : was;
        while (cap <= op->slot) {
            cap *= 2;
        }
        c->rows[op->kind] = mem_resize(c->mem, c->rows[op->kind], was * sizeof *c->rows[0],
                                       cap * sizeof *c->rows[0]);
        memset(&c->rows[op->kind][was], 0, (cap - was) * sizeof *c->rows[0]);
        c->cap[op->kind] = cap;
    }
    drop_blob(c, &c->rows[op->kind][op->slot]);
    c->rows[op->kind][op->slot] = op->row;
}

void simckpt_flush(struct simckpt *c)
{
    for (uint32_t i = 0; i < c->n_pending; i++) {
        put(c, &c->pending[i]);
    }
    c->n_pending = 0;
    c->at = c->pending_at;
}

int simckpt_load(const struct simckpt *c, const struct codec *codec, struct store *store,
                 struct err *err)
{
    struct arena arena;
    int rv = 0;
    arena_init(&arena, c->mem);
    for (unsigned kind = 1; rv == 0 && kind < KIND_N; kind++) {
        for (uint32_t i = 0; rv == 0 && i < c->cap[kind]; i++) {
            const struct simckpt_blob *b = &c->rows[kind][i];
            void *row;
            if (b->bytes == NULL) {
                continue;
            }
            arena_clear(&arena);
            rv = codec_decode_row(codec, kind, str_make((const char *)b->bytes, b->n), &arena, &row,
                                  err);
            if (rv == 0) {
                rv = store_load_row(store, kind, i, row, err);
            }
        }
    }
    arena_close(&arena);
    if (rv == 0) {
        rv = store_load_done(store, err);
    }
    if (rv == 0 && (store_meta(store)->revision != c->at.revision ||
                    store_meta(store)->digest != c->at.digest)) {
        rv = err_set(err, ERR_CORRUPT, "the rows are not those of revision %llu",
                     (unsigned long long)c->at.revision);
    }
    return rv;
}

void simckpt_encode(const struct simckpt *c, struct buf *out)
{
    buf_put_u64(out, c->at.index);
    buf_put_u64(out, c->at.term);
    buf_put_u64(out, c->at.revision);
    buf_put_u64(out, c->at.digest);
    for (unsigned kind = 1; kind < KIND_N; kind++) {
        for (uint32_t i = 0; i < c->cap[kind]; i++) {
            const struct simckpt_blob *b = &c->rows[kind][i];
            if (b->bytes == NULL) {
                continue;
            }
            buf_put_u8(out, (uint8_t)kind);
            buf_put_u32(out, i);
            buf_put_u32(out, (uint32_t)b->n);
            buf_put_u32(out, crc32c(0, b->bytes, b->n));
            buf_put(out, b->bytes, b->n);
        }
    }
}

int simckpt_decode(struct simckpt *c, const uint8_t *bytes, size_t n, struct err *err)
{
    size_t at = 32;
    simckpt_crash(c);
    drop_rows(c);
    if (n < at) {
        return err_set(err, ERR_CORRUPT, "a checkpoint of %zu bytes", n);
    }
    while (at < n) {
        struct simckpt_op op = {0};
        if (n - at < ROW_HEAD) {
            return err_set(err, ERR_CORRUPT, "a checkpoint that ends in a row");
        }
        op.kind = bytes[at];
        op.slot = get_u32(&bytes[at + 1]);
        op.row.n = get_u32(&bytes[at + 5]);
        if (op.kind == 0 || op.kind >= KIND_N || op.row.n > n - at - ROW_HEAD ||
            crc32c(0, &bytes[at + ROW_HEAD], op.row.n) != get_u32(&bytes[at + 9])) {
            return err_set(err, ERR_CORRUPT, "a row that cannot be, at %zu", at);
        }
        op.row.bytes = mem_alloc(c->mem, op.row.n);
        memcpy(op.row.bytes, &bytes[at + ROW_HEAD], op.row.n);
        put(c, &op);
        at += ROW_HEAD + op.row.n;
    }
    c->at = (struct ring_point){get_u64(bytes), get_u64(bytes + 8), get_u64(bytes + 16),
                                get_u64(bytes + 24)};
    c->pending_at = c->at;
    return 0;
}
