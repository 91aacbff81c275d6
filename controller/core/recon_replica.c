/* REPLICA services: a number of tasks, wherever there is room.
 *
 * Good tasks are of the primary deployment, not unhealthy, on nodes that stay. Too many good ones:
 * some are stopped, as the placement strategies say. Too few: more are started, as long as no more
 * than maximumPercent are wanted at a time. The others are stopped at once while they do not run
 * yet, and otherwise as replacements run, or, when these find no room, down to
 * minimumHealthyPercent to make it. */
#include "common/base/plant.h"
#include "controller/core/leader_impl.h"

#include <assert.h>

struct census {
    uint32_t *good; /* Slots. */
    uint32_t n_good;
    uint32_t n_good_running; /* RUNNING and not unhealthy, here and below. */
    uint32_t *others;        /* RUNNING, to be replaced. */
    uint32_t n_others;
    uint32_t *waiting; /* To be replaced, do not run yet. */
    uint32_t n_waiting;
    uint32_t *sick; /* UNHEALTHY. */
    uint32_t n_sick;
};

static void count_task(struct leader_plan *p, struct census *c, uint32_t slot)
{
    const struct task *t = store_task(p->pass->l->store, slot);
    if (t->status == TASK_STOPPED || t->desired != TASK_RUNNING) {
        return;
    }
    if (t->status == TASK_RUNNING && t->health == HEALTH_UNHEALTHY) {
        c->sick[c->n_sick++] = slot;
    } else if (t->deployment == p->service->primary.id && !recon_on_draining(p, t)) {
        c->good[c->n_good++] = slot;
        c->n_good_running += t->status == TASK_RUNNING;
    } else if (t->status == TASK_RUNNING) {
        c->others[c->n_others++] = slot;
    } else {
        c->waiting[c->n_waiting++] = slot;
    }
}

static void take_census(struct leader_plan *p, struct census *c)
{
    const struct service *v = p->service;
    uint32_t *slots = arena_array(p->pass->arena, 4 * (size_t)v->n_wanted, sizeof *slots);
    *c = (struct census){0};
    c->good = slots;
    c->others = slots + v->n_wanted;
    c->waiting = slots + 2 * (size_t)v->n_wanted;
    c->sick = slots + 3 * (size_t)v->n_wanted;
    for (uint32_t slot = v->first_task; slot != SLOT_NONE;) {
        count_task(p, c, slot);
        slot = store_task(p->pass->l->store, slot)->in_service.next;
    }
    assert(c->n_good + c->n_others + c->n_waiting + c->n_sick == v->n_wanted);
}

/* --- stopping ------------------------------------------------------------------------------------
 */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static const char *scaling(const struct leader_plan *p)
{
    return arena_printf(p->pass->arena, "Scaling activity initiated by (deployment ecs-svc/%llu)",
                        (unsigned long long)p->service->primary.id);
}

/* Of these, stop what the strategies find most dispensable. */
static void scale_in_some(struct leader_plan *p, const uint32_t *slots, uint32_t n_slots,
                          uint32_t n)
{
    struct leader *l = p->pass->l;
    struct arena *arena = p->pass->arena;
    struct leader_cluster *cluster = leader_cluster_get(l, p->cmd.cluster);
    struct place_task *tasks = arena_array(arena, n_slots, sizeof *tasks);
    uint32_t *chosen = arena_array(arena, n, sizeof *chosen);
    struct place_request request;
    for (uint32_t i = 0; i < n_slots; i++) {
        const struct task *t = store_task(l->store, slots[i]);
        const struct leader_node *node = leader_node_at(l, t->node);
        tasks[i] = (struct place_task){node == NULL ? VIEW_NONE : node->view_slot,
                                       (uint64_t)t->created_at, t->id};
    }
    if (leader_service_request(l, p->service, 1, &request, arena, NULL) != 0 ||
        place_scale_in(cluster->view, &request, tasks, n_slots, n, chosen, arena, NULL) != 0) {
        for (uint32_t i = 0; i < n; i++) {
            chosen[i] = i;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        recon_stop(p, slots[chosen[i]], scaling(p));
    }
}

/* The same, so that each provider keeps its share; all: every task that counts, these included. */
static void scale_in_shares(struct leader_plan *p, const uint32_t *slots, uint32_t n_slots,
                            const uint32_t *all, uint32_t n_all, uint32_t n)
{
    const struct store *store = p->pass->l->store;
    uint32_t have[LIMIT_CLUSTER_PROVIDERS + 1] = {0};
    uint32_t there[LIMIT_CLUSTER_PROVIDERS + 1] = {0};
    uint32_t counts[LIMIT_CLUSTER_PROVIDERS + 1];
    uint32_t *some = arena_array(p->pass->arena, n_slots, sizeof *some);
    for (uint32_t i = 0; i < n_all; i++) {
        have[recon_provider_of(p, store_task(store, all[i]))]++;
    }
    for (uint32_t i = 0; i < n_slots; i++) {
        there[recon_provider_of(p, store_task(store, slots[i]))]++;
    }
    recon_provider_fewer(p, have, there, n, counts);
    for (uint32_t k = 0; k <= p->service->n_providers; k++) {
        uint32_t n_some = 0;
        for (uint32_t i = 0; i < n_slots; i++) {
            if (recon_provider_of(p, store_task(store, slots[i])) == k) {
                some[n_some++] = slots[i];
            }
        }
        if (counts[k] > 0) {
            scale_in_some(p, some, n_some, counts[k]);
        }
    }
}

/* Those that do not run yet go first: nobody is served by them, and while they are kept instead of
 * others the service may have fewer healthy tasks than minimumHealthyPercent asks for. */
static void scale_in(struct leader_plan *p, const struct census *c, uint32_t n)
{
    uint32_t *slots = arena_array(p->pass->arena, c->n_good, sizeof *slots);
    uint32_t n_idle = 0;
    uint32_t n_running = 0;
    for (uint32_t i = 0; i < c->n_good; i++) {
        if (store_task(p->pass->l->store, c->good[i])->status != TASK_RUNNING &&
            !PLANTED(SCALE_IN_ANY)) {
            slots[n_idle++] = c->good[i];
        } else {
            n_running++;
            slots[c->n_good - n_running] = c->good[i];
        }
    }
    if (p->service->n_providers > 0) {
        scale_in_shares(p, slots, n_idle, slots, c->n_good, least(n, n_idle));
        scale_in_shares(p, slots + n_idle, n_running, slots + n_idle, n_running,
                        n > n_idle ? n - n_idle : 0);
        return;
    }
    if (n_idle > 0) {
        scale_in_some(p, slots, n_idle, least(n, n_idle));
    }
    if (n > n_idle) {
        scale_in_some(p, slots + n_idle, n_running, n - n_idle);
    }
}

static void stop_first(struct leader_plan *p, const uint32_t *slots, uint32_t n, const char *why)
{
    for (uint32_t i = 0; i < n; i++) {
        recon_stop(p, slots[i], why);
    }
}

/* Tasks to be replaced that run: as many as there are more than desired, or, where replacements
 * lack room, as many as may be missing. */
static void stop_others(struct leader_plan *p, const struct census *c, uint32_t lacking)
{
    const struct service *v = p->service;
    uint32_t running = c->n_good_running + c->n_others;
    uint32_t min = recon_min(v);
    uint32_t spare = running > v->desired ? running - v->desired : 0;
    uint32_t may = running > min ? running - min : 0;
    uint32_t n = least(may, spare > lacking ? spare : lacking);
    stop_first(p, c->others, least(n, c->n_others), scaling(p));
}

/* Unhealthy tasks: when replacements run, or to make room for them. */
static void stop_sick(struct leader_plan *p, const struct census *c, uint32_t lacking)
{
    const struct service *v = p->service;
    uint32_t running = c->n_good_running + c->n_others;
    uint32_t spare = running + c->n_sick > v->desired ? running + c->n_sick - v->desired : 0;
    uint32_t n = spare > lacking ? spare : lacking;
    stop_first(p, c->sick, least(n, c->n_sick), "Task failed container health checks");
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static bool is_settled(const struct service *v, const struct census *c)
{
    return c->n_good_running == v->desired && c->n_good == v->desired && v->n_active == v->desired;
}

/* How many replacements have no room, in the service's own bounds or on any node. */
static uint32_t start_missing(struct leader_plan *p, const struct census *c)
{
    const struct service *v = p->service;
    uint32_t wanted = c->n_good + c->n_others + c->n_sick; /* Waiting ones are stopped now. */
    uint32_t room = recon_max(v) > wanted ? recon_max(v) - wanted : 0;
    uint32_t missing = v->desired > c->n_good ? v->desired - c->n_good : 0;
    uint32_t n = least(missing, room);
    if (missing == 0 || !recon_may_start(p)) {
        return 0;
    }
    return missing - (n == 0 ? 0 : recon_start(p, n));
}

/* Nothing to do, seen from the counters alone. */
static bool is_quiet(const struct leader_plan *p)
{
    const struct service *v = p->service;
    const struct leader_cluster *c = leader_cluster_at(p->pass->l, p->cmd.cluster);
    return v->n_wanted == v->desired && v->n_wanted_new == v->desired && v->n_unhealthy == 0 &&
           (c == NULL || c->n_draining == 0);
}

void recon_replica(struct leader_plan *p)
{
    const struct service *v = p->service;
    struct census c;
    uint32_t lacking;
    if (is_quiet(p)) {
        recon_settled(p, v->n_running == v->desired && v->n_active == v->desired);
        return;
    }
    take_census(p, &c);
    recon_settled(p, is_settled(v, &c));
    stop_first(p, c.waiting, c.n_waiting, scaling(p));
    if (c.n_good > v->desired) {
        scale_in(p, &c, c.n_good - v->desired);
    }
    lacking = start_missing(p, &c);
    stop_others(p, &c, lacking);
    stop_sick(p, &c, lacking);
    if (p->cmd.n_stops > 0) {
        recon_event_stopped(p);
    }
}
