#include "controller/core/placement/zones.h"

#include "common/base/sort.h"
#include "controller/core/placement/place_impl.h"

#include <assert.h>
#include <string.h>

#define TRIES_MAX 500u /* Groups that were skewed and found no room. */
#define NONE      UINT32_MAX

/* Movable tasks of the group in hand, in one zone: those that help most to empty a node first. */
struct queue {
    uint32_t first;
    uint32_t last;
};

struct work {
    struct view *view;
    struct defrag_task *tasks;
    struct arena *arena;
    struct arena *scratch; /* Of one placement. */
    uint32_t *order;       /* Movable tasks by group. */
    uint32_t n_order;
    uint32_t *next; /* By task: in its queue. */
    uint32_t n_zones;
    struct queue *queues; /* By zone. */
    uint8_t *in_use;      /* By zone: it has a node that may take a task. */
    uint32_t *followers;  /* By slot: tasks that are daemons'. */
    uint32_t *exclude;    /* Nodes without other tasks. */
    uint32_t n_exclude;
    uint32_t n_failed;
    struct zones_plan *plan;
};

bool zones_matter(const struct place_request *r)
{
    return r->group.n > 0 && r->n_strategies > 0 &&
           r->strategies[0].kind == PLACE_SPREAD_ATTRIBUTE &&
           str_eqc(r->strategies[0].attribute, VIEW_ATTRIBUTE_ZONE);
}

static uint32_t domain(const struct work *w)
{
    return view_domain_get(w->view, STR(VIEW_ATTRIBUTE_ZONE));
}

static uint32_t zone_of(const struct work *w, uint32_t slot)
{
    return view_domain_of(w->view, domain(w), w->view->hot[slot].class);
}

static uint32_t n_in_zone(const struct work *w, struct str group, uint32_t zone)
{
    const struct group_spread *spread =
        view_group_spread(w->view, view_group_find(w->view, group), domain(w));
    return zone < spread->n ? spread->counts[zone] : 0;
}

static struct str name_of_zone(const struct work *w, uint32_t slot)
{
    struct str value = STR("");
    (void)view_class_attribute(&w->view->classes[w->view->hot[slot].class],
                               STR(VIEW_ATTRIBUTE_ZONE), &value);
    return str_make(arena_dup(w->arena, value.p, value.n), value.n);
}

/* --- what there is -------------------------------------------------------------------------------
 */

static bool is_empty(const struct work *w, uint32_t slot)
{
    return view_free_of(w->view, slot).n_tasks <= w->followers[slot];
}

/* What is on a draining node is on its way elsewhere. */
static bool may_move(const struct work *w, const struct defrag_task *t)
{
    return t->request != NULL && !t->follows && zones_matter(t->request) &&
           w->view->hot[t->slot].status == VIEW_ACTIVE && zone_of(w, t->slot) != NO_DOMAIN;
}

static bool task_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct work *w = ctx;
    const struct defrag_task *x = &w->tasks[a];
    const struct defrag_task *y = &w->tasks[b];
    int order = str_cmp(x->request->group, y->request->group);
    return order != 0
               ? order < 0
               : view_free_of(w->view, x->slot).n_tasks < view_free_of(w->view, y->slot).n_tasks;
}

static void line_up(struct work *w, uint32_t n_tasks)
{
    uint32_t n_slots = view_slots(w->view);
    uint32_t zones = domain(w);
    uint32_t *sorting = arena_array(w->arena, n_tasks, sizeof *sorting);
    w->order = arena_array(w->arena, n_tasks, sizeof *w->order);
    w->next = arena_array(w->arena, n_tasks, sizeof *w->next);
    w->n_zones = w->view->domains[zones].n_values;
    w->queues = arena_array(w->arena, w->n_zones, sizeof *w->queues);
    w->in_use = arena_array(w->arena, w->n_zones, 1);
    w->followers = arena_array(w->arena, n_slots, sizeof *w->followers);
    w->exclude = arena_array(w->arena, n_slots, sizeof *w->exclude);
    for (uint32_t i = 0; i < n_tasks; i++) {
        w->followers[w->tasks[i].slot] += w->tasks[i].follows;
        if (may_move(w, &w->tasks[i])) {
            w->order[w->n_order++] = i;
        }
    }
    for (uint32_t slot = 0; slot < n_slots; slot++) {
        if (view_has(w->view, slot) && is_empty(w, slot)) {
            w->exclude[w->n_exclude++] = slot;
        } else if (view_has(w->view, slot) && view_available(&w->view->hot[slot]) &&
                   zone_of(w, slot) != NO_DOMAIN) {
            w->in_use[zone_of(w, slot)] = 1;
        }
    }
    sort_u32(w->order, w->n_order, sorting, task_before, w);
}

static void append(struct work *w, uint32_t task)
{
    struct queue *q = &w->queues[zone_of(w, w->tasks[task].slot)];
    w->next[task] = NONE;
    if (q->first == NONE) {
        q->first = task;
    } else {
        w->next[q->last] = task;
    }
    q->last = task;
}

/* --- one group -----------------------------------------------------------------------------------
 */

/* The fullest zone with a task that may move; NONE when it is even as far as nodes in use go. */
static uint32_t fullest(const struct work *w, struct str group, uint32_t *ret_n)
{
    uint32_t zone = NONE, least = UINT32_MAX;
    *ret_n = 0;
    for (uint32_t z = 0; z < w->n_zones; z++) {
        uint32_t n = n_in_zone(w, group, z);
        least = w->in_use[z] && n < least ? n : least;
        if (w->queues[z].first != NONE && n > *ret_n) {
            *ret_n = n;
            zone = z;
        }
    }
    return zone != NONE && least < *ret_n && *ret_n - least >= 2 ? zone : NONE;
}

static void carry_out(struct work *w, uint32_t task, const struct place_run *run, uint32_t n_from,
                      uint32_t n_to)
{
    struct defrag_task *t = &w->tasks[task];
    struct zones_move *m = &w->plan->moves[w->plan->n_moves++];
    struct place_run kept = *run;
    uint32_t n_ports = t->request->n_ports;
    if (n_ports > 0) {
        uint16_t *ports = arena_array(w->arena, n_ports, sizeof *ports);
        memcpy(ports, run->host_ports, n_ports * sizeof *ports);
        kept.host_ports = ports;
    }
    *m = (struct zones_move){{task, run->slot, kept.host_ports}, t->slot, name_of_zone(w, t->slot),
                             name_of_zone(w, run->slot),         n_from,  n_to};
    struct view_take take = place_take(t->request, &kept, w->arena);
    view_take(w->view, run->slot, &take);
    view_give(w->view, t->slot, &t->take);
    if (is_empty(w, t->slot)) {
        w->exclude[w->n_exclude++] = t->slot;
    }
    t->slot = run->slot;
    t->take = take;
}

/* Placement takes the emptiest zone that has room; when that one is no better, none is. */
static bool move(struct work *w, const struct place_request *request)
{
    struct place_request r = *request;
    struct placement p;
    uint32_t n_from;
    uint32_t from = fullest(w, r.group, &n_from);
    if (from == NONE) {
        return false;
    }
    r.exclude = w->exclude;
    r.n_exclude = w->n_exclude;
    r.n_replicas = 1;
    r.no_reasons = true;
    arena_clear(w->scratch);
    uint32_t to = NO_DOMAIN;
    if (place(w->view, &r, &p, w->scratch, NULL) == 0 && p.n_placed > 0) {
        to = zone_of(w, p.runs[0].slot);
    }
    uint32_t n_to = to == NO_DOMAIN ? n_from : n_in_zone(w, r.group, to);
    if (n_from < n_to + 2) {
        w->n_failed++;
        return false;
    }
    uint32_t task = w->queues[from].first;
    w->queues[from].first = w->next[task];
    carry_out(w, task, &p.runs[0], n_from, n_to);
    append(w, task);
    return true;
}

/* order[from .. to) are the group's. */
static void even_out(struct work *w, uint32_t from, uint32_t to, uint32_t budget)
{
    const struct place_request *request = w->tasks[w->order[from]].request;
    for (uint32_t z = 0; z < w->n_zones; z++) {
        w->queues[z] = (struct queue){NONE, NONE};
    }
    for (uint32_t i = from; i < to; i++) {
        append(w, w->order[i]);
    }
    while (w->plan->n_moves < budget && move(w, request)) {
    }
}

void zones_plan(struct view *v, struct defrag_task *tasks, uint32_t n_tasks, uint32_t budget,
                struct zones_plan *ret, struct arena *arena, struct arena *scratch)
{
    struct work w = {.view = v, .tasks = tasks, .arena = arena, .scratch = scratch, .plan = ret};
    uint32_t before;
    *ret = (struct zones_plan){arena_array(arena, budget, sizeof *ret->moves), 0};
    line_up(&w, n_tasks);
    do { /* Again, while one group makes room for another. */
        uint32_t to;
        before = ret->n_moves;
        for (uint32_t from = 0; from < w.n_order && w.n_failed < TRIES_MAX; from = to) {
            struct str group = tasks[w.order[from]].request->group;
            for (to = from + 1; to < w.n_order && str_eq(tasks[w.order[to]].request->group, group);
                 to++) {
            }
            even_out(&w, from, to, budget);
        }
    } while (ret->n_moves > before && w.n_failed < TRIES_MAX);
}
