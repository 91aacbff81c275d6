/* controller/core/placement/split.h
 *
 * How the tasks of a group are shared out among capacity providers. Those with a base get it first,
 * in the order of the items; the rest goes by weight: with n tasks of K beyond the bases, an item
 * with weight w of a sum W always has |n - w * K / W| < 1, however often tasks were added to it and
 * taken away, as long as nothing but these functions decided who got them. From other beginnings
 * (providers that were full, tasks that ended) every further task brings the shares nearer. An item
 * without weight gets nothing beyond its base. Pure. */
#ifndef CONTROLLER_CORE_PLACEMENT_SPLIT_H
#define CONTROLLER_CORE_PLACEMENT_SPLIT_H

#include <stdint.h>

struct split_item {
    uint32_t base;
    uint32_t weight;
    uint32_t n_have; /* Tasks it has already. */
};

/* ret[i]: how many of n further tasks the i-th of n_items gets. Returns how many were shared out:
 * n, or fewer when no item has weight. */
uint32_t split_more(const struct split_item *items, uint32_t n_items, uint32_t n, uint32_t *ret);

/* ret[i]: how many of the n tasks to stop are the i-th item's; n is at most what all have. Tasks of
 * a base go last. */
void split_fewer(const struct split_item *items, uint32_t n_items, uint32_t n, uint32_t *ret);

#endif
