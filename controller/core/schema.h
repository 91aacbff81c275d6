/* controller/core/schema.h
 *
 * The fields of rows and commands as tables, so that copying, freeing, comparing, hashing and
 * encoding are each written once. The codec maps a schema to the protobuf message of the same
 * field names; a new field of the model is one line in schema.c and one in the .proto. Pure. */
#ifndef CONTROLLER_CORE_SCHEMA_H
#define CONTROLLER_CORE_SCHEMA_H

#include "common/base/arena.h"
#include "controller/core/command.h"
#include "controller/core/model.h"

#include <stddef.h>

enum field_type {
    FIELD_BOOL,
    FIELD_U8, /* Also the enums of the model. */
    FIELD_U16,
    FIELD_U32,
    FIELD_U64,
    FIELD_I32,
    FIELD_I64,
    FIELD_STR,    /* struct str; text or bytes. p == NULL means absent. */
    FIELD_ID,     /* struct id; 16 bytes on the wire, big-endian, absent when none. */
    FIELD_STRUCT, /* Embedded struct described by sub. */
    FIELD_ARRAY,  /* Pointer to elements of sub, count (u32) at count_offset. */
    FIELD_SCALARS /* Pointer to scalars of type `element` (not FIELD_STR), count (u32) likewise. */
};

struct schema;

struct field {
    const char *name; /* As in the .proto. */
    uint8_t type;     /* enum field_type */
    uint8_t element;  /* For FIELD_SCALARS. */
    bool derived;     /* Not saved, not sent, not hashed. */
    size_t offset;
    size_t count_offset; /* For FIELD_ARRAY and FIELD_SCALARS. */
    const struct schema *sub;
    bool late; /* A number or an array that rows had not at first: hashed when it is not 0 or empty,
                  so that old logs replay to the digests of their time. */
};

#define SCHEMA_DEPTH_MAX 6 /* Structs within structs, the outermost one included. */

struct schema {
    const char *name; /* Message name in ecs.log.v1. */
    size_t size;      /* sizeof the struct. */
    const struct field *fields;
    uint32_t n_fields;
};

/* Bytes of a value of a type other than FIELD_STRUCT, FIELD_ARRAY and FIELD_SCALARS. */
size_t schema_scalar_size(uint8_t type);

/* The schema of the rows of a table; NULL for kinds that do not exist. */
const struct schema *schema_of_kind(enum kind kind);

/* The schema of the member of struct command's union that belongs to a kind, NULL for kinds that
 * do not exist, so that a log from the future is noticed. */
const struct schema *schema_of_command(uint8_t kind);

/* Copy what from points to as well; *to must be zeroed or have been freed. Memory from mem: to be
 * released by schema_free(). */
void schema_copy(const struct schema *schema, void *to, const void *from, const struct mem *mem);

/* The same into an arena, released with it. */
void schema_copy_arena(const struct schema *schema, void *to, const void *from, struct arena *a);

/* Release everything the struct points to and zero those pointers; the struct itself stays. */
void schema_free(const struct schema *schema, void *object, const struct mem *mem);

/* Hash of all fields that are not derived, in table order. Equal objects have equal hashes on every
 * machine. */
uint64_t schema_hash(const struct schema *schema, const void *object, uint64_t seed);

/* All fields that are not derived are the same; an absent text differs from an empty one here, but
 * not in the hash. */
bool schema_equal(const struct schema *schema, const void *a, const void *b);

#endif
