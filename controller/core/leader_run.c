/* RunTask and StartTask: decided at once on the leader's newest state. */
#include "common/base/buf.h"
#include "common/base/buggify.h"
#include "common/base/hash.h"
#include "controller/core/leader_impl.h"

#include <assert.h>

#define EXPLAIN_NODES 10 /* Nodes named when there is no room. */
#define VICTIMS_MAX   1000u
#define WAITS_MAX     64u           /* RunTasks for which room is kept at a time, */
#define WAIT_MS       (60 * 1000ll) /* and for how long. */

struct run {
    struct leader *l;
    const struct run_request *request;
    struct leader_cluster *cluster;
    struct place_request place;
    uint8_t priority;
    uint64_t key; /* Of its wait. */
    int64_t now_ms;
    struct arena *arena;
    struct run_decision *ret;
};

static void fail(struct run *r, uint32_t node, struct str reason, struct str detail)
{
    struct run_failure *f = &r->ret->failures[r->ret->n_failures];
    *f = (struct run_failure){node, reason, detail};
    r->ret->n_failures++;
}

static void fail_why(struct run *r, const struct place_why *why)
{
    struct buf b;
    buf_init(&b, r->l->mem, LIMIT_REASON);
    if (r->place.n_attributes > 0) {
        buf_printf(&b, "capacity provider %.*s: ", STR_ARG(r->place.attributes[0].value));
    }
    place_why_text(&r->place, why, &b);
    fail(r, view_owner(r->cluster->view, why->slot), str_of(place_reason_code(why->reason)),
         str_of(arena_strdup(r->arena, buf_cstr(&b))));
    buf_close(&b);
}

static void add_task(struct run *r, const struct place_run *run)
{
    const struct run_request *q = r->request;
    struct cmd_plan *plan = &r->ret->command.u.plan;
    struct plan_task *item = &plan->tasks[plan->n_tasks];
    *item = (struct plan_task){
        .id = id_derive(q->seed, store_meta(r->l->store)->revision, plan->n_tasks),
        .taskdef = q->taskdef,
        .service = SLOT_NONE,
        .launch_type = q->launch_type,
        .priority = leader_priority_row(r->priority),
        .cpu = q->cpu,
        .memory = q->memory,
        .gpus = q->gpus,
        .group = q->group,
        .started_by = q->started_by,
        .overrides = q->overrides,
        .tags = q->tags,
    };
    leader_bind(store_taskdef(r->l->store, q->taskdef), run, item, r->arena);
    plan->n_tasks++;
}

static int place_some(struct run *r, struct placement *placement, struct err *err)
{
    int rv = place(r->cluster->view, &r->place, placement, r->arena, err);
    if (rv != 0) {
        return rv;
    }
    if (placement->n_placed > 0) {
        place_reserve(r->cluster->view, &r->place, placement, r->arena);
        leader_view_reserved(r->l, r->cluster);
    }
    for (uint32_t i = 0; i < placement->n_runs; i++) {
        for (uint32_t k = 0; k < placement->runs[i].count; k++) {
            add_task(r, &placement->runs[i]);
        }
    }
    return 0;
}

static void stop(struct run *r, uint32_t slot)
{
    struct cmd_plan *plan = &r->ret->command.u.plan;
    plan->stops[plan->n_stops++] = (struct plan_stop){
        slot, store_task(r->l->store, slot)->id, STOP_SPOT,
        str_of(arena_printf(r->arena, "Preempted: a task of %.*s of priority %u needs the room",
                            STR_ARG(r->request->group), r->priority))};
}

/* For n tasks that found no room: nobody waits for them here, so the request is to be sent again,
 * and finds the room that was kept. */
static void make_room(struct run *r, uint32_t n)
{
    struct leader_victims victims;
    struct leader_run_wait *w;
    if (r->l->n_runs >= WAITS_MAX || !leader_may_preempt(r->cluster, r->priority)) {
        return;
    }
    w = leader_run_wait(r->l, r->cluster, r->key, r->priority, r->now_ms + WAIT_MS);
    leader_preempt(r->l, r->cluster, &r->place, r->priority, n,
                   VICTIMS_MAX - r->ret->command.u.plan.n_stops, &w->holds, &victims, r->arena);
    if (victims.n_rooms == 0) {
        leader_run_done(r->l, r->cluster, w);
        return;
    }
    for (uint32_t i = 0; i < victims.n; i++) {
        stop(r, victims.tasks[i]);
    }
    fail(r, victims.node, STR("PREEMPTING"),
         str_of(arena_printf(r->arena,
                             "Tasks of lower priority are being stopped to make room for %u tasks "
                             "(%u now); it is kept for a minute: send the request again.",
                             victims.n_rooms, victims.n)));
}

static int run_anywhere(struct run *r, struct err *err)
{
    struct placement placement;
    int rv;
    r->place.explain_max = EXPLAIN_NODES;
    rv = place_some(r, &placement, err);
    if (rv != 0 || placement.n_placed == r->place.n_replicas) {
        return rv;
    }
    for (uint32_t i = 0; i < placement.n_why; i++) {
        fail_why(r, &placement.why[i]);
    }
    if (placement.n_why == 0) {
        fail(r, SLOT_NONE, STR("No Container Instances were found in your cluster."), STR(""));
    }
    make_room(r, r->place.n_replicas - placement.n_placed);
    return 0;
}

/* Its nodes only: those of others are not to blame. */
static void fail_provider(struct run *r, const struct placement *placement, struct str provider)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < placement->n_why && n < EXPLAIN_NODES; i++) {
        uint32_t node = view_owner(r->cluster->view, placement->why[i].slot);
        if (str_eq(leader_provider(store_node(r->l->store, node)), provider)) {
            fail_why(r, &placement->why[i]);
            n++;
        }
    }
    if (n == 0) {
        fail(r, SLOT_NONE, STR("No Container Instances were found in your capacity provider."),
             str_of(arena_printf(r->arena, "capacity provider %.*s", STR_ARG(provider))));
    }
}

/* Every call is shared out by itself; what one provider has no room for does not go to another. */
static int run_shares(struct run *r, struct err *err)
{
    const struct run_request *q = r->request;
    uint32_t counts[LIMIT_CLUSTER_PROVIDERS];
    uint32_t wanted = r->place.n_replicas;
    uint32_t n = leader_split(q->providers, q->n_providers, wanted, NULL, counts);
    r->place.explain_max = PLACE_EXPLAIN_MAX; /* Nodes of other providers are among them. */
    for (uint32_t i = 0; i < q->n_providers; i++) {
        struct placement placement;
        int rv;
        if (counts[i] == 0) {
            continue;
        }
        r->place.n_replicas = counts[i];
        leader_require_provider(&r->place, q->providers[i].provider, r->arena);
        rv = place_some(r, &placement, err);
        if (rv != 0) {
            return rv;
        }
        if (placement.n_placed < counts[i]) {
            fail_provider(r, &placement, q->providers[i].provider);
            make_room(r, counts[i] - placement.n_placed);
        }
    }
    if (n < wanted) {
        fail(r, SLOT_NONE, STR("CAPACITY"), STR("No capacity provider has weight."));
    }
    return 0;
}

/* Exactly these nodes, whatever the strategies; each may refuse for its own reason. */
static int run_on_nodes(struct run *r, struct err *err)
{
    r->place.n_strategies = 0;
    r->place.n_replicas = 1;
    r->place.explain_max = 1;
    r->place.n_only = 1;
    for (uint32_t i = 0; i < r->request->n_nodes; i++) {
        const struct leader_node *n = leader_node_at(r->l, r->request->nodes[i]);
        struct placement placement;
        int rv;
        if (n == NULL || n->cluster != r->request->cluster || n->view_slot == VIEW_NONE) {
            fail(r, r->request->nodes[i], STR("MISSING"), STR(""));
            continue;
        }
        r->place.only = &n->view_slot;
        rv = place_some(r, &placement, err);
        if (rv != 0) {
            return rv;
        }
        if (placement.n_placed == 0) {
            struct place_why why;
            rv = place_explain(r->cluster->view, &r->place, n->view_slot, &why, r->arena, err);
            if (rv != 0) {
                return rv;
            }
            fail_why(r, &why);
        }
    }
    return 0;
}

int leader_run_request(const struct leader *l, const struct run_request *q,
                       struct place_request *ret, struct arena *arena, struct err *err)
{
    struct leader_demand d = {
        .def = store_taskdef(l->store, q->taskdef),
        .group = q->group,
        .cpu = q->cpu,
        .memory = q->memory,
        .gpus = q->gpus,
        .count = q->nodes != NULL ? q->n_nodes : q->count,
        .constraints = q->constraints,
        .n_constraints = q->n_constraints,
        .strategies = q->strategies,
        .n_strategies = q->n_strategies,
        .providers = q->providers,
        .n_providers = q->n_providers,
        .seed = q->seed,
    };
    assert(d.def != NULL);
    return leader_request(&d, ret, arena, err);
}

/* What was kept for an earlier sending of the same request is its own now. */
static void take_kept(struct run *r)
{
    const struct run_request *q = r->request;
    struct leader_run_wait *w;
    uint64_t key = hash_mix(hash_mix(q->taskdef, r->priority), q->launch_type);
    r->key = hash_bytes(q->group.p, q->group.n, key);
    while ((w = leader_run_waiting(r->cluster, r->key)) != NULL) {
        leader_run_done(r->l, r->cluster, w);
    }
}

static int prepare(struct run *r, struct err *err)
{
    const struct run_request *q = r->request;
    uint32_t n_failures =
        q->nodes != NULL ? q->n_nodes : (EXPLAIN_NODES + 1) * (1 + q->n_providers);
    uint32_t count = q->nodes != NULL ? q->n_nodes : q->count;
    struct cmd_plan *plan = &r->ret->command.u.plan;
    r->ret->command.kind = CMD_PLAN;
    plan->cluster = q->cluster;
    plan->token = q->token;
    plan->tasks = arena_array(r->arena, count, sizeof *plan->tasks);
    plan->stops =
        arena_array(r->arena, leader_may_preempt(r->cluster, r->priority) ? VICTIMS_MAX : 0,
                    sizeof *plan->stops);
    r->ret->failures = arena_array(r->arena, (size_t)n_failures + 2, sizeof *r->ret->failures);
    return leader_run_request(r->l, q, &r->place, r->arena, err);
}

int leader_run(struct leader *l, const struct run_request *request, int64_t now_ms,
               struct arena *arena, struct run_decision *ret, struct err *err)
{
    struct run_decision decision = {0};
    struct run r = {.l = l, .request = request, .now_ms = now_ms, .arena = arena, .ret = &decision};
    int rv;
    r.cluster = leader_cluster_get(l, request->cluster);
    r.priority = leader_priority(request->constraints, request->n_constraints);
    take_kept(&r);
    leader_holds_yield(l, r.cluster, r.priority);
    leader_view_weigh(l, r.cluster);
    decision.command.at_ms = now_ms;
    decision.command.seed = request->seed;
    rv = prepare(&r, err);
    if (rv == 0 && BUGGIFY(LEADER_NO_ROOM)) {
        *ret = decision;
        return 0;
    }
    if (rv == 0) {
        rv = request->nodes != NULL     ? run_on_nodes(&r, err)
             : request->n_providers > 0 ? run_shares(&r, err)
                                        : run_anywhere(&r, err);
    }
    if (rv != 0) {
        return rv;
    }
    *ret = decision;
    return 0;
}
