/* Apart from test_run(), so that fuzz targets need no Check. */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>

static size_t in_use;

static void *counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    void *moved;
    (void)ctx;
    in_use = in_use - old_size + new_size;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    moved = realloc(ptr, new_size);
    if (moved == NULL) {
        (void)fprintf(stderr, "out of memory: %zu bytes\n", new_size);
        abort();
    }
    return moved;
}

static const struct mem counted = {counted_resize, NULL};

const struct mem *test_mem(void)
{
    return &counted;
}

size_t test_mem_in_use(void)
{
    return in_use;
}
