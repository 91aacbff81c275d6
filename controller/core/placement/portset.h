/* controller/core/placement/portset.h
 *
 * The ports of one protocol that are in use on one node: a sorted array. A node with a hundred
 * tasks needs a few hundred bytes so, where a bitmap of all ports would take 8 KiB. Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_PORTSET_H
#define CONTROLLER_CORE_PLACEMENT_PORTSET_H

#include "common/base/mem.h"

#include <stdint.h>

#define PORT_NONE 0 /* Port 0 cannot be used. */

struct portset {
    uint32_t n;
    /* Private. */
    uint32_t cap;
    uint16_t *ports;
};

void portset_close(struct portset *s, const struct mem *mem); /* Zeroed sets are fine. */

/* The highest member within [first, first + count), or PORT_NONE. */
uint16_t portset_last_in(const struct portset *s, uint16_t first, uint32_t count);

/* Add ports none of which is a member; remove ports all of which are. */
void portset_add(struct portset *s, const struct mem *mem, uint16_t first, uint32_t count);
void portset_remove(struct portset *s, uint16_t first, uint32_t count);

#endif
