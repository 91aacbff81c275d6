/* controller/codec/object.h
 *
 * Rows and commands of the core as bytes: the payload of log entries and of checkpoint rows, which
 * is protobuf as proto/ecs/log/v1 describes it. The schema tables of the core are bound to the
 * message descriptors once, in codec_open(); after that structs are read and written directly,
 * without protobuf-c's intermediate objects. Pure; a codec is constant once opened, so any number
 * of threads may use it.
 *
 * A log entry is a frame, little-endian:
 *
 *      0  format    u16   1
 *      2  kind      u16   1 = ecs.log.v1.Batch; never reused
 *      4  flags     u16   bit 0: a reader that does not know the kind may skip the entry
 *      6  level     u16   feature level of the writer
 *      8  length    u32   of the payload
 *     12  crc       u32   CRC-32C of bytes 0 to 11 and the payload
 *     16  payload, then zeros up to a multiple of 8 */
#ifndef CONTROLLER_CODEC_OBJECT_H
#define CONTROLLER_CODEC_OBJECT_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "controller/core/command.h"
#include "controller/core/model.h"

#include <stdint.h>

#define CODEC_FRAME_HEADER 16
#define CODEC_FLAG_SKIP    1u

/* Memory the arrays of one decoded object may take, strings not counted (they are borrowed). */
#define CODEC_DECODE_MAX ((size_t)512 * 1024 * 1024)

struct codec; /* Opaque. */

/* ERR_INTERNAL names the first field that schema and .proto do not agree on. mem is borrowed. */
int codec_open(const struct mem *mem, struct codec **ret, struct err *err);
void codec_close(struct codec *c); /* NULL is fine. */

/* Append one entry with n commands. ERR_TOOBIG when out is full; out is then as it was. */
int codec_encode_batch(const struct codec *c, const struct command *commands, uint32_t n,
                       uint16_t level, struct buf *out, struct err *err);

/* Read one entry, all of it. The commands live in the arena; their texts point into entry.
 * ERR_CORRUPT: damaged. ERR_UNSUPPORTED: written by a newer controller, this one must stop. An
 * entry that may be skipped gives no commands. */
int codec_decode_batch(const struct codec *c, struct str entry, struct arena *a,
                       struct command **ret, uint32_t *ret_n, struct err *err);

/* Append a row of a table. ERR_TOOBIG as above. */
int codec_encode_row(const struct codec *c, enum kind kind, const void *row, struct buf *out,
                     struct err *err);

/* The row lives in the arena, its texts point into bytes. ERR_CORRUPT, ERR_UNSUPPORTED (no such
 * table). */
int codec_decode_row(const struct codec *c, enum kind kind, struct str bytes, struct arena *a,
                     void **ret, struct err *err);

/* Does the specification of a service (ecs.log.v1.ServiceSpec) ask for managed tags? */
bool codec_managed_tags(struct str spec);

#endif
