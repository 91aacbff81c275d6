#include "common/base/map.h"

#include "common/base/buggify.h"

#include <assert.h>
#include <string.h>

#define MAP_MIN 16

void map_init(struct map *m, const struct mem *mem)
{
    memset(m, 0, sizeof *m);
    m->mem = mem;
}

void map_close(struct map *m)
{
    if (m->mem != NULL) {
        mem_free(m->mem, m->slots, m->cap * sizeof *m->slots);
    }
    memset(m, 0, sizeof *m);
}

/* The half of the hash that is kept. */
static uint32_t kept(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static void place(struct map *m, struct map_slot slot)
{
    uint32_t i = slot.hash & (m->cap - 1);
    while (m->slots[i].value != MAP_NONE) {
        i = (i + 1) & (m->cap - 1);
    }
    m->slots[i] = slot;
}

uint32_t map_get(const struct map *m, uint64_t hash, map_eq eq, const void *ctx, const void *key)
{
    uint32_t i;
    if (m->cap == 0) {
        return MAP_NONE;
    }
    for (i = kept(hash) & (m->cap - 1); m->slots[i].value != MAP_NONE; i = (i + 1) & (m->cap - 1)) {
        const struct map_slot *s = &m->slots[i];
        if (s->hash == kept(hash) && eq(ctx, s->value, key)) {
            return s->value;
        }
    }
    return MAP_NONE;
}

static void grow(struct map *m)
{
    struct map old = *m;
    m->cap = old.cap == 0 ? MAP_MIN : old.cap * 2;
    assert(m->cap > old.cap);
    m->slots = mem_alloc(m->mem, m->cap * sizeof *m->slots);
    memset(m->slots, 0xff, m->cap * sizeof *m->slots);
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.slots[i].value != MAP_NONE) {
            place(m, old.slots[i]);
        }
    }
    mem_free(m->mem, old.slots, old.cap * sizeof *old.slots);
}

void map_put(struct map *m, uint64_t hash, uint32_t value)
{
    assert(value != MAP_NONE);
    if (m->cap == 0 || m->n >= m->cap / 4 * 3 || (m->n > m->cap / 2 && BUGGIFY(MAP_GROWS))) {
        grow(m);
    }
    place(m, (struct map_slot){kept(hash), value});
    m->n++;
}

void map_remove(struct map *m, uint64_t hash, uint32_t value)
{
    uint32_t mask = m->cap - 1;
    uint32_t hole;
    uint32_t i;
    assert(m->n > 0);
    for (hole = kept(hash) & mask; m->slots[hole].value != value; hole = (hole + 1) & mask) {
        assert(m->slots[hole].value != MAP_NONE);
    }
    /* Close the hole: move back whatever would no longer be found across it. */
    for (i = (hole + 1) & mask; m->slots[i].value != MAP_NONE; i = (i + 1) & mask) {
        uint32_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = MAP_NONE;
    m->n--;
}

bool map_next(const struct map *m, uint32_t *at, uint32_t *ret_value)
{
    while (*at < m->cap) {
        uint32_t value = m->slots[(*at)++].value;
        if (value != MAP_NONE) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}
