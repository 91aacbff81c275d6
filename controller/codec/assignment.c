#include "controller/codec/assignment.h"

#include "controller/codec/pbc.h"
#include "controller/codec/taskdef.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEALTH_INTERVAL_S 30
#define HEALTH_TIMEOUT_S  5
#define HEALTH_RETRIES    3
#define STOP_TIMEOUT_S    30
#define N_INJECTED        8 /* Variables of ours, ports not counted. */
#define N_LABELS          5
#define LABEL_PREFIX      "com.amazonaws.ecs."

/* Set an optional member of a generated struct. */
#define SET(m, field, value)  \
    do {                      \
        (m)->has_##field = 1; \
        (m)->field = (value); \
    } while (0)

struct maker {
    const struct assignment_context *x;
    const struct task *task;
    struct arena *arena;
    const Ecs__Log__V1__TaskDefinitionSpec *spec;
    const Ecs__Log__V1__TaskOverride *overrides; /* Never NULL; perhaps empty. */
    const char *arn;
};

/* Rows' texts are not NUL-terminated. */
static char *text(const struct maker *m, struct str s)
{
    return arena_dup(m->arena, s.p, s.n);
}

static void *list(const struct maker *m, size_t n)
{
    return arena_array(m->arena, n, sizeof(void *));
}

static Ecs__Agent__V1__KeyValue *pair(const struct maker *m, const char *name, const char *value)
{
    Ecs__Agent__V1__KeyValue *p = pbc_new(&ecs__agent__v1__key_value__descriptor, m->arena);
    p->name = (char *)name;
    p->value = (char *)(value == NULL ? "" : value);
    return p;
}

/* --- environment and labels
 * ------------------------------------------------------------------------
 */

static void add_env(const struct maker *m, Ecs__Agent__V1__ContainerSpec *to, const char *name,
                    const char *value)
{
    to->environment[to->n_environment++] = pair(m, name, value);
}

/* ECS_PORT_80=32768, ECS_PORT_53_UDP=...: where this container's ports are on the node. */
static void add_port_env(const struct maker *m, const Ecs__Agent__V1__Port *p,
                         Ecs__Agent__V1__ContainerSpec *to)
{
    char *name = arena_printf(m->arena, "ECS_PORT_%" PRIu32 "%s", p->container_port,
                              p->protocol == PROTO_UDP ? "_UDP" : "");
    add_env(m, to, name, arena_printf(m->arena, "%" PRIu32, p->host_port));
}

/* Ours first, since later entries win: the definition may replace them, the overrides both. */
static void make_environment(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                             const Ecs__Log__V1__ContainerOverride *o,
                             Ecs__Agent__V1__ContainerSpec *to)
{
    size_t n_over = o == NULL ? 0 : o->n_environment;
    to->environment = list(m, N_INJECTED + to->n_ports + from->n_environment + n_over);
    add_env(m, to, "AWS_REGION", m->x->names->region);
    add_env(m, to, "AWS_DEFAULT_REGION", m->x->names->region);
    add_env(m, to, "ECS_CLUSTER", text(m, m->x->cluster->name));
    add_env(m, to, "ECS_TASK_ARN", m->arn);
    add_env(m, to, "ECS_TASK_DEFINITION",
            arena_printf(m->arena, "%.*s:%" PRIu32, STR_ARG(m->x->taskdef->family),
                         m->x->taskdef->revision));
    add_env(m, to, "ECS_CONTAINER_NAME", from->name);
    if (m->x->service != NULL) {
        add_env(m, to, "ECS_SERVICE", text(m, m->x->service->name));
    }
    if (m->x->node->address.n > 0) {
        add_env(m, to, "ECS_HOST_ADDRESS", text(m, m->x->node->address));
    }
    assert(to->n_environment <= N_INJECTED);
    for (size_t i = 0; i < to->n_ports; i++) {
        add_port_env(m, to->ports[i], to);
    }
    for (size_t i = 0; i < from->n_environment; i++) {
        add_env(m, to, from->environment[i]->name, from->environment[i]->value);
    }
    for (size_t i = 0; i < n_over; i++) {
        add_env(m, to, o->environment[i]->name, o->environment[i]->value);
    }
}

static void make_labels(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                        Ecs__Agent__V1__ContainerSpec *to)
{
    to->labels = list(m, from->n_docker_labels + N_LABELS);
    for (size_t i = 0; i < from->n_docker_labels; i++) {
        to->labels[to->n_labels++] =
            pair(m, from->docker_labels[i]->key, from->docker_labels[i]->value);
    }
    to->labels[to->n_labels++] = pair(m, LABEL_PREFIX "cluster", text(m, m->x->cluster->name));
    to->labels[to->n_labels++] = pair(m, LABEL_PREFIX "container-name", from->name);
    to->labels[to->n_labels++] = pair(m, LABEL_PREFIX "task-arn", m->arn);
    to->labels[to->n_labels++] =
        pair(m, LABEL_PREFIX "task-definition-family", text(m, m->x->taskdef->family));
    to->labels[to->n_labels++] = pair(m, LABEL_PREFIX "task-definition-version",
                                      arena_printf(m->arena, "%" PRIu32, m->x->taskdef->revision));
}

/* --- network -------------------------------------------------------------------------------------
 */

/* The name of the mapping that a port belongs to. */
static char *port_name(const Ecs__Log__V1__ContainerSpec *from, const struct container_summary *s,
                       uint16_t port, uint8_t proto)
{
    for (uint32_t i = 0; i < s->n_ports && i < from->n_port_mappings; i++) {
        const struct port_mapping *p = &s->ports[i];
        if (p->proto == proto && port >= p->container_port &&
            (uint32_t)port < (uint32_t)p->container_port + p->range) {
            return from->port_mappings[i]->name;
        }
    }
    return NULL;
}

static void add_port(const struct maker *m, uint16_t container_port, uint16_t host_port,
                     uint8_t proto, char *name, Ecs__Agent__V1__ContainerSpec *to)
{
    Ecs__Agent__V1__Port *p = pbc_new(&ecs__agent__v1__port__descriptor, m->arena);
    SET(p, container_port, container_port);
    SET(p, host_port, host_port);
    SET(p, protocol, proto);
    p->name = name;
    to->ports[to->n_ports++] = p;
}

static bool is_bound(const struct container *c, uint16_t port, uint8_t proto)
{
    for (uint32_t i = 0; c != NULL && i < c->n_bindings; i++) {
        if (c->bindings[i].container_port == port && c->bindings[i].proto == proto) {
            return true;
        }
    }
    return false;
}

/* What placement bound; and, where a port is its own host port, those that needed no binding. */
static void make_ports(const struct maker *m, uint32_t index,
                       const Ecs__Log__V1__ContainerSpec *from, Ecs__Agent__V1__ContainerSpec *to)
{
    static const struct container_summary none;
    const struct taskdef *def = m->x->taskdef;
    const struct container_summary *s = index < def->n_containers ? &def->containers[index] : &none;
    const struct container *c = index < m->task->n_containers ? &m->task->containers[index] : NULL;
    bool same = def->network_mode == NETWORK_HOST || def->network_mode == NETWORK_AWSVPC;
    size_t n = c == NULL ? 0 : c->n_bindings;
    for (uint32_t i = 0; i < s->n_ports; i++) {
        n += s->ports[i].range;
    }
    to->ports = list(m, n);
    for (uint32_t i = 0; c != NULL && i < c->n_bindings; i++) {
        const struct binding *b = &c->bindings[i];
        add_port(m, b->container_port, b->host_port, b->proto,
                 port_name(from, s, b->container_port, b->proto), to);
    }
    for (uint32_t i = 0; same && i < s->n_ports; i++) {
        for (uint16_t j = 0; j < s->ports[i].range; j++) {
            uint16_t port = (uint16_t)(s->ports[i].container_port + j);
            if (!is_bound(c, port, s->ports[i].proto)) {
                add_port(m, port, port, s->ports[i].proto,
                         port_name(from, s, port, s->ports[i].proto), to);
            }
        }
    }
}

static void make_hosts(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                       Ecs__Agent__V1__ContainerSpec *to)
{
    to->extra_hosts = list(m, from->n_extra_hosts);
    for (size_t i = 0; i < from->n_extra_hosts; i++) {
        Ecs__Agent__V1__Host *h = pbc_new(&ecs__agent__v1__host__descriptor, m->arena);
        h->name = from->extra_hosts[i]->hostname;
        h->ip = from->extra_hosts[i]->ip_address;
        to->extra_hosts[to->n_extra_hosts++] = h;
    }
    to->links = list(m, from->n_links);
    for (size_t i = 0; i < from->n_links; i++) {
        Ecs__Agent__V1__Link *l = pbc_new(&ecs__agent__v1__link__descriptor, m->arena);
        struct str alias;
        struct str name = str_cut(str_of(from->links[i]), ':', &alias);
        l->container = text(m, name);
        l->alias = text(m, alias.n > 0 ? alias : name);
        to->links[to->n_links++] = l;
    }
    to->n_dns_servers = from->n_dns_servers;
    to->dns_servers = from->dns_servers;
    to->n_dns_search = from->n_dns_search_domains;
    to->dns_search = from->dns_search_domains;
    to->hostname = from->hostname;
}

/* --- kernel
 * ---------------------------------------------------------------------------------------- */

static void make_linux(const struct maker *m, const Ecs__Log__V1__LinuxParametersSpec *from,
                       Ecs__Agent__V1__ContainerSpec *to)
{
    if (from == NULL) {
        return;
    }
    if (from->capabilities != NULL) {
        to->n_cap_add = from->capabilities->n_add;
        to->cap_add = from->capabilities->add;
        to->n_cap_drop = from->capabilities->n_drop;
        to->cap_drop = from->capabilities->drop;
    }
    SET(to, init, from->init_process_enabled);
    if (from->has_shared_memory_size) {
        SET(to, shm_size_mib, (uint32_t)from->shared_memory_size);
    }
    to->tmpfs = list(m, from->n_tmpfs);
    for (size_t i = 0; i < from->n_tmpfs; i++) {
        Ecs__Agent__V1__Tmpfs *t = pbc_new(&ecs__agent__v1__tmpfs__descriptor, m->arena);
        t->path = from->tmpfs[i]->container_path;
        SET(t, size_mib, (uint32_t)from->tmpfs[i]->size);
        t->n_options = from->tmpfs[i]->n_mount_options;
        t->options = from->tmpfs[i]->mount_options;
        to->tmpfs[to->n_tmpfs++] = t;
    }
}

static void make_limits(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                        Ecs__Agent__V1__ContainerSpec *to)
{
    to->ulimits = list(m, from->n_ulimits);
    for (size_t i = 0; i < from->n_ulimits; i++) {
        Ecs__Agent__V1__Ulimit *u = pbc_new(&ecs__agent__v1__ulimit__descriptor, m->arena);
        u->name = from->ulimits[i]->name;
        SET(u, soft, from->ulimits[i]->soft_limit);
        SET(u, hard, from->ulimits[i]->hard_limit);
        to->ulimits[to->n_ulimits++] = u;
    }
    to->sysctls = list(m, from->n_system_controls);
    for (size_t i = 0; i < from->n_system_controls; i++) {
        to->sysctls[to->n_sysctls++] =
            pair(m, from->system_controls[i]->namespace_, from->system_controls[i]->value);
    }
}

/* --- storage and logs
 * ------------------------------------------------------------------------------ */

static void make_mounts(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                        Ecs__Agent__V1__ContainerSpec *to)
{
    to->mounts = list(m, from->n_mount_points);
    for (size_t i = 0; i < from->n_mount_points; i++) {
        Ecs__Agent__V1__Mount *p = pbc_new(&ecs__agent__v1__mount__descriptor, m->arena);
        p->volume = from->mount_points[i]->source_volume;
        p->path = from->mount_points[i]->container_path;
        SET(p, read_only, from->mount_points[i]->read_only);
        to->mounts[to->n_mounts++] = p;
    }
    to->volumes_from = list(m, from->n_volumes_from);
    for (size_t i = 0; i < from->n_volumes_from; i++) {
        Ecs__Agent__V1__VolumesFrom *v =
            pbc_new(&ecs__agent__v1__volumes_from__descriptor, m->arena);
        v->container = from->volumes_from[i]->source_container;
        SET(v, read_only, from->volumes_from[i]->read_only);
        to->volumes_from[to->n_volumes_from++] = v;
    }
}

/* Logs are kept on the node whatever AWS service the definition names. */
static void make_log(const struct maker *m, const Ecs__Log__V1__LogConfigurationSpec *from,
                     Ecs__Agent__V1__ContainerSpec *to)
{
    Ecs__Agent__V1__LogConfig *log;
    if (from == NULL) {
        return;
    }
    log = pbc_new(&ecs__agent__v1__log_config__descriptor, m->arena);
    log->driver = (char *)"json-file";
    if (strcmp(from->log_driver, "json-file") == 0) {
        log->options = list(m, from->n_options);
        for (size_t i = 0; i < from->n_options; i++) {
            log->options[log->n_options++] =
                pair(m, from->options[i]->key, from->options[i]->value);
        }
    }
    to->log = log;
}

/* --- health and order
 * ------------------------------------------------------------------------------ */

static void make_health(const struct maker *m, const Ecs__Log__V1__HealthCheckSpec *from,
                        Ecs__Agent__V1__ContainerSpec *to)
{
    Ecs__Agent__V1__HealthCheck *h;
    if (from == NULL || from->n_command < 2 || strcmp(from->command[0], "NONE") == 0) {
        return;
    }
    h = pbc_new(&ecs__agent__v1__health_check__descriptor, m->arena);
    h->command = list(m, from->n_command + 2);
    if (strcmp(from->command[0], "CMD-SHELL") == 0) {
        h->command[h->n_command++] = (char *)"/bin/sh";
        h->command[h->n_command++] = (char *)"-c";
    }
    for (size_t i = 1; i < from->n_command; i++) {
        h->command[h->n_command++] = from->command[i];
    }
    SET(h, interval_s, from->has_interval ? (uint32_t)from->interval : HEALTH_INTERVAL_S);
    SET(h, timeout_s, from->has_timeout ? (uint32_t)from->timeout : HEALTH_TIMEOUT_S);
    SET(h, retries, from->has_retries ? (uint32_t)from->retries : HEALTH_RETRIES);
    SET(h, start_period_s, from->has_start_period ? (uint32_t)from->start_period : 0);
    to->health = h;
}

static uint32_t condition_of(const char *name)
{
    static const char *const conditions[] = {"START", "COMPLETE", "SUCCESS", "HEALTHY"};
    for (uint32_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(conditions[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

static void make_depends(const struct maker *m, const Ecs__Log__V1__ContainerSpec *from,
                         Ecs__Agent__V1__ContainerSpec *to)
{
    to->depends_on = list(m, from->n_depends_on);
    for (size_t i = 0; i < from->n_depends_on; i++) {
        Ecs__Agent__V1__Depends *d = pbc_new(&ecs__agent__v1__depends__descriptor, m->arena);
        const char *condition = from->depends_on[i]->condition;
        d->container = from->depends_on[i]->container_name;
        SET(d, condition, condition_of(condition == NULL ? "START" : condition));
        to->depends_on[to->n_depends_on++] = d;
    }
}

/* --- container and task
 * ------------------------------------------------------------------------------
 */

static const Ecs__Log__V1__ContainerOverride *override_of(const struct maker *m, const char *name)
{
    for (size_t i = 0; i < m->overrides->n_container_overrides; i++) {
        const Ecs__Log__V1__ContainerOverride *o = m->overrides->container_overrides[i];
        if (o->name != NULL && strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

static void make_size(const Ecs__Log__V1__ContainerSpec *from,
                      const Ecs__Log__V1__ContainerOverride *o, Ecs__Agent__V1__ContainerSpec *to)
{
    SET(to, cpu_units, (uint32_t)from->cpu);
    SET(to, memory_mib, (uint32_t)from->memory);
    SET(to, memory_reservation_mib, (uint32_t)from->memory_reservation);
    if (o != NULL && o->has_cpu) {
        to->cpu_units = (uint32_t)o->cpu;
    }
    if (o != NULL && o->has_memory) {
        to->memory_mib = (uint32_t)o->memory;
    }
    if (o != NULL && o->has_memory_reservation) {
        to->memory_reservation_mib = (uint32_t)o->memory_reservation;
    }
}

static Ecs__Agent__V1__ContainerSpec *make_container(const struct maker *m, uint32_t index)
{
    const Ecs__Log__V1__ContainerSpec *from = m->spec->container_definitions[index];
    const Ecs__Log__V1__ContainerOverride *o = override_of(m, from->name);
    Ecs__Agent__V1__ContainerSpec *to =
        pbc_new(&ecs__agent__v1__container_spec__descriptor, m->arena);
    bool own_command = o != NULL && o->n_command > 0;
    to->name = from->name;
    to->image = from->image;
    SET(to, essential, from->essential);
    to->n_entry_point = from->n_entry_point;
    to->entry_point = from->entry_point;
    to->n_command = own_command ? o->n_command : from->n_command;
    to->command = own_command ? o->command : from->command;
    to->working_directory = from->working_directory;
    to->user = from->user;
    SET(to, readonly_root_filesystem, from->readonly_root_filesystem);
    SET(to, privileged, from->privileged);
    if (from->has_start_timeout) {
        SET(to, start_timeout_s, (uint32_t)from->start_timeout);
    }
    SET(to, stop_timeout_s, from->has_stop_timeout ? (uint32_t)from->stop_timeout : STOP_TIMEOUT_S);
    make_size(from, o, to);
    make_ports(m, index, from, to);
    make_environment(m, from, o, to);
    make_labels(m, from, to);
    make_hosts(m, from, to);
    make_linux(m, from->linux_parameters, to);
    make_limits(m, from, to);
    make_mounts(m, from, to);
    make_log(m, from->log_configuration, to);
    make_health(m, from->health_check, to);
    make_depends(m, from, to);
    return to;
}

static void make_volumes(const struct maker *m, Ecs__Agent__V1__TaskSpec *to)
{
    to->volumes = list(m, m->spec->n_volumes);
    for (size_t i = 0; i < m->spec->n_volumes; i++) {
        const Ecs__Log__V1__VolumeSpec *from = m->spec->volumes[i];
        Ecs__Agent__V1__Volume *v = pbc_new(&ecs__agent__v1__volume__descriptor, m->arena);
        bool host =
            from->host != NULL && from->host->source_path != NULL && *from->host->source_path != 0;
        v->name = from->name;
        SET(v, kind, host ? 1 : 0);
        v->host_path = host ? from->host->source_path : NULL;
        to->volumes[to->n_volumes++] = v;
    }
}

static Ecs__Agent__V1__TaskSpec *make_task(const struct maker *m)
{
    Ecs__Agent__V1__TaskSpec *to = pbc_new(&ecs__agent__v1__task_spec__descriptor, m->arena);
    const struct taskdef *def = m->x->taskdef;
    assert(m->spec != NULL);
    assert(m->overrides != NULL);
    to->arn = (char *)m->arn;
    to->cluster = text(m, m->x->cluster->name);
    to->family = text(m, def->family);
    SET(to, revision, def->revision);
    to->service = m->x->service == NULL ? NULL : text(m, m->x->service->name);
    to->group = text(m, m->task->group);
    SET(to, network_mode, def->network_mode);
    /* Limits of the whole task only where somebody set them: sums are reservations, no limits. */
    if (m->spec->cpu != NULL || m->overrides->cpu != NULL) {
        SET(to, cpu_units, m->task->cpu);
    }
    if (m->spec->memory != NULL || m->overrides->memory != NULL) {
        SET(to, memory_mib, m->task->memory);
    }
    to->containers = list(m, m->spec->n_container_definitions);
    for (uint32_t i = 0; i < m->spec->n_container_definitions; i++) {
        to->containers[to->n_containers++] = make_container(m, i);
    }
    make_volumes(m, to);
    return to;
}

static ProtobufCBinaryData id_bytes(struct id id, struct arena *a)
{
    ProtobufCBinaryData data = {16, arena_alloc(a, 16)};
    for (int i = 0; i < 8; i++) {
        data.data[i] = (uint8_t)(id.hi >> (56 - 8 * i));
        data.data[8 + i] = (uint8_t)(id.lo >> (56 - 8 * i));
    }
    return data;
}

static int open_overrides(struct maker *m, struct err *err)
{
    ProtobufCMessage *o;
    if (pbc_unpack(&ecs__log__v1__task_override__descriptor, m->task->overrides, m->arena, &o,
                   err) != 0) {
        return err_wrap(err, ERR_CORRUPT, "overrides of %s", m->arn);
    }
    m->overrides = (const Ecs__Log__V1__TaskOverride *)o;
    return 0;
}

int assignment_make(const struct assignment_context *x, const struct task *task, struct arena *a,
                    Ecs__Agent__V1__Assignment **ret, struct err *err)
{
    struct maker m = {.x = x, .task = task, .arena = a};
    Ecs__Agent__V1__Assignment *to = pbc_new(&ecs__agent__v1__assignment__descriptor, a);
    Ecs__Log__V1__TaskDefinitionSpec *spec;
    int rv;
    SET(to, task_id, id_bytes(task->id, a));
    SET(to, stop, task->desired == TASK_STOPPED);
    if (to->stop) {
        to->stop_reason = text(&m, task->stop_reason);
        *ret = to;
        return 0;
    }
    m.arn = arn_task(x->names, x->cluster->name, task->id, a);
    rv = taskdef_spec(x->taskdef, a, &spec, err);
    if (rv == 0) {
        m.spec = spec;
        rv = open_overrides(&m, err);
    }
    if (rv != 0) {
        return rv;
    }
    to->spec = make_task(&m);
    *ret = to;
    return 0;
}
