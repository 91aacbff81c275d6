/* A ring indexed by log index modulo its size: an entry never moves but when the ring grows. */
#include "controller/raft/cache.h"

#include <assert.h>

#define CACHE_CAP_MIN 256u

static struct cache_entry *slot(const struct cache *c, uint64_t index)
{
    return &c->slots[index & (c->cap - 1)];
}

void cache_init(struct cache *c, const struct mem *mem)
{
    *c = (struct cache){.first = 1, .mem = mem};
}

void cache_close(struct cache *c)
{
    if (c->mem == NULL) {
        return;
    }
    cache_reset(c, 1);
    mem_free(c->mem, c->slots, c->cap * sizeof *c->slots);
    c->slots = NULL;
    c->cap = 0;
}

static void drop(struct cache *c, uint64_t index)
{
    struct cache_entry *e = slot(c, index);
    mem_free(c->mem, e->bytes, e->len + 1);
    c->bytes -= e->len;
    *e = (struct cache_entry){0};
}

void cache_reset(struct cache *c, uint64_t first)
{
    assert(first > 0);
    cache_truncate(c, c->first);
    c->first = first;
}

static void grow(struct cache *c)
{
    size_t cap = c->cap == 0 ? CACHE_CAP_MIN : c->cap * 2;
    struct cache_entry *slots = mem_alloc(c->mem, cap * sizeof *slots);
    for (uint64_t i = c->first; i < c->first + c->n; i++) {
        slots[i & (cap - 1)] = *slot(c, i);
    }
    mem_free(c->mem, c->slots, c->cap * sizeof *c->slots);
    c->slots = slots;
    c->cap = cap;
}

void cache_append(struct cache *c, uint64_t term, enum raft_entry_type type, const void *bytes,
                  size_t len, uint64_t ticket)
{
    struct cache_entry *e;
    if (c->n == c->cap) {
        grow(c);
    }
    e = slot(c, c->first + c->n);
    e->term = term;
    e->type = type;
    e->ticket = ticket;
    e->len = len;
    e->bytes = (uint8_t *)mem_dup(c->mem, len == 0 ? "" : bytes, len);
    c->bytes += len;
    c->n++;
}

void cache_truncate(struct cache *c, uint64_t from)
{
    assert(from >= c->first);
    while (c->n > 0 && c->first + c->n > from) {
        drop(c, c->first + c->n - 1);
        c->n--;
    }
}

void cache_trim(struct cache *c, uint64_t through)
{
    while (c->n > 0 && c->first <= through) {
        drop(c, c->first);
        c->first++;
        c->n--;
    }
}

const struct cache_entry *cache_get(const struct cache *c, uint64_t index)
{
    if (index < c->first || index >= c->first + c->n) {
        return NULL;
    }
    return slot(c, index);
}
