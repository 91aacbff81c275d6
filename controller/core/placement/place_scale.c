/* Which tasks of a group to stop when there are too many: the criteria of place() turned round.
 *
 * A stop changes the numbers of the tasks on the same node, and of those in the same domain of a
 * spread attribute. So tasks are lined up per node, nodes with equal domains form a bundle, and
 * each bundle keeps its nodes in a heap by their first task: a stop moves one node in one heap.
 * Between bundles the first tasks are compared anew each time; there are as many as there are
 * zones. */
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

/* The given tasks on one node: order[first .. first + n), the next to stop first. */
struct scale_node {
    uint32_t slot;
    uint32_t first;
    uint32_t n;
    uint32_t n_gone; /* Stopped so far; what they held counts as free. */
};

/* Nodes with the same value of every spread attribute: nodes[first .. first + n), a heap. */
struct bundle {
    uint32_t first;
    uint32_t n;
};

struct scale {
    struct solver solver;
    const struct place_task *tasks;
    uint32_t *order; /* Task numbers. */
    uint32_t n_nodes;
    struct scale_node *nodes;
    uint32_t n_bundles;
    struct bundle *bundles;
    uint32_t **left; /* By level, for spread attributes: tasks not stopped yet, by value. */
};

static const struct view_hot *slot_of(const struct scale *c, uint32_t slot)
{
    return &c->solver.view->hot[slot];
}

static bool has_node(const struct scale *c, uint32_t task)
{
    return view_has(c->solver.view, c->tasks[task].slot);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Number of a node's domain at a level. */
static uint32_t domain_of(struct scale *c, uint32_t level, uint32_t slot)
{
    return view_domain_of(c->solver.view, c->solver.levels[level].domain, slot_of(c, slot)->class);
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Tasks of one node: < 0 when a is to be stopped before b. */
static int cmp_tasks(const struct scale *c, uint32_t a, uint32_t b)
{
    const struct place_task *x = &c->tasks[a];
    const struct place_task *y = &c->tasks[b];
    for (uint32_t i = 0; i < c->solver.n_levels; i++) {
        if (c->solver.levels[i].kind == LEVEL_RANDOM) {
            int r =
                cmp_u64(place_random(c->solver.seed, x->id), place_random(c->solver.seed, y->id));
            if (r != 0) {
                return r;
            }
        }
    }
    if (x->created_at_ms != y->created_at_ms) {
        return -cmp_u64(x->created_at_ms, y->created_at_ms);
    }
    return -id_cmp(x->id, y->id);
}

/* Tasks without a node first, then node by node. */
static int cmp_by_node(struct scale *c, uint32_t a, uint32_t b)
{
    uint32_t x = has_node(c, a) ? c->tasks[a].slot : 0;
    uint32_t y = has_node(c, b) ? c->tasks[b].slot : 0;
    if (has_node(c, a) != has_node(c, b)) {
        return has_node(c, a) ? 1 : -1;
    }
    return x != y ? cmp_u64(x, y) : cmp_tasks(c, a, b);
}

/* Nodes by their domains. */
static int cmp_domains(struct scale *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < c->solver.n_levels; i++) {
        if (c->solver.levels[i].kind == LEVEL_SPREAD) {
            int r = cmp_u64(domain_of(c, i, c->nodes[a].slot), domain_of(c, i, c->nodes[b].slot));
            if (r != 0) {
                return r;
            }
        }
    }
    return 0;
}

/* The number of a node's next task at a level; more is more dispensable. */
static uint64_t value_of(struct scale *c, uint32_t level, const struct scale_node *n)
{
    const struct place_request *r = c->solver.request;
    const struct view_free *free = &slot_of(c, n->slot)->free;
    int64_t back = (int64_t)n->n_gone + 1;
    const int64_t shift = INT64_C(1) << 40; /* Free amounts may be negative. */
    switch (c->solver.levels[level].kind) {
    case LEVEL_CPU:
        return (uint64_t)(shift + free->cpu + back * r->cpu);
    case LEVEL_MEMORY:
        return (uint64_t)(shift + free->memory_mib + back * r->memory_mib);
    case LEVEL_SPREAD_NODE:
        return n->n;
    case LEVEL_SPREAD: {
        uint32_t value = domain_of(c, level, n->slot);
        return value == NO_DOMAIN ? UINT32_MAX : c->left[level][value];
    }
    case LEVEL_RANDOM:
        return UINT64_MAX - place_random(c->solver.seed, c->tasks[c->order[n->first]].id);
    case LEVEL_GPU_SPARED:
    case LEVEL_SCARCITY:
    case LEVEL_GPUS:
        break;
    }
    assert(false);
    return 0;
}

/* Is the next task of a to be stopped before that of b? */
static bool node_before(struct scale *c, const struct scale_node *a, const struct scale_node *b)
{
    for (uint32_t i = 0; i < c->solver.n_levels; i++) {
        uint64_t x = value_of(c, i, a);
        uint64_t y = value_of(c, i, b);
        if (x != y) {
            return x > y;
        }
    }
    return cmp_tasks(c, c->order[a->first], c->order[b->first]) < 0;
}

/* --- lining up -------------------------------------------------------------------------------- */

typedef int (*scale_cmp)(struct scale *c, uint32_t a, uint32_t b);

/* Merge sort: stable, and without recursion. */
static void sort(struct scale *c, uint32_t *items, uint32_t n, scale_cmp cmp)
{
    uint32_t *from = items;
    uint32_t *to = arena_array(c->solver.arena, n, sizeof *to);
    for (uint32_t run = 1; run < n; run *= 2) {
        for (uint32_t start = 0; start < n; start += 2 * run) {
            uint32_t middle = n - start < run ? n : start + run;
            uint32_t end = n - middle < run ? n : middle + run;
            uint32_t i = start;
            uint32_t j = middle;
            for (uint32_t k = start; k < end; k++) {
                bool left = j == end || (i < middle && cmp(c, from[i], from[j]) <= 0);
                to[k] = left ? from[i++] : from[j++];
            }
        }
        uint32_t *t = from;
        from = to;
        to = t;
    }
    if (from != items && n > 0) {
        memcpy(items, from, n * sizeof *items);
    }
}

/* Nodes from the sorted tasks; *ret_skip is the number of tasks without one. */
static void make_nodes(struct scale *c, uint32_t n_tasks, uint32_t *ret_skip)
{
    uint32_t skip = 0;
    while (skip < n_tasks && !has_node(c, c->order[skip])) {
        skip++;
    }
    c->nodes = arena_array(c->solver.arena, n_tasks - skip, sizeof *c->nodes);
    for (uint32_t i = skip; i < n_tasks; i++) {
        uint32_t slot = c->tasks[c->order[i]].slot;
        if (c->n_nodes == 0 || c->nodes[c->n_nodes - 1].slot != slot) {
            c->nodes[c->n_nodes++] = (struct scale_node){slot, i, 0, 0};
        }
        c->nodes[c->n_nodes - 1].n++;
    }
    *ret_skip = skip;
}

/* Count a node's domains up or down by n tasks. */
static void count_domains(struct scale *c, uint32_t slot, uint32_t n)
{
    for (uint32_t i = 0; i < c->solver.n_levels; i++) {
        if (c->solver.levels[i].kind == LEVEL_SPREAD) {
            uint32_t value = domain_of(c, i, slot);
            if (value != NO_DOMAIN) {
                c->left[i][value] += n;
            }
        }
    }
}

/* Let a node sink in its bundle's heap. */
static void sink(struct scale *c, const struct bundle *b, uint32_t i)
{
    struct scale_node *heap = &c->nodes[b->first];
    for (uint32_t child = 2 * i + 1; child < b->n; child = 2 * i + 1) {
        if (child + 1 < b->n && node_before(c, &heap[child + 1], &heap[child])) {
            child++;
        }
        if (!node_before(c, &heap[child], &heap[i])) {
            return;
        }
        struct scale_node t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
        i = child;
    }
}

/* Sort the nodes by domain, cut them into bundles, make each a heap. */
static void make_bundles(struct scale *c)
{
    struct arena *arena = c->solver.arena;
    uint32_t *by_domain = arena_array(arena, c->n_nodes, sizeof *by_domain);
    struct scale_node *sorted = arena_array(arena, c->n_nodes, sizeof *sorted);
    c->bundles = arena_array(arena, c->n_nodes, sizeof *c->bundles);
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        by_domain[i] = i;
        count_domains(c, c->nodes[i].slot, c->nodes[i].n);
    }
    sort(c, by_domain, c->n_nodes, cmp_domains);
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        sorted[i] = c->nodes[by_domain[i]];
        if (i == 0 || cmp_domains(c, by_domain[i - 1], by_domain[i]) != 0) {
            c->bundles[c->n_bundles++] = (struct bundle){i, 0};
        }
        c->bundles[c->n_bundles - 1].n++;
    }
    c->nodes = sorted;
    for (uint32_t k = 0; k < c->n_bundles; k++) {
        for (uint32_t i = c->bundles[k].n / 2; i-- > 0;) {
            sink(c, &c->bundles[k], i);
        }
    }
}

static void scale_init(struct scale *c, uint32_t n_tasks, uint32_t *ret_skip)
{
    struct solver *s = &c->solver;
    s->group = NO_GROUP; /* Only the given tasks count. */
    solver_init_levels(s);
    c->order = arena_array(s->arena, n_tasks, sizeof *c->order);
    c->left = arena_array(s->arena, s->n_levels, sizeof *c->left);
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == LEVEL_SPREAD) {
            uint32_t n_values = s->view->domains[s->levels[i].domain].n_values;
            c->left[i] = arena_array(s->arena, n_values, sizeof *c->left[i]);
        }
    }
    for (uint32_t i = 0; i < n_tasks; i++) {
        c->order[i] = i;
    }
    sort(c, c->order, n_tasks, cmp_by_node);
    make_nodes(c, n_tasks, ret_skip);
    make_bundles(c);
}

/* --- choosing --------------------------------------------------------------------------------- */

/* Take the most dispensable task out. */
static uint32_t next_task(struct scale *c)
{
    struct bundle *best = NULL;
    for (uint32_t i = 0; i < c->n_bundles; i++) {
        struct bundle *b = &c->bundles[i];
        if (b->n > 0 &&
            (best == NULL || node_before(c, &c->nodes[b->first], &c->nodes[best->first]))) {
            best = b;
        }
    }
    assert(best != NULL);
    struct scale_node *node = &c->nodes[best->first];
    uint32_t task = c->order[node->first];
    count_domains(c, node->slot, UINT32_MAX);
    node->first++;
    node->n--;
    node->n_gone++;
    if (node->n == 0) {
        best->n--;
        *node = c->nodes[best->first + best->n];
    }
    sink(c, best, 0);
    return task;
}

int place_scale_in(struct view *v, const struct place_request *request,
                   const struct place_task *tasks, uint32_t n_tasks, uint32_t n_stop, uint32_t *ret,
                   struct arena *arena, struct err *err)
{
    struct scale c = {.tasks = tasks};
    uint32_t skip;
    assert(n_stop <= n_tasks);
    int rv = solver_init(&c.solver, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    scale_init(&c, n_tasks, &skip);
    for (uint32_t n = 0; n < n_stop; n++) {
        ret[n] = n < skip ? c.order[n] : next_task(&c);
    }
    return 0;
}
