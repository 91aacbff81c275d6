/* DAEMON services: one task on every node that is ACTIVE and satisfies the constraints. */
#include "controller/core/leader_impl.h"

#include <assert.h>

struct daemon {
    struct leader_plan *plan;
    struct leader_cluster *cluster;
    struct place_request request;
    uint32_t *task_on; /* By slot of the view: the wanted task there, or SLOT_NONE. */
    uint32_t n_slots;
    uint32_t n_eligible; /* Nodes that are to run the daemon. */
    uint32_t n_running;  /* Of the wanted tasks, healthy ones. */
    uint32_t n_good;     /* Wanted tasks of the primary deployment on eligible nodes. */
    uint32_t n_good_running;
};

static const char *scaling(const struct daemon *d)
{
    return arena_printf(d->plan->pass->arena,
                        "Scaling activity initiated by (deployment ecs-svc/%llu)",
                        (unsigned long long)d->plan->service->primary.id);
}

/* Does anything else run there? The daemon is the last to leave. */
static bool is_last(const struct daemon *d, uint32_t node)
{
    const struct store *s = d->plan->pass->l->store;
    uint32_t slot = store_node(s, node)->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(s, slot);
        const struct service *v = t->service == SLOT_NONE ? NULL : store_service(s, t->service);
        if (t->status != TASK_STOPPED && (v == NULL || v->scheduling != SCHEDULING_DAEMON)) {
            return false;
        }
        slot = t->on_node.next;
    }
    return true;
}

/* Put every wanted task at its node; stop those on nodes that leave, and all but one of a node. */
static void take_census(struct daemon *d)
{
    struct leader *l = d->plan->pass->l;
    uint32_t slot = d->plan->service->first_task;
    for (uint32_t i = 0; i < d->n_slots; i++) {
        d->task_on[i] = SLOT_NONE;
    }
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(l->store, slot);
        const struct leader_node *node = leader_node_at(l, t->node);
        uint32_t at = node == NULL ? VIEW_NONE : node->view_slot;
        if (t->status != TASK_STOPPED && t->desired == TASK_RUNNING && at != VIEW_NONE) {
            bool draining = recon_on_draining(d->plan, t);
            if (d->task_on[at] != SLOT_NONE || (draining && is_last(d, t->node))) {
                recon_stop(d->plan, slot, scaling(d));
            } else if (!draining) {
                d->task_on[at] = slot;
                d->n_running += t->status == TASK_RUNNING && t->health != HEALTH_UNHEALTHY;
            }
        }
        slot = t->in_service.next;
    }
}

/* Is the node one that should run the daemon? What room it has does not matter here. A node whose
 * agent is away keeps its task and gets none. */
static bool is_eligible(struct daemon *d, uint32_t at)
{
    struct place_why why;
    if (!view_has(d->cluster->view, at) ||
        place_explain(d->cluster->view, &d->request, at, &why, d->plan->pass->arena, NULL) != 0) {
        return false;
    }
    switch (why.reason) {
    case PLACE_OK:
    case PLACE_DISTINCT:
    case PLACE_CPU:
    case PLACE_MEMORY:
    case PLACE_GPU:
    case PLACE_PORT:
        return true;
    case PLACE_AGENT:
        return d->task_on[at] != SLOT_NONE;
    case PLACE_EXCLUDED:
    case PLACE_INACTIVE:
    case PLACE_DRAINING:
    case PLACE_ATTRIBUTE:
    case PLACE_MEMBER:
    case PLACE_REASON_N:
        break;
    }
    return false;
}

static bool is_new(const struct daemon *d, const struct task *t)
{
    return t->deployment == d->plan->service->primary.id &&
           !(t->status == TASK_RUNNING && t->health == HEALTH_UNHEALTHY);
}

/* Old and unhealthy ones: those that do not run at once, the others while enough remain. */
static void replace(struct daemon *d, uint32_t slot, const struct task *t, uint32_t min)
{
    bool counts = t->status == TASK_RUNNING && t->health != HEALTH_UNHEALTHY;
    if (!counts) {
        recon_stop(d->plan, slot, scaling(d));
    } else if (d->n_running > min) {
        d->n_running--;
        recon_stop(d->plan, slot, scaling(d));
    }
}

static void count_nodes(struct daemon *d, bool *eligible)
{
    for (uint32_t at = 0; at < d->n_slots; at++) {
        eligible[at] = is_eligible(d, at);
        d->n_eligible += eligible[at];
        if (!eligible[at] && d->task_on[at] != SLOT_NONE) {
            recon_stop(d->plan, d->task_on[at], scaling(d));
        }
    }
}

/* Start the node's task, or keep the room for it: while starts are put off after failures, and
 * while its predecessor stops. */
static void start_or_keep(struct daemon *d, uint32_t at, bool may_start)
{
    struct leader_plan *p = d->plan;
    struct leader *l = p->pass->l;
    struct view_capacity has = view_capacity_of(d->cluster->view, at);
    uint32_t before = p->cmd.n_tasks + p->n_coming;
    if (may_start) {
        recon_start_on(p, at);
    }
    if (p->cmd.n_tasks + p->n_coming == before && d->request.cpu <= has.cpu &&
        d->request.memory_mib <= has.memory_mib && d->request.gpus <= has.gpus) {
        leader_hold(l, d->cluster, &leader_service_at(l, p->slot)->holds, &d->request, at);
    }
}

static void balance(struct daemon *d, const bool *eligible)
{
    const struct service *v = d->plan->service;
    uint32_t min = (uint32_t)(((uint64_t)d->n_eligible * v->min_percent + 99) / 100);
    bool may_start = false;
    bool asked = false;
    for (uint32_t at = 0; at < d->n_slots; at++) {
        const struct task *t;
        if (!eligible[at]) {
            continue;
        }
        if (d->task_on[at] == SLOT_NONE) {
            may_start = asked ? may_start : recon_may_start(d->plan);
            asked = true;
            start_or_keep(d, at, may_start);
            continue;
        }
        t = store_task(d->plan->pass->l->store, d->task_on[at]);
        if (is_new(d, t)) {
            d->n_good++;
            d->n_good_running += t->status == TASK_RUNNING;
        } else {
            replace(d, d->task_on[at], t, min);
        }
    }
}

static void note_desired(struct daemon *d)
{
    if (d->plan->service->desired != d->n_eligible) {
        struct plan_service *note = recon_note(d->plan);
        note->has_desired = true;
        note->desired = d->n_eligible;
    }
}

void recon_daemon(struct leader_plan *p)
{
    struct leader *l = p->pass->l;
    struct arena *arena = p->pass->arena;
    struct daemon d = {.plan = p, .cluster = leader_cluster_get(l, p->cmd.cluster)};
    bool *eligible;
    uint32_t from = p->cmd.n_tasks;
    d.n_slots = view_slots(d.cluster->view);
    d.task_on = arena_array(arena, d.n_slots, sizeof *d.task_on);
    eligible = arena_array(arena, d.n_slots, sizeof *eligible);
    if (leader_service_request(l, p->service, 1, &d.request, arena, NULL) != 0) {
        return;
    }
    take_census(&d);
    count_nodes(&d, eligible);
    balance(&d, eligible);
    recon_settled(p, d.n_good_running == d.n_eligible && d.n_good == d.n_eligible &&
                         p->service->n_active == d.n_eligible);
    note_desired(&d);
    if (p->cmd.n_tasks > from) {
        recon_event_started(p, from);
    }
    if (p->cmd.n_stops > 0) {
        recon_event_stopped(p);
    }
}
