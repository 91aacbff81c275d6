/* Capacity providers: pools of machines that people own. Nobody but they scales them, so whatever
 * Amazon ECS would do to an auto scaling group is accepted as DISABLED only. */
#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/operation.h"
#include "controller/api/page.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/api/valid.h"
#include "controller/core/limits.h"

#define DESCRIBE_MAX 100

static bool starts_any_case(const char *text, const char *lower)
{
    size_t i = 0;
    while (lower[i] != '\0' && (text[i] | 0x20) == lower[i]) {
        i++;
    }
    return lower[i] == '\0';
}

static int off(struct api_call *c, const char *field, bool enabled)
{
    if (enabled) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "autoScalingGroupProvider.%s must be DISABLED: this server starts and "
                        "stops no machines.",
                        field);
    }
    return 0;
}

static int check_group(struct api_call *c, const Ecs__V1__ManagedScaling *scaling, bool protection,
                       bool draining)
{
    int rv = off(c, "managedScaling.status",
                 scaling != NULL && scaling->has_status &&
                     scaling->status == ECS__V1__MANAGED_SCALING_STATUS__VALUE__ENABLED);
    if (rv == 0) {
        rv = off(c, "managedTerminationProtection", protection);
    }
    return rv != 0 ? rv : off(c, "managedDraining", draining);
}

/* --- CreateCapacityProvider --------------------------------------------------------------------
 */

static const Ecs__V1__CreateCapacityProviderRequest *create_request(const struct api_call *c)
{
    return (const Ecs__V1__CreateCapacityProviderRequest *)c->request;
}

static int check_name(struct api_call *c, const char *name)
{
    int rv = valid_name(c, "Capacity provider name", name);
    if (rv == 0 && (starts_any_case(name, "aws") || starts_any_case(name, "ecs") ||
                    starts_any_case(name, "fargate"))) {
        rv = api_fail(c, API_INVALID_PARAMETER,
                      "The capacity provider name cannot be prefixed with \"aws\", \"ecs\" or "
                      "\"fargate\".");
    }
    return rv;
}

static int create_check(struct api_call *c)
{
    const Ecs__V1__CreateCapacityProviderRequest *r = create_request(c);
    const Ecs__V1__AutoScalingGroupProvider *g = r->auto_scaling_group_provider;
    struct tags tags;
    int rv = check_name(c, r->name);
    if (rv == 0) {
        rv = valid_unset(c, "managedInstancesProvider", r->managed_instances_provider != NULL);
    }
    if (rv == 0) {
        rv = valid_unset(c, "cluster", r->cluster != NULL);
    }
    if (rv == 0 && g == NULL) {
        rv = api_fail(c, API_INVALID_PARAMETER, "autoScalingGroupProvider can not be blank.");
    }
    if (rv == 0) {
        rv = ref_required(c, "autoScalingGroupProvider.autoScalingGroupArn",
                          g->auto_scaling_group_arn);
    }
    if (rv == 0) {
        rv = check_group(c, g->managed_scaling,
                         g->has_managed_termination_protection &&
                             g->managed_termination_protection ==
                                 ECS__V1__MANAGED_TERMINATION_PROTECTION__VALUE__ENABLED,
                         g->has_managed_draining &&
                             g->managed_draining == ECS__V1__MANAGED_DRAINING__VALUE__ENABLED);
    }
    return rv != 0 ? rv : valid_tags(c, r->tags, r->n_tags, &tags);
}

/* What is not given is shown as DISABLED. */
static void fill_group(struct api_call *c, Ecs__V1__AutoScalingGroupProvider *g)
{
    if (g->managed_scaling == NULL) {
        g->managed_scaling = api_new(c, &ecs__v1__managed_scaling__descriptor);
    }
    API_SET(g->managed_scaling, status, ECS__V1__MANAGED_SCALING_STATUS__VALUE__DISABLED);
    API_SET(g, managed_termination_protection,
            ECS__V1__MANAGED_TERMINATION_PROTECTION__VALUE__DISABLED);
    API_SET(g, managed_draining, ECS__V1__MANAGED_DRAINING__VALUE__DISABLED);
}

static int create_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__CreateCapacityProviderRequest *r = create_request(c);
    const Ecs__V1__AutoScalingGroupProvider *from = r->auto_scaling_group_provider;
    Ecs__V1__CapacityProvider *m = api_new(c, &ecs__v1__capacity_provider__descriptor);
    int rv = provider_level(c);
    if (rv != 0) {
        return rv;
    }
    m->auto_scaling_group_provider = api_new(c, &ecs__v1__auto_scaling_group_provider__descriptor);
    m->auto_scaling_group_provider->auto_scaling_group_arn = from->auto_scaling_group_arn;
    m->auto_scaling_group_provider->managed_scaling = from->managed_scaling;
    fill_group(c, m->auto_scaling_group_provider);
    cmd->kind = CMD_PROVIDER_CREATE;
    cmd->u.provider.name = str_of(r->name);
    rv = valid_tags(c, r->tags, r->n_tags, &cmd->u.provider.tags);
    return rv != 0 ? rv : provider_spec_write(c, m, &cmd->u.provider.spec);
}

static int create_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__CreateCapacityProviderResponse *m =
        api_new(c, &ecs__v1__create_capacity_provider_response__descriptor);
    m->capacity_provider = describe_provider(c, result->slot, true);
    c->response = &m->base;
    return m->capacity_provider == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_create_capacity_provider = {
    .kind = API_WRITE,
    .check = create_check,
    .decide = create_decide,
    .applied = create_applied,
};

/* --- UpdateCapacityProvider --------------------------------------------------------------------
 */

static const Ecs__V1__UpdateCapacityProviderRequest *update_request(const struct api_call *c)
{
    return (const Ecs__V1__UpdateCapacityProviderRequest *)c->request;
}

static int update_check(struct api_call *c)
{
    const Ecs__V1__UpdateCapacityProviderRequest *r = update_request(c);
    const Ecs__V1__AutoScalingGroupProviderUpdate *g = r->auto_scaling_group_provider;
    int rv = ref_required(c, "name", r->name);
    if (rv == 0) {
        rv = valid_unset(c, "managedInstancesProvider", r->managed_instances_provider != NULL);
    }
    if (rv == 0) {
        rv = valid_unset(c, "cluster", r->cluster != NULL);
    }
    if (rv == 0 && g == NULL) {
        rv = api_fail(c, API_INVALID_PARAMETER, "autoScalingGroupProvider can not be blank.");
    }
    if (rv == 0) {
        rv = check_group(c, g->managed_scaling,
                         g->has_managed_termination_protection &&
                             g->managed_termination_protection ==
                                 ECS__V1__MANAGED_TERMINATION_PROTECTION__VALUE__ENABLED,
                         g->has_managed_draining &&
                             g->managed_draining == ECS__V1__MANAGED_DRAINING__VALUE__ENABLED);
    }
    return rv;
}

/* An existing provider, ACTIVE or not. */
static int find_provider(struct api_call *c, const char *text, uint32_t *ret)
{
    struct str name;
    int rv = provider_name(c, text, &name);
    if (rv != 0) {
        return rv;
    }
    *ret = store_find_capacity_provider(api_store(c), name);
    if (*ret == SLOT_NONE) {
        return api_fail(c, API_PARAMETER_NOT_FOUND,
                        "The specified capacity provider does not exist. Specify a valid name or "
                        "ARN and try again.");
    }
    return 0;
}

static int update_decide(struct api_call *c, struct command *cmd)
{
    const Ecs__V1__UpdateCapacityProviderRequest *r = update_request(c);
    const struct capacity_provider *row;
    Ecs__V1__CapacityProvider *m;
    uint32_t slot;
    int rv = find_provider(c, r->name, &slot);
    if (rv != 0) {
        return rv;
    }
    row = store_capacity_provider(api_store(c), slot);
    m = provider_spec_read(c, row->spec);
    if (m == NULL) {
        return ERR_INTERNAL;
    }
    if (r->auto_scaling_group_provider->managed_scaling != NULL) {
        m->auto_scaling_group_provider->managed_scaling =
            r->auto_scaling_group_provider->managed_scaling;
        fill_group(c, m->auto_scaling_group_provider);
    }
    cmd->kind = CMD_PROVIDER_UPDATE;
    cmd->u.provider.name = str_make(api_text(c, row->name), row->name.n);
    return provider_spec_write(c, m, &cmd->u.provider.spec);
}

static int update_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__UpdateCapacityProviderResponse *m =
        api_new(c, &ecs__v1__update_capacity_provider_response__descriptor);
    m->capacity_provider = describe_provider(c, result->slot, true);
    c->response = &m->base;
    return m->capacity_provider == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_update_capacity_provider = {
    .kind = API_WRITE,
    .check = update_check,
    .decide = update_decide,
    .applied = update_applied,
};

/* --- DeleteCapacityProvider --------------------------------------------------------------------
 */

static const Ecs__V1__DeleteCapacityProviderRequest *delete_request(const struct api_call *c)
{
    return (const Ecs__V1__DeleteCapacityProviderRequest *)c->request;
}

static int delete_check(struct api_call *c)
{
    int rv = ref_required(c, "capacityProvider", delete_request(c)->capacity_provider);
    return rv != 0 ? rv : valid_unset(c, "cluster", delete_request(c)->cluster != NULL);
}

static int delete_decide(struct api_call *c, struct command *cmd)
{
    const struct capacity_provider *row;
    uint32_t slot;
    int rv = find_provider(c, delete_request(c)->capacity_provider, &slot);
    if (rv != 0) {
        return rv;
    }
    row = store_capacity_provider(api_store(c), slot);
    cmd->kind = CMD_PROVIDER_DELETE;
    cmd->u.name.name = str_make(api_text(c, row->name), row->name.n);
    return 0;
}

static int delete_applied(struct api_call *c, const struct result *result)
{
    Ecs__V1__DeleteCapacityProviderResponse *m =
        api_new(c, &ecs__v1__delete_capacity_provider_response__descriptor);
    m->capacity_provider = describe_provider(c, result->slot, true);
    c->response = &m->base;
    return m->capacity_provider == NULL ? ERR_INTERNAL : 0;
}

const struct api_handler op_delete_capacity_provider = {
    .kind = API_WRITE,
    .check = delete_check,
    .decide = delete_decide,
    .applied = delete_applied,
};

/* --- DescribeCapacityProviders -----------------------------------------------------------------
 */

static const Ecs__V1__DescribeCapacityProvidersRequest *describe_request(const struct api_call *c)
{
    return (const Ecs__V1__DescribeCapacityProvidersRequest *)c->request;
}

static int describe_check(struct api_call *c)
{
    const Ecs__V1__DescribeCapacityProvidersRequest *r = describe_request(c);
    int rv = valid_unset(c, "cluster", r->cluster != NULL);
    if (rv == 0 && r->n_capacity_providers > 0) {
        rv = valid_count(c, "capacityProviders", r->n_capacity_providers, DESCRIBE_MAX);
    }
    return rv;
}

static int add(struct api_call *c, Ecs__V1__DescribeCapacityProvidersResponse *m, uint32_t slot)
{
    bool tags = describe_request(c)->n_include > 0; /* TAGS is all there is. */
    Ecs__V1__CapacityProvider *p = describe_provider(c, slot, tags);
    if (p == NULL) {
        return ERR_INTERNAL;
    }
    m->capacity_providers[m->n_capacity_providers++] = p;
    return 0;
}

static int describe_named(struct api_call *c, Ecs__V1__DescribeCapacityProvidersResponse *m)
{
    const Ecs__V1__DescribeCapacityProvidersRequest *r = describe_request(c);
    struct failures failures;
    int rv = 0;
    failures_init(&failures, c, r->n_capacity_providers);
    m->capacity_providers = api_list(c, r->n_capacity_providers);
    for (size_t i = 0; rv == 0 && i < r->n_capacity_providers; i++) {
        const char *text = r->capacity_providers[i];
        struct str name;
        uint32_t slot;
        rv = provider_name(c, text, &name);
        if (rv != 0) {
            break;
        }
        slot = store_find_capacity_provider(api_store(c), name);
        if (slot == SLOT_NONE) {
            failures_add(&failures, c, ref_guess_arn(c, REF_PROVIDER, SLOT_NONE, text), "MISSING",
                         NULL);
        } else {
            rv = add(c, m, slot);
        }
    }
    m->failures = failures.v;
    m->n_failures = failures.n;
    return rv;
}

static int describe_all(struct api_call *c, Ecs__V1__DescribeCapacityProvidersResponse *m)
{
    const Ecs__V1__DescribeCapacityProvidersRequest *r = describe_request(c);
    const struct store *s = api_store(c);
    uint32_t end = store_slots(s, KIND_CAPACITY_PROVIDER);
    struct page page;
    int rv =
        page_open(&page, c, r->has_max_results, r->max_results, PAGE_MAX, r->next_token, 0, NULL);
    if (rv != 0) {
        return rv;
    }
    for (uint64_t i = page.resumed ? page.after + 1 : 0; i < end && !page_full(&page); i++) {
        const struct capacity_provider *row = store_capacity_provider(s, (uint32_t)i);
        if (row != NULL && row->status == PROVIDER_ACTIVE) {
            page_offer(&page, (uint32_t)i);
        }
    }
    m->next_token = page_close(&page);
    m->capacity_providers = api_list(c, page.n);
    for (uint32_t i = 0; rv == 0 && i < page.n; i++) {
        rv = add(c, m, page.slot[i]);
    }
    return rv;
}

static int describe_read(struct api_call *c)
{
    Ecs__V1__DescribeCapacityProvidersResponse *m =
        api_new(c, &ecs__v1__describe_capacity_providers_response__descriptor);
    c->response = &m->base;
    return describe_request(c)->n_capacity_providers > 0 ? describe_named(c, m)
                                                         : describe_all(c, m);
}

const struct api_handler op_describe_capacity_providers = {
    .kind = API_READ,
    .check = describe_check,
    .read = describe_read,
};
