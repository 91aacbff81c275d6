#include "controller/api/run.h"

#include "controller/api/api.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/codec/taskdef.h"
#include "controller/core/limits.h"

#include <string.h>

#define STARTED_BY_MAX 128

int run_check(struct api_call *c, const struct run_input *in)
{
    struct tags tags;
    int rv = ref_required(c, "taskDefinition", in->task_definition);
    if (rv == 0) {
        rv = valid_length(c, "startedBy", in->started_by, STARTED_BY_MAX);
    }
    if (rv == 0) {
        rv = valid_length(c, "group", in->group, LIMIT_NAME);
    }
    if (rv == 0 && in->group != NULL && str_starts(str_of(in->group), "service:")) {
        rv = api_fail(c, API_INVALID_PARAMETER,
                      "Invalid namespace for group. It can not begin with \"service:\".");
    }
    if (rv == 0 && in->has_propagate && in->propagate == ECS__V1__PROPAGATE_TAGS__VALUE__SERVICE) {
        rv = api_fail(c, API_INVALID_PARAMETER,
                      "propagateTags: SERVICE can not be used for a task without a service.");
    }
    return rv != 0 ? rv : valid_tags(c, in->tags, in->n_tags, &tags);
}

/* The definition's tags where they are to be propagated, then the request's, then ours. */
static int gather_tags(struct api_call *c, const struct run_input *in, const struct run_request *r,
                       struct tags *ret)
{
    const struct store *s = api_store(c);
    struct tag managed = {STR("aws:ecs:clusterName"), store_cluster(s, r->cluster)->name};
    struct tags ours = {.v = &managed, .n = 1};
    struct tags tags;
    int rv = valid_tags(c, in->tags, in->n_tags, &tags);
    if (rv == 0 && in->has_propagate &&
        in->propagate == ECS__V1__PROPAGATE_TAGS__VALUE__TASK_DEFINITION) {
        rv = valid_tags_merge(c, &store_taskdef(s, r->taskdef)->tags, &tags, &tags);
    }
    if (rv == 0 && in->managed_tags) {
        rv = valid_tags_merge(c, &tags, &ours, &tags);
    }
    *ret = tags;
    return rv;
}

int run_prepare(struct api_call *c, const struct run_input *in, struct run_request *ret)
{
    struct task_shape shape = {0};
    struct err err = {0};
    const struct taskdef *def;
    int rv = ref_cluster(c, in->cluster, &ret->cluster);
    if (rv == 0) {
        rv = ref_taskdef(c, in->task_definition, &ret->taskdef);
    }
    if (rv != 0) {
        return rv;
    }
    def = store_taskdef(api_store(c), ret->taskdef);
    rv = taskdef_apply_overrides(def, in->overrides, &c->arena, &shape, &err);
    if (rv != 0) {
        return api_fail_err(c, rv, &err);
    }
    ret->overrides = shape.overrides;
    ret->cpu = shape.cpu;
    ret->memory = shape.memory;
    ret->gpus = shape.gpus;
    ret->started_by = str_of(in->started_by);
    ret->group = str_of(in->group);
    if (ret->group.n == 0) {
        ret->group = str_of(arena_printf(&c->arena, "family:%.*s", STR_ARG(def->family)));
    }
    return gather_tags(c, in, ret, &ret->tags);
}

/* --- RunTaskRequest ----------------------------------------------------------------------------
 */

void run_input_of(const Ecs__V1__RunTaskRequest *r, struct run_input *ret)
{
    *ret = (struct run_input){
        .cluster = r->cluster,
        .task_definition = r->task_definition,
        .group = r->group,
        .started_by = r->started_by,
        .overrides = r->overrides,
        .tags = r->tags,
        .n_tags = r->n_tags,
        .managed_tags = r->has_enable_ecs_managed_tags && r->enable_ecs_managed_tags,
        .has_propagate = r->has_propagate_tags,
        .propagate = r->propagate_tags,
    };
}

static int check_count(struct api_call *c, const Ecs__V1__RunTaskRequest *r)
{
    int32_t max = c->aws ? LIMIT_RUN_COUNT : RUN_COUNT_MAX;
    if (r->has_count && (r->count < 1 || r->count > max)) {
        return api_fail(c, API_INVALID_PARAMETER, "count must be between 1 and %d, not %d.", max,
                        r->count);
    }
    return 0;
}

static int check_unsupported(struct api_call *c, const Ecs__V1__RunTaskRequest *r)
{
    int rv = valid_unset(c, "networkConfiguration", r->network_configuration != NULL);
    if (rv == 0) {
        rv = valid_unset(c, "platformVersion",
                         r->platform_version != NULL && r->platform_version[0] != '\0');
    }
    if (rv == 0) {
        rv = valid_unset(c, "enableExecuteCommand",
                         r->has_enable_execute_command && r->enable_execute_command);
    }
    return rv != 0 ? rv : valid_unset(c, "volumeConfigurations", r->n_volume_configurations > 0);
}

int run_task_check(struct api_call *c, const Ecs__V1__RunTaskRequest *r)
{
    struct run_request unused = {0};
    struct run_input in;
    int rv;
    run_input_of(r, &in);
    rv = run_check(c, &in);
    if (rv == 0) {
        rv = check_count(c, r);
    }
    if (rv == 0) {
        rv = check_unsupported(c, r);
    }
    if (rv == 0) {
        rv = valid_length(c, "clientToken", r->client_token, LIMIT_TOKEN);
    }
    if (rv == 0) {
        rv = valid_launch_type(c, r->has_launch_type, (int)r->launch_type, &unused.launch_type);
    }
    if (rv == 0) {
        struct constraint *constraints;
        rv = valid_constraints(c, r->placement_constraints, r->n_placement_constraints,
                               &constraints, &unused.n_constraints);
    }
    if (rv == 0) {
        struct strategy *strategies;
        rv = valid_strategies(c, r->placement_strategy, r->n_placement_strategy, &strategies,
                              &unused.n_strategies);
    }
    return rv;
}

int run_task_prepare(struct api_call *c, const Ecs__V1__RunTaskRequest *r, struct run_request *ret)
{
    struct constraint *constraints;
    struct strategy *strategies;
    struct provider_share *shares = NULL;
    struct run_input in;
    int rv;
    run_input_of(r, &in);
    rv = run_prepare(c, &in, ret);
    if (rv == 0) {
        rv = valid_launch_type(c, r->has_launch_type, (int)r->launch_type, &ret->launch_type);
    }
    if (rv == 0) {
        rv = valid_constraints(c, r->placement_constraints, r->n_placement_constraints,
                               &constraints, &ret->n_constraints);
        ret->constraints = constraints;
    }
    if (rv == 0) {
        rv = valid_strategies(c, r->placement_strategy, r->n_placement_strategy, &strategies,
                              &ret->n_strategies);
        ret->strategies = strategies;
    }
    if (rv == 0) {
        rv = provider_choose(c, ret->cluster, r->has_launch_type, r->capacity_provider_strategy,
                             r->n_capacity_provider_strategy, &shares, &ret->n_providers);
        ret->providers = shares;
    }
    ret->count = r->has_count ? (uint32_t)r->count : 1;
    ret->seed = engine_random(api_engine(c->api));
    return rv;
}
