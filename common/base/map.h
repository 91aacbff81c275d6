/* common/base/map.h
 *
 * A hash index: 64-bit hash to 32-bit slot number. The rows live elsewhere; the map stores their
 * numbers, and the caller compares keys. Open addressing with linear probing and backward-shift
 * deletion, so there are no tombstones. Iteration order is hash order: never let it decide
 * anything in the core. Pure. */
#ifndef COMMON_BASE_MAP_H
#define COMMON_BASE_MAP_H

#include "common/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot {
    uint32_t hash; /* The upper half of the hash: growing asks no row for it again. */
    uint32_t value;
};

struct map {
    uint32_t n; /* Members. */
    /* Private. */
    uint32_t cap; /* Power of two, or 0. */
    struct map_slot *slots;
    const struct mem *mem;
};

/* Says whether the row numbered value is the one looked for. */
typedef bool (*map_eq)(const void *ctx, uint32_t value, const void *key);

void map_init(struct map *m, const struct mem *mem);
void map_close(struct map *m); /* Zeroed maps are fine. */

/* The value whose row equals key, or MAP_NONE. */
uint32_t map_get(const struct map *m, uint64_t hash, map_eq eq, const void *ctx, const void *key);

/* Add a value that is not there yet (the caller looked). value != MAP_NONE. */
void map_put(struct map *m, uint64_t hash, uint32_t value);

/* Remove value, which is there under hash. */
void map_remove(struct map *m, uint64_t hash, uint32_t value);

/* Visit: start with *at = 0; false at the end. */
bool map_next(const struct map *m, uint32_t *at, uint32_t *ret_value);

#endif
