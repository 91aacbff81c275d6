/* Who has to stop for a task of high priority. Nodes are ranked by what their tasks hold in sums by
 * band of priorities, which leaves out most; the best of them are looked at task by task, the next
 * best when none of these will do. */
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"
#include "controller/core/placement/preempt.h"

#include "common/base/sort.h"

#include <assert.h>

#define LOOK_AT   32  /* Nodes at a time. */
#define ROOMS_MAX 64u /* For tasks at a time: those after them wait for these. */

struct work {
    struct leader *l;
    struct leader_cluster *c;
    const struct place_request *request;
    uint8_t priority;
    uint8_t n_bands; /* With tasks that may be stopped. */
    struct arena *arena;
    uint32_t *nodes; /* Slots, best first. */
    uint8_t *rank;   /* By slot: the band up to which tasks must go. */
    uint32_t n_nodes;
    struct preempt_task *tasks; /* Of the nodes looked at, */
    uint32_t *slots;            /* and their slots in the store. */
    uint32_t n_tasks;
    struct leader_victims *ret;
};

/* Are there tasks of a priority from one to below another? */
static bool are_some(const struct leader_cluster *c, uint32_t from, uint32_t below)
{
    while (from < below && c->n_tasks[from] == 0) {
        from++;
    }
    return from < below;
}

bool leader_may_preempt(const struct leader_cluster *c, uint8_t priority)
{
    return are_some(c, 0, priority) || PLANTED(PREEMPT_EQUAL);
}

/* The band up to which all must go so that the amounts are enough; LEADER_BANDS: never. */
static uint8_t rank_of(const struct work *w, const struct leader_node *n)
{
    struct view_free free = view_free_of(w->c->view, n->view_slot);
    int64_t cpu = free.cpu, memory = free.memory_mib, gpus = free.gpus;
    for (uint8_t band = 0; band < w->n_bands; band++) {
        cpu += n->bands[band].cpu;
        memory += n->bands[band].memory;
        gpus += n->bands[band].gpus;
        if (cpu >= w->request->cpu && memory >= w->request->memory_mib &&
            gpus >= w->request->gpus) {
            return band;
        }
    }
    return LEADER_BANDS;
}

static bool is_listed(const uint32_t *v, uint32_t n, uint32_t slot)
{
    uint32_t i = 0;
    while (i < n && v[i] != slot) {
        i++;
    }
    return i < n;
}

static bool is_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct work *w = ctx;
    if (w->rank[a] != w->rank[b]) {
        return w->rank[a] < w->rank[b];
    }
    return id_cmp(store_node(w->l->store, a)->id, store_node(w->l->store, b)->id) < 0;
}

/* The band of the priority itself counts where something in it is lower. */
static uint8_t count_bands(const struct work *w)
{
    uint32_t own = leader_band_of(w->priority);
    uint32_t first = w->priority;
    while (first > 0 && leader_band_of((uint8_t)(first - 1)) == own) {
        first--;
    }
    return (uint8_t)(own + (are_some(w->c, first, w->priority) || PLANTED(PREEMPT_EQUAL)));
}

static void rank_nodes(struct work *w)
{
    const struct leader *l = w->l;
    uint32_t *scratch = arena_array(w->arena, l->nodes.high, sizeof *scratch);
    w->nodes = arena_array(w->arena, l->nodes.high, sizeof *w->nodes);
    w->rank = arena_array(w->arena, l->nodes.high, sizeof *w->rank);
    for (uint32_t i = 0; i < l->nodes.high; i++) {
        const struct leader_node *n = leader_node_at(l, i);
        if (n == NULL || n->cluster != w->c->slot || n->view_slot == VIEW_NONE || !n->connected ||
            n->draining || !list_empty(&n->in_cleared) ||
            (w->request->only != NULL &&
             !is_listed(w->request->only, w->request->n_only, n->view_slot))) {
            continue;
        }
        w->rank[i] = rank_of(w, n);
        if (w->rank[i] < LEADER_BANDS) {
            w->nodes[w->n_nodes++] = i;
        }
    }
    sort_u32(w->nodes, w->n_nodes, scratch, is_before, w);
}

/* Daemons stay: they would be started again at once. */
static bool may_stop(const struct work *w, const struct task *t)
{
    const struct service *v =
        t->service == SLOT_NONE ? NULL : store_service(w->l->store, t->service);
    return (leader_priority_of(t) < w->priority || PLANTED(PREEMPT_EQUAL)) &&
           (v == NULL || v->scheduling != SCHEDULING_DAEMON);
}

/* Is the room of a task that leaves for ours? Those of its priority or more may want it as well,
 * unless it makes way for its own like. */
static bool is_ours(const struct work *w, const struct task *t)
{
    return leader_priority_of(t) < w->priority || str_eq(t->group, w->request->group);
}

/* What is in flight may have taken what the service can spare. */
static bool breaks_service(const struct work *w, const struct task *t)
{
    const struct service *v =
        t->service == SLOT_NONE ? NULL : store_service(w->l->store, t->service);
    return v != NULL && v->status == SERVICE_ACTIVE &&
           (leader_service_at(w->l, t->service)->busy || v->n_running <= recon_min(v));
}

static void add_tasks_of(struct work *w, uint32_t node)
{
    const struct store *s = w->l->store;
    uint32_t slot = store_node(s, node)->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(s, slot);
        bool leaving = t->desired == TASK_STOPPED || is_listed(w->ret->tasks, w->ret->n, slot);
        bool counts = leaving ? is_ours(w, t) : may_stop(w, t);
        if (t->status != TASK_STOPPED && slot < w->l->n_taken && w->l->taken[slot] != 0 && counts) {
            w->slots[w->n_tasks] = slot;
            w->tasks[w->n_tasks++] =
                (struct preempt_task){.slot = leader_node_at(w->l, node)->view_slot,
                                      .leaving = leaving,
                                      .breaks = !leaving && breaks_service(w, t),
                                      .priority = leader_priority_of(t),
                                      .created_at_ms = t->created_at,
                                      .id = t->id,
                                      .take = leader_take(t, w->arena)};
        }
        slot = t->on_node.next;
    }
}

/* Of some nodes, or VIEW_NONE. */
static void look_at(struct work *w, const uint32_t *nodes, uint32_t n, struct preempt_choice *ret)
{
    const struct store *s = w->l->store;
    uint32_t n_tasks = 0;
    for (uint32_t i = 0; i < n; i++) {
        n_tasks += store_node(s, nodes[i])->n_active;
    }
    w->tasks = arena_array(w->arena, n_tasks, sizeof *w->tasks);
    w->slots = arena_array(w->arena, n_tasks, sizeof *w->slots);
    w->n_tasks = 0;
    for (uint32_t i = 0; i < n; i++) {
        add_tasks_of(w, nodes[i]);
    }
    if (preempt(w->c->view, w->request, w->tasks, w->n_tasks, ret, w->arena, NULL) != 0) {
        ret->slot = VIEW_NONE;
    }
}

/* The best choice there is now; nodes looked at in vain are not looked at again. */
static bool choose(struct work *w, struct preempt_choice *ret)
{
    ret->slot = VIEW_NONE;
    while (w->n_nodes > 0 && ret->slot == VIEW_NONE) {
        uint32_t n = w->n_nodes < LOOK_AT ? w->n_nodes : LOOK_AT;
        look_at(w, w->nodes, n, ret);
        if (ret->slot == VIEW_NONE) {
            w->nodes += n;
            w->n_nodes -= n;
        }
    }
    return ret->slot != VIEW_NONE;
}

/* Until what is in flight has come back, the tasks of the node and of the services are not what
 * they seem to others. */
static void clear_node(struct work *w, const struct preempt_choice *choice)
{
    struct leader_victims *ret = w->ret;
    uint32_t node = view_owner(w->c->view, choice->slot);
    struct leader_node *n = leader_node_at(w->l, node);
    for (uint32_t i = 0; i < choice->n_victims; i++) {
        uint32_t slot = w->slots[choice->victims[i]];
        uint32_t service = store_task(w->l->store, slot)->service;
        struct leader_service *v = service == SLOT_NONE ? NULL : leader_service_at(w->l, service);
        if (v != NULL) {
            leader_wait(w->l, v);
        }
        ret->tasks[ret->n++] = slot;
    }
    ret->node = ret->node == SLOT_NONE ? node : ret->node;
    ret->n_rooms++;
    if (choice->n_victims > 0 && list_empty(&n->in_cleared)) {
        list_push(&w->l->cleared, &n->in_cleared);
    }
}

void leader_preempt(struct leader *l, struct leader_cluster *c, const struct place_request *request,
                    uint8_t priority, uint32_t n, uint32_t max, struct leader_holds *holds,
                    struct leader_victims *ret, struct arena *arena)
{
    struct work w = {
        .l = l, .c = c, .request = request, .priority = priority, .arena = arena, .ret = ret};
    struct preempt_choice choice;
    *ret = (struct leader_victims){.tasks = arena_array(arena, max, sizeof *ret->tasks),
                                   .node = SLOT_NONE};
    w.n_bands = count_bands(&w);
    rank_nodes(&w);
    n = n < ROOMS_MAX ? n : ROOMS_MAX;
    while (ret->n_rooms < n && choose(&w, &choice) && choice.n_victims <= max - ret->n) {
        clear_node(&w, &choice);
        leader_hold(l, c, holds, request, choice.slot);
    }
}
