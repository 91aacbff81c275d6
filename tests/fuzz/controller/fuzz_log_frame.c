/* Log entries: any bytes, and any payload inside a frame whose checksum is right. */
#include "common/base/hash.h"
#include "controller/codec/object.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written, and is then read the same. */
static void decode(const struct codec *c, struct str entry, struct arena *a)
{
    struct command *commands;
    struct command *again;
    struct buf out;
    uint32_t n;
    uint32_t n_again;
    if (codec_decode_batch(c, entry, a, &commands, &n, NULL) != 0) {
        return;
    }
    buf_init(&out, test_mem(), 1 << 26);
    if (codec_encode_batch(c, commands, n, 1, &out, NULL) == 0 &&
        (codec_decode_batch(c, str_make((char *)out.data, out.len), a, &again, &n_again, NULL) !=
             0 ||
         n_again != n)) {
        abort();
    }
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec *c; /* Made once: it is constant. */
    struct arena a;
    size_t padded = (size + 7) / 8 * 8;
    uint8_t *entry = calloc(1, CODEC_FRAME_HEADER + padded);
    if (c == NULL && codec_open(test_mem(), &c, NULL) != 0) {
        abort();
    }
    arena_init(&a, test_mem());
    decode(c, str_make((const char *)data, size), &a);
    put_u16(entry, 1);
    put_u16(entry + 2, 1);
    put_u32(entry + 8, (uint32_t)size);
    if (size > 0) {
        memcpy(entry + CODEC_FRAME_HEADER, data, size);
    }
    put_u32(entry + 12, crc32c(crc32c(0, entry, 12), entry + CODEC_FRAME_HEADER, size));
    decode(c, str_make((char *)entry, CODEC_FRAME_HEADER + padded), &a);
    free(entry);
    arena_close(&a);
    return 0;
}
