/* common/base/arena.h
 *
 * A bump allocator for one pass of work: everything is released together. Pure. */
#ifndef COMMON_BASE_ARENA_H
#define COMMON_BASE_ARENA_H

#include "common/base/mem.h"

#include <stddef.h>

struct arena_block;

struct arena {
    size_t used; /* Bytes handed out since the last clear. */
    /* Private. */
    const struct mem *mem;
    struct arena_block *head;
};

void arena_init(struct arena *a, const struct mem *mem);

/* Release everything; zeroed arenas are fine. */
void arena_close(struct arena *a);

/* Forget everything, keep the largest block for the next pass. */
void arena_clear(struct arena *a);

/* Zeroed, aligned for any type. size 0 gives a valid pointer to nothing. */
void *arena_alloc(struct arena *a, size_t size);

/* n zeroed elements; asserts that n * size does not overflow. */
void *arena_array(struct arena *a, size_t n, size_t size);

char *arena_dup(struct arena *a, const char *bytes, size_t n); /* NUL-terminated copy. */
char *arena_strdup(struct arena *a, const char *text);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

#endif
