#include "controller/core/placement/defrag.h"

#include "common/base/sort.h"

#include <assert.h>
#include <string.h>

#define TRIES_MAX 500u /* Nodes that were tried and could not be emptied. */

struct work {
    struct view *view;
    const struct defrag_task *tasks;
    struct arena *arena;
    struct arena *scratch; /* Of one placement. */
    uint32_t *first;       /* By slot: where its tasks begin in `order`; n_slots + 1 of them. */
    uint32_t *order;       /* Tasks by slot, largest first. */
    uint32_t *own;         /* By slot: tasks that are no daemons'. */
    uint8_t *busy;         /* By slot: took or gave something in this plan. */
    uint32_t *exclude;     /* The node to be emptied, then all nodes without tasks. */
    uint32_t n_exclude;
    uint64_t total_cpu; /* Of the nodes, for weighing tasks. */
    uint64_t total_memory;
    struct defrag_plan *plan;
};

/* Larger tasks are harder to place, so they are tried first. */
static uint64_t weight(const struct work *w, const struct view_take *t)
{
    return t->cpu * (w->total_memory / 1024 + 1) + t->memory_mib * (w->total_cpu / 1024 + 1);
}

static bool task_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct work *w = ctx;
    const struct defrag_task *x = &w->tasks[a];
    const struct defrag_task *y = &w->tasks[b];
    if (x->slot != y->slot) {
        return x->slot < y->slot;
    }
    return weight(w, &x->take) > weight(w, &y->take);
}

static uint32_t n_listed(const struct work *w, uint32_t slot)
{
    return w->first[slot + 1] - w->first[slot];
}

/* Fewest tasks, then least memory taken, then by id. */
static bool node_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct work *w = ctx;
    struct view_capacity x = view_capacity_of(w->view, a);
    struct view_capacity y = view_capacity_of(w->view, b);
    int64_t x_taken = (int64_t)x.memory_mib - x.free.memory_mib;
    int64_t y_taken = (int64_t)y.memory_mib - y.free.memory_mib;
    if (w->own[a] != w->own[b]) {
        return w->own[a] < w->own[b];
    }
    if (x_taken != y_taken) {
        return x_taken < y_taken;
    }
    return id_cmp(view_id(w->view, a), view_id(w->view, b)) < 0;
}

static void line_up(struct work *w, uint32_t n_tasks)
{
    uint32_t n_slots = view_slots(w->view);
    uint32_t *scratch = arena_array(w->arena, n_tasks, sizeof *scratch);
    w->order = arena_array(w->arena, n_tasks, sizeof *w->order);
    w->first = arena_array(w->arena, (size_t)n_slots + 1, sizeof *w->first);
    w->busy = arena_array(w->arena, n_slots, 1);
    w->own = arena_array(w->arena, n_slots, sizeof *w->own);
    w->exclude = arena_array(w->arena, (size_t)n_slots + 1, sizeof *w->exclude);
    w->n_exclude = 1;
    for (uint32_t i = 0; i < n_tasks; i++) {
        assert(view_has(w->view, w->tasks[i].slot));
        w->order[i] = i;
        w->first[w->tasks[i].slot + 1]++;
        w->own[w->tasks[i].slot] += !w->tasks[i].follows;
    }
    for (uint32_t slot = 0; slot < n_slots; slot++) {
        w->first[slot + 1] += w->first[slot];
        if (view_has(w->view, slot)) {
            struct view_capacity c = view_capacity_of(w->view, slot);
            w->total_cpu += c.cpu;
            w->total_memory += c.memory_mib;
            if (w->own[slot] == 0 && c.free.n_tasks == n_listed(w, slot)) {
                w->exclude[w->n_exclude++] = slot;
            }
        }
    }
    sort_u32(w->order, n_tasks, scratch, task_before, w);
}

/* All its tasks may move, and there are no others. */
static bool may_be_emptied(const struct work *w, uint32_t slot, uint32_t budget)
{
    if (w->own[slot] == 0 || w->own[slot] > budget ||
        view_free_of(w->view, slot).n_tasks != n_listed(w, slot)) {
        return false;
    }
    for (uint32_t i = w->first[slot]; i < w->first[slot + 1]; i++) {
        const struct defrag_task *t = &w->tasks[w->order[i]];
        if (t->request == NULL && !t->follows) {
            return false;
        }
    }
    return true;
}

/* Find the task another node and take its room there. */
static bool move(struct work *w, uint32_t task)
{
    const struct defrag_task *t = &w->tasks[task];
    struct place_request r = *t->request;
    struct placement p;
    w->exclude[0] = t->slot;
    r.exclude = w->exclude;
    r.n_exclude = w->n_exclude;
    r.n_replicas = 1;
    r.no_reasons = true;
    arena_clear(w->scratch);
    if (place(w->view, &r, &p, w->scratch, NULL) != 0 || p.n_placed == 0) {
        return false;
    }
    struct view_take take = place_take(&r, &p.runs[0], w->scratch);
    uint16_t *ports = NULL;
    if (r.n_ports > 0) {
        ports = arena_array(w->arena, r.n_ports, sizeof *ports);
        memcpy(ports, p.runs[0].host_ports, r.n_ports * sizeof *ports);
    }
    view_take(w->view, p.runs[0].slot, &take);
    w->plan->moves[w->plan->n_moves++] = (struct defrag_move){task, p.runs[0].slot, ports};
    return true;
}

static void take_back(struct work *w, uint32_t from)
{
    while (w->plan->n_moves > from) {
        const struct defrag_move *m = &w->plan->moves[--w->plan->n_moves];
        struct place_run run = {.slot = m->to, .host_ports = m->host_ports};
        struct view_take take = place_take(w->tasks[m->task].request, &run, w->scratch);
        view_give(w->view, m->to, &take);
    }
}

/* All or nothing. */
static bool empty(struct work *w, uint32_t slot)
{
    uint32_t from = w->plan->n_moves;
    for (uint32_t i = w->first[slot]; i < w->first[slot + 1]; i++) {
        if (!w->tasks[w->order[i]].follows && !move(w, w->order[i])) {
            take_back(w, from);
            return false;
        }
    }
    for (uint32_t i = from; i < w->plan->n_moves; i++) {
        const struct defrag_task *t = &w->tasks[w->plan->moves[i].task];
        view_give(w->view, t->slot, &t->take);
        w->busy[w->plan->moves[i].to] = 1;
    }
    w->exclude[w->n_exclude++] = slot;
    w->plan->n_freed++;
    return true;
}

void defrag_plan(struct view *v, const struct defrag_task *tasks, uint32_t n_tasks, uint32_t budget,
                 struct defrag_plan *ret, struct arena *arena, struct arena *scratch)
{
    struct work w = {.view = v, .tasks = tasks, .arena = arena, .scratch = scratch, .plan = ret};
    uint32_t n_slots = view_slots(v);
    uint32_t n = 0, n_failed = 0;
    uint32_t *nodes = arena_array(arena, n_slots, sizeof *nodes);
    uint32_t *sorting = arena_array(arena, n_slots, sizeof *sorting);
    memset(ret, 0, sizeof *ret);
    ret->moves = arena_array(arena, budget < n_tasks ? budget : n_tasks, sizeof *ret->moves);
    line_up(&w, n_tasks);
    for (uint32_t slot = 0; slot < n_slots; slot++) {
        if (view_has(v, slot) && may_be_emptied(&w, slot, budget)) {
            nodes[n++] = slot;
        }
    }
    sort_u32(nodes, n, sorting, node_before, &w);
    for (uint32_t i = 0; i < n && n_failed < TRIES_MAX; i++) {
        /* What came to the node in this plan is not to move again, and makes it no candidate. */
        if (w.busy[nodes[i]] == 0 && w.own[nodes[i]] <= budget - ret->n_moves) {
            n_failed += !empty(&w, nodes[i]);
        }
    }
}

bool defrag_worthwhile(const struct view *v, uint32_t spare_percent)
{
    uint64_t cpu = 0, cpu_taken = 0, memory = 0, memory_taken = 0;
    for (uint32_t slot = 0; slot < view_slots(v); slot++) {
        struct view_capacity c;
        if (!view_has(v, slot) || view_free_of(v, slot).n_tasks == 0) {
            continue;
        }
        c = view_capacity_of(v, slot);
        cpu += c.cpu;
        memory += c.memory_mib;
        cpu_taken += (uint64_t)((int64_t)c.cpu - c.free.cpu);
        memory_taken += (uint64_t)((int64_t)c.memory_mib - c.free.memory_mib);
    }
    return cpu * 100 > cpu_taken * (100 + spare_percent) &&
           memory * 100 > memory_taken * (100 + spare_percent);
}
