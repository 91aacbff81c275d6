#include "common/loop/sysmem.h"

#include <stdio.h>
#include <stdlib.h>

static void *heap_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    void *moved;
    (void)ctx;
    (void)old_size;
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

const struct mem *sysmem(void)
{
    static const struct mem heap = {heap_resize, NULL};
    return &heap;
}
