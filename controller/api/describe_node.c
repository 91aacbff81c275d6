#include "controller/api/describe.h"
#include "controller/api/provider.h"
#include "controller/api/ref.h"

#include <string.h>

/* A STRINGSET of ports is at most what one node can have in use; more are not shown. */
#define PORTS_SHOWN_MAX 4096

static Ecs__V1__Resource *resource(struct api_call *c, const char *name, const char *type)
{
    Ecs__V1__Resource *r = api_new(c, &ecs__v1__resource__descriptor);
    r->name = arena_strdup(&c->arena, name);
    r->type = arena_strdup(&c->arena, type);
    API_SET(r, double_value, 0);
    API_SET(r, long_value, 0);
    API_SET(r, integer_value, 0);
    return r;
}

static Ecs__V1__Resource *amount(struct api_call *c, const char *name, int64_t v)
{
    Ecs__V1__Resource *r = resource(c, name, "INTEGER");
    API_SET(r, integer_value, (int32_t)v);
    return r;
}

struct port_set {
    struct api_call *call;
    char **v;
    size_t n;
};

static void add_port(struct port_set *s, uint16_t port)
{
    if (s->n < PORTS_SHOWN_MAX) {
        s->v[s->n++] = describe_number(s->call, port);
    }
}

/* What the tasks on the node hold. */
static void add_bound(struct port_set *s, const struct node *node, uint8_t proto)
{
    const struct store *store = api_store(s->call);
    uint32_t slot = node->first_task;
    while (slot != SLOT_NONE) {
        const struct task *t = store_task(store, slot);
        for (uint32_t i = 0; t->status != TASK_STOPPED && i < t->n_containers; i++) {
            const struct container *container = &t->containers[i];
            for (uint32_t k = 0; k < container->n_bindings; k++) {
                if (container->bindings[k].proto == proto) {
                    add_port(s, container->bindings[k].host_port);
                }
            }
        }
        slot = t->on_node.next;
    }
}

static size_t count_bound(const struct api_call *c, const struct node *node)
{
    const struct store *store = api_store(c);
    size_t n = 0;
    uint32_t slot = node->first_task;
    while (slot != SLOT_NONE && n < PORTS_SHOWN_MAX) {
        const struct task *t = store_task(store, slot);
        for (uint32_t i = 0; i < t->n_containers; i++) {
            n += t->containers[i].n_bindings;
        }
        slot = t->on_node.next;
    }
    return n < PORTS_SHOWN_MAX ? n : PORTS_SHOWN_MAX;
}

static Ecs__V1__Resource *ports(struct api_call *c, const struct node *node, uint8_t proto,
                                bool bound)
{
    bool tcp = proto == PROTO_TCP;
    const uint16_t *reserved = tcp ? node->reserved_tcp : node->reserved_udp;
    uint32_t n = tcp ? node->n_reserved_tcp : node->n_reserved_udp;
    Ecs__V1__Resource *r = resource(c, tcp ? "PORTS" : "PORTS_UDP", "STRINGSET");
    struct port_set set = {.call = c};
    set.v = api_list(c, n + (bound ? count_bound(c, node) : 0));
    for (uint32_t i = 0; i < n; i++) {
        add_port(&set, reserved[i]);
    }
    if (bound) {
        add_bound(&set, node, proto);
    }
    r->string_set_value = set.v;
    r->n_string_set_value = set.n;
    return r;
}

/* GPUs have no names of their own yet: they are numbered. */
static Ecs__V1__Resource *gpus(struct api_call *c, uint32_t from, uint32_t to)
{
    Ecs__V1__Resource *r = resource(c, "GPU", "STRINGSET");
    r->string_set_value = api_list(c, to - from);
    for (uint32_t i = from; i < to; i++) {
        r->string_set_value[r->n_string_set_value++] = describe_number(c, i);
    }
    return r;
}

static Ecs__V1__Resource **resources(struct api_call *c, const struct node *node, bool remaining,
                                     size_t *ret_n)
{
    int64_t cpu = (int64_t)node->cpu - (remaining ? node->cpu_used : 0);
    int64_t memory = (int64_t)node->memory - (remaining ? node->memory_used : 0);
    Ecs__V1__Resource **v = api_list(c, 5);
    size_t n = 0;
    v[n++] = amount(c, "CPU", cpu);
    v[n++] = amount(c, "MEMORY", memory);
    v[n++] = ports(c, node, PROTO_TCP, remaining);
    v[n++] = ports(c, node, PROTO_UDP, remaining);
    if (node->gpus > 0) {
        uint32_t used = node->gpus_used < node->gpus ? node->gpus_used : node->gpus;
        v[n++] = gpus(c, remaining ? used : 0, node->gpus);
    }
    *ret_n = n;
    return v;
}

static Ecs__V1__VersionInfo *version_info(struct api_call *c, const struct node *node)
{
    Ecs__V1__VersionInfo *v = api_new(c, &ecs__v1__version_info__descriptor);
    v->agent_version = api_text(c, node->agent_version);
    v->agent_hash = api_text(c, node->agent_hash);
    v->docker_version = api_text(c, node->runtime_version);
    return v;
}

Ecs__V1__ContainerInstance *describe_node(struct api_call *c, uint32_t slot, bool tags)
{
    const struct node *node = store_node(api_store(c), slot);
    Ecs__V1__ContainerInstance *m = api_new(c, &ecs__v1__container_instance__descriptor);
    m->container_instance_arn = ref_node_arn(c, slot);
    m->ec2_instance_id = api_text(c, node->name);
    API_SET(m, version, (int64_t)node->version);
    m->version_info = version_info(c, node);
    m->remaining_resources = resources(c, node, true, &m->n_remaining_resources);
    m->registered_resources = resources(c, node, false, &m->n_registered_resources);
    m->status = arena_strdup(&c->arena, describe_node_status(node->status));
    API_SET(m, agent_connected, node->connected);
    API_SET(m, running_tasks_count, (int32_t)node->n_running);
    API_SET(m, pending_tasks_count, (int32_t)node->n_pending);
    m->attributes = api_list(c, node->n_attributes);
    for (uint32_t i = 0; i < node->n_attributes; i++) {
        m->attributes[m->n_attributes++] = describe_attribute(c, &node->attributes[i]);
    }
    m->capacity_provider_name = provider_of_node(c, node);
    m->registered_at = describe_time(c, node->registered_at);
    if (tags) {
        m->tags = describe_tags(c, &node->tags, &m->n_tags);
    }
    return m;
}
