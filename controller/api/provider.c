#include "controller/api/provider.h"

#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/describe_cluster.h"
#include "controller/codec/arn.h"
#include "controller/codec/convert.h"
#include "controller/codec/pbc.h"
#include "controller/core/feature.h"
#include "controller/core/limits.h"
#include "controller/core/placement/view.h"
#include "proto/ecs/log/v1/spec.pb-c.h"

int provider_level(struct api_call *c)
{
    if (store_meta(api_store(c))->feature_level < FEATURE_PROVIDERS) {
        return api_fail(c, API_PARAMETER_STATE,
                        "Capacity providers wait until the upgrade of the controllers is "
                        "finalized.");
    }
    return 0;
}

/* --- names -------------------------------------------------------------------------------------
 */

int provider_name(struct api_call *c, const char *text, struct str *ret)
{
    struct str name = str_of(text);
    struct err err = {0};
    struct arn arn;
    if (arn_is(name)) {
        if (arn_parse(api_names(c->api), name, &arn, &err) != 0) {
            return api_fail(c, API_INVALID_PARAMETER, "%s", err.text);
        }
        name = arn.type == ARN_CAPACITY_PROVIDER ? arn.name : STR("");
    }
    if (!arn_is_name(name)) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "The specified capacity provider '%.100s' is no valid name or ARN.", text);
    }
    *ret = name;
    return 0;
}

static int active_name(struct api_call *c, const char *text, struct str *ret)
{
    const struct store *s = api_store(c);
    int rv = provider_name(c, text, ret);
    uint32_t slot;
    if (rv != 0) {
        return rv;
    }
    if (str_eqc(*ret, "FARGATE") || str_eqc(*ret, "FARGATE_SPOT")) {
        return api_fail(c, API_UNSUPPORTED,
                        "The capacity provider %.*s is not supported by this server: tasks run on "
                        "container instances of your own.",
                        STR_ARG(*ret));
    }
    slot = store_find_capacity_provider(s, *ret);
    if (slot == SLOT_NONE || store_capacity_provider(s, slot)->status != PROVIDER_ACTIVE) {
        return api_fail(c, API_PARAMETER_NOT_FOUND,
                        "The specified capacity provider '%.*s' was not found. Specify a valid "
                        "name or ARN and try again.",
                        STR_ARG(*ret));
    }
    return 0;
}

int provider_names(struct api_call *c, char *const *v, size_t n, struct provider_name **ret,
                   uint32_t *ret_n)
{
    struct provider_name *to = arena_array(&c->arena, n, sizeof *to);
    if (n > LIMIT_CLUSTER_PROVIDERS) {
        return api_fail(c, API_INVALID_PARAMETER, "capacityProviders can have at most %d items.",
                        LIMIT_CLUSTER_PROVIDERS);
    }
    for (size_t i = 0; i < n; i++) {
        int rv = active_name(c, v[i], &to[i].name);
        for (size_t k = 0; rv == 0 && k < i; k++) {
            if (str_eq(to[k].name, to[i].name)) {
                rv = api_fail(c, API_INVALID_PARAMETER,
                              "capacityProviders: %.*s is there more than once.",
                              STR_ARG(to[i].name));
            }
        }
        if (rv != 0) {
            return rv;
        }
    }
    *ret = to;
    *ret_n = (uint32_t)n;
    return 0;
}

/* --- strategies --------------------------------------------------------------------------------
 */

static int read_share(struct api_call *c, const char *field, size_t i,
                      const Ecs__V1__CapacityProviderStrategyItem *from, struct provider_share *to)
{
    int32_t base = from->has_base ? from->base : 0;
    int32_t weight = from->has_weight ? from->weight : 0;
    if (from->capacity_provider == NULL) {
        return api_fail(c, API_INVALID_PARAMETER, "%s[%zu].capacityProvider can not be blank.",
                        field, i);
    }
    if (base < 0 || base > LIMIT_PROVIDER_BASE) {
        return api_fail(c, API_INVALID_PARAMETER, "%s[%zu].base must be between 0 and %d.", field,
                        i, LIMIT_PROVIDER_BASE);
    }
    if (weight < 0 || weight > LIMIT_PROVIDER_WEIGHT) {
        return api_fail(c, API_INVALID_PARAMETER, "%s[%zu].weight must be between 0 and %d.", field,
                        i, LIMIT_PROVIDER_WEIGHT);
    }
    to->n_base = (uint32_t)base;
    to->weight = (uint32_t)weight;
    return active_name(c, from->capacity_provider, &to->provider);
}

static int check_shares(struct api_call *c, const char *field, const struct provider_share *v,
                        size_t n)
{
    uint32_t n_bases = 0;
    uint32_t weight = 0;
    for (size_t i = 0; i < n; i++) {
        n_bases += v[i].n_base > 0;
        weight += v[i].weight;
        for (size_t k = 0; k < i; k++) {
            if (str_eq(v[k].provider, v[i].provider)) {
                return api_fail(c, API_INVALID_PARAMETER,
                                "%s: the capacity provider %.*s is there more than once.", field,
                                STR_ARG(v[i].provider));
            }
        }
    }
    if (n_bases > 1) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "%s: only one capacity provider of a strategy can have a base.", field);
    }
    if (n > 0 && weight == 0) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "%s: at least one capacity provider must have a weight greater than 0.",
                        field);
    }
    return 0;
}

int provider_shares(struct api_call *c, const char *field,
                    Ecs__V1__CapacityProviderStrategyItem *const *v, size_t n,
                    struct provider_share **ret, uint32_t *ret_n)
{
    struct provider_share *to = arena_array(&c->arena, n, sizeof *to);
    int rv = 0;
    if (n > LIMIT_CLUSTER_PROVIDERS) {
        rv =
            api_fail(c, API_INVALID_PARAMETER, "%s cannot contain more than %d capacity providers.",
                     field, LIMIT_CLUSTER_PROVIDERS);
    }
    for (size_t i = 0; rv == 0 && i < n; i++) {
        rv = read_share(c, field, i, v[i], &to[i]);
    }
    if (rv == 0) {
        rv = check_shares(c, field, to, n);
    }
    if (rv == 0 && n > 0) {
        rv = provider_level(c);
    }
    *ret = to;
    *ret_n = (uint32_t)n;
    return rv;
}

int provider_associated(struct api_call *c, const struct provider_share *shares, uint32_t n_shares,
                        const struct provider_name *names, uint32_t n_names)
{
    for (uint32_t i = 0; i < n_shares; i++) {
        uint32_t k = 0;
        while (k < n_names && !str_eq(names[k].name, shares[i].provider)) {
            k++;
        }
        if (k == n_names) {
            return api_fail(c, API_INVALID_PARAMETER,
                            "The specified capacity provider strategy contains a capacity provider "
                            "that is not associated with the cluster: %.*s. Associate the capacity "
                            "provider with the cluster and try again.",
                            STR_ARG(shares[i].provider));
        }
    }
    return 0;
}

int provider_choose(struct api_call *c, uint32_t cluster, bool has_launch_type,
                    Ecs__V1__CapacityProviderStrategyItem *const *v, size_t n,
                    struct provider_share **ret, uint32_t *ret_n)
{
    const struct cluster *row = store_cluster(api_store(c), cluster);
    int rv;
    *ret_n = 0;
    if (n > 0 && has_launch_type) {
        return api_fail(c, API_INVALID_PARAMETER,
                        "Specifying both a launch type and capacity provider strategy is not "
                        "supported. Remove one and try again.");
    }
    if (n == 0 && (has_launch_type || row->n_providers == 0)) {
        return 0;
    }
    if (n == 0) {
        const Ecs__V1__Cluster *spec = cluster_spec_read(c, row->spec);
        if (spec == NULL) {
            return ERR_INTERNAL;
        }
        v = spec->default_capacity_provider_strategy;
        n = spec->n_default_capacity_provider_strategy;
    }
    rv = provider_shares(c, "capacityProviderStrategy", v, n, ret, ret_n);
    return rv != 0 ? rv : provider_associated(c, *ret, *ret_n, row->providers, row->n_providers);
}

/* --- answers -----------------------------------------------------------------------------------
 */

Ecs__V1__CapacityProviderStrategyItem **provider_items(struct api_call *c,
                                                       const struct provider_share *shares,
                                                       uint32_t n, size_t *ret_n)
{
    Ecs__V1__CapacityProviderStrategyItem **v = api_list(c, n);
    for (uint32_t i = 0; i < n; i++) {
        v[i] = api_new(c, &ecs__v1__capacity_provider_strategy_item__descriptor);
        v[i]->capacity_provider = api_text(c, shares[i].provider);
        API_SET(v[i], weight, (int32_t)shares[i].weight);
        API_SET(v[i], base, (int32_t)shares[i].n_base);
    }
    *ret_n = n;
    return v;
}

char *provider_of_node(struct api_call *c, const struct node *node)
{
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        if (str_eqc(node->attributes[i].name, VIEW_ATTRIBUTE_PROVIDER)) {
            return api_text(c, node->attributes[i].value);
        }
    }
    return NULL;
}

Ecs__V1__CapacityProvider *provider_spec_read(struct api_call *c, struct str spec)
{
    struct err err = {0};
    ProtobufCMessage *from;
    Ecs__V1__CapacityProvider *to = api_new(c, &ecs__v1__capacity_provider__descriptor);
    int rv =
        pbc_unpack(&ecs__log__v1__capacity_provider_spec__descriptor, spec, &c->arena, &from, &err);
    if (rv == 0) {
        rv = convert_message(from, &to->base, &c->arena, NULL, &err);
    }
    if (rv != 0) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        return NULL;
    }
    return to;
}

int provider_spec_write(struct api_call *c, const Ecs__V1__CapacityProvider *m, struct str *ret)
{
    struct err err = {0};
    ProtobufCMessage *to = api_new(c, &ecs__log__v1__capacity_provider_spec__descriptor);
    int rv = convert_message(&m->base, to, &c->arena, NULL, &err);
    if (rv != 0) {
        return api_fail_err(c, rv, &err);
    }
    *ret = pbc_pack_arena(to, &c->arena);
    return 0;
}

/* Every change is complete as soon as it is answered. */
static Ecs__V1__CapacityProviderUpdateStatus__Value update_status(const struct capacity_provider *p)
{
    if (p->status == PROVIDER_INACTIVE) {
        return ECS__V1__CAPACITY_PROVIDER_UPDATE_STATUS__VALUE__DELETE_COMPLETE;
    }
    return p->updated_at > p->created_at
               ? ECS__V1__CAPACITY_PROVIDER_UPDATE_STATUS__VALUE__UPDATE_COMPLETE
               : ECS__V1__CAPACITY_PROVIDER_UPDATE_STATUS__VALUE__CREATE_COMPLETE;
}

Ecs__V1__CapacityProvider *describe_provider(struct api_call *c, uint32_t slot, bool tags)
{
    const struct capacity_provider *row = store_capacity_provider(api_store(c), slot);
    Ecs__V1__CapacityProvider *m = provider_spec_read(c, row->spec);
    if (m == NULL) {
        return NULL;
    }
    m->capacity_provider_arn = arn_capacity_provider(api_names(c->api), row->name, &c->arena);
    m->name = api_text(c, row->name);
    API_SET(m, status,
            row->status == PROVIDER_ACTIVE ? ECS__V1__CAPACITY_PROVIDER_STATUS__VALUE__ACTIVE
                                           : ECS__V1__CAPACITY_PROVIDER_STATUS__VALUE__INACTIVE);
    API_SET(m, update_status, update_status(row));
    API_SET(m, type, ECS__V1__CAPACITY_PROVIDER_TYPE__VALUE__EC2_AUTOSCALING);
    if (tags) {
        m->tags = describe_tags(c, &row->tags, &m->n_tags);
    }
    return m;
}
