/* controller/codec/bind.h
 *
 * A schema table of the core joined with the protobuf message of the same field names: what is
 * needed to read and write the struct in wire format. Internal to the codec. Pure. */
#ifndef CONTROLLER_CODEC_BIND_H
#define CONTROLLER_CODEC_BIND_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "controller/core/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#define BIND_DEPTH_MAX 8 /* Structs inside structs. */

enum bind_wire { BIND_VARINT, BIND_ZIGZAG, BIND_FIXED64, BIND_BYTES, BIND_MESSAGE, BIND_PACKED };

struct bind;

struct bind_field {
    uint32_t number; /* In the .proto. */
    uint32_t tag;    /* Number and wire type, as on the wire before the varint encoding. */
    uint8_t wire;    /* enum bind_wire */
    uint8_t type;    /* enum field_type; of the elements for FIELD_SCALARS. */
    bool repeated;   /* A pointer with a count; always so for BIND_PACKED. */
    size_t offset;
    size_t count_offset;
    size_t element_size; /* Of one element in memory. */
    const struct bind *sub;
};

struct bind {
    const struct schema *schema;
    const ProtobufCMessageDescriptor *desc;
    struct bind_field *fields; /* In order of number. */
    uint32_t n_fields;
    const struct bind_field **by_number; /* n_numbers of them, NULL for gaps; [0] unused. */
    uint32_t n_numbers;
    bool any_repeated;
    uint32_t depth;    /* 1 for a message without sub-messages. */
    struct bind *next; /* All binds of a codec. */
};

/* The bind of schema and desc, made if it is not in the list yet. */
int bind_make(const struct schema *schema, const ProtobufCMessageDescriptor *desc,
              struct arena *arena, struct bind **list, const struct bind **ret, struct err *err);

#endif
