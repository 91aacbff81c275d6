/* controller/core/placement/shelf.h
 *
 * An ordered set of nodes: by a 64-bit key, then by id. The key holds two amounts of 32 bits; the
 * order follows the upper one, and leaves in which no lower one is large enough can be skipped.
 * Leaves of a fixed size under one directory: two levels are enough for a hundred thousand nodes,
 * and an insertion moves half a leaf. Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_SHELF_H
#define CONTROLLER_CORE_PLACEMENT_SHELF_H

#include "common/base/id.h"
#include "common/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#define SHELF_LEAF 32u

struct shelf_entry {
    uint64_t key;
    struct id id;
    uint32_t slot;
    uint32_t class;
};

struct shelf_leaf {
    uint32_t n; /* > 0 */
    /* What most entries are passed over by, close together: the lower half of the key, and the
     * class modulo 64. */
    uint8_t tag[SHELF_LEAF];
    uint32_t low[SHELF_LEAF];
    struct shelf_entry entries[SHELF_LEAF];
};

struct shelf {
    uint32_t n; /* Entries. */
    uint32_t n_leaves;
    /* The directory: first key, largest lower half of any key, entries. */
    uint64_t *first;
    uint32_t *low_max;
    struct shelf_leaf **leaves;
    /* Private. */
    uint32_t cap;
};

void shelf_close(struct shelf *s, const struct mem *mem); /* Zeroed shelves are fine. */

/* Insert what is not there; remove what is (key and id decide). */
void shelf_insert(struct shelf *s, const struct mem *mem, const struct shelf_entry *entry);
void shelf_remove(struct shelf *s, const struct mem *mem, const struct shelf_entry *entry);

/* Position of the first entry with a key >= key: leaf, and place within; n_leaves at the end. */
void shelf_seek(const struct shelf *s, uint64_t key, uint32_t *ret_leaf, uint32_t *ret_at);

#define SHELF_TAGS 64u

/* Bit i is set for each entry i >= at with enough in the lower half and a tag whose bit is set. */
static inline uint32_t shelf_filter(const struct shelf_leaf *leaf, uint32_t at, uint32_t low,
                                    uint64_t tags)
{
    uint32_t hits = 0;
    for (uint32_t i = at; i < leaf->n; i++) {
        uint32_t fits = leaf->low[i] >= low;
        hits |= (fits & (uint32_t)(tags >> leaf->tag[i])) << i;
    }
    return hits;
}

/* Order and directory are right. For tests. */
bool shelf_audit(const struct shelf *s);

#endif
