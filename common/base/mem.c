#include "common/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

void *mem_resize(const struct mem *mem, void *ptr, size_t old_size, size_t new_size)
{
    void *moved;
    assert((ptr == NULL) == (old_size == 0));
    moved = mem->resize(mem->ctx, ptr, old_size, new_size);
    assert((moved == NULL) == (new_size == 0));
    if (new_size > old_size) {
        memset((uint8_t *)moved + old_size, 0, new_size - old_size);
    }
    return moved;
}

void *mem_alloc(const struct mem *mem, size_t size)
{
    assert(size > 0);
    return mem_resize(mem, NULL, 0, size);
}

void mem_free(const struct mem *mem, void *ptr, size_t size)
{
    if (ptr != NULL) {
        (void)mem->resize(mem->ctx, ptr, size, 0);
    }
}

char *mem_dup(const struct mem *mem, const char *bytes, size_t n)
{
    char *copy = mem_alloc(mem, n + 1);
    if (n > 0) {
        memcpy(copy, bytes, n);
    }
    return copy;
}
