#include "controller/api/describe_cluster.h"

#include "controller/api/describe.h"
#include "controller/api/ref.h"
#include "controller/codec/convert.h"
#include "controller/codec/pbc.h"
#include "proto/ecs/log/v1/spec.pb-c.h"

#define STATISTICS 8

Ecs__V1__Cluster *cluster_spec_read(struct api_call *c, struct str spec)
{
    struct err err = {0};
    ProtobufCMessage *from;
    Ecs__V1__Cluster *to = api_new(c, &ecs__v1__cluster__descriptor);
    int rv = pbc_unpack(&ecs__log__v1__cluster_spec__descriptor, spec, &c->arena, &from, &err);
    if (rv == 0) {
        rv = convert_message(from, &to->base, &c->arena, NULL, &err);
    }
    if (rv != 0) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        return NULL;
    }
    return to;
}

int cluster_spec_write(struct api_call *c, const Ecs__V1__Cluster *m, struct str *ret)
{
    struct err err = {0};
    ProtobufCMessage *to = api_new(c, &ecs__log__v1__cluster_spec__descriptor);
    int rv = convert_message(&m->base, to, &c->arena, NULL, &err);
    if (rv != 0) {
        return api_fail_err(c, rv, &err);
    }
    *ret = pbc_pack_arena(to, &c->arena);
    return 0;
}

static void statistic(struct api_call *c, Ecs__V1__Cluster *m, const char *name, uint32_t v)
{
    Ecs__V1__KeyValuePair *pair = api_new(c, &ecs__v1__key_value_pair__descriptor);
    pair->name = arena_strdup(&c->arena, name);
    pair->value = describe_number(c, v);
    m->statistics[m->n_statistics++] = pair;
}

static void set_statistics(struct api_call *c, const struct cluster *row, Ecs__V1__Cluster *m)
{
    m->statistics = api_list(c, STATISTICS);
    statistic(c, m, "runningEC2TasksCount", row->n_running);
    statistic(c, m, "runningFargateTasksCount", 0);
    statistic(c, m, "pendingEC2TasksCount", row->n_pending);
    statistic(c, m, "pendingFargateTasksCount", 0);
    statistic(c, m, "activeEC2ServiceCount", row->n_services);
    statistic(c, m, "activeFargateServiceCount", 0);
    statistic(c, m, "drainingEC2ServiceCount", row->n_draining);
    statistic(c, m, "drainingFargateServiceCount", 0);
}

Ecs__V1__Cluster *describe_cluster(struct api_call *c, uint32_t slot, unsigned parts)
{
    const struct cluster *row = store_cluster(api_store(c), slot);
    Ecs__V1__Cluster *m = cluster_spec_read(c, row->spec);
    if (m == NULL) {
        return NULL;
    }
    m->cluster_arn = ref_cluster_arn(c, slot);
    m->cluster_name = api_text(c, row->name);
    m->status = arena_strdup(&c->arena, row->status == CLUSTER_ACTIVE ? "ACTIVE" : "INACTIVE");
    API_SET(m, registered_container_instances_count, (int32_t)row->n_nodes);
    API_SET(m, running_tasks_count, (int32_t)row->n_running);
    API_SET(m, pending_tasks_count, (int32_t)row->n_pending);
    API_SET(m, active_services_count, (int32_t)row->n_services);
    m->capacity_providers = api_list(c, row->n_providers);
    for (uint32_t i = 0; i < row->n_providers; i++) {
        m->capacity_providers[m->n_capacity_providers++] = api_text(c, row->providers[i].name);
    }
    if ((parts & CLUSTER_SETTINGS) == 0) {
        m->n_settings = 0;
    }
    if ((parts & CLUSTER_CONFIGURATION) == 0) {
        m->configuration = NULL;
    }
    if ((parts & CLUSTER_STATISTICS) != 0) {
        set_statistics(c, row, m);
    }
    if ((parts & CLUSTER_TAGS) != 0) {
        m->tags = describe_tags(c, &row->tags, &m->n_tags);
    }
    return m;
}
