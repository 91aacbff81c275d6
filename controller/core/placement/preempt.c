#include "controller/core/placement/preempt.h"

#include "common/base/sort.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

/* What a choice costs; less is better, field by field. */
struct cost {
    uint32_t highest; /* 1 + priority; 0 without victims. */
    uint32_t n_broken;
    uint32_t n_victims;
    uint32_t sum;
    int64_t oldest;
    uint32_t slot;
};

struct work {
    struct solver solver;
    const struct preempt_task *tasks;
    uint32_t *order;   /* Of one node's tasks: in which they are let back in. */
    uint32_t *scratch; /* For sorting. */
    uint8_t *out;      /* By place in `order`: taken away. */
    struct cost best;
    struct preempt_choice *ret;
};

static bool is_feasible(struct work *w, uint32_t slot)
{
    struct place_why why;
    solver_explain(&w->solver, slot, &why);
    return why.reason == PLACE_OK;
}

/* What is dearest first: highest priority, services at their minimum, the oldest. */
static bool dearer(const void *ctx, uint32_t a, uint32_t b)
{
    const struct work *w = ctx;
    const struct preempt_task *x = &w->tasks[a];
    const struct preempt_task *y = &w->tasks[b];
    if (x->priority != y->priority) {
        return x->priority > y->priority;
    }
    if (x->breaks != y->breaks) {
        return x->breaks;
    }
    if (x->created_at_ms != y->created_at_ms) {
        return x->created_at_ms < y->created_at_ms;
    }
    return id_cmp(x->id, y->id) < 0;
}

static void give(struct work *w, uint32_t i)
{
    const struct preempt_task *t = &w->tasks[w->order[i]];
    assert(w->out[i] == 0);
    view_give(w->solver.view, t->slot, &t->take);
    w->out[i] = 1;
}

static void take(struct work *w, uint32_t i)
{
    const struct preempt_task *t = &w->tasks[w->order[i]];
    assert(w->out[i] == 1);
    view_take(w->solver.view, t->slot, &t->take);
    w->out[i] = 0;
}

/* Let back in what fits, until nothing more does: where a constraint counts tasks, one that had to
 * stay out may fit after another came back. */
static void readmit(struct work *w, uint32_t slot, uint32_t n)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < n; i++) {
            if (w->out[i] == 0) {
                continue;
            }
            take(w, i);
            if (is_feasible(w, slot)) {
                again = w->solver.dynamic;
            } else {
                give(w, i);
            }
        }
    }
}

static struct cost cost_of(const struct work *w, uint32_t slot, uint32_t n)
{
    struct cost c = {.oldest = INT64_MAX, .slot = slot};
    for (uint32_t i = 0; i < n; i++) {
        const struct preempt_task *t = &w->tasks[w->order[i]];
        if (w->out[i] == 0) {
            continue;
        }
        c.highest = c.highest > t->priority ? c.highest : t->priority + 1u;
        c.n_broken += t->breaks;
        c.n_victims++;
        c.sum += t->priority;
        c.oldest = c.oldest < t->created_at_ms ? c.oldest : t->created_at_ms;
    }
    return c;
}

static bool is_cheaper(const struct work *w, const struct cost *a, const struct cost *b)
{
    const struct view_hot *hot = w->solver.view->hot;
    if (b->slot == VIEW_NONE) {
        return true;
    }
    if (a->highest != b->highest) {
        return a->highest < b->highest;
    }
    if (a->n_broken != b->n_broken) {
        return a->n_broken < b->n_broken;
    }
    if (a->n_victims != b->n_victims) {
        return a->n_victims < b->n_victims;
    }
    if (a->sum != b->sum) {
        return a->sum < b->sum;
    }
    if (a->oldest != b->oldest) {
        return a->oldest > b->oldest;
    }
    return id_cmp(hot[a->slot].id, hot[b->slot].id) < 0;
}

static void keep(struct work *w, const struct cost *c, uint32_t n)
{
    struct preempt_choice *ret = w->ret;
    w->best = *c;
    ret->slot = c->slot;
    ret->n_victims = 0;
    for (uint32_t i = n; i-- > 0;) {
        if (w->out[i] != 0) {
            ret->victims[ret->n_victims++] = w->order[i];
        }
    }
}

/* The tasks [from, to) are all of one node. */
static void look_at(struct work *w, uint32_t from, uint32_t to)
{
    uint32_t slot = w->tasks[from].slot;
    uint32_t n = 0;
    bool waits;
    for (uint32_t i = from; i < to; i++) {
        if (w->tasks[i].leaving) {
            view_give(w->solver.view, slot, &w->tasks[i].take);
        } else {
            w->order[n++] = i;
        }
    }
    sort_u32(w->order, n, w->scratch, dearer, w);
    memset(w->out, 0, n);
    waits = is_feasible(w, slot);
    for (uint32_t i = 0; i < n && !waits; i++) {
        give(w, i);
    }
    if (waits || is_feasible(w, slot)) {
        struct cost c;
        readmit(w, slot, n);
        c = cost_of(w, slot, n);
        if (is_cheaper(w, &c, &w->best)) {
            keep(w, &c, n);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (w->out[i] != 0) {
            take(w, i);
        }
    }
    for (uint32_t i = from; i < to; i++) {
        if (w->tasks[i].leaving) {
            view_take(w->solver.view, slot, &w->tasks[i].take);
        }
    }
}

int preempt(struct view *v, const struct place_request *request, const struct preempt_task *tasks,
            uint32_t n_tasks, struct preempt_choice *ret, struct arena *arena, struct err *err)
{
    struct work w = {.tasks = tasks, .best = {.slot = VIEW_NONE}, .ret = ret};
    int rv = solver_open(&w.solver, v, request, arena, err);
    if (rv != 0) {
        return rv;
    }
    *ret = (struct preempt_choice){.slot = VIEW_NONE};
    ret->victims = arena_array(arena, n_tasks, sizeof *ret->victims);
    w.order = arena_array(arena, n_tasks, sizeof *w.order);
    w.scratch = arena_array(arena, n_tasks, sizeof *w.scratch);
    w.out = arena_array(arena, n_tasks, sizeof *w.out);
    for (uint32_t from = 0, to; from < n_tasks; from = to) {
        to = from + 1;
        while (to < n_tasks && tasks[to].slot == tasks[from].slot) {
            to++;
        }
        look_at(&w, from, to);
    }
    view_group_release(v, w.solver.group);
    return 0;
}
