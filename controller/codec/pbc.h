/* controller/codec/pbc.h
 *
 * protobuf-c messages by descriptor, in an arena: nothing is freed piece by piece. The generated
 * code has no helpers per message; these few serve all of them. Pure but for protobuf-c. */
#ifndef CONTROLLER_CODEC_PBC_H
#define CONTROLLER_CODEC_PBC_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory one unpacked message may take: two bytes on the wire can ask for a struct of hundreds. */
#define PBC_UNPACK_MAX ((size_t)64 * 1024 * 1024)

/* A new message with everything unset. Cast to the generated type. */
void *pbc_new(const ProtobufCMessageDescriptor *desc, struct arena *a);

/* Decode bytes; the result lives in the arena. ERR_PARSE when they are not such a message,
 * ERR_TOOBIG never: a message beyond PBC_UNPACK_MAX is reported as ERR_PARSE as well. */
int pbc_unpack(const ProtobufCMessageDescriptor *desc, struct str bytes, struct arena *a,
               ProtobufCMessage **ret, struct err *err);

/* Append the encoded message. */
void pbc_pack(const ProtobufCMessage *m, struct buf *out);

/* The encoded message in the arena; p is never NULL. */
struct str pbc_pack_arena(const ProtobufCMessage *m, struct arena *a);

/* --- fields by descriptor --------------------------------------------------------------------- */

/* Bytes of one value of this type inside a generated struct. */
size_t pbc_value_size(ProtobufCType type);

/* Values present: 0 or 1 for optional fields, the count for repeated ones. */
size_t pbc_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);

/* Value number i < pbc_count(). */
const void *pbc_value(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t i);

/* Make room for n values of a field that has none and return the first: the array of a repeated
 * field, or the member itself (n == 1), which from now on counts as present. */
void *pbc_set(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n, struct arena *a);

/* Is f, a field of a message called parent, written map<> in the .proto? */
bool pbc_is_map(const ProtobufCFieldDescriptor *f, const ProtobufCMessageDescriptor *parent);

#endif
