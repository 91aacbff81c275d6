#include "controller/codec/taskdef.h"

#include "controller/codec/convert.h"
#include "controller/codec/taskdef_int.h"
#include "controller/core/limits.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <assert.h>
#include <string.h>

static const char *const network_names[] = {
    [NETWORK_BRIDGE] = "bridge",
    [NETWORK_HOST] = "host",
    [NETWORK_NONE] = "none",
    [NETWORK_AWSVPC] = "awsvpc",
};

#define N_NETWORKS (sizeof network_names / sizeof network_names[0])

const char *taskdef_network_name(uint8_t mode)
{
    assert(mode < N_NETWORKS);
    return network_names[mode];
}

const char *taskdef_status_name(uint8_t status)
{
    static const char *const names[] = {
        [TASKDEF_ACTIVE] = "ACTIVE",
        [TASKDEF_INACTIVE] = "INACTIVE",
        [TASKDEF_DELETING] = "DELETE_IN_PROGRESS",
    };
    assert(status < sizeof names / sizeof names[0]);
    return names[status];
}

int taskdef_unsupported(const struct convert_report *report, uint32_t index, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "%s is not supported by this server.",
                   report->missing[index]);
}

/* --- from a request ------------------------------------------------------------------------------
 */

static enum network_mode network_of(const char *name)
{
    for (size_t i = 0; i < N_NETWORKS && name != NULL; i++) {
        if (strcmp(network_names[i], name) == 0) {
            return (enum network_mode)i;
        }
    }
    return NETWORK_BRIDGE;
}

static int fill_spec(const Ecs__V1__RegisterTaskDefinitionRequest *request, struct arena *a,
                     Ecs__Log__V1__TaskDefinitionSpec *spec, struct err *err)
{
    struct convert_report report = {0};
    int rv = convert_message(&request->base, &spec->base, a, &report, err);
    for (uint32_t i = 0; rv == 0 && i < report.n_missing && i < CONVERT_MISSING_MAX; i++) {
        /* These two are in the row itself. */
        if (strcmp(report.missing[i], "family") != 0 && strcmp(report.missing[i], "tags") != 0) {
            rv = taskdef_unsupported(&report, i, err);
        }
    }
    return rv;
}

static void default_ports(Ecs__Log__V1__ContainerSpec *x, enum network_mode mode)
{
    for (size_t i = 0; i < x->n_port_mappings; i++) {
        Ecs__Log__V1__PortMappingSpec *p = x->port_mappings[i];
        bool same = mode == NETWORK_HOST || mode == NETWORK_AWSVPC;
        if (p->protocol == NULL) {
            p->protocol = (char *)"tcp";
        }
        if (p->container_port_range != NULL) {
            continue;
        }
        if (!p->has_host_port || (same && p->host_port == 0)) {
            p->has_host_port = 1;
            p->host_port = same ? p->container_port : 0;
        }
    }
}

/* What ECS fills in, and therefore shows. */
static int set_defaults(Ecs__Log__V1__TaskDefinitionSpec *spec, enum network_mode mode,
                        struct arena *a, struct err *err)
{
    uint32_t v;
    int rv = 0;
    for (size_t i = 0; i < spec->n_container_definitions; i++) {
        Ecs__Log__V1__ContainerSpec *x = spec->container_definitions[i];
        if (!x->has_essential) {
            x->has_essential = 1;
            x->essential = 1;
        }
        x->has_cpu = 1;
        default_ports(x, mode);
    }
    if (spec->cpu != NULL) {
        rv = taskdef_parse_cpu(str_of(spec->cpu), &v, err);
        if (rv == 0) {
            spec->cpu = arena_printf(a, "%u", v);
        }
    }
    if (rv == 0 && spec->memory != NULL) {
        rv = taskdef_parse_memory(str_of(spec->memory), &v, err);
        if (rv == 0) {
            spec->memory = arena_printf(a, "%u", v);
        }
    }
    return rv;
}

static void summarize_ports(const Ecs__Log__V1__ContainerSpec *x, struct arena *a,
                            struct container_summary *to)
{
    to->ports = arena_array(a, x->n_port_mappings, sizeof *to->ports);
    for (size_t i = 0; i < x->n_port_mappings; i++) {
        const Ecs__Log__V1__PortMappingSpec *p = x->port_mappings[i];
        struct port_mapping *m = &to->ports[to->n_ports++];
        uint32_t first = 0;
        uint32_t n = 0;
        int rv = taskdef_parse_ports(p, &first, &n, NULL);
        assert(rv == 0); /* taskdef_check() saw it. */
        m->container_port = (uint16_t)first;
        m->range = (uint16_t)n;
        m->host_port = (uint16_t)p->host_port;
        m->proto = strcmp(p->protocol, "udp") == 0 ? PROTO_UDP : PROTO_TCP;
    }
}

/* A range in host or awsvpc mode is mapped to itself, as single ports are. */
static void fix_ranges(struct taskdef *def)
{
    if (def->network_mode != NETWORK_HOST && def->network_mode != NETWORK_AWSVPC) {
        return;
    }
    for (uint32_t i = 0; i < def->n_containers; i++) {
        for (uint32_t j = 0; j < def->containers[i].n_ports; j++) {
            def->containers[i].ports[j].host_port = def->containers[i].ports[j].container_port;
        }
    }
}

static void summarize(const Ecs__Log__V1__TaskDefinitionSpec *spec, struct arena *a,
                      struct taskdef *def)
{
    def->containers = arena_array(a, spec->n_container_definitions, sizeof *def->containers);
    for (size_t i = 0; i < spec->n_container_definitions; i++) {
        const Ecs__Log__V1__ContainerSpec *x = spec->container_definitions[i];
        struct container_summary *to = &def->containers[def->n_containers++];
        to->name = str_of(x->name);
        to->essential = x->essential != 0;
        to->cpu = (uint32_t)x->cpu;
        to->memory = x->has_memory ? (uint32_t)x->memory : 0;
        to->memory_reservation = x->has_memory_reservation ? (uint32_t)x->memory_reservation : 0;
        (void)taskdef_parse_gpus(x->resource_requirements, x->n_resource_requirements, &to->gpus,
                                 NULL);
        summarize_ports(x, a, to);
        def->cpu += to->cpu;
        def->memory += to->memory_reservation != 0 ? to->memory_reservation : to->memory;
        def->gpus += to->gpus;
    }
    if (spec->cpu != NULL) {
        (void)taskdef_parse_cpu(str_of(spec->cpu), &def->cpu, NULL);
    }
    if (spec->memory != NULL) {
        (void)taskdef_parse_memory(str_of(spec->memory), &def->memory, NULL);
    }
    def->constraints = arena_array(a, spec->n_placement_constraints, sizeof *def->constraints);
    for (size_t i = 0; i < spec->n_placement_constraints; i++) {
        struct constraint *to = &def->constraints[def->n_constraints++];
        to->type = CONSTRAINT_MEMBER_OF; /* The only type there is. */
        to->expression = str_of(spec->placement_constraints[i]->expression);
    }
    fix_ranges(def);
}

static void copy_tags(const Ecs__V1__RegisterTaskDefinitionRequest *request, struct arena *a,
                      struct tags *to)
{
    to->v = arena_array(a, request->n_tags, sizeof *to->v);
    for (size_t i = 0; i < request->n_tags; i++) {
        to->v[to->n].key = str_of(request->tags[i]->key);
        to->v[to->n].value = str_of(request->tags[i]->value);
        to->n++;
    }
}

int taskdef_from_request(const Ecs__V1__RegisterTaskDefinitionRequest *request, struct arena *a,
                         struct taskdef *ret, struct err *err)
{
    Ecs__Log__V1__TaskDefinitionSpec *spec =
        pbc_new(&ecs__log__v1__task_definition_spec__descriptor, a);
    struct taskdef def = {.family = str_of(request->family)};
    enum network_mode mode;
    int rv;
    if (def.family.n == 0) {
        return err_set(err, ERR_INVALID, "Family should not be null or empty.");
    }
    if (!arn_is_name(def.family)) {
        return err_set(err, ERR_INVALID,
                       "Family contains invalid characters or is longer than %d characters.",
                       LIMIT_NAME);
    }
    rv = fill_spec(request, a, spec, err);
    if (rv != 0) {
        return rv;
    }
    mode = network_of(spec->network_mode);
    rv = set_defaults(spec, mode, a, err);
    if (rv == 0) {
        rv = taskdef_check(spec, mode, a, err);
    }
    if (rv != 0) {
        return rv;
    }
    def.network_mode = (uint8_t)mode;
    summarize(spec, a, &def);
    copy_tags(request, a, &def.tags);
    def.spec = pbc_pack_arena(&spec->base, a);
    if (def.spec.n > LIMIT_TASKDEF_BYTES) {
        return err_set(err, ERR_INVALID, "Actual length: '%zu'. Max allowed length is '%d' bytes.",
                       def.spec.n, LIMIT_TASKDEF_BYTES);
    }
    *ret = def;
    return 0;
}

/* --- to the public form
 * ---------------------------------------------------------------------------
 */

int taskdef_spec(const struct taskdef *def, struct arena *a, Ecs__Log__V1__TaskDefinitionSpec **ret,
                 struct err *err)
{
    ProtobufCMessage *m;
    if (pbc_unpack(&ecs__log__v1__task_definition_spec__descriptor, def->spec, a, &m, err) != 0) {
        return err_wrap(err, ERR_CORRUPT, "specification of %.*s:%u", STR_ARG(def->family),
                        def->revision);
    }
    *ret = (Ecs__Log__V1__TaskDefinitionSpec *)m;
    return 0;
}

static Google__Protobuf__Timestamp *timestamp(int64_t ms, struct arena *a)
{
    Google__Protobuf__Timestamp *t;
    if (ms == 0) {
        return NULL;
    }
    t = pbc_new(&google__protobuf__timestamp__descriptor, a);
    t->seconds = ms / 1000;
    t->nanos = (int32_t)(ms % 1000) * 1000000;
    return t;
}

/* Where such a task could run in AWS's terms. */
static void set_compatibilities(const Ecs__Log__V1__TaskDefinitionSpec *spec,
                                const struct taskdef *def, struct arena *a,
                                Ecs__V1__TaskDefinition *to)
{
    bool vpc = def->network_mode == NETWORK_AWSVPC;
    to->compatibilities = arena_array(a, 3, sizeof *to->compatibilities);
    if (!vpc) {
        to->compatibilities[to->n_compatibilities++] = ECS__V1__COMPATIBILITY__VALUE__EXTERNAL;
    }
    to->compatibilities[to->n_compatibilities++] = ECS__V1__COMPATIBILITY__VALUE__EC2;
    if (vpc && spec->cpu != NULL && spec->memory != NULL &&
        taskdef_is_fargate_size(def->cpu, def->memory)) {
        to->compatibilities[to->n_compatibilities++] = ECS__V1__COMPATIBILITY__VALUE__FARGATE;
    }
}

static void set_status(uint8_t status, Ecs__V1__TaskDefinition *to)
{
    to->has_status = 1;
    switch ((enum taskdef_status)status) {
    case TASKDEF_ACTIVE:
        to->status = ECS__V1__TASK_DEFINITION_STATUS__VALUE__ACTIVE;
        break;
    case TASKDEF_INACTIVE:
        to->status = ECS__V1__TASK_DEFINITION_STATUS__VALUE__INACTIVE;
        break;
    case TASKDEF_DELETING:
        to->status = ECS__V1__TASK_DEFINITION_STATUS__VALUE__DELETE_IN_PROGRESS;
        break;
    }
}

int taskdef_to_public(const struct taskdef *def, const struct arn_names *names, struct arena *a,
                      Ecs__V1__TaskDefinition **ret, struct err *err)
{
    Ecs__V1__TaskDefinition *to = pbc_new(&ecs__v1__task_definition__descriptor, a);
    Ecs__Log__V1__TaskDefinitionSpec *spec = NULL;
    int rv = taskdef_spec(def, a, &spec, err);
    if (rv == 0) {
        rv = convert_message(&spec->base, &to->base, a, NULL, err);
    }
    if (rv != 0) {
        return rv;
    }
    assert(spec != NULL);
    to->task_definition_arn = arn_taskdef(names, def->family, def->revision, a);
    to->family = arena_dup(a, def->family.p, def->family.n);
    to->has_revision = 1;
    to->revision = (int32_t)def->revision;
    set_status(def->status, to);
    set_compatibilities(spec, def, a, to);
    to->registered_at = timestamp(def->registered_at, a);
    to->deregistered_at = timestamp(def->deregistered_at, a);
    to->delete_requested_at = timestamp(def->delete_requested_at, a);
    if (def->registered_by.n > 0) {
        to->registered_by = arena_dup(a, def->registered_by.p, def->registered_by.n);
    }
    *ret = to;
    return 0;
}
