#include "common/base/arena.h"

#include "common/base/buggify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BLOCK_MIN 4096
#define ARENA_ALIGN     16

struct arena_block {
    struct arena_block *next;
    size_t size; /* Of the whole block, this header included. */
    size_t used;
    size_t unused_; /* Keeps what follows aligned to 16. */
};

_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "blocks must stay aligned");

void arena_init(struct arena *a, const struct mem *mem)
{
    memset(a, 0, sizeof *a);
    a->mem = mem;
}

void arena_close(struct arena *a)
{
    struct arena_block *b = a->head;
    while (b != NULL) {
        struct arena_block *next = b->next;
        mem_free(a->mem, b, b->size);
        b = next;
    }
    memset(a, 0, sizeof *a);
}

void arena_clear(struct arena *a)
{
    struct arena_block *keep = a->head;
    struct arena_block *b;
    if (keep == NULL) {
        return;
    }
    b = keep->next;
    while (b != NULL) {
        struct arena_block *next = b->next;
        if (b->size > keep->size) {
            mem_free(a->mem, keep, keep->size);
            keep = b;
        } else {
            mem_free(a->mem, b, b->size);
        }
        b = next;
    }
    keep->next = NULL;
    keep->used = sizeof *keep;
    a->head = keep;
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct arena_block *b = a->head;
    void *p;
    assert(size <= SIZE_MAX / 2);
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (b == NULL || b->size - b->used < size) {
        size_t need = sizeof *b + size;
        size_t block = b == NULL ? ARENA_BLOCK_MIN : b->size * 2;
        block = block > 1 << 20 ? 1 << 20 : block;
        block = block < need || BUGGIFY(ARENA_SMALL) ? need : block;
        b = mem_alloc(a->mem, block);
        b->size = block;
        b->used = sizeof *b;
        b->next = a->head;
        a->head = b;
    }
    p = (uint8_t *)b + b->used;
    b->used += size;
    a->used += size;
    memset(p, 0, size);
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    assert(size == 0 || n <= SIZE_MAX / 2 / size);
    return arena_alloc(a, n * size);
}

char *arena_dup(struct arena *a, const char *bytes, size_t n)
{
    char *copy = arena_alloc(a, n + 1);
    if (n > 0) {
        memcpy(copy, bytes, n);
    }
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_dup(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_list again;
    char *text;
    int n;
    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    text = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
