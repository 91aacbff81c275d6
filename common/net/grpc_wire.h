/* common/net/grpc_wire.h
 *
 * Private to common/net: the byte formats of gRPC, for both sides and the fuzzer.
 *
 *     message:  flag u8 (1: compressed) | length u32 big-endian | bytes
 *     status:   trailers grpc-status, grpc-message (percent-encoded), grpc-status-details-bin
 *     timeout:  1 to 8 digits and a unit: H M S m u n */
#ifndef COMMON_NET_GRPC_WIRE_H
#define COMMON_NET_GRPC_WIRE_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/net/grpc.h"

#include <stdbool.h>
#include <stdint.h>

#define GRPC_HEAD 5

struct grpc_reader { /* Cuts a byte stream into messages. */
    size_t max;
    /* Private. */
    uint8_t head[GRPC_HEAD];
    unsigned n_head;
    uint32_t length;
    struct buf body; /* Only of messages that come in several pieces. */
    bool served;     /* body was handed out and is to be emptied. */
};

void grpc_reader_init(struct grpc_reader *r, size_t max);
void grpc_reader_close(struct grpc_reader *r);

/* Take from *bytes, which moves on. 1: *ret is a message, valid until the next call. 0: all taken.
 * ERR_TOOBIG, ERR_UNSUPPORTED (compressed) or ERR_PROTOCOL: nothing more can be read. */
int grpc_reader_next(struct grpc_reader *r, struct str *bytes, struct str *ret);

/* Nothing half-read: the stream may end here. */
bool grpc_reader_at_boundary(const struct grpc_reader *r);

/* Bytes held for an unfinished message. */
size_t grpc_reader_held(const struct grpc_reader *r);

void grpc_put_head(uint8_t ret[GRPC_HEAD], uint32_t length);

/* False when malformed. Rounded up to milliseconds. */
bool grpc_parse_timeout(struct str text, uint64_t *ret_ms);
void grpc_format_timeout(uint64_t ms, char ret[16]);

/* Percent-encoding of grpc-message, and back (leniently, as the specification wants). */
struct str grpc_percent_encode(struct arena *arena, struct str text);
struct str grpc_percent_decode(struct arena *arena, struct str text);

/* Base64 of "-bin" metadata: without padding out, with or without in. p is NULL if malformed. */
struct str grpc_base64_encode(struct arena *arena, struct str bytes);
struct str grpc_base64_decode(struct arena *arena, struct str text);

#endif
