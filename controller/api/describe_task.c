#include "controller/api/api.h"
#include "controller/api/describe.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"
#include "controller/codec/arn.h"
#include "controller/codec/taskdef.h"

#include <string.h>

/* Tasks of one answer mostly share their definition: the last one is kept unpacked. */
static int spec_of(struct api_call *c, uint32_t taskdef,
                   const Ecs__Log__V1__TaskDefinitionSpec **ret)
{
    struct err err = {0};
    if (c->spec == NULL || c->spec_taskdef != taskdef) {
        Ecs__Log__V1__TaskDefinitionSpec *spec;
        int rv = taskdef_spec(store_taskdef(api_store(c), taskdef), &c->arena, &spec, &err);
        if (rv != 0) {
            (void)api_fail_err(c, ERR_INTERNAL, &err);
            return rv;
        }
        c->spec = spec;
        c->spec_taskdef = taskdef;
    }
    *ret = c->spec;
    return 0;
}

static Ecs__V1__HealthStatus__Value health(uint8_t v)
{
    switch (v) {
    case HEALTH_HEALTHY:
        return ECS__V1__HEALTH_STATUS__VALUE__HEALTHY;
    case HEALTH_UNHEALTHY:
        return ECS__V1__HEALTH_STATUS__VALUE__UNHEALTHY;
    default:
        return ECS__V1__HEALTH_STATUS__VALUE__UNKNOWN;
    }
}

static const char *container_status(uint8_t status)
{
    switch (status) {
    case CONTAINER_RUNNING:
        return "RUNNING";
    case CONTAINER_STOPPED:
        return "STOPPED";
    default:
        return "PENDING";
    }
}

static void set_bindings(struct api_call *c, const struct container *from, Ecs__V1__Container *m)
{
    m->network_bindings = api_list(c, from->n_bindings);
    for (uint32_t i = 0; i < from->n_bindings; i++) {
        Ecs__V1__NetworkBinding *b = api_new(c, &ecs__v1__network_binding__descriptor);
        b->bind_ip = arena_strdup(&c->arena, "0.0.0.0");
        API_SET(b, container_port, from->bindings[i].container_port);
        API_SET(b, host_port, from->bindings[i].host_port);
        API_SET(b, protocol,
                from->bindings[i].proto == PROTO_UDP ? ECS__V1__TRANSPORT_PROTOCOL__VALUE__udp
                                                     : ECS__V1__TRANSPORT_PROTOCOL__VALUE__tcp);
        m->network_bindings[m->n_network_bindings++] = b;
    }
}

static Ecs__V1__Container *describe_container(struct api_call *c, const struct task *t, uint32_t i,
                                              const Ecs__Log__V1__TaskDefinitionSpec *spec)
{
    const struct store *s = api_store(c);
    const struct container *from = &t->containers[i];
    const struct container_summary *def = &store_taskdef(s, t->taskdef)->containers[i];
    Ecs__V1__Container *m = api_new(c, &ecs__v1__container__descriptor);
    m->container_arn =
        arn_container(api_names(c->api), store_cluster(s, t->cluster)->name, t->id, i, &c->arena);
    m->task_arn = arn_task(api_names(c->api), store_cluster(s, t->cluster)->name, t->id, &c->arena);
    m->name = api_text(c, def->name);
    m->image = i < spec->n_container_definitions ? spec->container_definitions[i]->image : NULL;
    m->image_digest = api_text(c, from->image_digest);
    m->runtime_id = api_text(c, from->runtime_id);
    m->last_status = arena_strdup(&c->arena, container_status(from->status));
    if (from->has_exit_code) {
        API_SET(m, exit_code, from->exit_code);
    }
    m->reason = api_text(c, from->reason);
    set_bindings(c, from, m);
    API_SET(m, health_status, health(from->health));
    m->cpu = describe_number(c, def->cpu);
    m->memory = def->memory != 0 ? describe_number(c, def->memory) : NULL;
    m->memory_reservation =
        def->memory_reservation != 0 ? describe_number(c, def->memory_reservation) : NULL;
    return m;
}

static const struct attribute *find_attribute(const struct node *node, const char *name)
{
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        if (str_eqc(node->attributes[i].name, name)) {
            return &node->attributes[i];
        }
    }
    return NULL;
}

/* What ECS says of the place where a task runs. */
static void set_place(struct api_call *c, const struct task *t, Ecs__V1__Task *m)
{
    const struct node *node;
    const struct attribute *a;
    if (t->node == SLOT_NONE) {
        return;
    }
    node = store_node(api_store(c), t->node);
    m->container_instance_arn = ref_node_arn(c, t->node);
    a = find_attribute(node, "ecs.cpu-architecture");
    m->attributes = api_list(c, 2);
    if (a != NULL) {
        m->attributes[m->n_attributes++] = describe_attribute(c, a);
    }
    if (t->priority != 0) {
        struct attribute priority = {STR("ecs.priority"),
                                     str_of(arena_printf(&c->arena, "%u", t->priority))};
        m->attributes[m->n_attributes++] = describe_attribute(c, &priority);
    }
    a = find_attribute(node, "ecs.availability-zone");
    m->availability_zone = a == NULL ? NULL : api_text(c, a->value);
    m->capacity_provider_name = provider_of_node(c, node);
    API_SET(m, connectivity,
            node->connected ? ECS__V1__CONNECTIVITY__VALUE__CONNECTED
                            : ECS__V1__CONNECTIVITY__VALUE__DISCONNECTED);
}

static void set_times(struct api_call *c, const struct task *t, Ecs__V1__Task *m)
{
    m->created_at = describe_time(c, t->created_at);
    m->pull_started_at = describe_time(c, t->pull_started_at);
    m->pull_stopped_at = describe_time(c, t->pull_stopped_at);
    m->started_at = describe_time(c, t->started_at);
    m->connectivity_at = describe_time(c, t->pull_started_at);
    m->stopping_at = describe_time(c, t->stopping_at);
    m->stopped_at = describe_time(c, t->stopped_at);
    m->execution_stopped_at = describe_time(c, t->stopped_at);
}

static void set_stop(struct api_call *c, const struct task *t, Ecs__V1__Task *m)
{
    /* Both enumerations follow ECS's order. */
    if (t->stop_code != STOP_NONE) {
        API_SET(m, stop_code, (Ecs__V1__TaskStopCode__Value)t->stop_code);
    }
    m->stopped_reason = api_text(c, t->stop_reason);
}

static int set_containers(struct api_call *c, const struct task *t, Ecs__V1__Task *m)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = NULL;
    int rv = spec_of(c, t->taskdef, &spec);
    if (rv != 0) {
        return rv;
    }
    m->containers = api_list(c, t->n_containers);
    for (uint32_t i = 0; i < t->n_containers; i++) {
        m->containers[m->n_containers++] = describe_container(c, t, i, spec);
    }
    return 0;
}

Ecs__V1__Task *describe_task(struct api_call *c, uint32_t slot, bool tags)
{
    const struct task *t = store_task(api_store(c), slot);
    struct err err = {0};
    Ecs__V1__Task *m = api_new(c, &ecs__v1__task__descriptor);
    m->task_arn = ref_task_arn(c, slot);
    m->cluster_arn = ref_cluster_arn(c, t->cluster);
    m->task_definition_arn = ref_taskdef_arn(c, t->taskdef);
    m->cpu = describe_number(c, t->cpu);
    m->memory = describe_number(c, t->memory);
    m->last_status = arena_strdup(&c->arena, describe_task_status(t->status));
    m->desired_status = arena_strdup(&c->arena, describe_task_status(t->desired));
    m->group = api_text(c, t->group);
    m->started_by = api_text(c, t->started_by);
    API_SET(m, enable_execute_command, false);
    API_SET(m, health_status, health(t->health));
    API_SET(m, launch_type,
            t->launch_type == LAUNCH_EXTERNAL ? ECS__V1__LAUNCH_TYPE__VALUE__EXTERNAL
                                              : ECS__V1__LAUNCH_TYPE__VALUE__EC2);
    API_SET(m, version, (int64_t)t->version);
    set_place(c, t, m);
    set_times(c, t, m);
    set_stop(c, t, m);
    if (set_containers(c, t, m) != 0) {
        return NULL;
    }
    if (taskdef_overrides_to_public(t->overrides, &c->arena, &m->overrides, &err) != 0) {
        (void)api_fail_err(c, ERR_INTERNAL, &err);
        return NULL;
    }
    if (tags) {
        m->tags = describe_tags(c, &t->tags, &m->n_tags);
    }
    return m;
}
