/* controller/storage/pending.h
 *
 * Row changes waiting to be written, the latest per row. Internal to storage; not locked. */
#ifndef CONTROLLER_STORAGE_PENDING_H
#define CONTROLLER_STORAGE_PENDING_H

#include "common/base/arena.h"
#include "common/base/map.h"
#include "common/base/str.h"

#include <stdint.h>

struct pending_row {
    uint8_t kind;
    uint32_t slot;
    struct str bytes; /* p NULL: deleted. */
    size_t cap;       /* Room at bytes.p. */
    char *room;
};

struct pending {
    struct pending_row *rows;
    uint32_t n;
    uint64_t n_replaced; /* Changes that an earlier one of the same row made needless. */
    /* Private. */
    uint32_t cap;
    struct map map;
    struct arena arena;
    const struct mem *mem;
};

void pending_init(struct pending *p, const struct mem *mem);
void pending_close(struct pending *p);
void pending_clear(struct pending *p);

/* Copies the bytes. */
void pending_put(struct pending *p, uint8_t kind, uint32_t slot, struct str bytes);

/* Put everything of from into p and clear from. */
void pending_merge(struct pending *p, struct pending *from);

/* Put those rows of older that p does not have, since p's are newer. older may have been sorted. */
void pending_underlay(struct pending *p, const struct pending *older);

/* By kind and slot: what the file likes. The map no longer fits; only pending_clear() may follow,
 * or being underlaid.
 */
void pending_sort(struct pending *p);

size_t pending_bytes(const struct pending *p);

#endif
