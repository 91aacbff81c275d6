/* What both kinds of service have in common: starting, stopping, ending, saying that all is well.
 */
#include "common/base/buf.h"
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"

#include <assert.h>
#include <string.h>

#define FAILURES_SAID 3 /* Rounds of failing starts before the service complains. */

/* --- arithmetic ----------------------------------------------------------------------------------
 */

uint32_t recon_min(const struct service *v)
{
    uint64_t min = ((uint64_t)v->desired * v->min_percent + 99) / 100;
    min = PLANTED(MINIMUM_IGNORED) ? 0 : min;
    return min < v->desired ? (uint32_t)min : v->desired;
}

uint32_t recon_max(const struct service *v)
{
    uint64_t max = (uint64_t)v->desired * v->max_percent / 100;
    return max > UINT32_MAX ? UINT32_MAX : max > v->desired ? (uint32_t)max : v->desired;
}

bool recon_on_draining(const struct leader_plan *p, const struct task *t)
{
    const struct leader *l = p->pass->l;
    const struct leader_cluster *c = leader_cluster_at(l, p->cmd.cluster);
    return c != NULL && c->n_draining > 0 && store_node(l->store, t->node)->status != NODE_ACTIVE;
}

/* Plans that start nothing although the view has room (the state holds all tasks it may, or was
 * lost on the way) must not fill the log. */
static bool came_to_nothing(const struct leader_plan *p, const struct leader_service *ls)
{
    return ls->planned && p->service->n_active <= ls->n_active &&
           p->pass->now < ls->planned_at + LEADER_RETRY_MS;
}

bool recon_may_start(struct leader_plan *p)
{
    struct leader *l = p->pass->l;
    struct leader_service *ls = leader_service_at(l, p->slot);
    const struct service *v = p->service;
    if (came_to_nothing(p, ls)) {
        leader_wake_at(l, ls, ls->planned_at + LEADER_RETRY_MS);
        return false;
    }
    if (v->n_start_failures >= FAILURES_SAID) {
        recon_event_inconsistent(p);
    }
    if (v->retry_at <= p->pass->now) {
        return true;
    }
    leader_wake_at(l, ls, v->retry_at);
    return false;
}

/* --- stopping ------------------------------------------------------------------------------------
 */

static void *grow(struct leader_plan *p, void *v, uint32_t n, uint32_t *cap, size_t size)
{
    void *bigger;
    if (n < *cap) {
        return v;
    }
    *cap = *cap == 0 ? 16 : 2 * *cap;
    bigger = arena_array(p->pass->arena, *cap, size);
    if (n > 0) {
        memcpy(bigger, v, n * size);
    }
    return bigger;
}

void recon_stop(struct leader_plan *p, uint32_t task, const char *why)
{
    const struct task *t = store_task(p->pass->l->store, task);
    struct plan_stop *stop;
    assert(t != NULL && t->status != TASK_STOPPED && t->desired == TASK_RUNNING);
    if (p->pass->budget == 0) {
        p->more = true;
        return;
    }
    p->pass->budget--;
    p->cmd.stops = grow(p, p->cmd.stops, p->cmd.n_stops, &p->cap_stops, sizeof *stop);
    stop = &p->cmd.stops[p->cmd.n_stops];
    p->cmd.n_stops++;
    *stop = (struct plan_stop){task, t->id, STOP_SERVICE_SCHEDULER, str_of(why)};
}

/* --- starting ------------------------------------------------------------------------------------
 */

static uint8_t priority_of(const struct service *v)
{
    return leader_priority(v->constraints, v->n_constraints);
}

static void add_task(struct leader_plan *p, const struct place_request *request,
                     const struct place_run *run)
{
    struct leader_pass *pass = p->pass;
    const struct service *v = p->service;
    const struct taskdef *def = store_taskdef(pass->l->store, v->primary.taskdef);
    struct plan_task *item;
    p->cmd.tasks = grow(p, p->cmd.tasks, p->cmd.n_tasks, &p->cap_tasks, sizeof *item);
    item = &p->cmd.tasks[p->cmd.n_tasks];
    p->cmd.n_tasks++;
    *item = (struct plan_task){
        .id = id_derive(pass->seed, store_meta(pass->l->store)->revision, pass->n_ids),
        .taskdef = v->primary.taskdef,
        .service = p->slot,
        .deployment = v->primary.id,
        .launch_type = v->launch_type,
        .priority = leader_priority_row(priority_of(v)),
        .cpu = request->cpu,
        .memory = request->memory_mib,
        .gpus = request->gpus,
        .group = request->group,
        .started_by =
            str_of(arena_printf(pass->arena, "ecs-svc/%llu", (unsigned long long)v->primary.id)),
    };
    pass->n_ids++;
    item->tags = leader_service_tags(pass->l, v, pass->arena);
    leader_bind(def, run, item, pass->arena);
}

/* because: NULL when there is nothing to say. */
static void get_stuck(struct leader_plan *p, const char *because)
{
    struct leader *l = p->pass->l;
    struct leader_service *v = leader_service_at(l, p->slot);
    if (list_empty(&v->in_stuck)) {
        list_push(&leader_cluster_get(l, p->cmd.cluster)->stuck, &v->in_stuck);
    }
    v->tried_at = p->pass->now;
    if (because != NULL) {
        recon_event_not_placed(p, because);
    }
}

/* n of them, for which none is being made either. */
static void no_room(struct leader_plan *p, const struct place_request *request,
                    const struct placement *placement, uint32_t n)
{
    struct buf b;
    if (n == 0) {
        get_stuck(p, NULL);
        return;
    }
    buf_init(&b, p->pass->l->mem, LIMIT_EVENT);
    if (request->n_attributes > 0) {
        buf_printf(&b, "in capacity provider %.*s ", STR_ARG(request->attributes[0].value));
    }
    place_event_text(leader_cluster_get(p->pass->l, p->cmd.cluster)->view, placement, &b);
    get_stuck(p, buf_cstr(&b));
    buf_close(&b);
}

static void add_victim(struct leader_plan *p, uint32_t task, uint8_t priority)
{
    const struct task *t = store_task(p->pass->l->store, task);
    struct plan_stop *stop;
    p->cmd.stops = grow(p, p->cmd.stops, p->cmd.n_stops, &p->cap_stops, sizeof *stop);
    stop = &p->cmd.stops[p->cmd.n_stops];
    p->cmd.n_stops++;
    p->n_victims++;
    p->pass->budget--;
    *stop = (struct plan_stop){
        task, t->id, STOP_SPOT,
        str_of(arena_printf(p->pass->arena,
                            "Preempted: (service %.*s) of priority %u needs the room",
                            STR_ARG(p->service->name), priority))};
}

/* Of n tasks that found no room, those that the service is short of may have tasks of lower
 * priority stopped; replacements of tasks that run still may not. */
static void make_room(struct leader_plan *p, const struct place_request *request, uint32_t n)
{
    struct leader_pass *pass = p->pass;
    const struct service *v = p->service;
    struct leader_cluster *c = leader_cluster_get(pass->l, p->cmd.cluster);
    struct leader_holds *holds = &leader_service_at(pass->l, p->slot)->holds;
    uint8_t priority = priority_of(v);
    uint64_t have = (uint64_t)v->n_wanted + p->cmd.n_tasks + p->n_coming;
    uint64_t shortage = v->desired > have ? v->desired - have : 0;
    struct leader_victims victims;
    shortage = v->scheduling == SCHEDULING_DAEMON ? 1 : shortage;
    if (shortage == 0 || (!leader_may_preempt(c, priority) && v->n_active == v->n_wanted)) {
        return;
    }
    holds->priority = v->scheduling == SCHEDULING_DAEMON ? LEADER_FIRM : priority;
    leader_preempt(pass->l, c, request, priority, n < shortage ? n : (uint32_t)shortage,
                   pass->budget, holds, &victims, pass->arena);
    for (uint32_t i = 0; i < victims.n; i++) {
        add_victim(p, victims.tasks[i], priority);
    }
    p->n_coming += victims.n_rooms;
}

/* Place, book and add. */
static void start(struct leader_plan *p, const struct place_request *request)
{
    struct placement placement;
    struct err err;
    struct leader_pass *pass = p->pass;
    struct leader_cluster *c = leader_cluster_get(pass->l, p->cmd.cluster);
    leader_view_weigh(pass->l, c);
    leader_holds_yield(pass->l, c, priority_of(p->service));
    if (place(c->view, request, &placement, pass->arena, &err) != 0) {
        get_stuck(p, err.text);
        return;
    }
    if (placement.n_placed > 0) {
        place_reserve(c->view, request, &placement, pass->arena);
        leader_view_reserved(pass->l, c);
    }
    for (uint32_t i = 0; i < placement.n_runs; i++) {
        for (uint32_t k = 0; k < placement.runs[i].count; k++) {
            add_task(p, request, &placement.runs[i]);
        }
    }
    pass->budget -= placement.n_placed;
    if (placement.n_placed < request->n_replicas) {
        uint32_t before = p->n_coming;
        make_room(p, request, request->n_replicas - placement.n_placed);
        no_room(p, request, &placement,
                request->n_replicas - placement.n_placed - (p->n_coming - before));
    }
}

/* The request for n tasks; false when it cannot be read, which the service then says. */
static bool prepare(struct leader_plan *p, uint32_t n, struct place_request *ret)
{
    struct err err;
    if (leader_service_request(p->pass->l, p->service, n, ret, p->pass->arena, &err) != 0) {
        get_stuck(p, err.text);
        return false;
    }
    return true;
}

/* Each provider its share. What one has no room for does not go to another, as in Amazon ECS. */
static void start_shares(struct leader_plan *p, struct place_request *request, uint32_t n)
{
    const struct service *v = p->service;
    uint32_t counts[LIMIT_CLUSTER_PROVIDERS];
    if (recon_provider_more(p, n, counts) < n) {
        get_stuck(p, "no capacity provider of its strategy has weight.");
    }
    for (uint32_t i = 0; i < v->n_providers; i++) {
        if (counts[i] > 0) {
            request->n_replicas = counts[i];
            leader_require_provider(request, v->providers[i].provider, p->pass->arena);
            start(p, request);
        }
    }
}

uint32_t recon_start(struct leader_plan *p, uint32_t count)
{
    struct leader_pass *pass = p->pass;
    struct place_request request;
    uint32_t from = p->cmd.n_tasks;
    uint32_t n = count < pass->budget ? count : pass->budget;
    n = n < PLACE_REPLICAS_MAX ? n : PLACE_REPLICAS_MAX;
    if (n > 0 && prepare(p, n, &request)) {
        if (p->service->n_providers > 0) {
            start_shares(p, &request, n);
        } else {
            start(p, &request);
        }
    }
    if (p->cmd.n_tasks > from) {
        recon_event_started(p, from);
    }
    if (p->cmd.n_tasks - from + p->n_coming < n) {
        /* Where these find no room, more do not either. */
        return p->cmd.n_tasks - from + p->n_coming;
    }
    /* Where room is being made, the end of the tasks there brings it back. */
    p->more |= n < count && p->n_coming == 0;
    return count;
}

void recon_start_on(struct leader_plan *p, uint32_t view_slot)
{
    struct place_request request;
    if (p->pass->budget == 0) {
        p->more = true;
        return;
    }
    if (prepare(p, 1, &request)) {
        request.only = &view_slot;
        request.n_only = 1;
        start(p, &request);
    }
}

/* --- the end and the steady state ---------------------------------------------------------------
 */

void recon_settled(struct leader_plan *p, bool settled)
{
    const struct service *v = p->service;
    struct plan_service *note;
    if (settled && v->primary.rollout == ROLLOUT_IN_PROGRESS) {
        recon_event_completed(p);
        note = recon_note(p);
        note->has_rollout = true;
        note->rollout = ROLLOUT_COMPLETED;
    }
    if (settled && !v->steady) {
        recon_event_steady(p);
    }
    if (settled != v->steady) {
        note = recon_note(p);
        note->has_steady = true;
        note->steady = settled;
    }
}

/* A deleted service stops everything and is INACTIVE when nothing is left. */
static void drain(struct leader_plan *p)
{
    const struct store *store = p->pass->l->store;
    const struct service *v = p->service;
    const char *why;
    if (v->n_active == 0) {
        struct plan_service *note = recon_note(p);
        note->has_status = true;
        note->status = SERVICE_INACTIVE;
        return;
    }
    if (v->n_wanted == 0) {
        return;
    }
    why = arena_printf(p->pass->arena, "Scaling activity initiated by (deployment ecs-svc/%llu)",
                       (unsigned long long)v->primary.id);
    for (uint32_t slot = v->first_task; slot != SLOT_NONE && !p->more;) {
        const struct task *t = store_task(store, slot);
        if (t->status != TASK_STOPPED && t->desired == TASK_RUNNING) {
            recon_stop(p, slot, why);
        }
        slot = t->in_service.next;
    }
    if (p->cmd.n_stops > 0) {
        recon_event_stopped(p);
    }
}

static void say_disrupted(struct leader_plan *p)
{
    struct leader_service *v = leader_service_at(p->pass->l, p->slot);
    if (v->disrupted) {
        v->disrupted = false;
        recon_event_disrupted(p);
    }
}

void recon_service(struct leader_plan *p)
{
    if (p->service == NULL) {
        return;
    }
    switch ((enum service_status)p->service->status) {
    case SERVICE_ACTIVE:
        say_disrupted(p);
        if (p->service->scheduling == SCHEDULING_DAEMON) {
            recon_daemon(p);
        } else {
            recon_replica(p);
        }
        if (p->n_victims > 0) { /* Once, however many nodes and providers they are on. */
            recon_event_preempts(p);
        }
        break;
    case SERVICE_DRAINING:
        drain(p);
        break;
    case SERVICE_INACTIVE:
        break;
    }
}
