/* controller/core/table.h
 *
 * Rows of one size in numbered slots. A new row gets the lowest free slot, so that slots are the
 * same on every replica and after loading a checkpoint. Rows never move. Pure; for the store. */
#ifndef CONTROLLER_CORE_TABLE_H
#define CONTROLLER_CORE_TABLE_H

#include "common/base/mem.h"

#include <stddef.h>
#include <stdint.h>

#define TABLE_SLOTS_MAX (1u << 24) /* 64 to the power of TABLE_LEVELS. */
#define TABLE_LEVELS    4

struct table {
    uint32_t n;    /* Rows. */
    uint32_t high; /* Slots ever used: every row is below. */
    /* Private. */
    size_t row_size;
    uint32_t n_chunks;
    char **chunks;
    /* Bit i of level 0: slot i is taken. Bit i of level k: all 64 bits of word i of level k-1 are
     * set. What is beyond a level is clear. */
    uint64_t *levels[TABLE_LEVELS];
    uint32_t n_words[TABLE_LEVELS];
    const struct mem *mem;
};

void table_init(struct table *t, size_t row_size, const struct mem *mem);
void table_close(struct table *t); /* Not what the rows point to. Zeroed tables are fine. */

/* The row in a slot, NULL when it is empty. */
void *table_row(const struct table *t, uint32_t slot);

/* The lowest free slot. */
uint32_t table_free_slot(const struct table *t);

/* Take a free slot (< TABLE_SLOTS_MAX) and return its row, zeroed. */
void *table_add(struct table *t, uint32_t slot);
void table_remove(struct table *t, uint32_t slot);

#endif
