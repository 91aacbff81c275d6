/* agent/link/wire.h
 *
 * Protocol buffers to and from plain C structs, by tables: one row per field says its number, its
 * kind, where it is in the struct, and how many or how large it may be. The varints and the
 * skipping of unknown fields are nanopb's. Decoding allocates in the caller's arena only, checks
 * every bound, and needs no stack in proportion to the input. Pure; any thread. */
#ifndef AGENT_LINK_WIRE_H
#define AGENT_LINK_WIRE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <stddef.h>
#include <stdint.h>

#define WIRE_NONE  UINT16_MAX
#define WIRE_DEPTH 8 /* Of messages within messages. */

enum wire_kind {
    WIRE_BOOL,  /* bool */
    WIRE_U16,   /* uint16_t from uint32 */
    WIRE_U32,   /* uint32_t */
    WIRE_U64,   /* uint64_t */
    WIRE_I64,   /* int64_t from int64 */
    WIRE_S32,   /* int32_t from sint32 */
    WIRE_S64,   /* int64_t from sint64 */
    WIRE_ENUM,  /* An enum from uint32, less than max. */
    WIRE_STR,   /* const char *, at most max bytes, no NUL inside; never NULL once decoded. */
    WIRE_BYTES, /* struct str, at most max bytes; borrowed from the input. */
    WIRE_ID,    /* struct id from 16 bytes */
    WIRE_MSG,   /* A struct, embedded. */
    WIRE_PTR,   /* A pointer to a struct; NULL: not there. */
};

struct wire_message;

struct wire_field {
    const char *name; /* "Hello.cpu", for errors. */
    enum wire_kind kind;
    uint16_t tag;
    uint16_t offset;     /* Of the value, or of the pointer to the elements of a list. */
    uint16_t size;       /* Of one value. */
    uint16_t n_offset;   /* Of a list's count (uint32_t); WIRE_NONE: not a list. */
    uint16_t has_offset; /* Of a bool that says whether it was there; WIRE_NONE: 0 is absent. */
    uint32_t max;        /* See the kinds. */
    uint32_t n_max;      /* Of a list. */
    const struct wire_message *message;
};

struct wire_message {
    const struct wire_field *fields;
    uint16_t n_fields;
    uint16_t size; /* Of the struct. */
};

/* Fill *ret, which has m->size bytes. ERR_PROTOCOL with the field's name for anything malformed or
 * over a limit; *ret is then undefined. */
int wire_decode(const struct wire_message *m, struct str bytes, struct arena *arena, void *ret,
                struct err *err);

/* Append the encoding of *from. ERR_TOOBIG when it does not fit the buffer's maximum. */
int wire_encode(const struct wire_message *m, const void *from, struct buf *to, struct err *err);

#endif
