/* The rules of RegisterTaskDefinition. Sentences are ECS's where they are known. */
#include "controller/codec/taskdef_int.h"

#include "controller/core/limits.h"
#include "controller/core/placement/query.h"

#include <string.h>

#define LABEL(c)       (c)->name
#define TIMEOUT_MAX_S  86400
#define MOUNTS_MAX     100
#define PORT_PAIRS_MAX (LIMIT_CONTAINERS * LIMIT_PORTS_PER_CONTAINER)

struct check {
    const Ecs__Log__V1__TaskDefinitionSpec *spec;
    enum network_mode mode;
    struct arena *arena;
    struct err *err;
    uint32_t order[LIMIT_CONTAINERS]; /* Bit j of [i]: container i waits for container j. */
};

static bool is_empty(const char *text)
{
    return text == NULL || *text == '\0';
}

static int find_container(const struct check *c, struct str name)
{
    for (size_t i = 0; i < c->spec->n_container_definitions; i++) {
        if (str_eqc(name, c->spec->container_definitions[i]->name)) {
            return (int)i;
        }
    }
    return -1;
}

static int out_of_range(struct check *c, const Ecs__Log__V1__ContainerSpec *x, const char *what,
                        int64_t min, int64_t max)
{
    return err_set(c->err, ERR_INVALID,
                   "Invalid setting for container '%s'. '%s' must be from %lld to %lld.", LABEL(x),
                   what, (long long)min, (long long)max);
}

static int check_range(struct check *c, const Ecs__Log__V1__ContainerSpec *x, const char *what,
                       bool present, int64_t v, int64_t min, int64_t max)
{
    return present && (v < min || v > max) ? out_of_range(c, x, what, min, max) : 0;
}

/* --- names and sizes -----------------------------------------------------------------------------
 */

static int check_identity(struct check *c, size_t i)
{
    const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[i];
    if (is_empty(x->name)) {
        return err_set(c->err, ERR_INVALID, "Container.name should not be null or empty.");
    }
    if (!arn_is_name(str_of(x->name))) {
        return err_set(c->err, ERR_INVALID,
                       "Container.name contains invalid characters or is too long: letters, "
                       "numbers, hyphens and underscores are allowed, at most %d.",
                       LIMIT_NAME);
    }
    if (is_empty(x->image)) {
        return err_set(c->err, ERR_INVALID,
                       "Container.image should not be null or empty (container '%s').", LABEL(x));
    }
    if (find_container(c, str_of(x->name)) != (int)i) {
        return err_set(c->err, ERR_INVALID, "Container.name is not unique: '%s'.", LABEL(x));
    }
    return 0;
}

static int check_memory(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    if ((x->has_memory && x->memory < CONTAINER_MEMORY_MIN) ||
        (x->has_memory_reservation && x->memory_reservation < CONTAINER_MEMORY_MIN)) {
        return err_set(c->err, ERR_INVALID,
                       "Invalid setting for container '%s'. 'memory' and 'memoryReservation' must "
                       "be at least %d MiB.",
                       LABEL(x), CONTAINER_MEMORY_MIN);
    }
    if (x->has_memory && x->has_memory_reservation && x->memory < x->memory_reservation) {
        return err_set(c->err, ERR_INVALID,
                       "Invalid setting for container '%s'. The 'memory' setting must be greater "
                       "than or equal to 'memoryReservation'.",
                       LABEL(x));
    }
    if (!x->has_memory && !x->has_memory_reservation && c->spec->memory == NULL) {
        return err_set(c->err, ERR_INVALID,
                       "Invalid setting for container '%s'. At least one of 'memory' or "
                       "'memoryReservation' must be specified.",
                       LABEL(x));
    }
    return 0;
}

/* The containers together within the task. */
static int check_totals(struct check *c)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = c->spec;
    uint32_t limit = 0;
    uint64_t cpu = 0;
    uint64_t reserved = 0;
    int rv = 0;
    for (size_t i = 0; i < spec->n_container_definitions; i++) {
        const Ecs__Log__V1__ContainerSpec *x = spec->container_definitions[i];
        cpu += (uint64_t)x->cpu;
        if (x->has_memory_reservation) {
            reserved += (uint64_t)x->memory_reservation;
        } else if (x->has_memory) {
            reserved += (uint64_t)x->memory;
        }
    }
    if (spec->cpu != NULL) {
        rv = taskdef_parse_cpu(str_of(spec->cpu), &limit, c->err);
        if (rv == 0 && cpu > limit) {
            rv = err_set(c->err, ERR_INVALID,
                         "The 'cpu' settings of the containers (%llu units) exceed the 'cpu' "
                         "setting of the task (%u).",
                         (unsigned long long)cpu, limit);
        }
    }
    if (rv == 0 && spec->memory != NULL) {
        rv = taskdef_parse_memory(str_of(spec->memory), &limit, c->err);
        if (rv == 0 && reserved > limit) {
            rv = err_set(c->err, ERR_INVALID,
                         "The memory of the containers (%llu MiB) exceeds the 'memory' setting of "
                         "the task (%u MiB).",
                         (unsigned long long)reserved, limit);
        }
    }
    return rv;
}

/* --- ports ---------------------------------------------------------------------------------------
 */

int taskdef_parse_ports(const Ecs__Log__V1__PortMappingSpec *p, uint32_t *ret_first,
                        uint32_t *ret_n, struct err *err)
{
    struct str last;
    struct str range = str_of(p->container_port_range);
    uint64_t from;
    uint64_t to;
    if (range.n == 0) {
        *ret_first = (uint32_t)p->container_port;
        *ret_n = 1;
        if (!p->has_container_port || p->container_port < 1 || p->container_port > UINT16_MAX) {
            return err_set(err, ERR_INVALID,
                           "Invalid 'containerPort' setting: must be from 1 to "
                           "65535.");
        }
        return 0;
    }
    last = range;
    range = str_cut(last, '-', &last);
    if (p->has_container_port || p->has_host_port || !str_u64(range, &from) ||
        !str_u64(last, &to) || from < 1 || to > UINT16_MAX || from > to) {
        return err_set(err, ERR_INVALID,
                       "Invalid 'containerPortRange' setting '%s': give it as 'first-last', "
                       "without 'containerPort' and 'hostPort'.",
                       p->container_port_range);
    }
    *ret_first = (uint32_t)from;
    *ret_n = (uint32_t)(to - from + 1);
    return 0;
}

/* Ports taken so far: key is container (0: host) << 24 | protocol << 16 | port. */
struct taken {
    uint32_t keys[2 * PORT_PAIRS_MAX];
    size_t n;
};

static bool take(struct taken *t, uint32_t key)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->keys[i] == key) {
            return false;
        }
    }
    t->keys[t->n++] = key;
    return true;
}

static int check_mapping(struct check *c, size_t container, const Ecs__Log__V1__PortMappingSpec *p,
                         struct taken *taken, uint32_t *total)
{
    const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[container];
    uint32_t protocol = p->protocol != NULL && strcmp(p->protocol, "udp") == 0 ? 1u << 16 : 0;
    bool same = c->mode == NETWORK_HOST || c->mode == NETWORK_AWSVPC;
    uint32_t first = 0;
    uint32_t n = 0;
    int rv = taskdef_parse_ports(p, &first, &n, c->err);
    if (rv == 0) {
        rv = check_range(c, x, "hostPort", p->has_host_port, p->host_port, 0, UINT16_MAX);
    }
    if (rv != 0) {
        return rv;
    }
    if (same && p->has_host_port && p->host_port != 0 && (uint32_t)p->host_port != first) {
        return err_set(c->err, ERR_INVALID,
                       "When networkMode=%s, the host ports and container ports in port mappings "
                       "must match.",
                       taskdef_network_name((uint8_t)c->mode));
    }
    *total += n;
    if (*total > LIMIT_PORTS_PER_CONTAINER) {
        return err_set(c->err, ERR_INVALID, "Container '%s' has more than %d ports.", LABEL(x),
                       LIMIT_PORTS_PER_CONTAINER);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t host = same ? first + i : (uint32_t)p->host_port;
        if (!take(taken, (uint32_t)(container + 1) << 24 | protocol | (first + i))) {
            return err_set(c->err, ERR_INVALID,
                           "Port %u is mapped more than once (container '%s').", first + i,
                           LABEL(x));
        }
        if (host != 0 && !take(taken, protocol | host)) {
            return err_set(c->err, ERR_INVALID,
                           "Host port %u is mapped more than once (container '%s').", host,
                           LABEL(x));
        }
    }
    return 0;
}

static int check_ports(struct check *c)
{
    struct taken *taken = arena_alloc(c->arena, sizeof *taken);
    for (size_t i = 0; i < c->spec->n_container_definitions; i++) {
        const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[i];
        uint32_t total = 0;
        if (x->n_port_mappings > 0 && c->mode == NETWORK_NONE) {
            return err_set(c->err, ERR_INVALID,
                           "When networkMode=none, port mappings are not supported.");
        }
        for (size_t j = 0; j < x->n_port_mappings; j++) {
            int rv = check_mapping(c, i, x->port_mappings[j], taken, &total);
            if (rv != 0) {
                return rv;
            }
        }
    }
    return 0;
}

/* --- order among containers ----------------------------------------------------------------------
 */

static int need_container(struct check *c, size_t from, struct str name, const char *what,
                          size_t *ret)
{
    int at = find_container(c, name);
    if (at < 0 || (size_t)at == from) {
        return err_set(c->err, ERR_INVALID,
                       "Container '%s' names '%.*s' in '%s', which is no other container of the "
                       "task definition.",
                       LABEL(c->spec->container_definitions[from]), STR_ARG(name), what);
    }
    c->order[from] |= 1u << at;
    *ret = (size_t)at;
    return 0;
}

static int check_dependency(struct check *c, size_t from,
                            const Ecs__Log__V1__ContainerDependencySpec *d)
{
    const Ecs__Log__V1__ContainerSpec *on;
    size_t at = 0;
    int rv = need_container(c, from, str_of(d->container_name), "dependsOn", &at);
    if (rv != 0) {
        return rv;
    }
    on = c->spec->container_definitions[at];
    if (d->condition == NULL) {
        return err_set(c->err, ERR_INVALID, "dependsOn: 'condition' should not be null.");
    }
    if (strcmp(d->condition, "HEALTHY") == 0 && on->health_check == NULL) {
        return err_set(c->err, ERR_INVALID,
                       "Container '%s' must have a health check, because '%s' waits for it to be "
                       "HEALTHY.",
                       LABEL(on), LABEL(c->spec->container_definitions[from]));
    }
    if ((strcmp(d->condition, "COMPLETE") == 0 || strcmp(d->condition, "SUCCESS") == 0) &&
        on->essential) {
        return err_set(
            c->err, ERR_INVALID,
            "A container that another waits for to end (%s) must not be essential: '%s'.",
            d->condition, LABEL(on));
    }
    return 0;
}

static int check_links(struct check *c, size_t i)
{
    const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[i];
    size_t at;
    int rv = 0;
    if (x->n_links > 0 && c->mode != NETWORK_BRIDGE) {
        return err_set(c->err, ERR_INVALID, "Links are not supported when networkMode=%s.",
                       taskdef_network_name((uint8_t)c->mode));
    }
    for (size_t j = 0; j < x->n_links && rv == 0; j++) {
        struct str alias = {NULL, 0};
        struct str name = str_cut(str_of(x->links[j]), ':', &alias);
        rv = need_container(c, i, name, "links", &at);
    }
    for (size_t j = 0; j < x->n_volumes_from && rv == 0; j++) {
        rv = need_container(c, i, str_of(x->volumes_from[j]->source_container), "volumesFrom", &at);
    }
    for (size_t j = 0; j < x->n_depends_on && rv == 0; j++) {
        rv = check_dependency(c, i, x->depends_on[j]);
    }
    return rv;
}

/* Transitive closure by repetition; ten containers at most. */
static int check_cycles(struct check *c)
{
    size_t n = c->spec->n_container_definitions;
    for (size_t round = 0; round < n; round++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                if ((c->order[i] & 1u << j) != 0) {
                    c->order[i] |= c->order[j];
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        if ((c->order[i] & 1u << i) != 0) {
            return err_set(c->err, ERR_INVALID,
                           "Container dependencies must not form a cycle: '%s' waits for itself.",
                           LABEL(c->spec->container_definitions[i]));
        }
    }
    return 0;
}

/* --- volumes -------------------------------------------------------------------------------------
 */

static bool is_absolute(const char *path)
{
    return path != NULL && path[0] == '/';
}

static int check_volumes(struct check *c)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = c->spec;
    for (size_t i = 0; i < spec->n_volumes; i++) {
        const Ecs__Log__V1__VolumeSpec *v = spec->volumes[i];
        if (!arn_is_name(str_of(v->name))) {
            return err_set(c->err, ERR_INVALID,
                           "Volume.name must be letters, numbers, hyphens and underscores, 1 to "
                           "%d of them.",
                           LIMIT_NAME);
        }
        if (v->configured_at_launch) {
            return err_set(c->err, ERR_UNSUPPORTED,
                           "volumes[%zu].configuredAtLaunch is not supported by this server.", i);
        }
        if (v->host != NULL && v->host->source_path != NULL && *v->host->source_path != '\0' &&
            !is_absolute(v->host->source_path)) {
            return err_set(c->err, ERR_INVALID,
                           "Volume '%s': 'sourcePath' must be an absolute path.", v->name);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(spec->volumes[j]->name, v->name) == 0) {
                return err_set(c->err, ERR_INVALID, "Volume.name is not unique: '%s'.", v->name);
            }
        }
    }
    return 0;
}

static bool has_volume(const struct check *c, const char *name)
{
    for (size_t i = 0; i < c->spec->n_volumes; i++) {
        if (strcmp(c->spec->volumes[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_mounts(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    if (x->n_mount_points > MOUNTS_MAX) {
        return err_set(c->err, ERR_INVALID, "Container '%s' has more than %d mount points.",
                       LABEL(x), MOUNTS_MAX);
    }
    for (size_t i = 0; i < x->n_mount_points; i++) {
        const Ecs__Log__V1__MountPointSpec *m = x->mount_points[i];
        if (m->source_volume == NULL || !has_volume(c, m->source_volume)) {
            return err_set(c->err, ERR_INVALID, "Unknown volume '%s'.",
                           m->source_volume == NULL ? "" : m->source_volume);
        }
        if (!is_absolute(m->container_path)) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': 'containerPath' must be an absolute path.", LABEL(x));
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(x->mount_points[j]->container_path, m->container_path) == 0) {
                return err_set(c->err, ERR_INVALID,
                               "Container '%s': '%s' is mounted more than once.", LABEL(x),
                               m->container_path);
            }
        }
    }
    return 0;
}

/* --- the rest of a container
 * ----------------------------------------------------------------------- */

static int check_health(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    const Ecs__Log__V1__HealthCheckSpec *h = x->health_check;
    int rv;
    if (h == NULL) {
        return 0;
    }
    if (h->n_command == 0 ||
        (strcmp(h->command[0], "CMD") != 0 && strcmp(h->command[0], "CMD-SHELL") != 0 &&
         strcmp(h->command[0], "NONE") != 0)) {
        return err_set(c->err, ERR_INVALID,
                       "Health check of container '%s': 'command' must begin with CMD, CMD-SHELL "
                       "or NONE.",
                       LABEL(x));
    }
    if (strcmp(h->command[0], "NONE") != 0 && h->n_command < 2) {
        return err_set(c->err, ERR_INVALID,
                       "Health check of container '%s': 'command' names nothing to run.", LABEL(x));
    }
    rv = check_range(c, x, "healthCheck.interval", h->has_interval, h->interval, 5, 300);
    if (rv == 0) {
        rv = check_range(c, x, "healthCheck.timeout", h->has_timeout, h->timeout, 2, 120);
    }
    if (rv == 0) {
        rv = check_range(c, x, "healthCheck.retries", h->has_retries, h->retries, 1, 10);
    }
    if (rv == 0) {
        rv = check_range(c, x, "healthCheck.startPeriod", h->has_start_period, h->start_period, 0,
                         300);
    }
    return rv;
}

static int check_linux(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    const Ecs__Log__V1__LinuxParametersSpec *l = x->linux_parameters;
    int rv = 0;
    if (l == NULL) {
        return 0;
    }
    rv = check_range(c, x, "linuxParameters.sharedMemorySize", l->has_shared_memory_size,
                     l->shared_memory_size, 1, INT32_MAX);
    for (size_t i = 0; i < l->n_tmpfs && rv == 0; i++) {
        if (!is_absolute(l->tmpfs[i]->container_path)) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': 'containerPath' of tmpfs must be an absolute path.",
                           LABEL(x));
        }
        rv = check_range(c, x, "linuxParameters.tmpfs.size", true, l->tmpfs[i]->size, 1, INT32_MAX);
    }
    return rv;
}

static int check_environment(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    for (size_t i = 0; i < x->n_environment; i++) {
        const char *name = x->environment[i]->name;
        if (is_empty(name) || strchr(name, '=') != NULL) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': the name of an environment variable must not be empty "
                           "nor contain '='.",
                           LABEL(x));
        }
    }
    for (size_t i = 0; i < x->n_extra_hosts; i++) {
        if (is_empty(x->extra_hosts[i]->hostname) || is_empty(x->extra_hosts[i]->ip_address)) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': extraHosts needs 'hostname' and 'ipAddress'.",
                           LABEL(x));
        }
    }
    return 0;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int check_kernel(struct check *c, const Ecs__Log__V1__ContainerSpec *x)
{
    for (size_t i = 0; i < x->n_ulimits; i++) {
        const Ecs__Log__V1__UlimitSpec *u = x->ulimits[i];
        bool unlimited = u->hard_limit == -1;
        if (u->name == NULL || !u->has_soft_limit || !u->has_hard_limit || u->hard_limit < -1 ||
            u->soft_limit < -1 || (!unlimited && u->soft_limit == -1) ||
            (!unlimited && u->soft_limit > u->hard_limit)) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': a ulimit needs 'name', 'softLimit' and 'hardLimit', "
                           "the soft limit not above the hard one.",
                           LABEL(x));
        }
    }
    for (size_t i = 0; i < x->n_system_controls; i++) {
        const Ecs__Log__V1__SystemControlSpec *s = x->system_controls[i];
        const char *name = s->namespace_ == NULL ? "" : s->namespace_;
        bool net = starts_with(name, "net.");
        bool ipc = starts_with(name, "kernel.msg") || starts_with(name, "kernel.sem") ||
                   starts_with(name, "kernel.shm") || starts_with(name, "fs.mqueue.");
        if (is_empty(s->value) || (!net && !ipc) || (net && c->mode == NETWORK_HOST)) {
            return err_set(c->err, ERR_INVALID,
                           "Container '%s': system control '%s' is not namespaced, has no value, "
                           "or is of the network while networkMode=host.",
                           LABEL(x), name);
        }
    }
    return 0;
}

int taskdef_parse_gpus(Ecs__Log__V1__ResourceRequirementSpec *const *v, size_t n, uint32_t *ret,
                       struct err *err)
{
    uint64_t gpus = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->type == NULL || strcmp(v[i]->type, "GPU") != 0) {
            return err_set(err, ERR_UNSUPPORTED,
                           "resourceRequirements of type %s are not supported by this server.",
                           v[i]->type == NULL ? "null" : v[i]->type);
        }
        if (!str_u64(str_of(v[i]->value), &gpus) || gpus == 0 || gpus > UINT16_MAX) {
            return err_set(err, ERR_INVALID,
                           "resourceRequirements: the value of type GPU must be a whole number.");
        }
    }
    *ret = (uint32_t)gpus;
    return 0;
}

/* What is stored when it says no, and refused when it says yes. */
static int check_unsupported(struct check *c, size_t i)
{
    const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[i];
    const char *field = NULL;
    const char *driver = x->log_configuration == NULL ? NULL : x->log_configuration->log_driver;
    uint32_t gpus;
    if (x->interactive) {
        field = "interactive";
    } else if (x->pseudo_terminal) {
        field = "pseudoTerminal";
    } else if (x->disable_networking) {
        field = "disableNetworking";
    } else if (driver != NULL && strcmp(driver, "json-file") != 0 &&
               strcmp(driver, "awslogs") != 0) {
        field = "logConfiguration.logDriver other than json-file or awslogs";
    }
    if (field != NULL) {
        return err_set(c->err, ERR_UNSUPPORTED,
                       "containerDefinitions[%zu].%s is not supported by this server.", i, field);
    }
    if (x->log_configuration != NULL && driver == NULL) {
        return err_set(c->err, ERR_INVALID, "Container '%s': 'logDriver' should not be null.",
                       LABEL(x));
    }
    return taskdef_parse_gpus(x->resource_requirements, x->n_resource_requirements, &gpus, c->err);
}

static int check_container(struct check *c, size_t i)
{
    typedef int (*part)(struct check *, const Ecs__Log__V1__ContainerSpec *);
    static const part parts[] = {check_memory, check_mounts,      check_health,
                                 check_linux,  check_environment, check_kernel};
    const Ecs__Log__V1__ContainerSpec *x = c->spec->container_definitions[i];
    int rv = check_identity(c, i);
    if (rv == 0) {
        rv = check_unsupported(c, i);
    }
    for (size_t j = 0; j < sizeof parts / sizeof parts[0] && rv == 0; j++) {
        rv = parts[j](c, x);
    }
    if (rv == 0) {
        rv = check_range(c, x, "cpu", x->has_cpu, x->cpu, 0, 196608);
    }
    if (rv == 0) {
        rv = check_range(c, x, "startTimeout", x->has_start_timeout, x->start_timeout, 2,
                         TIMEOUT_MAX_S);
    }
    if (rv == 0) {
        rv = check_range(c, x, "stopTimeout", x->has_stop_timeout, x->stop_timeout, 0,
                         TIMEOUT_MAX_S);
    }
    return rv;
}

/* --- the task ------------------------------------------------------------------------------------
 */

static int check_fargate(struct check *c)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = c->spec;
    uint32_t cpu;
    uint32_t memory;
    bool fargate = false;
    for (size_t i = 0; i < spec->n_requires_compatibilities; i++) {
        fargate = fargate || strcmp(spec->requires_compatibilities[i], "FARGATE") == 0;
    }
    if (!fargate) {
        return 0;
    }
    if (c->mode != NETWORK_AWSVPC) {
        return err_set(c->err, ERR_INVALID, "Fargate only supports network mode 'awsvpc'.");
    }
    if (spec->cpu == NULL || spec->memory == NULL) {
        return err_set(c->err, ERR_INVALID,
                       "Fargate requires that '%s' be defined at the task level.",
                       spec->cpu == NULL ? "cpu" : "memory");
    }
    if (taskdef_parse_cpu(str_of(spec->cpu), &cpu, NULL) != 0 ||
        taskdef_parse_memory(str_of(spec->memory), &memory, NULL) != 0 ||
        !taskdef_is_fargate_size(cpu, memory)) {
        return err_set(c->err, ERR_INVALID, "No Fargate configuration exists for given values.");
    }
    return 0;
}

static int check_constraints(struct check *c)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = c->spec;
    if (spec->n_placement_constraints > LIMIT_PLACEMENT_CONSTRAINTS) {
        return err_set(c->err, ERR_INVALID, "There can be at most %d placement constraints.",
                       LIMIT_PLACEMENT_CONSTRAINTS);
    }
    for (size_t i = 0; i < spec->n_placement_constraints; i++) {
        struct query *q;
        int rv = query_parse(c->arena->mem, str_of(spec->placement_constraints[i]->expression), &q,
                             c->err);
        if (rv != 0) {
            return err_wrap(c->err, ERR_INVALID, "Invalid expression in placementConstraints[%zu]",
                            i);
        }
        query_close(q);
    }
    return 0;
}

static int check_task(struct check *c)
{
    const Ecs__Log__V1__TaskDefinitionSpec *spec = c->spec;
    const Ecs__Log__V1__RuntimePlatformSpec *p = spec->runtime_platform;
    bool essential = false;
    if (spec->n_container_definitions == 0) {
        return err_set(c->err, ERR_INVALID, "Container list cannot be empty.");
    }
    if (spec->n_container_definitions > LIMIT_CONTAINERS) {
        return err_set(c->err, ERR_INVALID, "A task definition can have at most %d containers.",
                       LIMIT_CONTAINERS);
    }
    for (size_t i = 0; i < spec->n_container_definitions; i++) {
        essential = essential || spec->container_definitions[i]->essential;
    }
    if (!essential) {
        return err_set(c->err, ERR_INVALID,
                       "At least one container of a task definition must be essential.");
    }
    if (p != NULL && p->operating_system_family != NULL &&
        strcmp(p->operating_system_family, "LINUX") != 0) {
        return err_set(c->err, ERR_UNSUPPORTED,
                       "runtimePlatform.operatingSystemFamily %s is not supported by this server.",
                       p->operating_system_family);
    }
    if (spec->enable_fault_injection) {
        return err_set(c->err, ERR_UNSUPPORTED,
                       "enableFaultInjection is not supported by this server.");
    }
    return 0;
}

int taskdef_check(const Ecs__Log__V1__TaskDefinitionSpec *spec, enum network_mode mode,
                  struct arena *a, struct err *err)
{
    typedef int (*part)(struct check *);
    static const part parts[] = {check_totals, check_ports, check_cycles, check_fargate,
                                 check_constraints};
    struct check c = {.spec = spec, .mode = mode, .arena = a, .err = err};
    int rv = check_task(&c);
    if (rv == 0) {
        rv = check_volumes(&c);
    }
    for (size_t i = 0; i < spec->n_container_definitions && rv == 0; i++) {
        rv = check_container(&c, i);
    }
    for (size_t i = 0; i < spec->n_container_definitions && rv == 0; i++) {
        rv = check_links(&c, i);
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && rv == 0; i++) {
        rv = parts[i](&c);
    }
    return rv;
}
