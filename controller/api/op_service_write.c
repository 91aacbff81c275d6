/* CreateService and UpdateService. What the scheduler acts on goes into the row; what is only shown
 * goes into the specification; what would have to change behaviour and does not is refused by
 * name. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/describe_service.h"
#include "controller/api/operation.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"

#define SERVICE_TOKEN_MAX 36
#define PERCENT_MAX       1000

/* --- fields that both have ----------------------------------------------------------------------
 */

static int check_breaker(struct api_call *c, const Ecs__V1__DeploymentConfiguration *d)
{
    const Ecs__V1__DeploymentCircuitBreaker *b = d->deployment_circuit_breaker;
    int rv = valid_unset(c, "deploymentConfiguration.deploymentCircuitBreaker.enable",
                         b != NULL && b->has_enable && b->enable);
    if (rv == 0) {
        rv = valid_unset(c, "deploymentConfiguration.alarms.enable",
                         d->alarms != NULL && d->alarms->has_enable && d->alarms->enable);
    }
    return rv;
}

static int check_strategy(struct api_call *c, const Ecs__V1__DeploymentConfiguration *d)
{
    bool rolling = !d->has_strategy || d->strategy == ECS__V1__DEPLOYMENT_STRATEGY__VALUE__ROLLING;
    int rv = valid_unset(c, "deploymentConfiguration.strategy other than ROLLING", !rolling);
    if (rv == 0) {
        rv = valid_unset(c, "deploymentConfiguration.bakeTimeInMinutes",
                         d->has_bake_time_in_minutes && d->bake_time_in_minutes != 0);
    }
    if (rv == 0) {
        rv = valid_unset(c, "deploymentConfiguration.lifecycleHooks", d->n_lifecycle_hooks > 0);
    }
    if (rv == 0) {
        rv = valid_unset(c, "deploymentConfiguration.earlySuccessCriteria",
                         d->early_success_criteria != NULL);
    }
    return rv;
}

static int check_deployment(struct api_call *c, const Ecs__V1__DeploymentConfiguration *d)
{
    int rv;
    if (d == NULL) {
        return 0;
    }
    if (d->has_minimum_healthy_percent &&
        (d->minimum_healthy_percent < 0 || d->minimum_healthy_percent > 100)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "deploymentConfiguration.minimumHealthyPercent must be between 0 and 100.");
    }
    if (d->has_maximum_percent && (d->maximum_percent < 100 || d->maximum_percent > PERCENT_MAX)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "deploymentConfiguration.maximumPercent must be between 100 and %d.",
                        PERCENT_MAX);
    }
    rv = check_breaker(c, d);
    return rv != 0 ? rv : check_strategy(c, d);
}

static int check_controller(struct api_call *c, const Ecs__V1__DeploymentController *d)
{
    bool ours =
        d == NULL || !d->has_type || d->type == ECS__V1__DEPLOYMENT_CONTROLLER_TYPE__VALUE__ECS;
    return valid_unset(c, "deploymentController.type other than ECS", !ours);
}

static int check_count(struct api_call *c, bool has, int32_t v)
{
    if (has && (v < 0 || v > LIMIT_DESIRED_COUNT)) {
        return api_fail(c, API_INVALID_PARAMETER, "desiredCount must be between 0 and %d.",
                        LIMIT_DESIRED_COUNT);
    }
    return 0;
}

static int check_grace(struct api_call *c, bool has)
{
    if (has) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Health check grace period is only valid for "
                        "services configured to use load balancers.");
    }
    return 0;
}

struct refusal {
    const char *field;
    bool set;
};

static int refuse(struct api_call *c, const struct refusal *v, size_t n)
{
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0; i++) {
        rv = valid_unset(c, v[i].field, v[i].set);
    }
    return rv;
}

static bool connect_enabled(const Ecs__V1__ServiceConnectConfiguration *s)
{
    return s != NULL && s->has_enabled && s->enabled;
}

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static uint8_t propagate_of(bool has, Ecs__V1__PropagateTags__Value v)
{
    switch (has ? (int)v : (int)ECS__V1__PROPAGATE_TAGS__VALUE__NONE) {
    case ECS__V1__PROPAGATE_TAGS__VALUE__TASK_DEFINITION:
        return PROPAGATE_TASKDEF;
    case ECS__V1__PROPAGATE_TAGS__VALUE__SERVICE:
        return PROPAGATE_SERVICE;
    default:
        return PROPAGATE_NONE;
    }
}

static void copy_percents(const Ecs__V1__DeploymentConfiguration *d, uint32_t *min, uint32_t *max)
{
    if (d != NULL && d->has_minimum_healthy_percent) {
        *min = (uint32_t)d->minimum_healthy_percent;
    }
    if (d != NULL && d->has_maximum_percent) {
        *max = (uint32_t)d->maximum_percent;
    }
}

static int check_percents(struct api_call *c, uint32_t min, uint32_t max)
{
    if (min > max) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "maximumPercent must not be lower than "
                        "minimumHealthyPercent.");
    }
    return 0;
}

/* --- CreateService -----------------------------------------------------------------------------
 */

static Ecs__V1__CreateServiceRequest *create_request(const struct api_call *c)
{
    return (Ecs__V1__CreateServiceRequest *)c->request;
}

static bool is_daemon(const Ecs__V1__CreateServiceRequest *r)
{
    return r->has_scheduling_strategy &&
           r->scheduling_strategy == ECS__V1__SCHEDULING_STRATEGY__VALUE__DAEMON;
}

static int create_refuse(struct api_call *c, const Ecs__V1__CreateServiceRequest *r)
{
    const struct refusal refusals[] = {
        {"loadBalancers", r->n_load_balancers > 0},
        {"serviceRegistries", r->n_service_registries > 0},
        {"platformVersion", given(r->platform_version)},
        {"role", given(r->role)},
        {"networkConfiguration", r->network_configuration != NULL},
        {"enableExecuteCommand", r->has_enable_execute_command && r->enable_execute_command},
        {"serviceConnectConfiguration", connect_enabled(r->service_connect_configuration)},
        {"volumeConfigurations", r->n_volume_configurations > 0},
        {"vpcLatticeConfigurations", r->n_vpc_lattice_configurations > 0},
        {"gatewayConnectors", r->n_gateway_connectors > 0},
        {"monitoring", r->monitoring != NULL},
        {"availabilityZoneRebalancing",
         r->has_availability_zone_rebalancing &&
             r->availability_zone_rebalancing ==
                 ECS__V1__AVAILABILITY_ZONE_REBALANCING__VALUE__ENABLED},
    };
    return refuse(c, refusals, sizeof refusals / sizeof refusals[0]);
}

static int create_check_daemon(struct api_call *c, const Ecs__V1__CreateServiceRequest *r)
{
    if (is_daemon(r) && r->has_desired_count) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "a desired count for services.");
    }
    if (is_daemon(r) && r->n_placement_strategy > 0) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "placement strategies.");
    }
    if (is_daemon(r) && r->n_capacity_provider_strategy > 0) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "a capacity provider strategy.");
    }
    return 0;
}

static int create_check(struct api_call *c)
{
    const Ecs__V1__CreateServiceRequest *r = create_request(c);
    struct tags tags;
    int rv = valid_name(c, "Service name", r->service_name);
    if (rv == 0 && !given(r->task_definition)) {
        rv = api_fail(c, API_INVALID_PARAMETER, "TaskDefinition can not be blank.");
    }
    if (rv == 0) {
        rv = check_count(c, r->has_desired_count, r->desired_count);
    }
    if (rv == 0) {
        rv = valid_length(c, "clientToken", r->client_token, SERVICE_TOKEN_MAX);
    }
    if (rv == 0) {
        rv = create_check_daemon(c, r);
    }
    if (rv == 0) {
        rv = check_grace(c, r->has_health_check_grace_period_seconds);
    }
    if (rv == 0) {
        rv = check_controller(c, r->deployment_controller);
    }
    if (rv == 0) {
        rv = check_deployment(c, r->deployment_configuration);
    }
    if (rv == 0) {
        rv = create_refuse(c, r);
    }
    return rv != 0 ? rv : valid_tags(c, r->tags, r->n_tags, &tags);
}

static int create_spec(struct api_call *c, struct str *ret)
{
    const Ecs__V1__CreateServiceRequest *r = create_request(c);
    Ecs__V1__Service *m = api_new(c, &ecs__v1__service__descriptor);
    m->deployment_configuration = r->deployment_configuration;
    m->deployment_controller = r->deployment_controller;
    m->has_enable_ecs_managed_tags = r->has_enable_ecs_managed_tags;
    m->enable_ecs_managed_tags = r->enable_ecs_managed_tags;
    m->has_enable_execute_command = r->has_enable_execute_command;
    m->enable_execute_command = r->enable_execute_command;
    m->has_availability_zone_rebalancing = r->has_availability_zone_rebalancing;
    m->availability_zone_rebalancing = r->availability_zone_rebalancing;
    return service_spec_write(c, m, ret);
}

static int create_row(struct api_call *c, struct service *to)
{
    const Ecs__V1__CreateServiceRequest *r = create_request(c);
    const struct arn_names *names = api_names(c->api);
    int rv;
    to->name = str_of(r->service_name);
    to->scheduling = is_daemon(r) ? SCHEDULING_DAEMON : SCHEDULING_REPLICA;
    to->propagate_tags = propagate_of(r->has_propagate_tags, r->propagate_tags);
    to->desired = r->has_desired_count ? (uint32_t)r->desired_count : 0;
    to->min_percent = is_daemon(r) ? 0 : 100;
    to->max_percent = is_daemon(r) ? 100 : 200;
    copy_percents(r->deployment_configuration, &to->min_percent, &to->max_percent);
    to->created_by = str_of(arena_printf(&c->arena, "arn:%s:iam::%s:user/%s", names->partition,
                                         names->account, c->caller.id));
    rv = check_percents(c, to->min_percent, to->max_percent);
    if (rv == 0) {
        rv = valid_launch_type(c, r->has_launch_type, (int)r->launch_type, &to->launch_type);
    }
    if (rv == 0) {
        rv = valid_constraints(c, r->placement_constraints, r->n_placement_constraints,
                               &to->constraints, &to->n_constraints);
    }
    if (rv == 0) {
        rv = valid_strategies(c, r->placement_strategy, r->n_placement_strategy, &to->strategies,
                              &to->n_strategies);
    }
    if (rv == 0) {
        rv = valid_tags(c, r->tags, r->n_tags, &to->tags);
    }
    return rv != 0 ? rv : create_spec(c, &to->spec);
}

static int create_decide(struct api_call *c, struct command *cmd)
{
    Ecs__V1__CreateServiceRequest *r = create_request(c);
    const struct store *s = api_store(c);
    struct cmd_service_create *to = &cmd->u.service_create;
    const struct taskdef *def;
    uint32_t cluster;
    uint32_t taskdef;
    uint32_t existing;
    int rv = ref_cluster(c, r->cluster, &cluster);
    if (rv == 0) {
        rv = ref_taskdef(c, r->task_definition, &taskdef);
    }
    if (rv == 0) {
        rv = create_row(c, &to->service);
    }
    if (rv == 0 && !is_daemon(r)) {
        rv = provider_choose(c, cluster, r->has_launch_type, r->capacity_provider_strategy,
                             r->n_capacity_provider_strategy, &to->service.providers,
                             &to->service.n_providers);
    }
    if (rv != 0) {
        return rv;
    }
    existing = store_find_service(s, cluster, to->service.name);
    if (existing != SLOT_NONE && store_service(s, existing)->status == SERVICE_DRAINING) {
        return api_fail(c, API_PARAMETER_STATE,
                        "Unable to Start a service that is still Draining.");
    }
    def = store_taskdef(s, taskdef);
    struct str name = store_cluster(s, cluster)->name;
    cmd->kind = CMD_SERVICE_CREATE;
    to->cluster = str_make(api_text(c, name), name.n);
    to->family = str_make(api_text(c, def->family), def->family.n);
    to->revision = def->revision;
    to->token.value = str_of(r->client_token);
    if (to->token.value.n > 0) {
        to->token.params_hash = valid_request_hash(c, &r->client_token);
    }
    return 0;
}

static int create_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__CreateServiceResponse *m = api_new(c, &ecs__v1__create_service_response__descriptor);
    if (result->slot == SLOT_NONE) { /* Made before with this token, and forgotten since. */
        return api_fail(c, API_CONFLICT,
                        "The service that was created with this client token does "
                        "not exist any more.");
    }
    m->service = describe_service(c, result->slot, true);
    c->response = &m->base;
    return m->service == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_create_service = {
    .kind = API_WRITE,
    .check = create_check,
    .decide = create_decide,
    .applied = create_applied,
};

/* --- UpdateService -----------------------------------------------------------------------------
 */

static const Ecs__V1__UpdateServiceRequest *update_request(const struct api_call *c)
{
    return (const Ecs__V1__UpdateServiceRequest *)c->request;
}

static int update_refuse(struct api_call *c, const Ecs__V1__UpdateServiceRequest *r)
{
    const struct refusal refusals[] = {
        {"loadBalancers", r->n_load_balancers > 0},
        {"serviceRegistries", r->n_service_registries > 0},
        {"platformVersion", given(r->platform_version)},
        {"networkConfiguration", r->network_configuration != NULL},
        {"enableExecuteCommand", r->has_enable_execute_command && r->enable_execute_command},
        {"serviceConnectConfiguration", connect_enabled(r->service_connect_configuration)},
        {"volumeConfigurations", r->n_volume_configurations > 0},
        {"vpcLatticeConfigurations", r->n_vpc_lattice_configurations > 0},
        {"gatewayConnectors", r->n_gateway_connectors > 0},
        {"monitoring", r->monitoring != NULL},
        {"availabilityZoneRebalancing",
         r->has_availability_zone_rebalancing &&
             r->availability_zone_rebalancing ==
                 ECS__V1__AVAILABILITY_ZONE_REBALANCING__VALUE__ENABLED},
    };
    return refuse(c, refusals, sizeof refusals / sizeof refusals[0]);
}

static int check_empty(struct api_call *c, const char *field, size_t n, bool empty)
{
    if (n > 0 && empty) {
        return api_fail(c, API_INVALID_PARAMETER, "%s is not empty, but %sEmpty says so.", field,
                        field);
    }
    return 0;
}

static int update_check(struct api_call *c)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    int rv = ref_required(c, "service", r->service);
    if (rv == 0) {
        rv = check_count(c, r->has_desired_count, r->desired_count);
    }
    if (rv == 0) {
        rv = check_grace(c, r->has_health_check_grace_period_seconds);
    }
    if (rv == 0) {
        rv = check_controller(c, r->deployment_controller);
    }
    if (rv == 0) {
        rv = check_deployment(c, r->deployment_configuration);
    }
    if (rv == 0) {
        rv = check_empty(c, "placementConstraints", r->n_placement_constraints,
                         r->placement_constraints_empty);
    }
    if (rv == 0) {
        rv = check_empty(c, "placementStrategy", r->n_placement_strategy,
                         r->placement_strategy_empty);
    }
    return rv != 0 ? rv : update_refuse(c, r);
}

static int update_target(struct api_call *c, uint32_t *ret)
{
    uint32_t cluster;
    int rv = ref_cluster(c, update_request(c)->cluster, &cluster);
    return rv != 0 ? rv : ref_service(c, cluster, update_request(c)->service, ret);
}

/* The stored specification with the request's fields in place of its own. */
static int update_spec(struct api_call *c, const struct service *row, struct str *ret)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    Ecs__V1__Service *m = service_spec_read(c, row->spec);
    if (m == NULL) {
        return ERR_INTERNAL;
    }
    if (r->deployment_configuration != NULL) {
        m->deployment_configuration = r->deployment_configuration;
    }
    if (r->has_enable_ecs_managed_tags) {
        API_SET(m, enable_ecs_managed_tags, r->enable_ecs_managed_tags);
    }
    if (r->has_enable_execute_command) {
        API_SET(m, enable_execute_command, r->enable_execute_command);
    }
    if (r->has_availability_zone_rebalancing) {
        API_SET(m, availability_zone_rebalancing, r->availability_zone_rebalancing);
    }
    return service_spec_write(c, m, ret);
}

static int update_taskdef(struct api_call *c, struct cmd_service_update *to)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    const struct taskdef *def;
    uint32_t slot;
    int rv;
    if (!given(r->task_definition)) {
        return 0;
    }
    rv = ref_taskdef(c, r->task_definition, &slot);
    if (rv != 0) {
        return rv;
    }
    def = store_taskdef(api_store(c), slot);
    to->has_taskdef = true;
    to->family = str_make(api_text(c, def->family), def->family.n);
    to->revision = def->revision;
    return 0;
}

static int update_placement(struct api_call *c, const struct service *row,
                            struct cmd_service_update *to)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    int rv = 0;
    if (row->scheduling == SCHEDULING_DAEMON && r->n_placement_strategy > 0) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "placement strategies.");
    }
    if (r->n_placement_constraints > 0 || r->placement_constraints_empty) {
        to->has_constraints = true;
        rv = valid_constraints(c, r->placement_constraints, r->n_placement_constraints,
                               &to->constraints, &to->n_constraints);
    }
    if (rv == 0 && (r->n_placement_strategy > 0 || r->placement_strategy_empty)) {
        to->has_strategies = true;
        rv = valid_strategies(c, r->placement_strategy, r->n_placement_strategy, &to->strategies,
                              &to->n_strategies);
    }
    return rv;
}

static bool same_shares(const struct service *row, const struct cmd_service_update *to)
{
    bool same = row->n_providers == to->n_providers;
    for (uint32_t i = 0; same && i < row->n_providers; i++) {
        const struct provider_share *a = &row->providers[i];
        const struct provider_share *b = &to->providers[i];
        same = str_eq(a->provider, b->provider) && a->n_base == b->n_base && a->weight == b->weight;
    }
    return same;
}

/* As in Amazon ECS a change needs a new deployment, whose tasks follow it. */
static int update_providers(struct api_call *c, const struct service *row,
                            struct cmd_service_update *to)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    if (r->n_capacity_provider_strategy == 0) {
        return 0;
    }
    if (row->scheduling == SCHEDULING_DAEMON) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "a capacity provider strategy.");
    }
    to->has_providers = true;
    int rv = provider_choose(c, row->cluster, false, r->capacity_provider_strategy,
                             r->n_capacity_provider_strategy, &to->providers, &to->n_providers);
    if (rv == 0 && !to->force_new_deployment && !same_shares(row, to)) {
        rv = api_fail(c, API_INVALID_PARAMETER,
                      "The service must be updated with forceNewDeployment to change its capacity "
                      "provider strategy.");
    }
    return rv;
}

static int update_fill(struct api_call *c, const struct service *row, struct cmd_service_update *to)
{
    const Ecs__V1__UpdateServiceRequest *r = update_request(c);
    if (row->scheduling == SCHEDULING_DAEMON && r->has_desired_count) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The daemon scheduling strategy does not support "
                        "a desired count for services.");
    }
    to->has_desired = r->has_desired_count;
    to->desired = r->has_desired_count ? (uint32_t)r->desired_count : 0;
    to->force_new_deployment = r->has_force_new_deployment && r->force_new_deployment;
    to->has_percents = r->deployment_configuration != NULL;
    to->min_percent = row->min_percent;
    to->max_percent = row->max_percent;
    copy_percents(r->deployment_configuration, &to->min_percent, &to->max_percent);
    to->has_propagate_tags = r->has_propagate_tags;
    to->propagate_tags = propagate_of(r->has_propagate_tags, r->propagate_tags);
    to->has_spec = true;
    int rv = check_percents(c, to->min_percent, to->max_percent);
    if (rv == 0) {
        rv = update_taskdef(c, to);
    }
    if (rv == 0) {
        rv = update_placement(c, row, to);
    }
    if (rv == 0) {
        rv = update_providers(c, row, to);
    }
    return rv != 0 ? rv : update_spec(c, row, &to->spec);
}

static int update_decide(struct api_call *c, struct command *cmd)
{
    struct cmd_service_update *to = &cmd->u.service_update;
    const struct service *row;
    struct str cluster;
    uint32_t slot;
    int rv = update_target(c, &slot);
    if (rv != 0) {
        return rv;
    }
    row = store_service(api_store(c), slot);
    if (row->status != SERVICE_ACTIVE) {
        return api_fail(c, API_SERVICE_NOT_ACTIVE, "Service was not ACTIVE.");
    }
    cluster = store_cluster(api_store(c), row->cluster)->name;
    cmd->kind = CMD_SERVICE_UPDATE;
    to->cluster = str_make(api_text(c, cluster), cluster.n);
    to->name = str_make(api_text(c, row->name), row->name.n);
    return update_fill(c, row, to);
}

static int update_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__UpdateServiceResponse *m = api_new(c, &ecs__v1__update_service_response__descriptor);
    m->service = describe_service(c, result->slot, true);
    c->response = &m->base;
    return m->service == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_update_service = {
    .kind = API_WRITE,
    .check = update_check,
    .decide = update_decide,
    .applied = update_applied,
};
