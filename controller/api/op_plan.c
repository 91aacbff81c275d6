/* Plan and ExplainTask: what would happen, and why. Both work on a copy of the leader's view. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/ref.h"
#include "controller/api/run.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"
#include "controller/core/whatif.h"
#include "proto/ecs/admin/v1/admin.pb-c.h"

#include <assert.h>

#define STEPS_MAX     100
#define NODES_DEFAULT 100
#define NODES_MAX     1000
#define LISTED_MAX    50000 /* Nodes of one answer. */
#define GROUPS_MAX    20
#define MOVES_DEFAULT 100
#define TEXT_MAX      4000

static int valid_max_nodes(struct api_call *c, bool has, uint32_t value, uint32_t *ret)
{
    *ret = has ? value : NODES_DEFAULT;
    if (*ret > NODES_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "maxNodes must be between 0 and %d, not %u.",
                        NODES_MAX, value);
    }
    return 0;
}

static struct whatif *copy(struct api_call *c, uint32_t cluster)
{
    struct leader *l = engine_leader(api_engine(c->api));
    assert(l != NULL);
    return whatif_open(l, cluster, &c->arena);
}

/* A RunTask in the cluster that is asked about, whichever it names itself. */
static int prepare_run_in(struct api_call *c, uint32_t cluster, const Ecs__V1__RunTaskRequest *r,
                          struct run_request *ret)
{
    Ecs__V1__RunTaskRequest here = *r;
    here.cluster = api_text(c, store_cluster(api_store(c), cluster)->name);
    return run_task_prepare(c, &here, ret);
}

/* --- surveys -----------------------------------------------------------------------------------
 */

static char *node_name(struct api_call *c, uint32_t node)
{
    if (node >= WHATIF_NEW) {
        return arena_printf(&c->arena, "new-%u", node - WHATIF_NEW + 1);
    }
    return api_text(c, store_node(api_store(c), node)->name);
}

static Ecs__Admin__V1__RefusedNodes *describe_group(struct api_call *c, const struct view *v,
                                                    const struct place_request *request,
                                                    const struct survey_group *g)
{
    Ecs__Admin__V1__RefusedNodes *m = api_new(c, &ecs__admin__v1__refused_nodes__descriptor);
    struct buf b;
    buf_init(&b, api_mem(c->api), TEXT_MAX);
    survey_group_text(request, g, &b);
    API_SET(m, nodes, g->n_nodes);
    m->reason = arena_strdup(&c->arena, buf_cstr(&b));
    m->example = node_name(c, view_owner(v, g->example));
    buf_close(&b);
    return m;
}

/* What stands against the nodes, and what would help. */
static void describe_survey(struct api_call *c, const struct view *v,
                            const struct place_request *request, const struct survey *s,
                            Ecs__Admin__V1__RefusedNodes ***ret_refused, size_t *ret_n_refused,
                            char ***ret_changes, size_t *ret_n_changes)
{
    uint32_t n = s->n_groups < GROUPS_MAX ? s->n_groups : GROUPS_MAX;
    *ret_refused = api_list(c, n);
    *ret_changes = api_list(c, s->n_fixes);
    for (uint32_t i = 0; i < n; i++) {
        (*ret_refused)[i] = describe_group(c, v, request, &s->groups[i]);
    }
    for (uint32_t i = 0; i < s->n_fixes; i++) {
        struct buf b;
        buf_init(&b, api_mem(c->api), TEXT_MAX);
        survey_fix_text(v, request, &s->fixes[i], &b);
        (*ret_changes)[i] = arena_strdup(&c->arena, buf_cstr(&b));
        buf_close(&b);
    }
    *ret_n_refused = n;
    *ret_n_changes = s->n_fixes;
}

/* --- ExplainTask -------------------------------------------------------------------------------
 */

static const Ecs__Admin__V1__ExplainTaskRequest *explain_request(const struct api_call *c)
{
    return (const Ecs__Admin__V1__ExplainTaskRequest *)c->request;
}

/* A plan does not share out by provider. */
static int check_run(struct api_call *c, const Ecs__V1__RunTaskRequest *r)
{
    int rv = run_task_check(c, r);
    return rv != 0 ? rv
                   : valid_unset(c, "run.capacityProviderStrategy",
                                 r->n_capacity_provider_strategy > 0);
}

static int explain_check(struct api_call *c)
{
    const Ecs__Admin__V1__ExplainTaskRequest *r = explain_request(c);
    uint32_t max;
    if ((r->task != NULL) + (r->service != NULL) + (r->run != NULL) != 1) {
        return api_fail(c, API_INVALID_PARAMETER, "Give exactly one of task, service and run.");
    }
    int rv = valid_max_nodes(c, r->has_max_nodes, r->max_nodes, &max);
    return rv == 0 && r->run != NULL ? check_run(c, r->run) : rv;
}

static Ecs__Admin__V1__ExplainedNode *describe_node_of(struct api_call *c, const struct view *v,
                                                       const struct place_request *request,
                                                       const struct survey *s,
                                                       const struct survey_node *n, uint32_t here)
{
    Ecs__Admin__V1__ExplainedNode *m = api_new(c, &ecs__admin__v1__explained_node__descriptor);
    uint32_t node = view_owner(v, n->slot);
    struct buf b;
    buf_init(&b, api_mem(c->api), TEXT_MAX);
    m->container_instance_arn = ref_node_arn(c, node);
    m->name = node_name(c, node);
    if (n->reasons == 0) {
        API_SET(m, rank, n->rank);
        survey_score_text(s, n, &b);
        m->score = arena_strdup(&c->arena, buf_cstr(&b));
    } else {
        survey_reasons_text(request, n, &b);
        m->reason = arena_strdup(&c->arena, buf_cstr(&b));
    }
    if (node == here) {
        API_SET(m, here, true);
    }
    buf_close(&b);
    return m;
}

/* The node where the task is comes first, wherever it ranks. */
static void explain_answer(struct api_call *c, const struct view *v,
                           const struct place_request *request, const struct survey *s,
                           uint32_t here, uint32_t max)
{
    Ecs__Admin__V1__ExplainTaskResponse *m =
        api_new(c, &ecs__admin__v1__explain_task_response__descriptor);
    API_SET(m, nodes, s->n_nodes);
    API_SET(m, feasible, s->n_feasible);
    m->list = api_list(c, max);
    for (uint32_t i = 0; i < s->n_nodes && max > 0 && here != SLOT_NONE; i++) {
        if (view_owner(v, s->nodes[i].slot) == here) {
            m->list[m->n_list++] = describe_node_of(c, v, request, s, &s->nodes[i], here);
        }
    }
    for (uint32_t i = 0; i < s->n_nodes && m->n_list < max; i++) {
        if (here == SLOT_NONE || view_owner(v, s->nodes[i].slot) != here) {
            m->list[m->n_list++] = describe_node_of(c, v, request, s, &s->nodes[i], here);
        }
    }
    describe_survey(c, v, request, s, &m->refused, &m->n_refused, &m->changes, &m->n_changes);
    c->response = &m->base;
}

static int explain_read(struct api_call *c)
{
    const Ecs__Admin__V1__ExplainTaskRequest *r = explain_request(c);
    struct place_request request = {0};
    struct run_request run = {0};
    struct survey survey = {0};
    struct err err = {0};
    struct whatif *w = NULL;
    uint32_t cluster, max, slot = SLOT_NONE, here = SLOT_NONE;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv == 0) {
        rv = valid_max_nodes(c, r->has_max_nodes, r->max_nodes, &max);
    }
    if (rv == 0) {
        rv = r->task != NULL      ? ref_task(c, cluster, r->task, &slot)
             : r->service != NULL ? ref_service(c, cluster, r->service, &slot)
                                  : prepare_run_in(c, cluster, r->run, &run);
    }
    if (rv != 0) {
        return rv;
    }
    w = copy(c, cluster);
    if (r->task != NULL) {
        const struct task *t = store_task(api_store(c), slot);
        here = t->status == TASK_STOPPED ? SLOT_NONE : t->node;
        rv = whatif_explain_task(w, slot, &request, &survey, &err);
    } else if (r->service != NULL) {
        rv = whatif_explain_service(w, slot, &request, &survey, &err);
    } else {
        rv = whatif_explain_run(w, &run, &request, &survey, &err);
    }
    if (rv != 0) {
        rv = api_fail_err(c, rv, &err);
    } else {
        explain_answer(c, whatif_view(w), &request, &survey, here, max);
    }
    whatif_close(w);
    return rv;
}

const struct api_handler op_explain_task = {
    .kind = API_LEAD,
    .check = explain_check,
    .read = explain_read,
};

/* --- Plan: the request --------------------------------------------------------------------------
 */

static const Ecs__Admin__V1__PlanRequest *plan_request(const struct api_call *c)
{
    return (const Ecs__Admin__V1__PlanRequest *)c->request;
}

static int check_nodes(struct api_call *c, const Ecs__Admin__V1__PlanNodes *n)
{
    if (n->n_container_instances == 0 && (n->filter == NULL || n->filter[0] == '\0') &&
        !n->has_percent) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Give containerInstances, a filter or a percentage.");
    }
    if (n->has_percent && (n->percent < 1 || n->percent > 100)) {
        return api_fail(c, API_INVALID_PARAMETER, "percent must be between 1 and 100, not %u.",
                        n->percent);
    }
    return 0;
}

static int check_add(struct api_call *c, const Ecs__Admin__V1__PlanAddNodes *a)
{
    if (!a->has_count || a->count < 1 || a->count > WHATIF_NODES_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "count must be between 1 and %d, not %u.",
                        WHATIF_NODES_MAX, a->count);
    }
    if (a->like == NULL && !(a->has_cpu && a->has_memory)) {
        return api_fail(c, API_INVALID_PARAMETER, "Give like, or cpu and memory.");
    }
    if (a->n_attributes > VIEW_ATTRIBUTES_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "attributes: more than %d.", VIEW_ATTRIBUTES_MAX);
    }
    return 0;
}

static uint32_t moves_of(const Ecs__Admin__V1__PlanRebalance *r)
{
    return r->has_max_moves ? r->max_moves : MOVES_DEFAULT;
}

static int check_rebalance(struct api_call *c, const Ecs__Admin__V1__PlanRebalance *r)
{
    uint32_t moves = moves_of(r);
    if (moves < 1 || moves > WHATIF_MOVES_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "maxMoves must be between 1 and %d, not %u.",
                        WHATIF_MOVES_MAX, moves);
    }
    return 0;
}

static int check_step(struct api_call *c, const Ecs__Admin__V1__PlanStep *s)
{
    int n = (s->run != NULL) + (s->service != NULL) + (s->drain != NULL) + (s->remove != NULL) +
            (s->add != NULL) + (s->rebalance != NULL);
    if (n != 1) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "A step is exactly one of run, service, drain, remove, add and rebalance.");
    }
    if (s->run != NULL) {
        return check_run(c, s->run);
    }
    if (s->rebalance != NULL) {
        return check_rebalance(c, s->rebalance);
    }
    if (s->service != NULL) {
        return ref_required(c, "service", s->service->service);
    }
    return s->add != NULL ? check_add(c, s->add)
                          : check_nodes(c, s->drain != NULL ? s->drain : s->remove);
}

static int plan_check(struct api_call *c)
{
    const Ecs__Admin__V1__PlanRequest *r = plan_request(c);
    uint32_t max;
    if (r->n_steps < 1 || r->n_steps > STEPS_MAX) {
        return api_fail(c, API_INVALID_PARAMETER, "steps: 1 to %d can be given, not %zu.",
                        STEPS_MAX, r->n_steps);
    }
    for (size_t i = 0; i < r->n_steps; i++) {
        int rv = check_step(c, r->steps[i]);
        if (rv != 0) {
            return rv;
        }
    }
    return valid_max_nodes(c, r->has_max_nodes, r->max_nodes, &max);
}

/* --- Plan: steps ---------------------------------------------------------------------------------
 */

struct planning {
    struct api_call *c;
    struct whatif *w;
    uint32_t cluster;
    uint32_t max_nodes; /* Listed for one item, */
    uint32_t budget;    /* for all that are still to come. */
};

static int step_run(struct planning *p, const Ecs__V1__RunTaskRequest *r, struct whatif_result *ret,
                    struct err *err)
{
    struct run_request run = {0};
    int rv = prepare_run_in(p->c, p->cluster, r, &run);
    return rv != 0 ? rv : whatif_run(p->w, &run, ret, err);
}

static int step_service(struct planning *p, const Ecs__Admin__V1__PlanService *r,
                        struct whatif_result *ret, struct err *err)
{
    uint32_t service, taskdef = SLOT_NONE;
    int rv = ref_service(p->c, p->cluster, r->service, &service);
    if (rv == 0 && store_service(api_store(p->c), service)->status != SERVICE_ACTIVE) {
        rv = api_fail(p->c, API_SERVICE_NOT_ACTIVE, "Service was not ACTIVE.");
    }
    if (rv == 0 && r->task_definition != NULL) {
        rv = ref_taskdef(p->c, r->task_definition, &taskdef);
    }
    if (rv == 0 && r->has_desired_count && r->desired_count > LIMIT_DESIRED_COUNT) {
        rv = api_fail(p->c, API_INVALID_PARAMETER, "desiredCount must be at most %d, not %u.",
                      LIMIT_DESIRED_COUNT, r->desired_count);
    }
    return rv != 0 ? rv
                   : whatif_service(p->w, service, r->has_desired_count ? &r->desired_count : NULL,
                                    taskdef, ret, err);
}

/* The named nodes, then those that the filter selects. */
static int select_nodes(struct planning *p, const Ecs__Admin__V1__PlanNodes *r, uint32_t **ret,
                        uint32_t *ret_n)
{
    struct api_call *c = p->c;
    const struct view *v = whatif_view(p->w);
    struct query *q = NULL;
    struct err err = {0};
    bool all = r->n_container_instances == 0;
    uint32_t n = 0;
    *ret = arena_array(&c->arena, r->n_container_instances + view_n_nodes(v), sizeof **ret);
    for (size_t i = 0; i < r->n_container_instances; i++, n++) {
        int rv = ref_node(c, p->cluster, r->container_instances[i], &(*ret)[n]);
        if (rv != 0) {
            return rv;
        }
    }
    if (r->filter != NULL && r->filter[0] != '\0') {
        if (query_parse(api_mem(c->api), str_of(r->filter), &q, &err) != 0) {
            return api_fail(c, API_INVALID_PARAMETER, "filter: %s", err.text);
        }
        all = true;
    }
    for (uint32_t slot = 0; slot < view_slots(v) && all; slot++) {
        if (view_has(v, slot) && view_owner(v, slot) < WHATIF_NEW &&
            (q == NULL || view_match(v, slot, q))) {
            (*ret)[n++] = view_owner(v, slot);
        }
    }
    query_close(q);
    if (n == 0) {
        return api_fail(c, API_INVALID_PARAMETER, "%s",
                        r->filter != NULL && r->filter[0] != '\0'
                            ? "filter: selects no container instance."
                            : "The cluster has no container instances.");
    }
    *ret_n = r->has_percent ? (uint32_t)(((uint64_t)n * r->percent + 99) / 100) : n;
    return 0;
}

static int step_drain(struct planning *p, const Ecs__Admin__V1__PlanNodes *r, bool remove,
                      struct whatif_result *ret, struct err *err)
{
    uint32_t *nodes;
    uint32_t n;
    int rv = select_nodes(p, r, &nodes, &n);
    return rv != 0 ? rv : whatif_drain(p->w, nodes, n, remove, ret, err);
}

static int step_add(struct planning *p, const Ecs__Admin__V1__PlanAddNodes *r,
                    struct whatif_result *ret, struct err *err)
{
    struct view_node node = {0};
    struct view_attribute *attributes;
    uint32_t like;
    if (r->like != NULL) {
        int rv = ref_node(p->c, p->cluster, r->like, &like);
        if (rv != 0) {
            return rv;
        }
        node = whatif_like(p->w, like);
    }
    node.cpu = r->has_cpu ? r->cpu : node.cpu;
    node.memory_mib = r->has_memory ? r->memory : node.memory_mib;
    node.gpus = r->has_gpus ? r->gpus : node.gpus;
    if (r->n_attributes > 0) {
        attributes = arena_array(&p->c->arena, r->n_attributes, sizeof *attributes);
        for (size_t i = 0; i < r->n_attributes; i++) {
            attributes[i] = (struct view_attribute){str_of(r->attributes[i]->name),
                                                    str_of(r->attributes[i]->value)};
        }
        node.attributes = attributes;
        node.n_attributes = (uint32_t)r->n_attributes;
    }
    return whatif_add(p->w, &node, r->count, ret, err);
}

static int step_rebalance(struct planning *p, const Ecs__Admin__V1__PlanRebalance *r,
                          struct whatif_result *ret, struct err *err)
{
    return whatif_rebalance(p->w, moves_of(r), !r->has_zones || r->zones, ret, err);
}

static int carry_out(struct planning *p, const Ecs__Admin__V1__PlanStep *s,
                     struct whatif_result *ret)
{
    struct err err = {0};
    int rv = s->rebalance != NULL ? step_rebalance(p, s->rebalance, ret, &err)
             : s->run != NULL     ? step_run(p, s->run, ret, &err)
             : s->service != NULL ? step_service(p, s->service, ret, &err)
             : s->drain != NULL   ? step_drain(p, s->drain, false, ret, &err)
             : s->remove != NULL  ? step_drain(p, s->remove, true, ret, &err)
                                  : step_add(p, s->add, ret, &err);
    if (rv == ERR_NOTFOUND && p->c->error.code == API_OK) {
        return api_fail(p->c, API_INVALID_PARAMETER, "%s", err.text);
    }
    return rv != 0 && p->c->error.code == API_OK ? api_fail_err(p->c, rv, &err) : rv;
}

/* --- Plan: the answer ---------------------------------------------------------------------------
 */

static Ecs__Admin__V1__PlanTotals *describe_totals(struct api_call *c,
                                                   const struct whatif_totals *t)
{
    Ecs__Admin__V1__PlanTotals *m = api_new(c, &ecs__admin__v1__plan_totals__descriptor);
    API_SET(m, nodes, t->n_nodes);
    API_SET(m, nodes_in_use, t->n_used);
    API_SET(m, tasks, t->n_tasks);
    API_SET(m, cpu, t->cpu);
    API_SET(m, cpu_free, t->cpu_free);
    API_SET(m, memory, t->memory_mib);
    API_SET(m, memory_free, t->memory_free);
    return m;
}

static Ecs__Admin__V1__PlannedNode *describe_target(struct api_call *c,
                                                    const struct whatif_target *t)
{
    Ecs__Admin__V1__PlannedNode *m = api_new(c, &ecs__admin__v1__planned_node__descriptor);
    if (t->node < WHATIF_NEW) {
        m->container_instance_arn = ref_node_arn(c, t->node);
    }
    m->name = node_name(c, t->node);
    API_SET(m, tasks, t->n_tasks);
    return m;
}

static Ecs__Admin__V1__PlanItem *describe_item(struct planning *p, const struct whatif_item *item)
{
    struct api_call *c = p->c;
    Ecs__Admin__V1__PlanItem *m = api_new(c, &ecs__admin__v1__plan_item__descriptor);
    uint32_t n = item->n_targets < p->max_nodes ? item->n_targets : p->max_nodes;
    n = n < p->budget ? n : p->budget;
    p->budget -= n;
    if (item->service != SLOT_NONE) {
        m->service_arn = ref_service_arn(c, item->service);
        m->name = api_text(c, store_service(api_store(c), item->service)->name);
    }
    API_SET(m, wanted, item->n_wanted);
    API_SET(m, placed, item->n_placed);
    API_SET(m, stopped, item->n_stopped);
    m->nodes = api_list(c, n);
    for (uint32_t i = 0; i < n; i++) {
        m->nodes[m->n_nodes++] = describe_target(c, &item->targets[i]);
    }
    API_SET(m, more_nodes, item->n_targets - n);
    if (item->n_placed < item->n_wanted) {
        m->reason = api_text(c, item->reason);
        if (item->why != NULL) {
            describe_survey(c, whatif_view(p->w), &item->request, item->why, &m->refused,
                            &m->n_refused, &m->changes, &m->n_changes);
        }
    }
    return m;
}

static Ecs__Admin__V1__PlanShape **describe_shapes(struct api_call *c,
                                                   const struct whatif_shape *shapes, uint32_t n)
{
    Ecs__Admin__V1__PlanShape **list = api_list(c, n);
    for (uint32_t i = 0; i < n; i++) {
        list[i] = api_new(c, &ecs__admin__v1__plan_shape__descriptor);
        API_SET(list[i], cpu, shapes[i].cpu);
        API_SET(list[i], memory, shapes[i].memory_mib);
        API_SET(list[i], gpus, shapes[i].gpus);
        API_SET(list[i], count, shapes[i].count);
    }
    return list;
}

static Ecs__Admin__V1__PlanZoneMove *describe_zone_move(struct api_call *c,
                                                        const struct whatif_zone_move *move)
{
    Ecs__Admin__V1__PlanZoneMove *m = api_new(c, &ecs__admin__v1__plan_zone_move__descriptor);
    struct whatif_target from = {move->from, 1}, to = {move->to, 1};
    m->service_arn = ref_service_arn(c, move->service);
    m->name = api_text(c, store_service(api_store(c), move->service)->name);
    m->from = describe_target(c, &from);
    m->to = describe_target(c, &to);
    m->from_zone = api_text(c, move->from_zone);
    m->to_zone = api_text(c, move->to_zone);
    API_SET(m, from_tasks, move->n_from);
    API_SET(m, to_tasks, move->n_to);
    return m;
}

static void describe_rebalance(struct planning *p, const Ecs__Admin__V1__PlanRebalance *request,
                               const struct whatif_result *r, Ecs__Admin__V1__PlanStepResult *m)
{
    struct api_call *c = p->c;
    struct whatif_shape *tasks = arena_array(&c->arena, WHATIF_SHAPES_MAX, sizeof *tasks);
    struct whatif_shape *nodes = arena_array(&c->arena, WHATIF_SHAPES_MAX, sizeof *nodes);
    uint32_t n_tasks, n_nodes;
    m->zone_moves = api_list(c, r->n_zone_moves);
    for (uint32_t i = 0; i < r->n_zone_moves; i++) {
        m->zone_moves[m->n_zone_moves++] = describe_zone_move(c, &r->zone_moves[i]);
    }
    m->emptied = api_list(c, r->n_emptied);
    for (uint32_t i = 0; i < r->n_emptied; i++) {
        struct whatif_target emptied = {r->emptied[i], 0};
        m->emptied[m->n_emptied++] = describe_target(c, &emptied);
    }
    if (request->has_shapes && request->shapes &&
        whatif_shapes(p->w, tasks, &n_tasks, nodes, &n_nodes)) {
        m->task_shapes = describe_shapes(c, tasks, n_tasks);
        m->n_task_shapes = n_tasks;
        m->node_shapes = describe_shapes(c, nodes, n_nodes);
        m->n_node_shapes = n_nodes;
    }
}

static Ecs__Admin__V1__PlanStepResult *describe_step(struct planning *p,
                                                     const struct whatif_result *r, bool *feasible)
{
    struct api_call *c = p->c;
    Ecs__Admin__V1__PlanStepResult *m = api_new(c, &ecs__admin__v1__plan_step_result__descriptor);
    m->items = api_list(c, r->n_items);
    for (uint32_t i = 0; i < r->n_items; i++) {
        m->items[m->n_items++] = describe_item(p, &r->items[i]);
        *feasible = *feasible && r->items[i].n_placed == r->items[i].n_wanted;
    }
    *feasible = *feasible && r->n_lost == 0;
    API_SET(m, lost_tasks, r->n_lost);
    API_SET(m, waiting_tasks, r->n_stay);
    m->before = describe_totals(c, &r->before);
    m->after = describe_totals(c, &r->after);
    return m;
}

static int plan_read(struct api_call *c)
{
    const Ecs__Admin__V1__PlanRequest *r = plan_request(c);
    Ecs__Admin__V1__PlanResponse *m = api_new(c, &ecs__admin__v1__plan_response__descriptor);
    struct planning p = {.c = c, .budget = LISTED_MAX};
    bool feasible = true;
    int rv = ref_cluster(c, r->cluster, &p.cluster);
    if (rv == 0) {
        rv = valid_max_nodes(c, r->has_max_nodes, r->max_nodes, &p.max_nodes);
    }
    if (rv != 0) {
        return rv;
    }
    p.w = copy(c, p.cluster);
    m->steps = api_list(c, r->n_steps);
    for (size_t i = 0; i < r->n_steps && rv == 0; i++) {
        struct whatif_result result = {0};
        rv = carry_out(&p, r->steps[i], &result);
        if (rv == 0) {
            m->steps[m->n_steps] = describe_step(&p, &result, &feasible);
            if (r->steps[i]->rebalance != NULL) {
                describe_rebalance(&p, r->steps[i]->rebalance, &result, m->steps[m->n_steps]);
            }
            m->n_steps++;
        }
    }
    whatif_close(p.w);
    API_SET(m, feasible, feasible);
    c->response = rv == 0 ? &m->base : NULL;
    return rv;
}

const struct api_handler op_plan = {
    .kind = API_LEAD,
    .check = plan_check,
    .read = plan_read,
};
