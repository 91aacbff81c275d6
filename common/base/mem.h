/* common/base/mem.h
 *
 * Where memory comes from, as a value. The pure layers call no malloc(): whoever builds them says
 * what to use, so tests can count and fail allocations and the simulator can give each replica
 * its own heap. Pure itself; as thread-safe as the function behind it.
 *
 * Contract: mem->resize never returns NULL for new_size > 0. Code that can refuse a request checks
 * a limit from its limits.h first; running out of memory below that limit ends the process, which
 * in a replicated system is a fault like any other. */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

struct mem {
    /* realloc() that is told the old size; new_size 0 frees and returns NULL. */
    void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t new_size);
    void *ctx;
};

/* Zeroed memory of size > 0 bytes. */
void *mem_alloc(const struct mem *mem, size_t size);

/* Grow or shrink; bytes beyond old_size are zeroed. ptr may be NULL with old_size 0. */
void *mem_resize(const struct mem *mem, void *ptr, size_t old_size, size_t new_size);

/* Release; NULL is fine. size is what was asked for. */
void mem_free(const struct mem *mem, void *ptr, size_t size);

/* A copy of n bytes followed by a NUL; release with mem_free(mem, p, n + 1). */
char *mem_dup(const struct mem *mem, const char *bytes, size_t n);

#endif
