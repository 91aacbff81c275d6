/* tests/lib/history.h
 *
 * What clients asked for and what they were told, in the order of one clock: the evidence that
 * tests/lib/lincheck.h judges. Load generators and the simulator append to it; it can be written
 * to a file and read back. One thread; no I/O except in save and load.
 *
 * An operation is *unknown* from its invocation until its end is recorded. A client that got no
 * answer, or an answer that leaves the effect open (timeout, connection lost, 5xx), leaves it so:
 * it may take effect at any later time, or never.
 *
 * The prefix is hist_, since history_ is the controllers' history.db. */
#ifndef TESTS_LIB_HISTORY_H
#define TESTS_LIB_HISTORY_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/map.h"
#include "common/base/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HIST_KEY_MAX 255         /* Bytes of a key; printable, without spaces. */
#define HIST_OPS_MAX (16u << 20) /* Operations of one history. */
#define HIST_NEVER   UINT64_MAX  /* The return time of an unknown outcome. */

/* kind, name in files, what `value` is. Each group is one model of lincheck.h. */
#define HIST_KIND_TABLE(X)                                                     \
    X(HIST_REGISTER_WRITE, "register.write") /* What was written. */           \
    X(HIST_REGISTER_READ, "register.read")   /* What was found; 0: nothing. */ \
    X(HIST_COUNTER_NEXT, "counter.next")     /* The number given: 1, 2, ... */ \
    X(HIST_COUNTER_READ, "counter.read")     /* The last number; 0: none. */   \
    X(HIST_TOKEN_RUN, "token.run")           /* Names the effect; never 0. */  \
    X(HIST_TOKEN_READ, "token.read")         /* The effect found; 0: none. */  \
    X(HIST_LATCH_SET, "latch.set")           /* 1. */                          \
    X(HIST_LATCH_READ, "latch.read")         /* 1: set, for ever; 0: not yet. */

#define HIST_X(kind, name) kind,
enum hist_kind { HIST_KIND_TABLE(HIST_X) HIST_KIND_N };
#undef HIST_X

enum hist_outcome {
    HIST_UNKNOWN, /* May have taken effect, may still, may never. */
    HIST_OK,
    HIST_FAIL, /* Certainly without effect. */
};

struct hist_op {
    enum hist_kind kind;
    enum hist_outcome outcome;
    uint32_t client;
    uint32_t key;     /* For hist_key(). */
    int64_t value;    /* See the table. */
    uint64_t version; /* Of the object, as told in the answer; 0: not told. It must change only
                         with the writes of this key. Registers only. */
    uint64_t invoke;  /* Any unit, one clock for all clients. */
    uint64_t ret;     /* HIST_NEVER while unknown. */
};

struct hist {
    struct hist_op *ops; /* In the order of hist_begin(). */
    size_t n_ops;
    /* Private. */
    size_t cap_ops;
    struct buf names; /* Keys, each with its NUL. */
    uint32_t *keys;   /* Offsets into names. */
    uint32_t n_keys;
    uint32_t cap_keys;
    struct map by_name;
    const struct mem *mem;
};

/* mem is borrowed until hist_close(). */
void hist_init(struct hist *h, const struct mem *mem);
void hist_close(struct hist *h); /* Zeroed ones are fine. */

/* A client sends its request now. value is what it writes; 0 for everything else. The result
 * names the operation. */
size_t hist_begin(struct hist *h, uint32_t client, enum hist_kind kind, const char *key,
                  int64_t value, uint64_t now);

/* The answer came; each at most once for an operation. For writes pass the value written again. */
void hist_ok(struct hist *h, size_t op, int64_t value, uint64_t version, uint64_t now);

/* The answer says that nothing happened. */
void hist_fail(struct hist *h, size_t op, uint64_t now);

const char *hist_key(const struct hist *h, uint32_t key);
uint32_t hist_n_keys(const struct hist *h);
const char *hist_kind_name(enum hist_kind kind);

/* One line, without newline, as in the file. */
void hist_print(const struct hist *h, const struct hist_op *op, struct buf *out);

/* The file: a comment line, then one operation a line, eight words each:
 *
 *     client kind key value version invoke return outcome
 *     3 register.write service/web 7 0 120031 125010 ok
 *     4 counter.next family/a 0 0 120040 - unknown
 *
 * Times are decimal, "-" for never. Lines that begin with # and empty ones are skipped. */
int hist_save(const struct hist *h, const char *path, struct err *err);

/* Append what the file says to h; refuses with the line's number what cannot be. */
int hist_load(struct hist *h, const char *path, struct err *err);

#endif
