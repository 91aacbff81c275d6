/* controller/raft/cache.h
 *
 * The log in memory: entries [first, last] without gaps, as a ring. Payloads are copied in. Pure.
 */
#ifndef CONTROLLER_RAFT_CACHE_H
#define CONTROLLER_RAFT_CACHE_H

#include "common/base/mem.h"

#include <raft.h>
#include <stddef.h>
#include <stdint.h>

struct cache_entry {
    uint64_t term;
    uint64_t ticket; /* Of the write that makes it durable; 0: it is. */
    uint8_t *bytes;
    size_t len;
    enum raft_entry_type type;
};

struct cache {
    uint64_t first; /* Index of the oldest entry, or of the next one when there is none. */
    uint64_t n;
    uint64_t bytes; /* Payload bytes held. */
    /* Private. */
    struct cache_entry *slots;
    size_t cap; /* Power of two, or 0. */
    const struct mem *mem;
};

/* mem is borrowed until cache_close(). */
void cache_init(struct cache *c, const struct mem *mem);
void cache_close(struct cache *c); /* Zeroed caches are fine. */

/* Forget everything; the next entry has this index. */
void cache_reset(struct cache *c, uint64_t first);

/* Add a copy at the end. */
void cache_append(struct cache *c, uint64_t term, enum raft_entry_type type, const void *bytes,
                  size_t len, uint64_t ticket);

/* Forget entries from `from` on. */
void cache_truncate(struct cache *c, uint64_t from);

/* Forget entries up to and including `through`. */
void cache_trim(struct cache *c, uint64_t through);

/* The entry, or NULL when it is not there. Valid until the next change. */
const struct cache_entry *cache_get(const struct cache *c, uint64_t index);

/* Index of the newest entry; first - 1 when empty. */
static inline uint64_t cache_last(const struct cache *c)
{
    return c->first + c->n - 1;
}

#endif
