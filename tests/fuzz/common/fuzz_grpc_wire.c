/* gRPC framing: however the bytes are cut, the same messages come out; text formats round-trip. */
#include "common/base/hash.h"
#include "common/loop/sysmem.h"
#include "common/net/grpc_wire.h"

#include <stdlib.h>

struct outcome {
    unsigned n;
    uint64_t digest;
    int rv;
    bool boundary;
};

static struct outcome cut(const uint8_t *bytes, size_t n, size_t piece)
{
    struct outcome o = {0};
    struct grpc_reader r;
    grpc_reader_init(&r, 1000);
    for (size_t at = 0; at < n && o.rv >= 0; at += piece) {
        struct str part = str_make((const char *)bytes + at, n - at < piece ? n - at : piece);
        struct str message;
        while ((o.rv = grpc_reader_next(&r, &part, &message)) == 1) {
            o.n++;
            o.digest = hash_bytes(message.p, message.n, o.digest);
        }
    }
    o.boundary = grpc_reader_at_boundary(&r);
    grpc_reader_close(&r);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct outcome whole = cut(bytes, n, n + 1);
    struct str in = str_make((const char *)bytes, n);
    struct arena a;
    uint64_t ms;
    for (size_t piece = 1; piece < 20; piece += 6) {
        struct outcome o = cut(bytes, n, piece);
        if (o.n != whole.n || o.digest != whole.digest || (o.rv < 0) != (whole.rv < 0) ||
            o.boundary != whole.boundary) {
            abort();
        }
    }
    arena_init(&a, sysmem());
    if (!str_eq(grpc_base64_decode(&a, grpc_base64_encode(&a, in)), in) ||
        !str_eq(grpc_percent_decode(&a, grpc_percent_encode(&a, in)), in)) {
        abort();
    }
    (void)grpc_base64_decode(&a, in);
    (void)grpc_percent_decode(&a, in);
    (void)grpc_parse_timeout(in, &ms);
    arena_close(&a);
    return 0;
}
