/* controller/codec/wire.h
 *
 * Structs of the core to and from protobuf's wire format, by a bind. Internal to the codec. Pure.
 */
#ifndef CONTROLLER_CODEC_WIRE_H
#define CONTROLLER_CODEC_WIRE_H

#include "common/base/buf.h"
#include "common/base/str.h"
#include "controller/codec/bind.h"

/* Append the fields of object. Check out->overflow afterwards. */
void wire_encode(const struct bind *b, const void *object, struct buf *out);

/* Append a tag and a varint, a tag and eight bytes. */
void wire_put_varint(struct buf *out, uint32_t tag, uint64_t v);
void wire_put_fixed64(struct buf *out, uint32_t tag, uint64_t v);

/* Begin a sub-message; finish it with what was returned. */
size_t wire_open(struct buf *out, uint32_t tag);
void wire_close(struct buf *out, size_t opened);

/* Fill the zeroed object; arrays come from the arena, texts point into bytes. ERR_CORRUPT names
 * message and field. */
int wire_decode(const struct bind *b, struct str bytes, struct arena *a, void *object,
                struct err *err);

/* A position in encoded bytes, and one field read there. */
struct wire_reader {
    const uint8_t *p;
    const uint8_t *end;
};

struct wire_field {
    uint32_t number;
    uint32_t type;   /* Wire type: 0 varint, 1 fixed64, 2 bytes, 5 fixed32. */
    uint64_t value;  /* Of 0, 1 and 5. */
    struct str data; /* Of 2. */
};

/* The next field; false at the end or, with r->p NULL, at something that is no protobuf. */
bool wire_next(struct wire_reader *r, struct wire_field *ret);

#endif
