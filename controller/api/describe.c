#include "controller/api/describe.h"

#include <assert.h>

Google__Protobuf__Timestamp *describe_time(struct api_call *c, int64_t ms)
{
    Google__Protobuf__Timestamp *t;
    if (ms == 0) {
        return NULL;
    }
    t = api_new(c, &google__protobuf__timestamp__descriptor);
    t->seconds = ms / 1000;
    t->nanos = (int32_t)(ms % 1000) * 1000000;
    return t;
}

char *describe_number(struct api_call *c, uint64_t v)
{
    return arena_printf(&c->arena, "%llu", (unsigned long long)v);
}

Ecs__V1__Tag **describe_tags(struct api_call *c, const struct tags *tags, size_t *ret_n)
{
    Ecs__V1__Tag **v = api_list(c, tags->n);
    for (uint32_t i = 0; i < tags->n; i++) {
        v[i] = api_new(c, &ecs__v1__tag__descriptor);
        v[i]->key = arena_dup(&c->arena, tags->v[i].key.p, tags->v[i].key.n);
        v[i]->value = arena_dup(&c->arena, tags->v[i].value.p, tags->v[i].value.n);
    }
    *ret_n = tags->n;
    return v;
}

Ecs__V1__Attribute *describe_attribute(struct api_call *c, const struct attribute *a)
{
    Ecs__V1__Attribute *m = api_new(c, &ecs__v1__attribute__descriptor);
    m->name = api_text(c, a->name);
    m->value = a->value.p == NULL ? NULL : arena_dup(&c->arena, a->value.p, a->value.n);
    return m;
}

const char *describe_task_status(uint8_t status)
{
    static const char *const words[] = {
        [TASK_PROVISIONING] = "PROVISIONING",     [TASK_PENDING] = "PENDING",
        [TASK_ACTIVATING] = "ACTIVATING",         [TASK_RUNNING] = "RUNNING",
        [TASK_DEACTIVATING] = "DEACTIVATING",     [TASK_STOPPING] = "STOPPING",
        [TASK_DEPROVISIONING] = "DEPROVISIONING", [TASK_STOPPED] = "STOPPED",
    };
    assert(status < sizeof words / sizeof words[0]);
    return words[status];
}

const char *describe_node_status(uint8_t status)
{
    static const char *const words[] = {
        [NODE_ACTIVE] = "ACTIVE",
        [NODE_DRAINING] = "DRAINING",
        [NODE_INACTIVE] = "INACTIVE",
    };
    assert(status < sizeof words / sizeof words[0]);
    return words[status];
}

const char *describe_service_status(uint8_t status)
{
    static const char *const words[] = {
        [SERVICE_ACTIVE] = "ACTIVE",
        [SERVICE_DRAINING] = "DRAINING",
        [SERVICE_INACTIVE] = "INACTIVE",
    };
    assert(status < sizeof words / sizeof words[0]);
    return words[status];
}
