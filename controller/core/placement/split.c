/* Sharing out one task after the other by the largest deficit alone does not keep every share
 * within one task when there are more than a few items. Deadlines do: the k-th task of an item with
 * share w/W belongs between the floor((k-1)W/w)-th and the ceil(kW/w)-th task of all. Among the
 * items whose next task may come by now the one that must come first gets it: earliest deadline
 * first meets all deadlines that can be met, and these can, because the exact fractions do. Ties go
 * by the larger deficit, then by order. Taking away is the same seen from the end: of the last
 * tasks that need not stay the one that came in last goes. */
#include "controller/core/placement/split.h"

#include <assert.h>
#include <stdbool.h>

struct sums {
    uint64_t weight;
    uint64_t tasks; /* Beyond the bases. */
};

static uint64_t have(const struct split_item *item, uint32_t more, uint32_t fewer)
{
    return (uint64_t)item->n_have + more - fewer;
}

static uint64_t beyond_base(const struct split_item *item, uint64_t n)
{
    return n > item->base ? n - item->base : 0;
}

static struct sums sum(const struct split_item *items, uint32_t n_items)
{
    struct sums s = {0, 0};
    for (uint32_t i = 0; i < n_items; i++) {
        s.weight += items[i].weight;
        s.tasks += items[i].weight == 0 ? 0 : beyond_base(&items[i], items[i].n_have);
    }
    return s;
}

/* Fill up the bases. Returns how many of the n tasks are left. */
static uint32_t give_bases(const struct split_item *items, uint32_t n_items, uint32_t n,
                           uint32_t *ret)
{
    for (uint32_t i = 0; i < n_items; i++) {
        uint32_t lacks = items[i].base > items[i].n_have ? items[i].base - items[i].n_have : 0;
        ret[i] = lacks < n ? lacks : n;
        n -= ret[i];
    }
    return n;
}

/* Where an item stands, times its weight: no division is needed but for the deadlines. */
struct rank {
    uint64_t at; /* The deadline, or the first moment of its last task. */
    int64_t deficit;
};

static bool before(const struct rank *a, const struct rank *b)
{
    return a->at != b->at ? a->at < b->at : a->deficit > b->deficit;
}

/* Who gets the next task. */
static uint32_t next(const struct split_item *items, uint32_t n_items, const uint32_t *given,
                     const struct sums *s)
{
    uint32_t best = n_items;
    struct rank best_rank = {0, 0};
    for (uint32_t i = 0; i < n_items; i++) {
        uint64_t w = items[i].weight;
        uint64_t k = beyond_base(&items[i], have(&items[i], given[i], 0));
        struct rank rank;
        if (w == 0 || k * s->weight >= w * (s->tasks + 1)) {
            continue; /* Has its share of them all already. */
        }
        rank.at = ((k + 1) * s->weight + w - 1) / w;
        rank.deficit = (int64_t)(w * (s->tasks + 1)) - (int64_t)(k * s->weight);
        if (best == n_items || before(&rank, &best_rank)) {
            best = i;
            best_rank = rank;
        }
    }
    assert(best < n_items);
    return best;
}

uint32_t split_more(const struct split_item *items, uint32_t n_items, uint32_t n, uint32_t *ret)
{
    struct sums s = sum(items, n_items);
    uint32_t left = give_bases(items, n_items, n, ret);
    if (s.weight == 0) {
        return n - left;
    }
    for (; left > 0; left--) {
        ret[next(items, n_items, ret, &s)]++;
        s.tasks++;
    }
    return n;
}

/* Whose task goes next, of those beyond the bases; n_items when there are none. */
static uint32_t last(const struct split_item *items, uint32_t n_items, const uint32_t *taken,
                     const struct sums *s)
{
    uint32_t best = n_items;
    struct rank best_rank = {0, 0};
    for (uint32_t i = 0; i < n_items; i++) {
        uint64_t w = items[i].weight;
        uint64_t k = beyond_base(&items[i], have(&items[i], 0, taken[i]));
        struct rank rank;
        if (k == 0) {
            continue;
        }
        if (w == 0) {
            return i; /* It should have none of these. */
        }
        if ((k * s->weight + w - 1) / w < s->tasks) {
            continue; /* So many it must have, even with one less of them all. */
        }
        rank.at = (k - 1) * s->weight / w;
        rank.deficit = (int64_t)(w * s->tasks) - (int64_t)(k * s->weight);
        if (best == n_items || before(&best_rank, &rank) ||
            (rank.at == best_rank.at && rank.deficit == best_rank.deficit)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

void split_fewer(const struct split_item *items, uint32_t n_items, uint32_t n, uint32_t *ret)
{
    struct sums s = sum(items, n_items);
    for (uint32_t i = 0; i < n_items; i++) {
        ret[i] = 0;
    }
    for (; n > 0; n--) {
        uint32_t i = last(items, n_items, ret, &s);
        if (i < n_items) {
            s.tasks -= items[i].weight == 0 ? 0 : 1;
        }
        for (uint32_t k = n_items; i == n_items && k > 0; k--) {
            i = have(&items[k - 1], 0, ret[k - 1]) > 0 ? k - 1 : n_items;
        }
        assert(i < n_items);
        ret[i]++;
    }
}
