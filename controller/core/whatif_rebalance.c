/* Even zones and fewer nodes: what the planners of moves say, and the sizes a bound can be worked
 * out from. */
#include "common/base/sort.h"
#include "controller/core/placement/zones.h"
#include "controller/core/whatif_impl.h"

#include <assert.h>

struct rebalance {
    struct whatif *w;
    struct defrag_task *tasks;
    uint32_t *slots; /* Of the store, by task. */
    uint32_t n;
    struct place_request **requests; /* By service; NULL: not asked for yet. */
    uint32_t moves;                  /* At most. */
    struct defrag_plan plan;
};

/* The request by which a task may be placed once more; NULL when it is to stay. */
static const struct place_request *request_of(struct rebalance *b, const struct task *t)
{
    struct whatif *w = b->w;
    const struct service *v;
    if (t->service == SLOT_NONE || t->status != TASK_RUNNING || t->desired != TASK_RUNNING) {
        return NULL;
    }
    v = &whatif_service_now(w, t->service)->row;
    if (v->scheduling != SCHEDULING_REPLICA || v->status != SERVICE_ACTIVE ||
        v->primary.taskdef != t->taskdef || recon_max(v) <= v->desired) {
        return NULL;
    }
    if (b->requests[t->service] == NULL) {
        struct place_request *r = arena_alloc(w->arena, sizeof *r);
        if (leader_service_request(w->l, v, 1, r, w->arena, NULL) != 0) {
            return NULL;
        }
        b->requests[t->service] = r;
    }
    return b->requests[t->service];
}

static bool is_daemon(struct whatif *w, const struct task *t)
{
    return t->service != SLOT_NONE &&
           whatif_service_now(w, t->service)->row.scheduling == SCHEDULING_DAEMON;
}

/* A node with more tasks than may be moved cannot be emptied: only tasks that may go to another
 * zone are of interest there. */
static bool is_listed(struct rebalance *b, uint32_t at, const struct task *t, bool zones)
{
    const struct place_request *r;
    if (view_free_of(b->w->view, at).n_tasks <= b->moves) {
        return true;
    }
    r = zones ? request_of(b, t) : NULL;
    return r != NULL && zones_matter(r);
}

static void gather_tasks(struct rebalance *b, bool zones, bool count_only)
{
    struct whatif *w = b->w;
    b->n = 0;
    for (uint32_t at = 0; at < view_slots(w->view); at++) {
        uint32_t node = view_has(w->view, at) ? view_owner(w->view, at) : WHATIF_NEW;
        if (node >= WHATIF_NEW) {
            continue;
        }
        for (uint32_t t = store_node(w->l->store, node)->first_task; t != SLOT_NONE;
             t = store_task(w->l->store, t)->on_node.next) {
            const struct task *task = store_task(w->l->store, t);
            if (task->status == TASK_STOPPED || whatif_is_gone(w, t) ||
                !is_listed(b, at, task, zones)) {
                continue;
            }
            if (!count_only) {
                b->tasks[b->n] = (struct defrag_task){
                    at, request_of(b, task), leader_take(task, w->arena), is_daemon(w, task)};
                b->slots[b->n] = t;
            }
            b->n++;
        }
    }
}

static void add_move(struct rebalance *b, const struct defrag_move *m, struct whatif_item *item,
                     struct targets *t)
{
    struct whatif *w = b->w;
    struct place_run run = {m->to, view_owner(w->view, m->to), 1, m->host_ports};
    struct view_take take = place_take(b->tasks[m->task].request, &run, w->arena);
    item->n_wanted++;
    item->n_placed++;
    item->n_stopped++;
    whatif_add_target(w, item, t, &run);
    whatif_add_planned(w, item->service, m->to, 1, &take);
    whatif_mark_gone(w, b->slots[m->task]);
}

static uint32_t service_of(const struct rebalance *b, uint32_t move)
{
    return store_task(b->w->l->store, b->slots[b->plan.moves[move].task])->service;
}

static bool is_service_before(const void *ctx, uint32_t x, uint32_t y)
{
    const struct rebalance *b = ctx;
    return service_of(b, x) < service_of(b, y);
}

/* An item for every service. */
static void list_moves(struct rebalance *b, struct whatif_result *ret)
{
    struct whatif *w = b->w;
    uint32_t n = b->plan.n_moves;
    uint32_t *order = arena_array(w->arena, n, sizeof *order);
    uint32_t *scratch = arena_array(w->arena, n, sizeof *scratch);
    struct targets t = {0, 0};
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    sort_u32(order, n, scratch, is_service_before, b);
    ret->items = arena_array(w->arena, n, sizeof *ret->items);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t service = service_of(b, order[i]);
        if (ret->n_items == 0 || ret->items[ret->n_items - 1].service != service) {
            (void)whatif_add_item(ret, service, 0);
            t = whatif_targets(w);
        }
        add_move(b, &b->plan.moves[order[i]], &ret->items[ret->n_items - 1], &t);
    }
}

/* Make them, and keep each task where it came to. */
static void even_out(struct rebalance *b, struct whatif_result *ret)
{
    struct whatif *w = b->w;
    struct zones_plan plan;
    zones_plan(w->view, b->tasks, b->n, b->moves, &plan, w->arena, &w->scratch);
    ret->zone_moves = arena_array(w->arena, plan.n_moves, sizeof *ret->zone_moves);
    for (uint32_t i = 0; i < plan.n_moves; i++) {
        const struct zones_move *m = &plan.moves[i];
        uint32_t slot = b->slots[m->move.task];
        const struct defrag_task *t = &b->tasks[m->move.task];
        uint32_t service = store_task(w->l->store, slot)->service;
        ret->zone_moves[i] = (struct whatif_zone_move){service,
                                                       view_owner(w->view, m->from),
                                                       view_owner(w->view, m->move.to),
                                                       m->from_zone,
                                                       m->to_zone,
                                                       m->n_from,
                                                       m->n_to};
        if (!whatif_is_gone(w, slot)) { /* It may move twice. */
            whatif_mark_gone(w, slot);
            whatif_add_planned(w, service, t->slot, 1, &t->take);
        }
    }
    for (uint32_t i = 0; i < plan.n_moves; i++) {
        b->tasks[plan.moves[i].move.task].request = NULL;
    }
    ret->n_zone_moves = plan.n_moves;
}

static void list_emptied(struct rebalance *b, struct whatif_result *ret)
{
    const struct defrag_plan *p = &b->plan;
    ret->emptied = arena_array(b->w->arena, p->n_freed, sizeof *ret->emptied);
    for (uint32_t i = 0; i < p->n_moves; i++) {
        uint32_t from = b->tasks[p->moves[i].task].slot;
        if (i + 1 == p->n_moves || b->tasks[p->moves[i + 1].task].slot != from) {
            ret->emptied[ret->n_emptied++] = view_owner(b->w->view, from);
        }
    }
    assert(ret->n_emptied == p->n_freed);
}

int whatif_rebalance(struct whatif *w, uint32_t moves, bool zones, struct whatif_result *ret,
                     struct err *err)
{
    struct rebalance b = {.w = w, .moves = moves};
    if (moves > WHATIF_MOVES_MAX) {
        return err_set(err, ERR_INVALID, "moves: at most %d, not %u", WHATIF_MOVES_MAX, moves);
    }
    *ret = (struct whatif_result){.before = whatif_totals_of(w)};
    b.requests = arena_array(w->arena, w->n_services, sizeof(void *));
    gather_tasks(&b, zones, true);
    b.tasks = arena_array(w->arena, b.n, sizeof *b.tasks);
    b.slots = arena_array(w->arena, b.n, sizeof *b.slots);
    gather_tasks(&b, zones, false);
    if (zones) {
        even_out(&b, ret);
    }
    defrag_plan(w->view, b.tasks, b.n, moves - ret->n_zone_moves, &b.plan, w->arena, &w->scratch);
    list_moves(&b, ret);
    list_emptied(&b, ret);
    ret->after = whatif_totals_of(w);
    return 0;
}

static bool add_shape(struct whatif_shape *shapes, uint32_t *n, uint32_t cpu, uint32_t memory,
                      uint32_t gpus)
{
    uint32_t i = 0;
    while (i < *n &&
           (shapes[i].cpu != cpu || shapes[i].memory_mib != memory || shapes[i].gpus != gpus)) {
        i++;
    }
    if (i == WHATIF_SHAPES_MAX) {
        return false;
    }
    if (i == *n) {
        shapes[(*n)++] = (struct whatif_shape){cpu, memory, gpus, 0};
    }
    shapes[i].count++;
    return true;
}

bool whatif_shapes(struct whatif *w, struct whatif_shape tasks[WHATIF_SHAPES_MAX],
                   uint32_t *ret_n_tasks, struct whatif_shape nodes[WHATIF_SHAPES_MAX],
                   uint32_t *ret_n_nodes)
{
    bool ok = true;
    *ret_n_tasks = 0;
    *ret_n_nodes = 0;
    for (uint32_t at = 0; at < view_slots(w->view) && ok; at++) {
        if (!view_has(w->view, at)) {
            continue;
        }
        struct view_capacity c = view_capacity_of(w->view, at);
        uint32_t node = view_owner(w->view, at);
        ok = c.status != VIEW_ACTIVE || add_shape(nodes, ret_n_nodes, c.cpu, c.memory_mib, c.gpus);
        uint32_t t = node < WHATIF_NEW ? store_node(w->l->store, node)->first_task : SLOT_NONE;
        for (; t != SLOT_NONE && ok; t = store_task(w->l->store, t)->on_node.next) {
            const struct task *task = store_task(w->l->store, t);
            if (task->status != TASK_STOPPED && !whatif_is_gone(w, t)) {
                ok = add_shape(tasks, ret_n_tasks, task->cpu, task->memory, task->gpus);
            }
        }
    }
    for (uint32_t i = 0; i < w->n_planned && ok; i++) {
        const struct view_take *t = &w->planned[i].take;
        for (uint32_t k = 0; k < w->planned[i].count && ok; k++) {
            ok = add_shape(tasks, ret_n_tasks, t->cpu, t->memory_mib, t->gpus);
        }
    }
    return ok;
}
