/* Several replicas where the order of shelves is no help: spread over instances, or by an attribute
 * that shelves are not divided by. The feasible nodes are gathered once and kept in heaps, one for
 * each combination of values that tasks are spread by: what a replica changes by that is then the
 * same for a whole heap, and everything else only for the node it goes to. */
#include "controller/core/placement/place_impl.h"

#include <assert.h>

#define HEAPS_MAX 64u /* More combinations are searched as for single replicas. */

struct heap_of_nodes {
    uint32_t n;
    uint32_t *nodes; /* Indexes in the pool; the best is first. */
};

struct pool {
    struct solver *s;
    uint32_t n;
    uint32_t cap;
    uint32_t *slots;
    uint32_t *heap_of; /* By node, until the heaps are made. */
    uint32_t *nodes;   /* Of all heaps. */
    uint64_t *keys;    /* By node: its values at all levels but those of heaps. */
    uint32_t n_heaps;
    struct heap_of_nodes heaps[HEAPS_MAX];
    uint32_t best; /* The heap that the last choice came from. */
};

static bool suits(const struct solver *s)
{
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == LEVEL_RANDOM) {
            return false; /* Another number for every replica. */
        }
    }
    return !s->resumable && !s->dynamic && s->request->only == NULL;
}

static void find_keys(struct pool *p, uint32_t node)
{
    const struct solver *s = p->s;
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind != LEVEL_SPREAD) {
            p->keys[node * s->n_levels + i] = solver_value(s, &s->levels[i], p->slots[node]);
        }
    }
}

/* Within one heap, where the levels of the heap are equal. */
static bool node_before(const struct pool *p, uint32_t a, uint32_t b)
{
    const struct solver *s = p->s;
    for (uint32_t i = 0; i < s->n_levels; i++) {
        uint64_t x = p->keys[a * s->n_levels + i], y = p->keys[b * s->n_levels + i];
        if (s->levels[i].kind != LEVEL_SPREAD && x != y) {
            return x < y;
        }
    }
    return id_cmp(s->view->hot[p->slots[a]].id, s->view->hot[p->slots[b]].id) < 0;
}

/* The best nodes of two heaps. */
static bool heap_before(const struct pool *p, const struct heap_of_nodes *a,
                        const struct heap_of_nodes *b)
{
    const struct solver *s = p->s;
    uint32_t x = a->nodes[0], y = b->nodes[0];
    for (uint32_t i = 0; i < s->n_levels; i++) {
        bool spread = s->levels[i].kind == LEVEL_SPREAD;
        uint64_t v =
            spread ? solver_value(s, &s->levels[i], p->slots[x]) : p->keys[x * s->n_levels + i];
        uint64_t w =
            spread ? solver_value(s, &s->levels[i], p->slots[y]) : p->keys[y * s->n_levels + i];
        if (v != w) {
            return v < w;
        }
    }
    return id_cmp(s->view->hot[p->slots[x]].id, s->view->hot[p->slots[y]].id) < 0;
}

static void sink(const struct pool *p, struct heap_of_nodes *h, uint32_t i)
{
    for (uint32_t child = 2 * i + 1; child < h->n; child = 2 * i + 1) {
        if (child + 1 < h->n && node_before(p, h->nodes[child + 1], h->nodes[child])) {
            child++;
        }
        if (!node_before(p, h->nodes[child], h->nodes[i])) {
            return;
        }
        uint32_t t = h->nodes[i];
        h->nodes[i] = h->nodes[child];
        h->nodes[child] = t;
        i = child;
    }
}

/* Do two nodes have the same values at all levels that spread by an attribute? */
static bool same_values(const struct solver *s, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == LEVEL_SPREAD &&
            view_domain_of(s->view, s->levels[i].domain, s->view->hot[a].class) !=
                view_domain_of(s->view, s->levels[i].domain, s->view->hot[b].class)) {
            return false;
        }
    }
    return true;
}

/* The heap for a node; HEAPS_MAX when there would be too many. firsts: a slot of each heap. */
static uint32_t heap_for(struct pool *p, uint32_t slot, uint32_t *firsts)
{
    uint32_t h = 0;
    while (h < p->n_heaps && !same_values(p->s, firsts[h], slot)) {
        h++;
    }
    if (h == p->n_heaps && h < HEAPS_MAX) {
        firsts[p->n_heaps++] = slot;
    }
    return h;
}

/* All feasible nodes with their heaps; false when these are too many. */
static bool gather(struct pool *p)
{
    struct solver *s = p->s;
    uint32_t firsts[HEAPS_MAX] = {0};
    for (uint32_t slot = 0; slot < s->view->n_slots; slot++) {
        if (!view_available(&s->view->hot[slot]) || !solver_admits(s, slot)) {
            continue;
        }
        uint32_t h = heap_for(p, slot, firsts);
        if (h == HEAPS_MAX) {
            return false;
        }
        p->slots[p->n] = slot;
        p->heap_of[p->n] = h;
        p->heaps[h].n++;
        p->n++;
    }
    return true;
}

static void make_heaps(struct pool *p)
{
    uint32_t *nodes = p->nodes;
    for (uint32_t h = 0; h < p->n_heaps; h++) {
        p->heaps[h].nodes = nodes;
        nodes += p->heaps[h].n;
        p->heaps[h].n = 0;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        struct heap_of_nodes *h = &p->heaps[p->heap_of[i]];
        find_keys(p, i);
        h->nodes[h->n++] = i;
    }
    for (uint32_t h = 0; h < p->n_heaps; h++) {
        for (uint32_t i = p->heaps[h].n / 2; i-- > 0;) {
            sink(p, &p->heaps[h], i);
        }
    }
}

/* Not from the arena: a pass of the leader makes many of these. */
struct pool *pool_open(struct solver *s)
{
    const struct mem *mem = s->view->mem;
    uint32_t n = s->view->n_nodes;
    struct pool *p;
    if (!suits(s) || n == 0) {
        return NULL;
    }
    p = mem_alloc(mem, sizeof *p);
    p->s = s;
    p->cap = n;
    p->slots = mem_alloc(mem, n * sizeof *p->slots);
    p->heap_of = mem_alloc(mem, n * sizeof *p->heap_of);
    p->nodes = mem_alloc(mem, n * sizeof *p->nodes);
    p->keys = mem_alloc(mem, (size_t)n * s->n_levels * sizeof *p->keys);
    if (!gather(p)) {
        pool_close(p);
        return NULL;
    }
    make_heaps(p);
    return p;
}

void pool_close(struct pool *p)
{
    if (p != NULL) {
        const struct mem *mem = p->s->view->mem;
        mem_free(mem, p->slots, p->cap * sizeof *p->slots);
        mem_free(mem, p->heap_of, p->cap * sizeof *p->heap_of);
        mem_free(mem, p->nodes, p->cap * sizeof *p->nodes);
        mem_free(mem, p->keys, (size_t)p->cap * p->s->n_levels * sizeof *p->keys);
        mem_free(mem, p, sizeof *p);
    }
}

uint32_t pool_best(struct pool *p)
{
    uint32_t best = p->n_heaps;
    for (uint32_t h = 0; h < p->n_heaps; h++) {
        if (p->heaps[h].n > 0 &&
            (best == p->n_heaps || heap_before(p, &p->heaps[h], &p->heaps[best]))) {
            best = h;
        }
    }
    p->best = best;
    return best == p->n_heaps ? VIEW_NONE : p->slots[p->heaps[best].nodes[0]];
}

void pool_shrunk(struct pool *p)
{
    struct heap_of_nodes *h = &p->heaps[p->best];
    assert(h->n > 0);
    if (solver_admits(p->s, p->slots[h->nodes[0]])) {
        find_keys(p, h->nodes[0]);
    } else {
        h->nodes[0] = h->nodes[--h->n];
    }
    sink(p, h, 0);
}
