/* tests/sim/simckpt.h
 *
 * The checkpoint of a simulated controller: encoded rows as controller/storage keeps them, written
 * behind. What simckpt_commit() was given is durable after simckpt_flush() and not before. */
#ifndef TESTS_SIM_SIMCKPT_H
#define TESTS_SIM_SIMCKPT_H

#include "common/base/buf.h"
#include "controller/codec/object.h"
#include "controller/core/store.h"
#include "controller/ring/ring.h"

#include <stdint.h>

struct simckpt_blob {
    uint8_t *bytes; /* NULL: no row. */
    size_t n;
};

struct simckpt_op {
    uint8_t kind;
    uint32_t slot;
    struct simckpt_blob row;
};

struct simckpt {
    const struct mem *mem;
    struct simckpt_blob *rows[KIND_N]; /* By slot. */
    uint32_t cap[KIND_N];
    struct ring_point at; /* What the rows are. */
    struct simckpt_op *pending;
    uint32_t n_pending;
    uint32_t cap_pending;
    struct ring_point pending_at;
};

void simckpt_init(struct simckpt *c, const struct mem *mem);
void simckpt_close(struct simckpt *c);

void simckpt_row(struct simckpt *c, uint8_t kind, uint32_t slot, const uint8_t *bytes, size_t n);
void simckpt_commit(struct simckpt *c, const struct ring_point *point);
void simckpt_flush(struct simckpt *c);
void simckpt_crash(struct simckpt *c); /* What was not durable is gone. */

/* The durable rows into a fresh store. */
int simckpt_load(const struct simckpt *c, const struct codec *codec, struct store *store,
                 struct err *err);

/* All of it as bytes, and back. */
void simckpt_encode(const struct simckpt *c, struct buf *out);
int simckpt_decode(struct simckpt *c, const uint8_t *bytes, size_t n, struct err *err);

#endif
