/* Which tasks of a group to stop when there are too many: the criteria of place() turned round.
 * One pass over the tasks that are left for each one stopped, because each stop moves the counts.
 */
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

struct scale {
    struct solver solver;
    const struct place_task *tasks;
    uint8_t *stopped;   /* By task. */
    uint32_t *on_node;  /* By slot: tasks not stopped yet. */
    uint32_t *gone;     /* By slot: tasks stopped so far; what they held counts as free. */
    uint32_t **domains; /* By level: tasks not stopped yet, by value. */
};

static bool has_node(const struct scale *c, const struct place_task *t)
{
    return view_has(c->solver.view, t->slot);
}

/* Tasks in the domain of a node; nodes outside all domains come before any. */
static uint64_t domain_count(struct scale *c, uint32_t level, uint32_t slot)
{
    struct view *v = c->solver.view;
    uint32_t value = view_domain_of(v, c->solver.levels[level].domain, v->slots[slot].class);
    return value == NO_DOMAIN ? UINT32_MAX : c->domains[level][value];
}

/* The number of a task at a level; more is more dispensable. */
static int64_t value_of(struct scale *c, uint32_t level, const struct place_task *t)
{
    const struct place_request *r = c->solver.request;
    const struct view_slot *node = &c->solver.view->slots[t->slot];
    int64_t back = (int64_t)c->gone[t->slot] + 1;
    switch (c->solver.levels[level].kind) {
    case LEVEL_CPU:
        return node->free.cpu + back * r->cpu;
    case LEVEL_MEMORY:
        return node->free.memory_mib + back * r->memory_mib;
    case LEVEL_SPREAD_NODE:
        return c->on_node[t->slot];
    case LEVEL_SPREAD:
        return (int64_t)domain_count(c, level, t->slot);
    case LEVEL_RANDOM:
        return (int64_t)(place_random(c->solver.seed, t->id) >> 1);
    case LEVEL_GPU_SPARED:
    case LEVEL_GPUS:
        break;
    }
    assert(false);
    return 0;
}

/* Is task a to be stopped before b? */
static bool before(struct scale *c, const struct place_task *a, const struct place_task *b)
{
    if (has_node(c, a) != has_node(c, b)) {
        return !has_node(c, a);
    }
    for (uint32_t i = 0; has_node(c, a) && i < c->solver.n_levels; i++) {
        int64_t x = value_of(c, i, a);
        int64_t y = value_of(c, i, b);
        if (x != y) {
            return x > y;
        }
    }
    if (a->created_at_ms != b->created_at_ms) {
        return a->created_at_ms > b->created_at_ms;
    }
    return id_cmp(a->id, b->id) > 0;
}

/* Count a task's domain in or out on every level. */
static void count_domains(struct scale *c, uint32_t slot, bool in)
{
    struct view *v = c->solver.view;
    for (uint32_t i = 0; i < c->solver.n_levels; i++) {
        struct level *level = &c->solver.levels[i];
        if (level->kind != LEVEL_SPREAD) {
            continue;
        }
        uint32_t value = view_domain_of(v, level->domain, v->slots[slot].class);
        if (value != NO_DOMAIN) {
            c->domains[i][value] += in ? 1u : UINT32_MAX;
        }
    }
}

static void scale_init(struct scale *c, const struct place_task *tasks, uint32_t n_tasks,
                       struct arena *arena)
{
    struct solver *s = &c->solver;
    uint32_t n_slots = s->view->n_slots;
    solver_init_levels(s);
    c->tasks = tasks;
    c->stopped = arena_array(arena, n_tasks, sizeof *c->stopped);
    c->on_node = arena_array(arena, n_slots, sizeof *c->on_node);
    c->gone = arena_array(arena, n_slots, sizeof *c->gone);
    c->domains = arena_array(arena, s->n_levels, sizeof *c->domains);
    for (uint32_t i = 0; i < s->n_levels; i++) {
        if (s->levels[i].kind == LEVEL_SPREAD) {
            uint32_t n_values = s->view->domains[s->levels[i].domain].n_values;
            c->domains[i] = arena_array(arena, n_values, sizeof *c->domains[i]);
        }
    }
    for (uint32_t i = 0; i < n_tasks; i++) {
        if (has_node(c, &tasks[i])) {
            c->on_node[tasks[i].slot]++;
            count_domains(c, tasks[i].slot, true);
        }
    }
}

int place_scale_in(struct view *v, const struct place_request *request,
                   const struct place_task *tasks, uint32_t n_tasks, uint32_t n_stop, uint32_t *ret,
                   struct arena *arena, struct err *err)
{
    struct scale c;
    assert(n_stop <= n_tasks);
    int rv = solver_init(&c.solver, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    scale_init(&c, tasks, n_tasks, arena);
    for (uint32_t n = 0; n < n_stop; n++) {
        uint32_t first = UINT32_MAX;
        for (uint32_t i = 0; i < n_tasks; i++) {
            if (c.stopped[i] == 0 &&
                (first == UINT32_MAX || before(&c, &tasks[i], &tasks[first]))) {
                first = i;
            }
        }
        c.stopped[first] = 1;
        if (has_node(&c, &tasks[first])) {
            c.on_node[tasks[first].slot]--;
            c.gone[tasks[first].slot]++;
            count_domains(&c, tasks[first].slot, false);
        }
        ret[n] = first;
        c.solver.seed++;
    }
    return 0;
}
