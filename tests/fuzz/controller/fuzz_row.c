/* Rows of a checkpoint, by table (the first byte): what is read is written and read the same. */
#include "controller/codec/object.h"
#include "controller/core/schema.h"
#include "tests/lib/test.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec *c; /* Made once: it is constant. */
    struct arena a;
    struct buf out;
    void *row;
    void *again;
    enum kind kind;
    if (size == 0) {
        return 0;
    }
    kind = (enum kind)(data[0] % (KIND_N + 1));
    if (c == NULL && codec_open(test_mem(), &c, NULL) != 0) {
        abort();
    }
    arena_init(&a, test_mem());
    buf_init(&out, test_mem(), 1 << 26);
    if (codec_decode_row(c, kind, str_make((const char *)data + 1, size - 1), &a, &row, NULL) ==
            0 &&
        codec_encode_row(c, kind, row, &out, NULL) == 0 &&
        (codec_decode_row(c, kind, str_make((char *)out.data, out.len), &a, &again, NULL) != 0 ||
         !schema_equal(schema_of_kind(kind), row, again))) {
        abort();
    }
    buf_close(&out);
    arena_close(&a);
    return 0;
}
