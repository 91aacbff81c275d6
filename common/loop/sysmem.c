#include "common/loop/sysmem.h"

#include <limits.h>
#include <malloc.h>
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

/* Setting one of them ends the adjustment of both; 32 MiB is where that ends on its own. */
void sysmem_keep(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
}
