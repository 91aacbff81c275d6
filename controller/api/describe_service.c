#include "controller/api/describe_service.h"

#include "controller/api/describe.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/codec/convert.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/log/v1/spec.pb-c.h"

#include <string.h>

Ecs__V1__Service *service_spec_read(struct api_call *c, struct str spec)
{
    struct err err = {0};
    ProtobufCMessage *from;
    Ecs__V1__Service *to = api_new(c, &ecs__v1__service__descriptor);
    int rv = pbc_unpack(&ecs__log__v1__service_spec__descriptor, spec, &c->arena, &from, &err);
    if (rv == 0) {
        rv = convert_message(from, &to->base, &c->arena, NULL, &err);
    }
    if (rv != 0) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        return NULL;
    }
    return to;
}

int service_spec_write(struct api_call *c, const Ecs__V1__Service *m, struct str *ret)
{
    struct err err = {0};
    ProtobufCMessage *to = api_new(c, &ecs__log__v1__service_spec__descriptor);
    int rv = convert_message(&m->base, to, &c->arena, NULL, &err);
    if (rv != 0) {
        return api_fail_err(c, rv, &err);
    }
    *ret = pbc_pack_arena(to, &c->arena);
    return 0;
}

/* --- placement ---------------------------------------------------------------------------------
 */

static void set_constraints(struct api_call *c, const struct service *row, Ecs__V1__Service *m)
{
    m->placement_constraints = api_list(c, row->n_constraints);
    for (uint32_t i = 0; i < row->n_constraints; i++) {
        Ecs__V1__PlacementConstraint *p = api_new(c, &ecs__v1__placement_constraint__descriptor);
        static const Ecs__V1__PlacementConstraintType__Value types[] = {
            [CONSTRAINT_DISTINCT_INSTANCE] =
                ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__distinctInstance,
            [CONSTRAINT_MEMBER_OF] = ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__memberOf,
            [CONSTRAINT_MAX_PER_INSTANCE] =
                ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__maxPerInstance,
            [CONSTRAINT_PRIORITY] = ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__priority,
        };
        uint8_t type = row->constraints[i].type;
        API_SET(p, type,
                type < sizeof types / sizeof types[0]
                    ? types[type]
                    : ECS__V1__PLACEMENT_CONSTRAINT_TYPE__VALUE__memberOf);
        p->expression = api_text(c, row->constraints[i].expression);
        m->placement_constraints[m->n_placement_constraints++] = p;
    }
}

static void set_strategies(struct api_call *c, const struct service *row, Ecs__V1__Service *m)
{
    static const Ecs__V1__PlacementStrategyType__Value types[] = {
        [STRATEGY_RANDOM] = ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__random,
        [STRATEGY_SPREAD] = ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__spread,
        [STRATEGY_BINPACK] = ECS__V1__PLACEMENT_STRATEGY_TYPE__VALUE__binpack,
    };
    m->placement_strategy = api_list(c, row->n_strategies);
    for (uint32_t i = 0; i < row->n_strategies; i++) {
        Ecs__V1__PlacementStrategy *p = api_new(c, &ecs__v1__placement_strategy__descriptor);
        API_SET(p, type, types[row->strategies[i].type]);
        p->field = api_text(c, row->strategies[i].field);
        m->placement_strategy[m->n_placement_strategy++] = p;
    }
}

/* --- deployments and events --------------------------------------------------------------------
 */

static Ecs__V1__DeploymentRolloutState__Value rollout(uint8_t v)
{
    switch (v) {
    case ROLLOUT_COMPLETED:
        return ECS__V1__DEPLOYMENT_ROLLOUT_STATE__VALUE__COMPLETED;
    case ROLLOUT_FAILED:
        return ECS__V1__DEPLOYMENT_ROLLOUT_STATE__VALUE__FAILED;
    default:
        return ECS__V1__DEPLOYMENT_ROLLOUT_STATE__VALUE__IN_PROGRESS;
    }
}

static Ecs__V1__LaunchType__Value launch_type(const struct service *row)
{
    return row->launch_type == LAUNCH_EXTERNAL ? ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL
                                               : ECS__V1__LAUNCH_TYPE__VALUE__EC2;
}

/* The row knows its PRIMARY deployment only; earlier ones are as long as they have tasks, so they
 * are counted from these. Without them a service would look stable in the middle of a replacement.
 */
#define DEPLOYMENTS_MAX 8

struct deployment_count {
    uint64_t id;
    uint32_t taskdef;
    int64_t created_at;
    uint32_t desired;
    uint32_t running;
    uint32_t pending;
};

static struct deployment_count *count_of(struct deployment_count *v, uint32_t *n,
                                         const struct task *t)
{
    for (uint32_t i = 0; i < *n; i++) {
        if (v[i].id == t->deployment) {
            return &v[i];
        }
    }
    if (*n == DEPLOYMENTS_MAX) {
        return &v[DEPLOYMENTS_MAX - 1]; /* Very old ones are shown as one. */
    }
    v[*n] = (struct deployment_count){
        .id = t->deployment,
        .taskdef = t->taskdef,
        .created_at = t->created_at,
    };
    return &v[(*n)++];
}

/* v[0] is the PRIMARY one; returns how many there are. */
static uint32_t count_deployments(const struct store *s, const struct service *row,
                                  struct deployment_count *v)
{
    uint32_t n = 1;
    memset(v, 0, DEPLOYMENTS_MAX * sizeof *v);
    v[0].id = row->primary.id;
    v[0].taskdef = row->primary.taskdef;
    v[0].created_at = row->primary.created_at;
    for (uint32_t slot = row->first_task; slot != SLOT_NONE;) {
        const struct task *t = store_task(s, slot);
        if (t->status != TASK_STOPPED) {
            struct deployment_count *d = count_of(v, &n, t);
            d->running += t->status == TASK_RUNNING;
            d->pending += t->status < TASK_RUNNING;
            d->desired += t->desired == TASK_RUNNING;
            d->created_at = t->created_at < d->created_at ? t->created_at : d->created_at;
        }
        slot = t->in_service.next;
    }
    v[0].desired = row->desired;
    v[0].created_at = row->primary.created_at;
    return n;
}

static Ecs__V1__Deployment *deployment(struct api_call *c, const struct service *row,
                                       const struct deployment_count *count)
{
    Ecs__V1__Deployment *m = api_new(c, &ecs__v1__deployment__descriptor);
    m->id = arena_printf(&c->arena, "ecs-svc/%llu", (unsigned long long)count->id);
    m->status = arena_strdup(&c->arena, "ACTIVE");
    m->task_definition = ref_taskdef_arn(c, count->taskdef);
    API_SET(m, desired_count, (int32_t)count->desired);
    API_SET(m, pending_count, (int32_t)count->pending);
    API_SET(m, running_count, (int32_t)count->running);
    API_SET(m, failed_tasks, 0);
    m->created_at = describe_time(c, count->created_at);
    m->updated_at = describe_time(c, row->primary.updated_at);
    if (row->n_providers == 0) {
        API_SET(m, launch_type, launch_type(row));
    }
    m->capacity_provider_strategy =
        provider_items(c, row->providers, row->n_providers, &m->n_capacity_provider_strategy);
    API_SET(m, rollout_state, ECS__V1__DEPLOYMENT_ROLLOUT_STATE__VALUE__COMPLETED);
    return m;
}

static Ecs__V1__Deployment *primary(struct api_call *c, const struct service *row,
                                    const struct deployment_count *count)
{
    static const char *const words[] = {
        [ROLLOUT_IN_PROGRESS] = "in progress",
        [ROLLOUT_COMPLETED] = "completed",
        [ROLLOUT_FAILED] = "failed",
    };
    const struct deployment *d = &row->primary;
    Ecs__V1__Deployment *m = deployment(c, row, count);
    m->status = arena_strdup(&c->arena, "PRIMARY");
    API_SET(m, failed_tasks, (int32_t)d->n_failed);
    API_SET(m, rollout_state, rollout(d->rollout));
    m->rollout_state_reason =
        arena_printf(&c->arena, "ECS deployment %s %s.", m->id, words[d->rollout]);
    return m;
}

/* Newest first. */
static void set_events(struct api_call *c, const struct service *row, Ecs__V1__Service *m)
{
    m->events = api_list(c, row->n_events);
    for (uint32_t i = row->n_events; i > 0; i--) {
        const struct service_event *from = &row->events[i - 1];
        Ecs__V1__ServiceEvent *e = api_new(c, &ecs__v1__service_event__descriptor);
        char uuid[ID_UUID_LEN + 1];
        id_uuid(from->id, uuid);
        e->id = arena_strdup(&c->arena, uuid);
        e->created_at = describe_time(c, from->at);
        e->message = api_text(c, from->message);
        m->events[m->n_events++] = e;
    }
}

static void set_percents(struct api_call *c, const struct service *row, Ecs__V1__Service *m)
{
    Ecs__V1__DeploymentConfiguration *d = m->deployment_configuration;
    if (d == NULL) {
        d = api_new(c, &ecs__v1__deployment_configuration__descriptor);
        m->deployment_configuration = d;
    }
    API_SET(d, minimum_healthy_percent, (int32_t)row->min_percent);
    API_SET(d, maximum_percent, (int32_t)row->max_percent);
    API_SET(d, strategy, ECS__V1__DEPLOYMENT_STRATEGY__VALUE__ROLLING);
}

static void set_propagate(const struct service *row, Ecs__V1__Service *m)
{
    switch (row->propagate_tags) {
    case PROPAGATE_TASKDEF:
        API_SET(m, propagate_tags, ECS__V1__PROPAGATE_TAGS__VALUE__TASK_DEFINITION);
        break;
    case PROPAGATE_SERVICE:
        API_SET(m, propagate_tags, ECS__V1__PROPAGATE_TAGS__VALUE__SERVICE);
        break;
    default:
        API_SET(m, propagate_tags, ECS__V1__PROPAGATE_TAGS__VALUE__NONE);
        break;
    }
}

static void set_counts(const struct service *row, Ecs__V1__Service *m)
{
    API_SET(m, desired_count, (int32_t)row->desired);
    API_SET(m, running_count, (int32_t)row->n_running);
    API_SET(m, pending_count, (int32_t)row->n_pending);
    if (row->n_providers == 0) {
        API_SET(m, launch_type, launch_type(row));
    }
    API_SET(m, scheduling_strategy,
            row->scheduling == SCHEDULING_DAEMON ? ECS__V1__SCHEDULING_STRATEGY__VALUE__DAEMON
                                                 : ECS__V1__SCHEDULING_STRATEGY__VALUE__REPLICA);
}

static void set_deployments(struct api_call *c, const struct service *row, Ecs__V1__Service *m)
{
    struct deployment_count counts[DEPLOYMENTS_MAX];
    uint32_t n;
    if (row->status == SERVICE_INACTIVE) {
        return;
    }
    n = count_deployments(api_store(c), row, counts);
    m->deployments = api_list(c, n);
    m->deployments[m->n_deployments++] = primary(c, row, &counts[0]);
    for (uint32_t i = 1; i < n; i++) {
        m->deployments[m->n_deployments++] = deployment(c, row, &counts[i]);
    }
    if (m->deployment_controller == NULL) {
        m->deployment_controller = api_new(c, &ecs__v1__deployment_controller__descriptor);
        API_SET(m->deployment_controller, type, ECS__V1__DEPLOYMENT_CONTROLLER_TYPE__VALUE__ECS);
    }
}

Ecs__V1__Service *describe_service(struct api_call *c, uint32_t slot, bool tags)
{
    const struct service *row = store_service(api_store(c), slot);
    Ecs__V1__Service *m = service_spec_read(c, row->spec);
    if (m == NULL) {
        return NULL;
    }
    m->service_arn = ref_service_arn(c, slot);
    m->service_name = api_text(c, row->name);
    m->cluster_arn = ref_cluster_arn(c, row->cluster);
    m->status = arena_strdup(&c->arena, describe_service_status(row->status));
    m->task_definition = ref_taskdef_arn(c, row->primary.taskdef);
    m->created_at = describe_time(c, row->created_at);
    m->created_by = api_text(c, row->created_by);
    set_counts(row, m);
    set_percents(c, row, m);
    set_deployments(c, row, m);
    set_events(c, row, m);
    set_constraints(c, row, m);
    set_strategies(c, row, m);
    m->capacity_provider_strategy =
        provider_items(c, row->providers, row->n_providers, &m->n_capacity_provider_strategy);
    set_propagate(row, m);
    if (!m->has_enable_ecs_managed_tags) {
        API_SET(m, enable_ecs_managed_tags, false);
    }
    if (!m->has_enable_execute_command) {
        API_SET(m, enable_execute_command, false);
    }
    if (tags) {
        m->tags = describe_tags(c, &row->tags, &m->n_tags);
    }
    return m;
}
