#include "controller/core/placement/shelf.h"

#include <assert.h>
#include <string.h>

#define CAP_MIN   4u
#define MERGE_MAX (SHELF_LEAF / 2) /* Neighbours with at most so many entries become one. */

static bool before(const struct shelf_entry *a, const struct shelf_entry *b)
{
    if (a->key != b->key) {
        return a->key < b->key;
    }
    return a->id.hi != b->id.hi ? a->id.hi < b->id.hi : a->id.lo < b->id.lo;
}

void shelf_close(struct shelf *s, const struct mem *mem)
{
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        mem_free(mem, s->leaves[i], sizeof *s->leaves[i]);
    }
    mem_free(mem, s->first, s->cap * sizeof *s->first);
    mem_free(mem, s->low_max, s->cap * sizeof *s->low_max);
    mem_free(mem, s->leaves, s->cap * sizeof(struct shelf_leaf *));
    memset(s, 0, sizeof *s);
}

/* --- leaves ----------------------------------------------------------------------------------- */

/* Move n entries from one place to another, in one leaf or between two. */
static void entries_move(struct shelf_leaf *to, uint32_t to_at, const struct shelf_leaf *from,
                         uint32_t from_at, uint32_t n)
{
    memmove(&to->entries[to_at], &from->entries[from_at], n * sizeof from->entries[0]);
    memmove(&to->low[to_at], &from->low[from_at], n * sizeof from->low[0]);
    memmove(&to->tag[to_at], &from->tag[from_at], n * sizeof from->tag[0]);
}

static void entry_put(struct shelf_leaf *leaf, uint32_t at, const struct shelf_entry *e)
{
    leaf->entries[at] = *e;
    leaf->low[at] = (uint32_t)e->key;
    leaf->tag[at] = (uint8_t)(e->class % SHELF_TAGS);
}

/* --- the directory ---------------------------------------------------------------------------- */

/* Make the directory's line for leaf i right again. */
static void describe(struct shelf *s, uint32_t i)
{
    const struct shelf_leaf *leaf = s->leaves[i];
    uint32_t max = 0;
    for (uint32_t k = 0; k < leaf->n; k++) {
        max = leaf->low[k] > max ? leaf->low[k] : max;
    }
    s->first[i] = leaf->entries[0].key;
    s->low_max[i] = max;
}

static void leaf_add(struct shelf *s, const struct mem *mem, uint32_t i)
{
    if (s->n_leaves == s->cap) {
        uint32_t cap = s->cap == 0 ? CAP_MIN : s->cap * 2;
        s->first = mem_resize(mem, s->first, s->cap * sizeof *s->first, cap * sizeof *s->first);
        s->low_max =
            mem_resize(mem, s->low_max, s->cap * sizeof *s->low_max, cap * sizeof *s->low_max);
        s->leaves = mem_resize(mem, s->leaves, s->cap * sizeof(struct shelf_leaf *),
                               cap * sizeof(struct shelf_leaf *));
        s->cap = cap;
    }
    uint32_t n = s->n_leaves - i;
    memmove(&s->first[i + 1], &s->first[i], n * sizeof *s->first);
    memmove(&s->low_max[i + 1], &s->low_max[i], n * sizeof *s->low_max);
    memmove(&s->leaves[i + 1], &s->leaves[i], n * sizeof(struct shelf_leaf *));
    s->leaves[i] = mem_alloc(mem, sizeof *s->leaves[i]);
    s->n_leaves++;
}

static void leaf_drop(struct shelf *s, const struct mem *mem, uint32_t i)
{
    mem_free(mem, s->leaves[i], sizeof *s->leaves[i]);
    s->n_leaves--;
    uint32_t n = s->n_leaves - i;
    memmove(&s->first[i], &s->first[i + 1], n * sizeof *s->first);
    memmove(&s->low_max[i], &s->low_max[i + 1], n * sizeof *s->low_max);
    memmove(&s->leaves[i], &s->leaves[i + 1], n * sizeof(struct shelf_leaf *));
}

/* The last leaf whose first entry is not after e; the first leaf when there is none. */
static uint32_t leaf_of(const struct shelf *s, const struct shelf_entry *e)
{
    uint32_t from = 0, to = s->n_leaves;
    while (to - from > 1) {
        uint32_t middle = from + (to - from) / 2;
        bool after = s->first[middle] != e->key ? e->key < s->first[middle]
                                                : before(e, &s->leaves[middle]->entries[0]);
        if (after) {
            to = middle;
        } else {
            from = middle;
        }
    }
    return from;
}

/* Position of the first entry of the leaf that is not before e. */
static uint32_t place_in(const struct shelf_leaf *leaf, const struct shelf_entry *e)
{
    uint32_t from = 0, to = leaf->n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (before(&leaf->entries[middle], e)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Move the upper half of a full leaf to a new one behind it. */
static void split(struct shelf *s, const struct mem *mem, uint32_t i)
{
    leaf_add(s, mem, i + 1);
    struct shelf_leaf *leaf = s->leaves[i];
    struct shelf_leaf *upper = s->leaves[i + 1];
    upper->n = leaf->n / 2;
    leaf->n -= upper->n;
    entries_move(upper, 0, leaf, leaf->n, upper->n);
    describe(s, i);
    describe(s, i + 1);
}

void shelf_insert(struct shelf *s, const struct mem *mem, const struct shelf_entry *entry)
{
    if (s->n_leaves == 0) {
        leaf_add(s, mem, 0);
    }
    uint32_t i = leaf_of(s, entry);
    if (s->leaves[i]->n == SHELF_LEAF) {
        split(s, mem, i);
        i += !before(entry, &s->leaves[i + 1]->entries[0]);
    }
    struct shelf_leaf *leaf = s->leaves[i];
    uint32_t at = place_in(leaf, entry);
    entries_move(leaf, at + 1, leaf, at, leaf->n - at);
    entry_put(leaf, at, entry);
    leaf->n++;
    s->n++;
    uint32_t low = (uint32_t)entry->key;
    s->first[i] = leaf->entries[0].key;
    s->low_max[i] = leaf->n == 1 || low > s->low_max[i] ? low : s->low_max[i];
}

void shelf_remove(struct shelf *s, const struct mem *mem, const struct shelf_entry *entry)
{
    assert(s->n > 0);
    uint32_t i = leaf_of(s, entry);
    struct shelf_leaf *leaf = s->leaves[i];
    uint32_t at = place_in(leaf, entry);
    assert(at < leaf->n);
    assert(!before(entry, &leaf->entries[at]));
    leaf->n--;
    s->n--;
    entries_move(leaf, at, leaf, at + 1, leaf->n - at);
    if (leaf->n == 0) {
        leaf_drop(s, mem, i);
        return;
    }
    s->first[i] = leaf->entries[0].key;
    if (i + 1 < s->n_leaves && leaf->n + s->leaves[i + 1]->n <= MERGE_MAX) {
        const struct shelf_leaf *next = s->leaves[i + 1];
        entries_move(leaf, leaf->n, next, 0, next->n);
        leaf->n += next->n;
        leaf_drop(s, mem, i + 1);
        describe(s, i);
    } else if ((uint32_t)entry->key == s->low_max[i]) {
        describe(s, i);
    }
}

/* --- looking ---------------------------------------------------------------------------------- */

void shelf_seek(const struct shelf *s, uint64_t key, uint32_t *ret_leaf, uint32_t *ret_at)
{
    const struct shelf_entry least = {.key = key}; /* No id is lower. */
    *ret_leaf = s->n_leaves;
    *ret_at = 0;
    if (s->n_leaves > 0) {
        uint32_t leaf = leaf_of(s, &least);
        uint32_t at = place_in(s->leaves[leaf], &least);
        bool behind = at == s->leaves[leaf]->n;
        *ret_leaf = leaf + behind;
        *ret_at = behind ? 0 : at;
    }
}

bool shelf_audit(const struct shelf *s)
{
    uint32_t n = 0;
    const struct shelf_entry *last = NULL;
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        const struct shelf_leaf *leaf = s->leaves[i];
        uint32_t low_max = 0;
        for (uint32_t k = 0; k < leaf->n; k++) {
            if (last != NULL && !before(last, &leaf->entries[k])) {
                return false;
            }
            last = &leaf->entries[k];
            low_max = leaf->low[k] > low_max ? leaf->low[k] : low_max;
            if (leaf->low[k] != (uint32_t)last->key || leaf->tag[k] != last->class % SHELF_TAGS) {
                return false;
            }
        }
        if (leaf->n == 0 || s->first[i] != leaf->entries[0].key || s->low_max[i] != low_max) {
            return false;
        }
        n += leaf->n;
    }
    return n == s->n;
}
