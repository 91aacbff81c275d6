/* common/base/heap.h
 *
 * An intrusive binary min-heap ordered by a 64-bit key, ties by insertion number, so the order is
 * the same on every run. For deadlines. Pure. */
#ifndef COMMON_BASE_HEAP_H
#define COMMON_BASE_HEAP_H

#include "common/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    /* Private. */
    uint64_t seq;
    uint32_t at; /* Position + 1; 0 while outside. */
};

struct heap {
    uint32_t n;
    /* Private. */
    uint32_t cap;
    uint64_t seq;
    struct heap_node **nodes;
    const struct mem *mem;
};

void heap_init(struct heap *h, const struct mem *mem);
void heap_close(struct heap *h); /* Does not touch the members. Zeroed heaps are fine. */

/* Insert, or move a member to a new key. */
void heap_set(struct heap *h, struct heap_node *node, uint64_t key);

/* Take out; nothing happens when it is not inside. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The member with the least key, or NULL. */
struct heap_node *heap_first(const struct heap *h);

static inline bool heap_has(const struct heap_node *node)
{
    return node->at != 0;
}

#endif
